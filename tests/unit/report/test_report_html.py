"""The report: one page, both languages, nothing from outside; the workbook's units; what is not there is said."""

import io
import re
from dataclasses import replace

import openpyxl
import pytest
from builders import TRACK, content_of, expected

from fems.contracts.forecast import Change, PlanEffect
from fems.forecast.reasons import Language
from fems.report.content import Content
from fems.report.page import money, number, opened_in, render, signed
from fems.report.words import TEXT
from fems.report.workbook import workbook


@pytest.fixture(scope="module")
def content() -> Content:
    return content_of(expected(), TRACK)


@pytest.fixture(scope="module")
def page(content: Content) -> str:
    return render(content)


def test_the_page_asks_nobody_for_anything(page: str) -> None:
    addresses = set(re.findall(r"""(?:src|href)=["']([^"']*)""", page)) | set(
        re.findall(r"url\(([^)]*)\)", page)
    )
    assert addresses and all(a.startswith(("#", "data:,")) for a in addresses)
    assert "<script" not in page and "@import" not in page
    outside = set(re.findall(r"https?://[^\s\"'<)]+", page))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_both_languages_are_whole_and_one_is_shown(page: str) -> None:
    assert TEXT["ko"].keys() == TEXT["en"].keys()
    assert "시험" in page and "프레스" in page and "3월" in page and "March 2026" in page and "Pump" in page
    for language, other in (("ko", "en"), ("en", "ko")):
        shown = opened_in(page, language)  # type: ignore[arg-type]
        assert f'<html lang="{language}">' in shown
        assert f'id="show-{language}" checked' in shown and f'id="show-{other}" checked' not in shown
    assert "{" not in re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.S)


def test_what_is_planned_is_told_where_something_is(content: Content, page: str) -> None:
    assert TEXT["en"]["plans_lead"] not in page
    effect = PlanEffect(
        sensor_id="F-M1",
        kind="production",
        planned=12,
        energy_pct=8.1,
        kwh=400,
        kept=True,
        reason_ko="프레스: 계획 생산량 +12 %: 사용량 +8.1 %",
        reason_en="Press: planned production +12 %: +8.1 % energy",
    )
    planned = render(replace(content, summary=content.summary.model_copy(update={"plans": (effect,)})))
    assert effect.reason_ko in planned and effect.reason_en in planned
    assert TEXT["en"]["plans_lead"] in planned and TEXT["ko"]["plans_lead"] in planned


def test_every_picture_has_words_and_ids_are_unique(page: str) -> None:
    figures = re.findall(r'<figure role="img" aria-label="([^"]+)"', page)
    assert len(figures) == 10 and all(len(words) > 20 for words in figures)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert "DejaVu" not in page


def test_the_figures_of_the_page_are_those_of_the_summary(page: str, content: Content) -> None:
    summary = content.summary
    assert summary.demand and summary.cost and summary.carbon
    for value in (
        f"{summary.kwh / 1000:,.1f}",
        f"{summary.demand.kw:,.0f}",
        f"{summary.cost.total:,.0f}",
        f"{summary.carbon.tco2e:,.1f}",
        f"{summary.peak_days[0].kwh:,.0f} kWh",
        "91.4",
        "85.2",
    ):
        assert value in page, value
    assert "90.0" not in page, "an older word on the same forecast"


def test_a_fallback_is_a_banner_in_both_languages_and_a_name_is_escaped() -> None:
    content = content_of(expected(), fallback="no champion")
    named = replace(content, factory=content.factory.model_copy(update={"name": "<b>A & B</b>"}))
    page = render(named)
    assert "기준 예측" in page and "Baseline forecast" in page and "hour-of-week profile" in page
    assert "&lt;b&gt;A &amp; B" in page and "<b>A & B" not in page
    assert TEXT["en"]["track_none"] in page and TEXT["ko"]["track_none"] in page


def test_what_is_not_known_is_said() -> None:
    poor = content_of(None)
    nothing = {"cost": None, "carbon": None, "change": Change(last_month=None, last_year=None)}
    page = render(replace(poor, summary=poor.summary.model_copy(update=nothing)))
    for key in ("no_tariff", "no_past", "no_contract"):
        assert TEXT["ko"][key] in page and TEXT["en"][key] in page


def test_numbers_are_written_as_people_read_them() -> None:
    assert (number(1234567.8), number(None), number(float("nan"))) == ("1,234,568", "–", "–")
    assert (signed(-1.25), signed(3.0)) == ("−1.2", "+3.0")
    assert (
        money(27_300_000, "KRW", "ko") == "2,730만 원"
        and money(27_300_000, "KRW", "en") == "KRW 27.3 million"
    )


@pytest.mark.parametrize(
    ("language", "sheets"),
    [("ko", ["요약", "일자", "설비", "시간"]), ("en", ["Summary", "Days", "Equipment", "Hours"])],
)
def test_the_workbook_holds_the_month_in_one_language_with_units_and_a_chart(
    content: Content, language: Language, sheets: list[str]
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(content, language)))
    assert book.sheetnames == sheets and len(book[sheets[0]]._charts) == 1
    summary, days, machines, hours = (list(book[name].values) for name in sheets)
    assert [len(days), len(machines), len(hours)] == [32, 3, 745]
    headline = {row[0]: row[1] for row in summary}
    assert content.summary.month in headline.values()
    assert content.summary.kwh == pytest.approx(
        headline["월 사용량 (kWh)" if language == "ko" else "Energy of the month (kWh)"]
    )
    assert all("(kWh)" in str(hours[0][i]) for i in range(1, len(hours[0])))
    total = sum(row[1] for row in hours[1:])
    assert total == pytest.approx(content.summary.kwh) == pytest.approx(sum(row[4] for row in days[1:]))
    other = {"ko": "Energy", "en": "사용량"}[language]
    assert not any(other in str(heading) for heading in (*days[0], *machines[0], *hours[0], *headline))


def test_a_machine_named_like_a_formula_is_text_in_the_workbook(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, machines = '=HYPERLINK("http://example.org","Press")', content.machines("en")
    monkeypatch.setattr(Content, "machines", lambda self, language: dict.fromkeys(machines, name))
    book = openpyxl.load_workbook(io.BytesIO(workbook(content, "en")))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell for cell in cells if cell.value == name]
    assert not [cell for cell in cells if cell.data_type == "f"]
