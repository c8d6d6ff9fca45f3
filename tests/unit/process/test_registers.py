"""Running registers as plants have them: long gaps, other meters, gateways that restart, and columns that are none."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from builders import BOOK, plant

from fems.contracts.raw_object import RawObject
from fems.process.explain import why_unusable
from fems.process.partition import Partition, process
from fems.process.register import energy_from_register
from fems.raw.decode import decode
from fems.registry.feed import FactoryFeed

USED = np.random.default_rng(5).uniform(4, 9, 24 * 9).round(3)
FIRST = date(2024, 2, 26)


def published(
    readings: np.ndarray,
    first: date = FIRST,
    last: date = FIRST + timedelta(days=8),
    cumulative: bool = True,
    **machine: object,
) -> tuple[Partition, FactoryFeed]:
    """Process hourly readings, NaN where there is no row, as a file a day."""
    times = pd.date_range(FIRST, periods=len(readings), freq="h", tz="Asia/Seoul")
    mapping = {"cumulative": {"used_kwh": 100_000}} if cumulative else {}
    written = plant(**mapping).model_dump()
    factory = written["factories"]["F"]
    factory["grain"]["meter"] = "1h"
    factory["equipment"] = {"E1": {"name": "Pump", "kind": "pump", "sensor": "F-M01", **machine}}
    source = FactoryFeed.of(type(plant()).model_validate(written), BOOK, "F")
    objects = []
    for day in sorted(set(times.date)):
        lines = ["timestamp,factory_id,sensor_id,used_kwh"]
        mine = (times.date == day) & ~np.isnan(readings)
        lines += [
            f"{t:%Y-%m-%d %H:%M:%S},F,F-M01,{v:.3f}" for t, v in zip(times[mine], readings[mine], strict=True)
        ]
        data = ("\n".join(lines) + "\n").encode()
        objects.append(
            decode(RawObject(f"raw/meter/factory=F/date={day}/a.csv", "e", len(data), day), data, source)
        )
    return process(objects, source, first, last), source


def with_gap(begin: int, end: int) -> np.ndarray:
    readings = 500 + np.cumsum(USED)
    readings[begin:end] = np.nan
    return readings


@pytest.mark.parametrize("hours", [20, 24, 30, 70])
def test_the_sum_over_a_gap_of_any_length_is_kept(hours: int) -> None:
    partition, _ = published(with_gap(100, 100 + hours))
    native = partition.tables["native"].to_pandas()
    assert native["used_kwh"].sum() == pytest.approx(USED[1:].sum())
    assert set(native["flag"].iloc[100 : 100 + hours]) == {"filled"}
    days = partition.tables["day"].to_pandas()
    assert days["used_kwh"].notna().all()
    assert bool(partition.register_sums) == (hours >= 24), "a reading after 24 missing ones ends 25 intervals"
    for line in partition.register_sums:
        assert f"{USED[100 : 101 + hours].sum():,.3f} kWh are known as a sum alone" in line


def test_of_a_sum_that_began_before_the_month_the_rest_is_named() -> None:
    partition, _ = published(with_gap(80, 110), first=date(2024, 3, 1))
    [line] = partition.register_sums
    assert line.startswith("F-M01 used_kwh, 2024-02-29 08:00 to 2024-03-01 15:00: ")
    native = partition.tables["native"].to_pandas()
    inside = native["used_kwh"].iloc[:15].sum()
    before = USED[80:111].sum() - inside
    assert f"{before:,.3f} kWh of them lie before 2024-03-01 and are in no table" in line


@pytest.mark.parametrize("more", [200.0, 8_500.0])
def test_another_meter_after_a_gap_that_stands_higher_adds_nothing(more: float) -> None:
    readings = with_gap(97, 100)
    readings[100:] += more
    native = published(readings)[0].tables["native"].to_pandas()
    assert native["used_kwh"].iloc[97:101].isna().all(), "there is no earlier day of its kind"
    assert native["used_kwh"].sum() == pytest.approx(USED[1:97].sum() + USED[101:].sum())


def test_a_gateway_that_sends_zeros_for_hours_and_comes_back_loses_nothing() -> None:
    readings = 500 + np.cumsum(USED)
    readings[100:109] = 0
    native = published(readings)[0].tables["native"].to_pandas()
    assert native["used_kwh"].sum() == pytest.approx(USED[1:].sum())
    assert set(native["flag"].iloc[100:110]) == {"replaced"}, "no zero of them was measured"


def test_a_frozen_register_that_makes_up_for_it_is_spread_over_the_time() -> None:
    readings = 500 + np.cumsum(USED)
    readings[100:120] = readings[99]
    energy, spread = energy_from_register(readings, 100_000, np.inf)
    assert np.flatnonzero(spread).tolist() == list(range(100, 121))
    assert energy[1:].sum() == pytest.approx(USED[1:].sum())


def test_a_register_that_nobody_declared_is_no_energy() -> None:
    partition, source = published(500 + np.cumsum(USED), cumulative=False)
    native = partition.tables["native"].to_pandas()
    assert native["used_kwh"].isna().all()
    assert "it only rises, as a running register does" in partition.off_levels[0]
    assert "name it in the mapping: `cumulative" in why_unusable(partition, source)


def test_energies_that_were_declared_a_register_are_none() -> None:
    partition, source = published(USED.copy())
    assert partition.tables["native"].to_pandas()["used_kwh"].isna().all()
    assert "it keeps falling, as no running register does" in partition.off_levels[0]
    assert "Take it out of `cumulative`" in why_unusable(partition, source)


def test_a_machine_that_starts_slowly_is_no_register() -> None:
    ramp = np.concatenate([np.linspace(1, 9, 60), USED[60:]])
    partition, _ = published(ramp, cumulative=False)
    assert partition.off_levels == []
    assert partition.tables["native"].to_pandas()["used_kwh"].sum() == pytest.approx(ramp.sum(), abs=0.05)
