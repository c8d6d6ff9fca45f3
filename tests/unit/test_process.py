"""Processing: the book's rules on a grid, and the laws."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from test_raw import HEADER, plant

from fems.book import Column, Fill, Stuck, load_book
from fems.lake import RawObject, to_parquet
from fems.process import abnormal, missing
from fems.process.partition import process
from fems.process.register import energy_from_register
from fems.raw.decode import Source, decode
from fems.settings import settings

DAY = date(2025, 3, 4)
SOURCE = Source.of(plant(), load_book(settings().definitions_dir, "meter"), "F")


def column(**rules: object) -> Column:
    return Column(
        name_ko="x", description="x", unit="kWh", fill=Fill(interpolate_minutes=60, weeks_minutes=600),
        aggregate={"x": "sum"}, **rules,
    )  # fmt: skip


def obj(lines: list[str], name: str = "a.csv", day: date = DAY):
    data = ("\n".join([HEADER, *lines]) + "\n").encode()
    return decode(RawObject(f"raw/meter/factory=F/date={day}/{name}", name, len(data), day), data, SOURCE)


def day_lines(day: date = DAY, sensor: str = "F-M01", base: float = 5.0) -> list[str]:
    times = pd.date_range(day, periods=96, freq="15min")
    return [
        f"{t},F,{sensor},{base + i % 7 + i / 100:.2f},90.0,{20 + i % 5 + i / 100:.2f},"
        f"{base + i % 7:.2f}1,{2 + i / 96:.3f}"
        for i, t in enumerate(times)
    ]


def test_a_clean_day_is_published_as_it_is() -> None:
    part = process([obj(day_lines() + day_lines(sensor="F-M02"))], SOURCE, DAY, DAY)
    native = part.tables["native"].to_pandas()
    assert part.days[DAY] | {} == {
        "read": 192, "published": 192, "quarantined": 0, "duplicate": 0,
        "cells_measured": 960, "cells_retyped": 0, "cells_replaced": 0, "cells_filled": 0, "cells_missing": 0,
    }  # fmt: skip
    assert (native["flag"] == "measured").all()
    assert str(native["timestamp"].dt.tz) == "Asia/Seoul"
    hour, day = part.tables["hour"].to_pandas(), part.tables["day"].to_pandas()
    for sensor in ("F-M01", "F-M02"):
        mine = [t[t["sensor_id"] == sensor]["used_kwh"].sum() for t in (native, hour, day)]
        np.testing.assert_allclose(mine, mine[0], rtol=1e-12)
    assert (len(hour), len(day)) == (48, 2)


def test_repeats_are_dropped_conflicts_quarantined_and_nothing_is_lost() -> None:
    lines = day_lines()
    other = lines[10].replace(",90.0,", ",80.0,")
    part = process([obj([*lines, lines[3], lines[3], other])], SOURCE, DAY, DAY)
    counts = part.days[DAY]
    assert (counts["read"], counts["published"], counts["duplicate"], counts["quarantined"]) == (99, 96, 2, 1)
    assert "with other values" in part.quarantine["reason"].iloc[0]


def test_a_correction_beside_the_file_wins() -> None:
    lines = day_lines()
    corrected = lines[10].replace(",90.0,", ",80.0,")
    part = process([obj(lines, "a.csv"), obj([corrected], "a_corrected.csv")], SOURCE, DAY, DAY)
    native = part.tables["native"].to_pandas()
    assert native["power_factor_pct"].iloc[10] == 80.0
    assert part.days[DAY]["quarantined"] == 1


def test_spikes_and_wrong_types_are_replaced_and_gaps_filled_and_said() -> None:
    lines = day_lines()
    lines[20] = lines[20].replace(",F-M01,", ",F-M01,9999")
    cells = lines[30].split(",")
    lines[30] = ",".join([*cells[:3], "ERR", *cells[4:]])
    del lines[40]
    native = process([obj(lines)], SOURCE, DAY, DAY).tables["native"].to_pandas().head(96)
    assert native["flag"].iloc[[20, 30, 40]].tolist() == ["replaced", "replaced", "filled"]
    assert native["flag_columns"].iloc[20] == "used_kwh=replaced"
    expected = (
        native["used_kwh"].iloc[[19, 29, 39]].to_numpy() + native["used_kwh"].iloc[[21, 31, 41]].to_numpy()
    ) / 2
    np.testing.assert_allclose(native["used_kwh"].iloc[[20, 30, 40]], expected)


def test_a_long_gap_takes_the_same_time_last_week_and_a_longer_one_stays_missing() -> None:
    fill = Fill(interpolate_minutes=60, weeks_minutes=600)
    week = 7 * 96
    values = np.arange(3.0 * week).reshape(1, -1)
    day = np.repeat(np.arange(21), 96)
    values[0, 2 * week + 10 : 2 * week + 30] = np.nan
    values[0, 2 * week + 100 : 2 * week + 200] = np.nan
    missing.fill_gaps(values, day, fill, 15)
    expected = np.arange(10, 30) + week / 2  # the mean of one and two weeks earlier
    np.testing.assert_allclose(values[0, 2 * week + 10 : 2 * week + 30], expected)
    assert np.isnan(values[0, 2 * week + 100 : 2 * week + 200]).all()


@given(st.integers(0, 95), st.floats(0, 100))
def test_no_day_takes_anything_from_a_later_one(slot: int, planted: float) -> None:
    values = np.random.default_rng(0).random((1, 96 * 16))
    values[0, 96 * 15 - 3 : 96 * 15] = np.nan  # a gap that ends at midnight
    day = np.repeat(np.arange(16), 96)
    other = values.copy()
    other[0, 96 * 15 + slot] = planted
    for each in (values, other):
        missing.fill_gaps(each, day, Fill(interpolate_minutes=60, weeks_minutes=600), 15)
    np.testing.assert_array_equal(values[0, : 96 * 15], other[0, : 96 * 15])


def test_stuck_values_stand_once_and_standby_may_repeat() -> None:
    rules = column(stuck=Stuck(minutes=60, above_of_usual=0.1))
    values = np.array([[0.0] * 10 + [0.5] * 10 + [9.0, 10.0] + [8.0] * 6 + [7.0, 8.0]])
    found = abnormal.stuck(values, rules, abnormal.usual_levels(values), 15)
    assert np.flatnonzero(found[0]).tolist() == [23, 24, 25, 26, 27]


def test_a_register_rolls_over_is_reset_and_has_gaps() -> None:
    used = np.array([4.0, 5, 6, 5, 4, 3, 5, 6, 4])
    readings = (990 + np.cumsum(used)) % 1000
    energy, spread, dropped = energy_from_register(readings, 1000, 10, 4)
    np.testing.assert_allclose(energy[1:], used[1:])
    assert np.isnan(energy[0]) and not spread.any() and not dropped.any()

    gap = readings.copy()
    gap[3:5] = np.nan
    energy, spread, _ = energy_from_register(gap, 1000, 10, 4)
    np.testing.assert_allclose(energy[3:6], (5 + 4 + 3) / 3)
    assert spread.tolist() == [False, False, False, True, True, True, False, False, False]
    assert np.isnan(energy_from_register(gap, 1000, 10, 2)[0][3:6]).all()

    wrong = readings.copy()
    wrong[4] = 700
    energy, _, dropped = energy_from_register(wrong, 1000, 10, 4)
    assert dropped.tolist() == [False] * 4 + [True] + [False] * 4
    np.testing.assert_allclose(energy[4:6], (4 + 3) / 2)

    reset = readings.copy()
    reset[5:] = np.cumsum(used)[5:] - 20 + 300
    energy, _, _ = energy_from_register(reset, 1000, 10, 4)
    assert np.isnan(energy[5])
    np.testing.assert_allclose(energy[6:], used[6:])


@given(st.permutations(range(20)), st.integers(0, 20), st.lists(st.integers(0, 19), max_size=4))
def test_order_and_files_change_nothing_and_no_row_is_lost(
    order: list[int], cut: int, repeated: list[int]
) -> None:
    lines = [row for row in day_lines()[:20]]
    shuffled = [lines[i] for i in order] + [lines[i] for i in repeated]
    plain = process([obj(lines)], SOURCE, DAY, DAY)
    other = process([obj(shuffled[:cut], "a.csv"), obj(shuffled[cut:], "b.csv")], SOURCE, DAY, DAY)
    for grain in ("native", "hour", "day"):
        assert to_parquet(plain.tables[grain]) == to_parquet(other.tables[grain])
    assert other.days[DAY]["read"] == 20 + len(repeated)
    assert other.days[DAY]["duplicate"] == len(repeated)


def test_a_day_looks_back_but_publishes_itself_alone() -> None:
    before = DAY - timedelta(days=7)
    lines = day_lines()
    gap = lines[:40] + lines[60:]
    part = process([obj(day_lines(before, base=9.0), day=before), obj(gap)], SOURCE, DAY, DAY)
    native = part.tables["native"].to_pandas()
    assert native["timestamp"].dt.date.unique().tolist() == [DAY]
    assert native["flag"].iloc[50] == "filled"
    assert native["used_kwh"].iloc[50] == float(day_lines(before, base=9.0)[50].split(",")[3])
    assert list(part.days) == [DAY]
