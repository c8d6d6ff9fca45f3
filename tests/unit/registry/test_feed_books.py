"""A feed is what its definition book says: a column, a limit, a whole feed is added in YAML alone."""

import io
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from fems.errors import ConfigError, DataError
from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.plans import plan_as_known
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.quality.parameters import of_partition
from fems.registry.plant import Plant
from fems.settings import Settings, settings
from fems.views.quality_pages import month_page
from fems.views.sql import query

DAYS = [date(2025, 3, 1) + timedelta(days=i) for i in range(3)]

VOLTAGE = """
name_ko: 전압
description: Line voltage, mean over the interval.
unit: V
aliases: [전압]
limits: {min: 200, max: 260}
fill: {interpolate_minutes: 60, earlier_minutes: 1440}
aggregate: {voltage_v: mean}
"""

PLANT = {
    "mappings": {"csv": {"time_format": "%Y-%m-%d %H:%M:%S"}},
    "factories": {
        "F": {
            "name": "F",
            "name_ko": "F",
            "grain": {"meter": "15min"},
            "mapping": {"meter": "csv"},
            "equipment": {"E1": {"name": "Pump", "kind": "pump", "sensor": "F-M01", "rated_kw": 100}},
        }
    },
}


def platform_with(folder: Path, books: dict[str, dict], plant: dict) -> Platform:
    """A platform over a folder, whose definition books are the project's and some more, or other ones."""
    config = folder / "config"
    shutil.copytree(settings().definitions_dir, config / "definitions")
    for name, book in books.items():
        text = yaml.safe_dump(book, sort_keys=False, allow_unicode=True)
        (config / "definitions" / f"{name}.yaml").write_text(text, encoding="utf-8")
    lake = Lake(FolderStore(folder / "lake"))
    return Platform(lake, Plant.model_validate(plant), Settings(config_dir=config))


