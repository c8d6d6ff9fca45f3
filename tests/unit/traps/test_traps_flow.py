"""From published readings to published states: the same bytes again, a person's word, notices told once, bad input."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import TRACK, content_of, expected
from rich.console import Console

from embedded.demo import Demo
from fems.contracts.manifest import CellCounts, Manifest, ObjectCounts, RowCounts
from fems.contracts.outcomes import GroupOutcome
from fems.contracts.record import write
from fems.contracts.traps import FactoryTraps, TrapOutcome
from fems.errors import ConfigError, DataError, UnknownFormat
from fems.flows.platform import Platform
from fems.flows.report import open_traps
from fems.flows.trap_notices import trap_news
from fems.flows.trap_readings import published_readings
from fems.flows.trap_records import add_repair, add_stop, add_verdict
from fems.flows.traps import published_traps, watch_traps
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.serialize import to_parquet
from fems.lake.store import FolderStore
from fems.lake.traps import trap_records
from fems.monitor.notices import compose, of_factory_traps, of_group, of_traps
from fems.registry.steam_traps import Repair, Stop
from fems.report.page import render as render_report
from fems.views.factory import factory_page
from fems.views.pages import factory_html
from fems.views.sql import query
from fems.views.traps import event_rows, newest, savings, track_record, traps_page, work_list
from fems.views.words import Language

ZONE = "Asia/Seoul"
SENSORS = ("1100-T01", "1100-T02", "1100-T02B")
FAILS = pd.Timestamp("2025-02-10", tz=ZONE)


def bare_manifest(month: str) -> Manifest:
    """A manifest that says no more than the readers of readings need."""
    first = date.fromisoformat(f"{month}-01")
    return Manifest(
        factory_id="1100", feed="steam_trap", month=month, first_day=first, last_day=first, timezone=ZONE,
        grain_minutes=15, fingerprint="f1", book_version="b", code_version="c", sources=(), late=(),
        objects=ObjectCounts(), rows=RowCounts(), empty=False, days={}, cells=CellCounts(),
        shares=CellCounts().shares(), sensors={}, laws_not_applied=(), causes={}, columns={}, time_range=None,
    )  # fmt: skip


def publish_readings(lake: Lake, end: str = "2025-03-01") -> None:
    """Publish two months of the plant's factory 1100: the heater's outlet blows through from 10 February on."""
    rng = np.random.default_rng(1)
    for month in ("2025-01", "2025-02"):
        first = pd.Timestamp(f"{month}-01", tz=ZONE)
        after = min(first + pd.offsets.MonthBegin(1), pd.Timestamp(end, tz=ZONE))
        starts = pd.date_range(first, after, freq="15min", inclusive="left")
        usual = np.array([157.0, 156.0, 98.0]) + rng.normal(0, 0.5, (len(starts), 3))
        usual[starts >= FAILS, 2] += 22.0
        table = pa.table(
            {
                "timestamp": pa.array(
                    np.repeat(starts.tz_convert("UTC").tz_localize(None).to_numpy(), 3)
                ).cast(pa.timestamp("us", "UTC")),
                "factory_id": pa.array(["1100"] * len(starts) * 3).dictionary_encode(),
                "sensor_id": pa.array(list(SENSORS) * len(starts)).dictionary_encode(),
                "temperature_c": usual.reshape(-1).round(1),
                "flag": pa.array(["measured"] * len(starts) * 3).dictionary_encode(),
            }
        )
        key = keys.processed_key("steam_trap", "native", "1100", month, "f1")
        lake.store.put(key, to_parquet(table))
        lake.store.put(keys.manifest_key("steam_trap", "1100", month), write(bare_manifest(month)))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    platform = Platform.from_environment(Lake(FolderStore(tmp_path_factory.mktemp("lake"))))
    publish_readings(platform.lake)
    result = watch_quietly(platform)
    assert result.published and result.traps == 2
    return platform


def watch_quietly(platform: Platform) -> TrapOutcome:
    with pytest.MonkeyPatch.context() as patch:
        # The package also describes the feeds' own tables, which these bare manifests do not.
        patch.setattr("fems.flows.traps.write_package", lambda platform, factory_id: None)
        return watch_traps(platform, "1100")


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_fault_is_found_and_priced(watched: Platform) -> None:
    (event,) = event_rows(watched, ["1100"])
    assert event["trap_id"] == "1100-T02" and event["kind"] == "blow_through"
    assert event["start"] == FAILS.date() and (event["detected"] - event["start"]).days <= 2
    assert event["end"] is None and event["steam_kg_low"] < event["steam_kg"] < event["steam_kg_high"]
    assert event["steam_kg"] == pytest.approx(event["loss_kg_h"] * event["steam_hours"], rel=0.3)
    assert event["fuel_kwh"] == pytest.approx(event["heat_kwh"] / 0.85)
    row = newest(watched, ["1100"])[0]
    assert row["trap_id"] == "1100-T02" and row["cost_a_day"] > 0 and row["currency"] == "KRW"


def test_an_inlet_alone_says_that_leaks_cannot_be_observed(watched: Platform) -> None:
    row = newest(watched, ["1100"])[1]
    assert row["trap_id"] == "1100-T01" and "leaks can't be observed" in row["reason"]
    page = traps_page(watched, "1100")
    assert "leaks can" in page and "초음파" in page and "보일러 효율 0.85" in page
    assert 'id="show-ko" checked' in page and 'id="show-en" checked' in traps_page(
        watched, "1100", language="en"
    )


def test_a_rebuild_gives_the_same_bytes(watched: Platform, tmp_path: Path) -> None:
    again = replace(watched, lake=Lake(FolderStore(tmp_path)))
    publish_readings(again.lake)
    watch_quietly(again)
    for key in (*keys.trap_folders("1100"), "processed/trap_day/_manifest/"):
        mine = {name: watched.lake.store.get(name) for name in watched.lake.store.keys(key)}
        theirs = {name: again.lake.store.get(name) for name in again.lake.store.keys(key)}
        assert mine and mine == theirs
    assert not watch_quietly(again).published


def test_new_days_change_no_earlier_state(watched: Platform, tmp_path: Path) -> None:
    earlier = replace(watched, lake=Lake(FolderStore(tmp_path)))
    publish_readings(earlier.lake, end="2025-02-20")
    watch_quietly(earlier)
    short, long = (published_traps(p.lake, "1100")[0].to_pandas() for p in (earlier, watched))
    long = long[long["day"] < date(2025, 2, 20)].reset_index(drop=True)
    pd.testing.assert_frame_equal(short, long)


def test_filled_values_are_no_evidence(watched: Platform) -> None:
    readings = published_readings(watched, "1100")
    assert np.isfinite(readings.main).all() and readings.main.shape == (59 * 96, 2)
    table = watched.lake.published("steam_trap", "native", "1100", ["2025-01", "2025-02"])
    assert len(table) == 59 * 96 * 3


def test_both_tables_are_sql_views(watched: Platform) -> None:
    rows = query(watched, "SELECT count(*) AS n FROM trap_day WHERE state = 'blow_through'").to_pylist()
    assert rows[0]["n"] > 10
    assert query(watched, "SELECT event_id FROM trap_events").num_rows == 1


def test_each_event_is_told_once(watched: Platform) -> None:
    first, again, other = (trap_news(watched, "1100", run) for run in ("run1", "run1", "run2"))
    assert [event.trap_id for event in first.opened] == ["1100-T02"] and again == first
    assert not other.opened and [event.trap_id for event in other.digest] == ["1100-T02"]
    message = compose(of_traps(first), "http://x")
    assert message is not None and "blow through since 2025-02-10" in message.text
    assert "Confirm by ultrasound" in message.text
    digest = compose(of_traps(other), "http://x")
    assert digest is not None and "wait for a person" in digest.subject


def test_the_work_list_is_a_workbook(watched: Platform, tmp_path: Path) -> None:
    content, count = work_list(watched, ["1100"])
    file = tmp_path / "w.xlsx"
    file.write_bytes(content)
    table = pd.read_excel(file)
    assert count == 1 and table["트랩 trap"].tolist() == ["1100-T02"]
    assert "ultrasound" in table["to do"][0]


def test_a_repair_closes_it_and_a_word_is_kept(watched: Platform, tmp_path: Path) -> None:
    platform = replace(watched, lake=Lake(FolderStore(tmp_path)))
    publish_readings(platform.lake)
    watch_quietly(platform)
    event_id = event_rows(platform, ["1100"])[0]["event_id"]
    add_verdict(platform, event_id, "confirmed", date(2025, 2, 21), "by ultrasound")
    add_repair(platform, Repair(trap_id="1100-T02", day=date(2025, 2, 21), note="new capsule"))
    assert trap_records(platform.lake, "1100").repairs[0].note == "new capsule"
    assert watch_quietly(platform).published
    (event,) = event_rows(platform, ["1100"])
    assert (
        event["end"] == date(2025, 2, 21) and event["closing"] == "repaired" and event["word"] == "confirmed"
    )
    assert track_record(platform, ["1100"])[0]["right_pct"] == 100.0
    assert trap_news(platform, "1100", "r").closed == ()


def publish_meter(lake: Lake, repaired: str, before: float, after: float) -> None:
    """Publish the daily energy of one machine: so much before a day, and so much from it on."""
    for month in ("2025-01", "2025-02"):
        first = pd.Timestamp(f"{month}-01", tz=ZONE)
        days = pd.date_range(first, first + pd.offsets.MonthEnd(0), freq="D")
        table = pa.table(
            {
                "timestamp": pa.array(days.tz_convert("UTC").tz_localize(None).to_numpy()).cast(
                    pa.timestamp("us", "UTC")
                ),
                "factory_id": ["1100"] * len(days),
                "sensor_id": ["1100-M01"] * len(days),
                "used_kwh": np.where(days < pd.Timestamp(repaired, tz=ZONE), before, after),
            }
        )
        lake.store.put(keys.processed_key("meter", "day", "1100", month, "f1"), to_parquet(table))
        manifest = bare_manifest(month).model_copy(update={"feed": "meter"})
        lake.store.put(keys.manifest_key("meter", "1100", month), write(manifest))


def test_what_a_repair_saved_is_measured_before_against_after(watched: Platform, tmp_path: Path) -> None:
    platform = replace(watched, lake=Lake(FolderStore(tmp_path)))
    publish_readings(platform.lake)
    add_repair(platform, Repair(trap_id="1100-T02", day=date(2025, 2, 19), note="new capsule"))
    watch_quietly(platform)
    (row,) = savings(platform, ["1100"])
    assert row["before_kwh_a_day"] is row["change_pct"] is None, "nothing measured, nothing said"
    publish_meter(platform.lake, "2025-02-19", before=400.0, after=380.0)
    (row,) = savings(platform, ["1100"])
    assert (row["before_kwh_a_day"], row["after_kwh_a_day"]) == (400.0, 380.0)
    assert row["change_pct"] == pytest.approx(-5.0) and row["machine"] == "whole factory"
    (event,) = event_rows(platform, ["1100"])
    assert row["loss_avoided_kg_a_day"] == pytest.approx(event["loss_kg_h"] * 24, rel=0.05)
    page = traps_page(platform, "1100", language="en")
    assert "Before and after a repair, measured" in page and "380.0" in page and "new capsule" in page


def test_what_is_open_stands_beside_the_forecast(watched: Platform) -> None:
    (row,) = open_traps(watched, "1100")
    assert row["trap_id"] == "1100-T02" and row["leak"] and row["state_ko"] == "생증기 분출"
    assert row["kg_a_day_low"] < row["kg_a_day"] < row["kg_a_day_high"] and row["currency"] == "KRW"
    page = render_report(replace(content_of(expected(), TRACK), traps=(row,)))
    assert "1100-T02" in page and row["reason_ko"] in page and row["reason"] in page


def test_what_cannot_be_is_one_clear_line(watched: Platform) -> None:
    with pytest.raises(ConfigError, match="no factory has a steam trap '9-T1'"):
        add_repair(watched, Repair(trap_id="9-T1", day=date(2025, 2, 1)))
    with pytest.raises(ConfigError, match="no steam line 'Z'"):
        add_stop(watched, "1100", Stop(first=date(2025, 1, 1), last=date(2025, 1, 2), line="Z"))
    with pytest.raises(ConfigError, match="there is no event"):
        add_verdict(watched, "1100-T01-20250101", "confirmed", date(2025, 1, 1), "")
    watched.lake.store.put(keys.trap_records_key("1120"), b'{"repairs": 3}')
    with pytest.raises(DataError, match="mend it or remove it"):
        trap_records(watched.lake, "1120")


def test_tables_of_another_format_are_made_anew_and_no_reader_guesses(
    watched: Platform, tmp_path: Path
) -> None:
    platform = replace(watched, lake=Lake(FolderStore(tmp_path)))
    publish_readings(platform.lake)
    first, key = watch_quietly(platform), keys.trap_manifest_key("1100")
    written = platform.lake.store.get(key)
    platform.lake.store.put(key, json.dumps(json.loads(written) | {"format": 9}).encode())
    with pytest.raises(UnknownFormat, match=r"of format 9.*run `fems traps watch`"):
        published_traps(platform.lake, "1100")
    again = watch_quietly(platform)
    assert again.published and again.states == first.states
    assert platform.lake.store.get(key) == written
    platform.lake.store.put(keys.trap_notices_key("1100"), b'{"opened": {}, "closed": {}}')
    with pytest.raises(UnknownFormat, match=r"has no format number.*remove it"):
        trap_news(platform, "1100", "run")


def test_what_a_task_passes_on_is_told_as_it_was(watched: Platform, tmp_path: Path) -> None:
    platform = replace(watched, lake=Lake(FolderStore(tmp_path)))
    publish_readings(platform.lake)
    seen = watch_quietly(platform)
    outcome = FactoryTraps(seconds=seen.seconds, watched=seen, news=trap_news(platform, "1100", "run"))
    group = GroupOutcome.of({"1100": outcome.model_dump(mode="json")})
    passed_on = json.loads(json.dumps(group.model_dump(mode="json")))
    assert of_group(of_factory_traps)(passed_on) == of_traps(outcome.news) != []
    watched_traps = passed_on["factories"]["1100"]["watched"]
    assert watched_traps["states"] == {"blow_through": 1, "ok": 1} and group.seconds > 0


@pytest.mark.parametrize(("language", "words"), [("ko", "스팀 트랩"), ("en", "Steam traps")])
def test_the_factory_page_and_the_trap_page_lead_to_each_other(
    watched: Platform, language: Language, words: str
) -> None:
    now = datetime(2025, 3, 1, tzinfo=UTC)

    def of_factory(platform: Platform) -> str:
        return factory_html(factory_page(platform, "1100", now), language, "/fems", "http://x", None)

    assert f'<a href="/fems/traps/1100">{words}</a>' in of_factory(watched)
    plant = watched.plant
    bare = plant.factory("1100").model_copy(update={"steam_traps": {}})
    without = plant.model_copy(update={"factories": {**plant.factories, "1100": bare}})
    assert "/fems/traps/" not in of_factory(replace(watched, plant=without))
    assert '<a href="/fems/factory/1100">' in traps_page(watched, "1100", "/fems")
    assert "href=" not in traps_page(watched, "1100"), "a file of its own leads nowhere"


def test_the_demo_runs_the_dag_for_factories_with_traps_alone(watched: Platform, tmp_path: Path) -> None:
    demo = Demo(stack=None, console=Console(quiet=True))  # type: ignore[arg-type]
    started: list[tuple[str, dict]] = []
    demo._through = lambda dag_id, conf: started.append((dag_id, conf)) or {}  # type: ignore[method-assign, func-returns-value]
    nothing = replace(watched, lake=Lake(FolderStore(tmp_path)))
    demo._watch_traps(nothing, ["1100", "steel"])
    demo._watch_traps(watched, ["steel"])
    assert started == []
    demo._watch_traps(watched, ["steel", "1100"])
    assert started == [("traps", {"factories": ["1100"]})]
