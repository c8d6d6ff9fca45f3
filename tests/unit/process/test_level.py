"""A level that is off by the factor of a unit is no measurement; a machine's own ups and downs are."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from builders import day_file, feed_in, plant
from hypothesis import given, settings
from hypothesis import strategies as st

from fems.calendar import kinds_of_days
from fems.contracts.raw_object import RawObject
from fems.process import implausible, level
from fems.process.grid import time_axis
from fems.process.partition import process
from fems.process.unit_factors import factors
from fems.raw.decode import decode
from fems.registry.book import Book, load_book
from fems.registry.feed import FactoryFeed
from fems.settings import settings as fems_settings

MONDAY = date(2025, 6, 9)
BOOK = load_book(fems_settings().definitions_dir, "meter")


def load(days: int, minutes: int, seed: int, pattern: str, by_day: float = 0.25):
    """A machine's energy and current: two shifts, all day, or now and then; S = 1."""
    axis = time_axis(MONDAY, MONDAY + timedelta(days=days - 1), "Asia/Seoul", minutes)
    rng = np.random.default_rng(seed)
    hour = axis.clock * minutes / 60
    kinds = kinds_of_days(axis.days, None)[axis.day]
    on = {
        "shifts": (hour >= 6) & (hour < 22) & (kinds == 0),
        "always": np.ones(len(hour), bool),
        "seldom": rng.random(len(axis.days))[axis.day] < 0.4,
    }[pattern]
    day_level = rng.lognormal(0, by_day, len(axis.days))[axis.day]
    power = np.where(on, 60 * day_level, 2.0) * rng.lognormal(0, 0.1, len(hour))
    energy = power * minutes / 60
    return axis, energy[None], (1000 * power / (3**0.5 * 380 * 0.9))[None]


@settings(max_examples=60)
@given(
    st.integers(0, 1000), st.sampled_from([1, 5, 15, 30, 60]), st.sampled_from(["shifts", "always", "seldom"]),
    st.booleans(),
)  # fmt: skip
def test_a_machines_own_ups_and_downs_are_no_unit(
    seed: int, minutes: int, pattern: str, with_current: bool
) -> None:
    axis, energy, current = load(28, minutes, seed, pattern)
    off = level.days_off(
        energy,
        current if with_current else None,
        axis,
        kinds_of_days(axis.days, None),
        factors(minutes),
    )
    assert (off == 1).all()
    assert implausible.off_by_voltage(energy, None, current, "KR", minutes).tolist() == [1]


@settings(max_examples=60)
@given(st.integers(0, 1000), st.sampled_from([1, 5, 15, 30, 60]), st.booleans(), st.data())
def test_a_day_in_another_unit_is_named_with_its_factor(
    seed: int, minutes: int, with_current: bool, data
) -> None:
    axis, energy, current = load(21, minutes, seed, "always", 0.1)
    known = factors(minutes)
    far = known[(known >= 900) | (known <= 1 / 900)]
    factor = data.draw(st.sampled_from(sorted(known if with_current else far)))
    day = data.draw(st.integers(8, 18))
    energy[:, axis.day == day] *= factor
    off = level.days_off(
        energy, current if with_current else None, axis, kinds_of_days(axis.days, None), known
    )
    assert off[0, day] == pytest.approx(factor) or (not with_current and 1 / 5 < off[0, day] / factor < 5)
    assert (np.delete(off[0], day) == 1).all()


@pytest.mark.parametrize(
    ("minutes", "factor"), [(15, 4), (15, 1000), (15, 0.001), (30, 2), (5, 12), (60, 1000)]
)
def test_energy_and_current_that_make_no_voltage_name_the_factor(minutes: int, factor: float) -> None:
    _, energy, current = load(7, minutes, 1, "shifts")
    reactive = energy * 0.4843  # power factor 0.9
    found = implausible.off_by_voltage(energy * factor, reactive * factor, current, "KR", minutes)
    assert found.tolist() == [pytest.approx(factor)]


def test_energy_far_below_the_rating_is_asked_about_and_an_idle_machine_is_not() -> None:
    rated = np.array([100.0, 100, 100, np.nan])
    running = 5 + 20 * np.sin(np.arange(96) / 9) ** 2
    standby = 0.02 + 0.001 * (np.arange(96) % 3)
    values = np.array([running, running / 1000, standby, running / 1000])
    assert implausible.off_by_rating(values, rated, 15).tolist() == [1, 0.001, 1, 1]


def values_of(factor_on: dict[date, float]):
    def value(time: pd.Timestamp, i: int) -> str:
        return f"{(5 + i % 7 + i / 100) * factor_on.get(time.date(), 1.0):.5f}"

    return value


def test_a_file_in_watt_hours_is_never_published_as_measured() -> None:
    source = feed_in("Asia/Seoul")
    days = [MONDAY + timedelta(days=i) for i in range(5)]
    wrong = days[3]
    files = [day_file(source, day, values_of({wrong: 1 / 1000})) for day in days]
    part = process(files, source, days[0], days[-1])
    native = part.tables["native"].to_pandas().query("sensor_id == 'F-M01'")
    on_day = native["timestamp"].dt.date == wrong
    assert not native.loc[on_day, "flag"].isin(["measured", "retyped"]).any()
    assert (native.loc[~on_day, "flag"] == "measured").all()
    assert part.off_levels == [f"F-M01 used_kwh, {wrong}: 1/1,000 of its earlier days"]
    by_day = part.tables["day"].to_pandas().query("sensor_id == 'F-M01'")
    assert by_day["used_kwh"].isna().tolist() == [day == wrong for day in days], (
        "what is mostly made is no day"
    )
    assert set(part.originals.to_pandas()["cause"]) == {"level of another unit"}


def test_an_override_says_that_the_machine_really_runs_so() -> None:
    rule = {"why": "on trial", "sensors": ["F-M01"], "columns": {"used_kwh": {"level": False}}}
    book = Book.model_validate({**BOOK.model_dump(), "overrides": [rule]})
    source = FactoryFeed.of(plant(time_format=None), book, "F")
    days = [MONDAY + timedelta(days=i) for i in range(3)]
    part = process(
        [day_file(source, d, values_of({days[2]: 1 / 1000})) for d in days], source, days[0], days[-1]
    )
    assert part.off_levels == []
    assert (part.tables["native"].to_pandas().query("sensor_id == 'F-M01'")["flag"] == "measured").all()


def test_a_whole_month_in_kilowatts_is_named_by_current_times_voltage() -> None:
    source = FactoryFeed.of(plant(time_format=None), BOOK, "F")
    axis, energy, current = load(3, 15, 5, "shifts")
    lines = ["timestamp,sensor_id,used_kwh,current_a,active_kwh,reactive_kvarh"]
    for start, kwh, amps in zip(axis.starts.tolist(), energy[0], current[0], strict=True):
        time = pd.Timestamp(start, unit="s", tz="UTC").tz_convert("Asia/Seoul").isoformat()
        lines.append(f"{time},F-M02,{4 * kwh:.3f},{amps:.2f},{4 * kwh:.3f},{4 * kwh * 0.4843:.3f}")
    data = ("\n".join(lines) + "\n").encode()
    last = MONDAY + timedelta(days=2)
    raw = RawObject(f"raw/meter/factory=F/date={last}/a.csv", "e", len(data), last)
    part = process([decode(raw, data, source)], source, MONDAY, last)
    assert "F-M02 used_kwh, 2025-06-09 to 2025-06-11 (3 days): 4 times current x voltage" in part.off_levels
    assert part.tables["native"].to_pandas().query("sensor_id == 'F-M02'")["used_kwh"].isna().all()
