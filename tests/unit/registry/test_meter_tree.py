"""Meters behind meters: a tree, or one clear line; and a factory's energy in which nothing is counted twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fems.flows.history import published_hours
from fems.flows.ingest import ingest_factory
from fems.flows.machines import of_machines, remainders
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.model.history import History
from fems.registry.factory import Factory
from fems.registry.plant import Plant
from fems.settings import settings
from fems.views.sql import query

MACHINES: dict[str, Any] = {
    "E1": {"name": "Line", "kind": "line", "sensor": "A", "parent": "H"},
    "E2": {"name": "Motor", "kind": "motor", "sensor": "B", "parent": "A"},
    "E3": {"name": "Oven", "name_ko": "오븐", "kind": "oven", "sensor": "C", "other_sensors": ["D"]},
}
METERS = {"H": {"name": "Hall 1", "name_ko": "1동"}}


def factory(machines: dict[str, Any] | None = None, **more: Any) -> Factory:
    written = {
        "name": "F", "name_ko": "F", "grain": {"meter": "1h"}, "mapping": {"meter": "m"},
        "equipment": machines or MACHINES, "meters": METERS, **more,
    }  # fmt: skip
    return Plant.model_validate({"mappings": {"m": {}}, "factories": {"F": written}}).factory("F")


def hours(count: int = 48, **kwh: float) -> pd.DataFrame:
    times = pd.date_range("2025-03-03", periods=count, freq="h", tz="Asia/Seoul")
    usual = {"A": 5.0, "B": 2.0, "C": 3.0, "D": 1.5, "H": 9.0, "MAIN": 15.0}
    rows = [
        {"timestamp": t, "factory_id": "F", "sensor_id": s, "used_kwh": v, "power_factor_pct": 90.0}
        for s, v in (usual | kwh).items()
        for t in times
    ]
    return pd.DataFrame(rows)


def test_every_meter_is_a_sensor_and_the_main_one_is_the_last() -> None:
    plant = Plant.model_validate(
        {"mappings": {"m": {}}, "factories": {"F": factory(main_meter="MAIN").model_dump(exclude_unset=True)}}
    )
    sensors = plant.sensors("F", "meter")
    assert [s.sensor_id for s in sensors] == ["A", "B", "C", "D", "H", "MAIN"]
    assert [s.equipment_id for s in sensors] == ["E1", "E2", "E3", "E3", None, None]


def test_nothing_is_counted_twice_and_a_remainder_is_named_as_such() -> None:
    tree = factory(main_meter="MAIN").meter_tree
    assert tree.top == ("C", "D", "H")
    assert tree.titles() == {
        "A remainder": "Line (remainder)", "B": "Motor", "C": "Oven", "H remainder": "Hall 1 (remainder)",
    }  # fmt: skip
    assert tree.titles(korean=True)["H remainder"] == "1동 (나머지)"
    parts = of_machines(hours(), tree)
    assert parts.groupby("sensor_id")["used_kwh"].first().to_dict() == {
        "A remainder": 3.0, "B": 2.0, "C": 4.5, "H remainder": 4.0,
    }  # fmt: skip
    history = History.from_hour_table(parts)
    assert history.equipment == ("A remainder", "B", "C", "H remainder")
    np.testing.assert_allclose(history.factory_kwh, 9.0 + 3.0 + 1.5)


def test_a_gap_of_a_submeter_is_no_energy_of_the_remainder_and_a_dead_one_is_not_waited_for() -> None:
    tree = factory().meter_tree
    table = hours(24 * 20)
    gap = (table["sensor_id"] == "B") & (table["timestamp"].dt.day == 5)
    table.loc[gap, "used_kwh"] = np.nan
    rest = of_machines(table, tree).query("sensor_id == 'A remainder'").set_index("timestamp")["used_kwh"]
    assert rest[rest.index.day == 5].isna().all() and (rest[rest.index.day != 5] == 3.0).all()
    table.loc[(table["sensor_id"] == "B") & (table["timestamp"].dt.day >= 5), "used_kwh"] = np.nan
    rest = of_machines(table, tree).query("sensor_id == 'A remainder'").set_index("timestamp")["used_kwh"]
    assert rest.iloc[-1] == 5.0, "silent for a week: what it measured is in the remainder"


def test_a_negative_remainder_is_shown_as_a_doubt() -> None:
    found = remainders(hours(B=7.0), factory(main_meter="MAIN").meter_tree).groupby("sensor_id").first()
    assert found["remainder_kwh"].to_dict() == {"A": -2.0, "H": 4.0, "MAIN": 1.5}
    assert found["doubt"].to_dict() == {"A": "its submeters used more", "H": "", "MAIN": ""}
    assert found["name"].to_dict() == {"A": "Line", "H": "Hall 1", "MAIN": "main meter"}


def test_without_a_tree_the_meters_are_the_machines() -> None:
    plain = {"E1": {"name": "Line", "kind": "line", "sensor": "A"}}
    table = hours()
    tree = factory(plain, meters={}, main_meter="MAIN").meter_tree
    pd.testing.assert_frame_equal(of_machines(table, tree), table[table["sensor_id"] == "A"])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"machines": {**MACHINES, "E1": {**MACHINES["E1"], "parent": "B"}}}, "in a circle: A behind B behind A"),
        ({"machines": {**MACHINES, "E2": {**MACHINES["E2"], "parent": "B"}}}, "in a circle: B behind B"),
        ({"machines": {**MACHINES, "E2": {**MACHINES["E2"], "parent": "X"}}}, "'X', before 'B', is no meter here"),
        ({"machines": {**MACHINES, "E2": {**MACHINES["E2"], "sensor": "D"}}}, "stands on two machines ('D')"),
        ({"meters": {"H": {"name": "Hall", "parent": "MAIN"}, "C": {"name": "Hall 2"}}}, "two machines ('C')"),
        ({"main_meter": "A"}, "main_meter: 'A' stands behind 'H'; one factory has one main meter"),
        ({"main_meter": "H"}, "main_meter: 'H' is a machine's meter, or stands under `meters`"),
        ({"simulated": True}, "the simulator makes none"),
    ],
)  # fmt: skip
def test_what_is_no_tree_is_one_clear_line(change: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line.replace("(", r"\(").replace(")", r"\)")):
        factory(**change)


def test_a_plant_with_a_tree_is_published_evaluated_and_read_by_sql(tmp_path: Path) -> None:
    written = factory(main_meter="MAIN", grain={"meter": "1h"}).model_dump(exclude_unset=True)
    plant = Plant.model_validate({"mappings": {"m": {}}, "factories": {"F": written}})
    platform = Platform(Lake(FolderStore(tmp_path)), plant, settings())
    rng = np.random.default_rng(3)
    for day in pd.date_range("2025-03-03", periods=3):
        table = hours(24).assign(power_factor_pct=90.0)
        table["timestamp"] += day.tz_localize("Asia/Seoul") - table["timestamp"].iloc[0]
        wide = {s: rng.uniform(1, 3, 24).round(3) for s in "BCD"}
        wide["A"] = wide["B"] + rng.uniform(1, 2, 24).round(3)
        wide["H"] = wide["A"] + rng.uniform(1, 2, 24).round(3)
        wide["MAIN"] = wide["H"] + wide["C"] + wide["D"]
        if day.day == 5:
            wide["B"] = wide["B"] + 20  # more than the meter before it
        table["used_kwh"] = np.concatenate([wide[s] for s in ("A", "B", "C", "D", "H", "MAIN")])
        text = table.to_csv(index=False, date_format="%Y-%m-%d %H:%M:%S")
        platform.lake.store.put(keys.raw_key("meter", "F", day.date(), "a.csv"), text.encode())
    assert ingest_factory(platform, "F", lambda line: None).rows.published == 6 * 72
    record = platform.lake.evaluations.last("meter", "F", "2025-03")
    assert record is not None and record.published
    failed = {each.expectation for each in record.tables["hour"].findings}
    assert "expect_submeters_within_their_meter" in failed
    assert "expect_equipment_to_add_up_to_main_meter" not in failed, (
        "what stands behind others is not added again"
    )

    answer = query(
        platform, "SELECT sensor_id, count(*) AS n FROM meter_remainder WHERE doubt <> '' GROUP BY ALL"
    )
    assert answer.to_pylist() == [{"sensor_id": "A", "n": 24}]
    rest = published_hours(platform, "F")
    native = platform.lake.published("meter", "hour", "F", ["2025-03"]).to_pandas()
    main = native[native["sensor_id"] == "MAIN"]["used_kwh"].sum()
    assert rest["used_kwh"].sum() == pytest.approx(main)
