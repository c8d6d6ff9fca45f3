"""Days of 23 and 25 hours, and zones that are off by half an hour: grids, sums and filling."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from builders import day_file, feed_in, plant
from hypothesis import given, settings
from hypothesis import strategies as st

from fems.calendar import kinds_of_days
from fems.process import missing
from fems.process.grid import time_axis
from fems.process.partition import process
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.registry.rules import Fill
from fems.settings import settings as fems_settings

CHANGES = [
    ("Europe/Berlin", date(2025, 3, 30), 23),
    ("Europe/Berlin", date(2025, 10, 26), 25),
    ("America/New_York", date(2025, 3, 9), 23),
    ("America/New_York", date(2025, 11, 2), 25),
    ("Australia/Sydney", date(2025, 10, 5), 23),
    ("Australia/Sydney", date(2025, 4, 6), 25),
    ("Australia/Adelaide", date(2025, 4, 6), 25),
    ("Asia/Kolkata", date(2025, 4, 6), 24),
    ("America/St_Johns", date(2025, 3, 9), 23),
]


@pytest.mark.parametrize("grain", ["15min", "30min", "1h"])
@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_a_day_has_the_hours_that_it_has(zone: str, day: date, hours: int, grain: str) -> None:
    source = feed_in(zone, grain)
    days = [day - timedelta(days=1), day, day + timedelta(days=1)]
    files = [day_file(source, each, lambda t, i: f"{1 + i % 7 + i / 1000:.3f}") for each in days]
    part = process(files, source, days[0], days[-1])
    first = {name: t.to_pandas().query("sensor_id == 'F-M01'") for name, t in part.tables.items()}
    assert (first["native"]["flag"] == "measured").all()
    local = first["hour"]["timestamp"].dt.date
    assert (local == day).sum() == hours and (local == days[0]).sum() == 24
    by_hour = first["hour"]["used_kwh"].groupby(local).sum()
    by_native = first["native"]["used_kwh"].groupby(first["native"]["timestamp"].dt.date).sum()
    np.testing.assert_allclose(first["day"]["used_kwh"], by_native, rtol=1e-12)
    np.testing.assert_allclose(by_hour, by_native, rtol=1e-12)
    assert (first["day"]["coverage_pct"] == 100).all()


@pytest.mark.parametrize(("zone", "day", "hours"), [c for c in CHANGES if c[2] != 24])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_gap_is_filled_by_the_local_clock_on_and_after_a_change(
    zone: str, day: date, hours: int, minutes: int
) -> None:
    """Each day of the same kind has the same curve by the local clock, and nothing else is ever filled in."""
    first = day - timedelta(days=21)
    axis = time_axis(first, day + timedelta(days=14), zone, minutes)
    curve = np.where(axis.clock * minutes < 240, 3.0, 8.0) + np.sin(axis.clock * minutes / 40)
    kinds = kinds_of_days(axis.days, None)
    fill = Fill(interpolate_minutes=0, earlier_minutes=1440)
    for gap_day in (21, 22, 28):  # the day of the change, the next one, a week after
        begin, end = axis.bounds[gap_day], axis.bounds[gap_day + 1]
        values = curve[None].copy()
        values[0, begin:end] = np.nan
        missing.fill_gaps(values, axis, kinds, fill)
        day_long = end - begin <= 1440 // minutes
        expected = curve[begin:end] if day_long else np.full(end - begin, np.nan)
        known = ~np.isnan(values[0, begin:end])
        np.testing.assert_allclose(values[0, begin:end][known], expected[known])
        assert known.all() or not day_long


@settings(max_examples=30)
@given(
    st.sampled_from([c for c in CHANGES if c[2] != 24]),
    st.integers(0, 20), st.integers(1, 5), st.sampled_from([15, 30, 60]),
)  # fmt: skip
def test_a_short_gap_on_such_a_day_takes_its_own_clock(
    change: tuple[str, date, int], hour: int, length: int, minutes: int
) -> None:
    zone, day, _ = change
    axis = time_axis(day - timedelta(days=15), day, zone, minutes)
    curve = 5 + np.sin(axis.clock * minutes / 90)
    begin = int(axis.bounds[15]) + hour * 60 // minutes
    end = begin + length * 60 // minutes
    values = curve[None].copy()
    values[0, begin : min(end, axis.bounds[16] - 1)] = np.nan
    missing.fill_gaps(
        values, axis, kinds_of_days(axis.days, None), Fill(interpolate_minutes=0, earlier_minutes=1440)
    )
    # half of it is the straight line between the gap's edges: no farther off than that
    assert np.nanmax(np.abs(values[0] - curve)) < 1.1 and not np.isnan(values).any()


def test_a_negative_value_of_a_net_meter_is_a_measurement_and_its_rating_holds_both_ways() -> None:
    written = plant(time_format=None).model_dump()
    written["factories"]["F"]["equipment"]["E1"]["net"] = True
    book = load_book(fems_settings().definitions_dir, "meter")
    both = FactoryFeed.of(Plant.model_validate(written), book, "F")
    one_way = FactoryFeed.of(plant(time_format=None), book, "F")
    day = date(2025, 3, 4)

    def value(time: pd.Timestamp, i: int) -> float:
        return -300.0 if i == 50 else round(10 * np.sin(i / 9) + i / 100, 3)

    for source, kept in ((both, True), (one_way, False)):
        part = process([day_file(source, day, value)], source, day, day)
        native = part.tables["native"].to_pandas().head(96)
        assert native["flag"].iloc[50] in ("replaced", "missing"), "three times its rating"
        negative = np.array([value(pd.Timestamp(0), i) < 0 for i in range(96)])
        negative[50] = False
        assert (native["flag"][negative] == "measured").all() == kept
        if kept:
            assert native["used_kwh"].min() < -5
            assert native["used_kwh"].iloc[50] > -30


@given(st.integers(2, 20), st.integers(5, 12), st.floats(1, 500))
def test_a_known_sum_takes_the_shape_of_earlier_days_and_stays_the_same(
    begin: int, hours: int, total: float
) -> None:
    monday = date(2025, 6, 9)
    axis = time_axis(monday, monday + timedelta(days=4), "Asia/Seoul", 60)
    curve = 2 + np.sin(axis.clock / 24 * 2 * np.pi)
    values, shared = curve[None].copy(), np.zeros((1, len(curve)), bool)
    span = slice(96 + min(begin, 24 - hours), 96 + min(begin, 24 - hours) + hours)
    values[0, span], shared[0, span] = total / hours, True
    fill = Fill(interpolate_minutes=60, earlier_minutes=1440)
    missing.shape_shares(values, shared, axis, kinds_of_days(axis.days, None), fill, np.array([np.inf]))
    assert values[0, span].sum() == pytest.approx(total)
    np.testing.assert_allclose(values[0, span] / values[0, span].sum(), curve[span] / curve[span].sum())
    np.testing.assert_array_equal(values[~shared], curve[~shared[0]])
