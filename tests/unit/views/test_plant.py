"""The plant page: a row a factory, what needs a person first; both languages; nothing from another host."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import builders
import pytest
from plants import NOW, evaluation, platform_of

from fems.contracts.evaluation import PastEvaluation
from fems.contracts.forecast import BudgetOutlook
from fems.errors import ConfigError, DataError
from fems.flows.platform import Platform
from fems.lake import keys
from fems.views.factory import factory_page
from fems.views.forecasts import Choice
from fems.views.pages import Asked, factory_html, language_of, message_page, plant_page
from fems.views.plant import SORTS, choose, plant_rows
from fems.views.report import report_page, workbook_file
from fems.views.words import TEXT

ROOT = "/fems"


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    budget = BudgetOutlook(unit="kwh", amount=1000.0, expected=1200.0, chance_to_keep=0.2)
    base = builders.summary_of(builders.expected())
    assert base.demand is not None
    sure = base.demand.model_copy(update={"chance_over_contract": 0.6})
    return platform_of(tmp_path_factory.mktemp("plant"), 7, {3: {"budget": budget}, 5: {"demand": sure}})


def test_what_needs_a_person_stands_first_and_says_its_threshold(seven: Platform) -> None:
    rows = {row.factory_id: row for row in plant_rows(seven, NOW)}
    assert next(need.code for need in rows["1005"].needs) == "contract"
    assert rows["1005"].needs[0].values == {"chance": 60, "threshold": 20}
    assert "budget" in [need.code for need in rows["1003"].needs]
    assert all("poor" in [need.code for need in row.needs] for row in rows.values()), (
        "the held-out month was far off"
    )
    first = choose(list(rows.values()))
    assert {row.factory_id for row in first[:2]} >= {"1005"}
    only = choose(list(rows.values()), only_needs=True)
    assert {"1003", "1005"} <= {row.factory_id for row in only}


def test_a_refused_month_and_old_data_are_told(seven: Platform, tmp_path: Path) -> None:
    platform = platform_of(tmp_path, 1)
    record = evaluation("1000", published=False)
    past = PastEvaluation(**record.model_dump(exclude={"profile", "format"}), evaluated_at=NOW, run="test")
    platform.lake.evaluations.write(record, past, "meter")
    (row,) = plant_rows(platform, datetime(2026, 3, 20, tzinfo=UTC))
    assert row.needs[0].severity == "critical" and row.needs[0].code == "refused"
    assert {"days": 20} in [need.values for need in row.needs if need.code == "old"]


def test_a_record_that_cannot_be_read_is_a_need_and_no_crash(tmp_path: Path) -> None:
    platform = platform_of(tmp_path, 2)
    (tmp_path / keys.latest_key("1000")).write_bytes(b"{")
    rows = plant_rows(platform, NOW)
    assert rows[0].summary is None and rows[0].needs[0].code == "unreadable"
    assert rows[1].summary is not None
    assert "1000" in plant_page(rows, Asked(), "en", ROOT)


def test_rows_are_searched_and_sorted(seven: Platform) -> None:
    rows = plant_rows(seven, NOW)
    assert [row.factory_id for row in choose(rows, "공장 1004")] == ["1004"]
    assert [row.factory_id for row in choose(rows, "works 1002")] == ["1002"]
    assert choose(rows, "nothing like it") == []
    by_kwh = choose(rows, sort="kwh")
    assert [row.factory_id for row in by_kwh] == [f"{1006 - i}" for i in range(7)]
    for sort in SORTS:
        assert len(choose(rows, sort=sort)) == 7


def test_the_page_is_whole_in_both_languages_and_asks_no_other_host(seven: Platform) -> None:
    assert TEXT["ko"].keys() == TEXT["en"].keys()
    rows = plant_rows(seven, NOW)
    for language, name in (("ko", "공장 1003"), ("en", "Works 1003")):
        page = plant_page(rows, Asked("", "name"), language, ROOT)  # type: ignore[arg-type]
        assert f'<html lang="{language}">' in page and name in page
        assert "<script" not in page and not re.findall(r"https?://", page)
        assert not re.search(r"\{\w+\}", re.sub(r"<style>.*?</style>", "", page, flags=re.S))
        for address in re.findall(r'href="([^"]*)"', page):
            assert address.startswith((ROOT, "?")), address
    summary = rows[0].summary
    assert summary is not None and f"{summary.kwh / 1000:,.1f}" in plant_page(rows, Asked(), "en", ROOT)


@pytest.mark.parametrize(
    ("header", "chosen", "language"),
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", None, "ko"),
        ("en-US,en;q=0.9", None, "en"),
        ("de-DE,en;q=0.5", None, "en"),
        ("fr", None, "ko"),
        ("en", "ko", "ko"),
        ("", "xx", "ko"),
    ],
)
def test_the_language_is_the_readers(header: str, chosen: str | None, language: str) -> None:
    assert language_of(header, chosen) == language


def test_three_hundred_factories_take_under_a_second(tmp_path: Path) -> None:
    platform = platform_of(tmp_path, 300)
    seconds = []
    for _ in range(3):
        began = time.process_time()
        page = plant_page(plant_rows(platform, NOW), Asked(), "ko", ROOT)
        seconds.append(time.process_time() - began)
    assert page.count('class="name"') == 300
    assert min(seconds) < 1.0, seconds


def test_a_factorys_page_lists_its_forecasts_and_an_unknown_choice_is_an_error(seven: Platform) -> None:
    page = factory_page(seven, "1002", NOW)
    assert [each.newest for each in page.forecasts] == [True]
    html = factory_html(page, "en", ROOT, "http://127.0.0.1:8080", None)
    assert "2026-03" in html and f'href="{ROOT}/?lang=en"' in html and "/report/1002/2026-03?origin=" in html
    with pytest.raises(ConfigError, match="is not in factories"):
        factory_page(seven, "nobody", NOW)
    with pytest.raises(DataError, match="has no forecast of 2026-03 from any origin by v9"):
        report_page(seven, "1002", Choice("2026-03", model="v9"), "en")
    with pytest.raises(
        DataError, match=r"over 60 minutes; there is: 2026-03 from 2026-03-01T00:00 by v3 over"
    ):
        report_page(seven, "1002", Choice("2026-03", horizon=60), "en")
    with pytest.raises(DataError, match=r"is not there; make it with `fems report 1002`"):
        report_page(seven, "1002", Choice("2026-03", "2026-03-01T00:00", "v3"), "en")
    with pytest.raises(DataError, match=r"forecast-ko.xlsx is not there"):
        workbook_file(seven, "1002", "ko")


def test_a_page_that_is_not_there_leads_on() -> None:
    page = message_page("Nothing <here>", "x & y", "en", ROOT, [{"id": "1", "name": "A", "name_ko": "가"}])
    assert "Nothing &lt;here&gt;" in page and "x &amp; y" in page and f"{ROOT}/factory/1?lang=en" in page
