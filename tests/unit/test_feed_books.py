"""A feed is what its definition book says: a column, a limit, a whole feed is added in YAML alone."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fems.flows.evaluate import records
from fems.flows.ingest import ingest_factory
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.quality.parameters import of_partition
from fems.registry.plant import Plant
from fems.settings import Settings, settings

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
    record = records(with_voltage.lake, "meter", "F")["2025-03"]
    assert record["published"] and record["columns"]["voltage_v"]["replaced_pct"] > 0


def test_a_column_added_to_the_book_is_held_to_it_by_the_suites(with_voltage: Platform) -> None:
    source = with_voltage.source("F", "meter")
    evaluator = with_voltage.evaluator
    land(with_voltage, "meter", meter_rows())
    ingest_factory(with_voltage, "F", lambda line: None)
    for grain in ("native", "hour", "day"):
        known = of_partition(source, grain, DAYS[0], DAYS[-1])
        table = with_voltage.lake.published("meter", grain, "F", ["2025-03"]).to_pandas()
        assert evaluator.evaluate(table, f"meter_{grain}", known).findings == ()

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
