"""The report in a real browser: both languages, desktop and phone, no console error, no request elsewhere, printed."""

import re
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from builders import TRACK, content_of, expected

from fems.report.page import render

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to look at the page with")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(content_of(expected(), TRACK)), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [390, 1440])
def test_both_languages_can_be_read(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    shown = "[...document.querySelectorAll('main')].filter(m => m.offsetHeight).map(m => m.lang).join()"
    assert browser.run(shown) == "ko"
    korean = browser.picture()
    browser.run("document.querySelector('label[lang=en]').click()")
    assert browser.run(shown) == "en"
    english = browser.picture()
    assert korean != english and min(len(korean), len(english)) > 50_000, "a page that is more than blank"
    assert browser.run("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
    small = """[...document.querySelectorAll('main[lang=en] svg text')].filter(t => t.getBoundingClientRect().width)
        .map(t => parseFloat(getComputedStyle(t).fontSize) * Math.hypot(t.getCTM().a, t.getCTM().b))
        .sort((a, b) => a - b)[0]"""
    assert browser.run(small) > 8, "the smallest text of a picture, CSS pixels"
    cut = """[...document.querySelectorAll('main[lang=en] figure')].flatMap(f => {
        const box = f.getBoundingClientRect();
        return [...f.querySelectorAll('svg text')].filter(t => {
            const b = t.getBoundingClientRect();
            return b.width && (b.left < box.left - 1 || b.right > box.right + 1 || b.bottom > box.bottom + 1);
        }).map(t => t.textContent) }).join()"""
    assert browser.run(cut) == "", "no label is cut off"
    assert browser.said == []
    assert {url for url in browser.requests if not url.startswith(("data:", page.as_uri()))} == set()


def test_it_prints_on_a_few_pages_of_a4(browser: Browser, page: Path) -> None:
    browser.open(page, 1440)
    printed = browser.printed()
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    sizes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", printed)}
    assert 2 <= pages <= 5
    assert all(abs(w - 595) < 2 and abs(h - 842) < 2 for _, _, w, h in sizes)