def readings(day: date, minutes: int = 15) -> pd.DatetimeIndex:
    return pd.date_range(pd.Timestamp(day), periods=24 * 60 // minutes, freq=f"{minutes}min")


def land(platform: Platform, feed: str, table: pd.DataFrame) -> None:
    for day, rows in table.groupby(table["timestamp"].dt.date):
        text = rows.to_csv(index=False, date_format="%Y-%m-%d %H:%M:%S")
        platform.lake.store.put(keys.raw_key(feed, "F", day, "a.csv"), text.encode())


def meter_rows() -> pd.DataFrame:
    times = readings(DAYS[0]).append([readings(day) for day in DAYS[1:]])
    rng = np.random.default_rng(0)
    used = rng.uniform(5, 20, len(times)).round(2)
    return pd.DataFrame(
        {
            "timestamp": times,
            "factory_id": "F",
            "sensor_id": "F-M01",
            "used_kwh": used,
            "전압": rng.uniform(215, 225, len(times)).round(1),
        }
    )


@pytest.fixture
def with_voltage(tmp_path: Path) -> Platform:
    book = yaml.safe_load((settings().definitions_dir / "meter.yaml").read_text("utf-8"))
    book["columns"]["voltage_v"] = yaml.safe_load(VOLTAGE)
    return platform_with(tmp_path, {"meter": book}, PLANT)


def test_a_column_added_to_the_book_is_processed_and_evaluated(with_voltage: Platform) -> None:
    rows = meter_rows()
    rows.loc[40, "전압"] = 999.0
    land(with_voltage, "meter", rows)
    ingest_factory(with_voltage, "F", lambda line: None)
    native = with_voltage.lake.published("meter", "native", "F", ["2025-03"]).to_pandas()
    assert native["flag"].tolist().count("replaced") == 1 and native["voltage_v"].max() < 226
    hours = with_voltage.lake.published("meter", "hour", "F", ["2025-03"]).to_pandas()
    assert 214 < hours["voltage_v"].min() <= hours["voltage_v"].max() < 226
    record = with_voltage.lake.evaluations.last("meter", "F", "2025-03")
    assert record.published and record.columns["voltage_v"].replaced_pct > 0


def test_a_column_added_to_the_book_is_held_to_it_by_the_suites(with_voltage: Platform) -> None:
    source = with_voltage.source("F", "meter")
    evaluator = with_voltage.evaluator
    land(with_voltage, "meter", meter_rows())
    ingest_factory(with_voltage, "F", lambda line: None)
    for grain in ("native", "hour", "day"):
        known = of_partition(source, grain, DAYS[0], DAYS[-1])
        table = with_voltage.lake.published("meter", grain, "F", ["2025-03"]).to_pandas()
        assert evaluator.evaluate(table, f"meter_{grain}", known).record.findings == ()

        def failed(changed: pd.DataFrame, suite: str = f"meter_{grain}", known: object = known) -> set[str]:
            return {each.expectation for each in evaluator.evaluate(changed, suite, known).failed("critical")}

        assert failed(table.drop(columns="voltage_v")) == {"expect_table_columns_to_match_set"}
        assert failed(table.assign(voltage_v=table["voltage_v"].astype(str))) >= {
            "expect_columns_to_have_types"
        }
        assert failed(table.assign(voltage_v=400.0)) == {"expect_values_within_limits"}


def test_the_book_names_the_columns_of_every_table_that_is_published(with_voltage: Platform) -> None:
    land(with_voltage, "meter", meter_rows())
    ingest_factory(with_voltage, "F", lambda line: None)
    book = with_voltage.book("meter")
    for grain in ("native", "hour", "day"):
        table = with_voltage.lake.published("meter", grain, "F", ["2025-03"])
        assert table.column_names == list(book.table_columns(grain))


COMPRESSED_AIR = """
feed: compressed_air
time_aliases: [timestamp]
factory_aliases: [factory_id]
sensor_aliases: [sensor_id]
lookback_days: 3
min_coverage: {hour: 0.9, day: 0.9}
energy_column: used_nm3
month_to_month: {max_level_change: 4, min_rhythm_gain: 0.15}
columns:
  used_nm3:
    name_ko: 압축공기사용량
    description: Compressed air used in the interval.
    unit: Nm3
    aliases: [공기량]
    required: true
    limits: {min: 0, max_of_rated: 1.2, max_of_usual: 10}
    fill: {interpolate_minutes: 60, earlier_minutes: 1440}
    aggregate: {used_nm3: sum}
  pressure_bar:
    name_ko: 압력
    description: Line pressure over the atmosphere's, mean over the interval.
    unit: bar
    limits: {min: 0, max: 16}
    fill: {interpolate_minutes: 60, earlier_minutes: 1440}
    aggregate: {pressure_bar: energy_weighted_mean, pressure_max_bar: max}
"""


def plant_with(feed: str, grain: str, sensors: dict[str, dict]) -> dict:
    """The factory of the other tests with one more feed."""
    factory = PLANT["factories"]["F"]
    return PLANT | {
        "factories": {
            "F": factory
            | {
                "grain": factory["grain"] | {feed: grain},
                "mapping": factory["mapping"] | {feed: "csv"},
                "sensors": {feed: sensors},
            }
        }
    }


def test_a_feed_is_added_by_its_book_and_nothing_else(tmp_path: Path) -> None:
    """Compressed air: ingest, evaluation, metadata, package, SQL view, quality page and picture."""
    sensors = {
        "F-A01": {"name": "Main line", "rated_per_hour": 600},
        "F-A02": {"name": "Paint shop", "equipment": "E1"},
    }
    plant = plant_with("compressed_air", "5min", sensors)
    platform = platform_with(tmp_path, {"compressed_air": yaml.safe_load(COMPRESSED_AIR)}, plant)
    times = pd.DatetimeIndex(np.concatenate([readings(day, 5) for day in DAYS]))
    rng = np.random.default_rng(1)
    rows = pd.concat(
        pd.DataFrame(
            {
                "timestamp": times,
                "factory_id": "F",
                "sensor_id": sensor,
                "공기량": rng.uniform(20, 40, len(times)).round(1),
                "pressure_bar": rng.uniform(6, 7, len(times)).round(2),
            }
        )
        for sensor in sensors
    ).reset_index(drop=True)
    rows.loc[5, "공기량"] = 70.0  # more than 1.2 x 600 an hour
    land(platform, "compressed_air", rows)

    outcome = ingest_factory(platform, "F", lambda line: None)
    assert outcome.rows.read == outcome.rows.published == len(rows)
    manifest = platform.lake.manifests("compressed_air", "F")["2025-03"]
    assert manifest.columns["used_nm3"].unit == "Nm3" and manifest.causes == {"outside limits": 1}
    record = platform.lake.evaluations.last("compressed_air", "F", "2025-03")
    assert record.published and record.critical_failed == record.warning_failed == 0
    assert record.tables["native"].suite == "compressed_air_native"
    assert record.tables["hour"].left_out == (
        "expect_equipment_to_add_up_to_main_meter",
        "expect_submeters_within_their_meter",
    )
    described = json.loads(platform.lake.store.get(keys.package_key("F")))
    fields = {field["name"]: field for field in described["resources"][1]["schema"]["fields"]}
    assert fields["pressure_max_bar"]["unit"] == "bar"

    answer = query(
        platform, "SELECT sum(used_nm3) AS air, max(pressure_max_bar) AS bar FROM compressed_air_day"
    )
    expected = rows["공기량"].drop(index=5).sum()
    assert answer["air"][0].as_py() == pytest.approx(expected, rel=0.002)
    assert answer["bar"][0].as_py() == rows["pressure_bar"].max()
    page = month_page(platform, "F", "compressed_air", "2025-03", "en")
    assert "Published." in page and "compressed air" in page

    stopped = platform.lake.published("compressed_air", "hour", "F", ["2025-03"]).to_pandas()
    source = platform.source("F", "compressed_air")
    known = of_partition(source, "hour", DAYS[0], DAYS[-1])
    found = platform.evaluator.evaluate(stopped.assign(pressure_bar=17.0), "compressed_air_hour", known)
    assert [each.expectation for each in found.failed("critical")] == ["expect_values_within_limits"]


SHIPPED = {
    "gas": ("15min", {"used_m3": (2, 9), "flow_m3_per_h": (10, 30), "pressure_kpa": (95, 105)}),
    "water": ("1h", {"used_m3": (1, 4), "flow_m3_per_h": (1, 4), "pressure_kpa": (290, 310)}),
    "steam": ("10min", {"used_t": (0.2, 0.9), "flow_t_per_h": (1, 6), "pressure_mpa": (0.6, 0.8)}),
    "weather": ("1h", {"temperature_c": (-5, 12), "humidity_pct": (30, 90)}),
}


@pytest.mark.parametrize("feed", SHIPPED)
@pytest.mark.parametrize("korean", [False, True], ids=["own headers", "Korean headers"])
def test_feeds_that_are_shipped_are_ingested_and_evaluated(tmp_path: Path, feed: str, korean: bool) -> None:
    grain, ranges = SHIPPED[feed]
    sensor = f"F-{feed}"
    platform = platform_with(tmp_path, {}, plant_with(feed, grain, {sensor: {"name": feed}}))
    book = platform.book(feed)
    minutes = platform.plant.grain_minutes("F", feed)
    times = pd.DatetimeIndex(np.concatenate([readings(day, minutes) for day in DAYS]))
    rng = np.random.default_rng(2)
    headers = {name: column.aliases[1] if korean else name for name, column in book.columns.items()}
    assert set(headers) == set(ranges)
    values = {headers[name]: rng.uniform(*bounds, len(times)).round(2) for name, bounds in ranges.items()}
    rows = pd.DataFrame({"timestamp": times, "factory_id": "F", "sensor_id": sensor, **values})
    rows.loc[3, headers[book.main_column]] = -500.0
    land(platform, feed, rows)
    ingest_factory(platform, "F", lambda line: None)
    record = platform.lake.evaluations.last(feed, "F", "2025-03")
    assert record.published and record.warning_failed == 0
    native = platform.lake.published(feed, "native", "F", ["2025-03"]).to_pandas()
    assert (native["flag"] != "measured").sum() == 1
    for name, (low, high) in ranges.items():
        assert native[name].between(low, high).all()
    days = platform.lake.published(feed, "day", "F", ["2025-03"]).to_pandas()
    assert len(days) == len(DAYS) and days[book.main_column].notna().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sensors": {}}, "the feed has no sensors"),
        ({"sensors": {"gas": {"G1": {"name": "G", "equipment": "E9"}}}}, "'E9' is not under `equipment`"),
        (
            {"sensors": {"gas": {"G1": {"name": "G"}}, "meter": {"M": {"name": "M"}}}},
            "write them under `equipment`",
        ),
        ({"sensors": {"gas": {"G1": {"name": "G"}}, "air": {"A": {"name": "A"}}}}, "no mapping and no grain"),
    ],
)
def test_a_feed_without_what_it_needs_is_refused(change: dict, words: str) -> None:
    plant = plant_with("gas", "1h", {"G1": {"name": "Gas"}})
    plant["factories"]["F"] |= change
    with pytest.raises(ValueError, match=words):
        Plant.model_validate(plant)


