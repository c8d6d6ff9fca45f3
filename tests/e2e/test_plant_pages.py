"""The plant's pages in a real browser, for 7 and for 300 factories: desktop, phone, print; both languages."""

import re
import time
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from plants import NOW, add_months, add_reports, platform_of

from fems.flows.platform import Platform
from fems.forecast.reasons import Language
from fems.views.factory import factory_page
from fems.views.pages import Asked, factory_html, message_page, plant_page
from fems.views.plant import plant_rows
from fems.views.quality_pages import month_page, overview_page
from fems.views.report import report_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to look at the pages with")

ROOT = "/fems"


def pages_of(platform: Platform, language: Language) -> dict[str, str]:
    """Every kind of page, by name."""
    factory = factory_page(platform, "1001", NOW)
    return {
        "plant": plant_page(plant_rows(platform, NOW), Asked(), language, ROOT),
        "factory": factory_html(factory, language, ROOT, "http://127.0.0.1:8080", "http://127.0.0.1:5000"),
        "quality": overview_page(platform, language, ROOT),
        "quality-factory": overview_page(platform, language, ROOT, "1001"),
        "quality-month": month_page(platform, "1001", "meter", "2026-01", language, ROOT),
        "report": report_page(platform, "1001", language=language, root=ROOT),
        "message": message_page("x", "y", language, ROOT, [{"id": "1", "name": "A", "name_ko": "가"}]),
    }


@pytest.fixture(scope="module", params=[7, 300])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files, by name and language."""
    count: int = request.param
    folder = tmp_path_factory.mktemp("pages")
    platform = platform_of(folder / "lake", count)
    add_months(platform, 12)
    add_reports(platform)
    files = {}
    for language in ("ko", "en"):
        for name, html in pages_of(platform, language).items():
            files[f"{name}-{language}"] = folder / f"{name}-{language}.html"
            files[f"{name}-{language}"].write_text(html, encoding="utf-8")
    return files


@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_can_be_read_and_asks_no_other_host(
    browser: Browser, written: dict[str, Path], width: int
) -> None:
    for name, page in written.items():
        browser.said.clear()
        browser.requests.clear()
        browser.open(page, width)
        assert browser.run("document.documentElement.scrollWidth") <= width, f"{name} sticks out sideways"
        assert browser.run("document.documentElement.lang") == name[-2:]
        assert browser.run("document.title"), name
        assert browser.run("document.querySelectorAll('h1').length") >= 1, name
        assert browser.said == [], name
        assert {url for url in browser.requests if not url.startswith(("data:", "file:"))} == set(), name
        small = """Math.min(...[...document.querySelectorAll('main *')].filter(e => e.offsetHeight
            && e.textContent.trim() && !e.closest('svg')).map(e => parseFloat(getComputedStyle(e).fontSize)))"""
        assert browser.run(small) >= 10, f"{name}: text that is too small to read"


def test_every_way_back_is_there(written: dict[str, Path]) -> None:
    for name, page in written.items():
        html = page.read_text(encoding="utf-8")
        assert f'href="{ROOT}/?lang={name[-2:]}"' in html, f"{name} leads back to the plant"
        assert "<script" not in html


def test_pages_print_on_few_sheets(browser: Browser, written: dict[str, Path]) -> None:
    for name in ("factory-ko", "quality-month-en", "report-en"):
        browser.open(written[name], 1440)
        assert 1 <= sheets_of(browser) <= 6, name


def test_a_page_of_all_factories_prints_as_a_table(browser: Browser, written: dict[str, Path]) -> None:
    for name, rows_a_sheet in (("plant-en", 8), ("plant-ko", 8), ("quality-ko", 20)):
        browser.open(written[name], 1440)
        rows = browser.run("document.querySelectorAll('main tbody tr').length")
        assert sheets_of(browser) <= 2 + rows / rows_a_sheet, name


def sheets_of(browser: Browser) -> int:
    """How many sheets of paper the page takes."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", browser.printed()))


def test_the_quality_page_shows_the_grid_first_and_then_what_needs_a_look(
    browser: Browser, written: dict[str, Path]
) -> None:
    browser.open(written["quality-en"], 1440)
    top = "document.querySelector('table.heat').getBoundingClientRect().top"
    assert browser.run(top) < 300
    refused = browser.run("document.querySelector('table.rows tbody tr').innerText")
    assert "not published" in refused and "1001" in refused and "Works 1001" in refused


def test_three_hundred_factories_of_quality_take_a_few_seconds(tmp_path: Path) -> None:
    platform = platform_of(tmp_path, 300)
    add_months(platform, 12)
    began = time.process_time()
    page = overview_page(platform, "ko", ROOT)
    assert page.count("<th scope=") == 300
    assert time.process_time() - began < 5