def test_a_feed_without_a_book_names_those_that_have_one(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, {}, plant_with("heat", "1h", {"H1": {"name": "Heat"}}))
    with pytest.raises(ConfigError, match=r"no definition book of a feed 'heat' \(there are: gas, meter, "):
        platform.source("F", "heat")


def production(grain: str, begins: str | None, zone: str) -> dict:
    plant = plant_with(
        "production", grain, {"F-L1-A": {"name": "Line 1, A"}, "F-L1-B": {"name": "Line 1, B"}}
    )
    factory = plant["factories"]["F"]
    factory |= {"timezone": zone, "day_begins": {} if begins is None else {"production": begins}}
    return plant


def made(times: list[str], quantities: list[int], sensors: list[str]) -> pd.DataFrame:
    columns = {"생산일": pd.to_datetime(times), "factory_id": "F", "라인제품": sensors, "생산량": quantities}
    return pd.DataFrame(columns).rename(columns={"생산일": "timestamp"})


@pytest.mark.parametrize(
    ("grain", "begins", "times"),
    [
        ("1d", None, ["2025-03-29", "2025-03-30", "2025-03-31"]),
        ("1d", "06:00", ["2025-03-29", "2025-03-30", "2025-03-31"]),
        ("8h", "06:00", ["2025-03-29 06:00", "2025-03-30 14:00", "2025-03-31 22:00"]),
        ("12h", "08:00", ["2025-03-29 08:00", "2025-03-30 20:00", "2025-03-31 20:00"]),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Seoul", "Europe/Berlin"])
def test_production_is_by_day_or_shift_also_where_the_clocks_change(
    tmp_path: Path, grain: str, begins: str | None, times: list[str], zone: str
) -> None:
    """On 30 March 2025 Berlin's clocks skip an hour: the day has 23 hours, the night shift before it has 7."""
    platform = platform_with(tmp_path, {}, production(grain, begins, zone))
    rows = made([*times, times[1]], [100, 120, 90, 7], ["F-L1-A"] * 3 + ["F-L1-B"])
    land(platform, "production", rows)
    outcome = ingest_factory(platform, "F", lambda line: None)
    assert outcome.rows.published == 4
    native = platform.lake.published("production", "native", "F", ["2025-03"]).to_pandas()
    begun = native[native["flag"] == "measured"].sort_values(["sensor_id", "timestamp"])
    local = begun["timestamp"].dt.tz_convert(zone).dt.tz_localize(None)
    offset = pd.Timedelta(f"{begins}:00") if begins and grain == "1d" else pd.Timedelta(0)
    assert local.tolist() == [pd.Timestamp(time) + offset for time in [*times, times[1]]]
    unlisted = native[(native["flag"] == "filled")]
    assert unlisted["produced_qty"].tolist() == [0.0, 0.0]  # product B on the first and the last day
    days = platform.lake.published("production", "day", "F", ["2025-03"]).to_pandas()
    if grain == "1d":
        assert days.loc[days["sensor_id"] == "F-L1-A", "produced_qty"].tolist() == [100, 120, 90]
        assert days.loc[days["sensor_id"] == "F-L1-B", "produced_qty"].tolist() == [0, 7, 0]
    assert platform.lake.published("production", "hour", "F", ["2025-03"]).num_rows == 0
    record = platform.lake.evaluations.last("production", "F", "2025-03")
    assert set(record.tables) == {"native", "day"} and record.critical_failed == 0


def test_a_time_within_a_shift_is_refused(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, {}, production("8h", "06:00", "Asia/Seoul"))
    land(platform, "production", made(["2025-03-29 06:00", "2025-03-29 12:00"], [1, 2], ["F-L1-A"] * 2))
    outcome = ingest_factory(platform, "F", lambda line: None)
    assert (outcome.rows.published, outcome.rows.quarantined) == (1, 1)
    key = next(platform.lake.store.keys("quarantine/production/"))
    reason = pq.read_table(io.BytesIO(platform.lake.store.get(key)))["reason"][0].as_py()
    assert reason == "the time '2025-03-29 12:00:00' is not on the 480-minute grid, which begins at 06:00"


@pytest.mark.parametrize(
    ("begins", "words"), [("6 am", "no time of day"), ("09:00", "first shift after midnight")]
)
def test_when_a_day_begins_must_make_sense(begins: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plant.model_validate(production("8h", begins, "Asia/Seoul"))


def issue(platform: Platform, day: date, hours: int = 60) -> pd.Series:
    """Land a weather forecast under the day of its issue: the hours from its noon on; return its temperatures."""
    times = pd.date_range(pd.Timestamp(day) + pd.Timedelta(hours=12), periods=hours, freq="h")
    warm = np.round(5 + 3 * np.sin(np.arange(hours) / 4) + day.day, 1)
    rows = {
        "timestamp": times,
        "factory_id": "F",
        "sensor_id": "F-W",
        "temperature_c": warm,
        "humidity_pct": 50.0,
    }
    text = pd.DataFrame(rows).to_csv(index=False, date_format="%Y-%m-%d %H:%M:%S")
    platform.lake.store.put(keys.raw_key("weather_forecast", "F", day, "a.csv"), text.encode())
    return pd.Series(warm, times.tz_localize("Asia/Seoul"))


def test_of_a_plan_the_newest_is_published_and_each_earlier_one_stays_as_it_was_known(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, {}, plant_with("weather_forecast", "1h", {"F-W": {"name": "Station"}}))
    days = [date(2025, 3, 28), date(2025, 3, 29), date(2025, 3, 30)]
    first = issue(platform, days[0])
    known = plan_as_known(platform, "F", "weather_forecast", days[0], days[0], days[2]).to_pandas()
    for day in days[1:]:
        last = issue(platform, day)
    ingest_factory(platform, "F", lambda line: None)
    assert stale_factories(platform, ["F"]) == []

    months = ["2025-03", "2025-04"]
    native = platform.lake.published("weather_forecast", "native", "F", months).to_pandas()
    published = native.set_index("timestamp")["temperature_c"]
    assert published.loc[last.index].tolist() == last.tolist()  # into April, which has no file of its own
    manifests = platform.lake.manifests("weather_forecast", "F")
    assert sum(each.rows.quarantined for each in manifests.values()) == 0
    assert sum(each.rows.read for each in manifests.values()) == 180
    assert (
        sum(each.rows.duplicate for each in manifests.values()) == 72
    )  # two days that a newer one says again

    again = plan_as_known(platform, "F", "weather_forecast", days[0], days[0], days[2]).to_pandas()
    pd.testing.assert_frame_equal(again, known)
    assert again.set_index("timestamp")["temperature_c"].dropna().tolist() == first.tolist()
    with pytest.raises(DataError, match="nothing was known of 2025-03-20"):
        plan_as_known(platform, "F", "weather_forecast", date(2025, 3, 19), date(2025, 3, 20), days[0])


def test_rows_too_far_ahead_are_refused(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, {}, plant_with("weather_forecast", "1h", {"F-W": {"name": "Station"}}))
    issue(platform, date(2025, 3, 1), hours=24 * 17)
    ingest_factory(platform, "F", lambda line: None)
    manifest = platform.lake.manifests("weather_forecast", "F")["2025-03"]
    assert (manifest.rows.published, manifest.rows.quarantined) == (24 * 17 - 12, 12)
    with pytest.raises(ConfigError, match="feed meter is no plan"):
        plan_as_known(platform, "F", "meter", *DAYS)
