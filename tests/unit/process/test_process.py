"""Processing: the book's rules on a grid, and the laws."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from builders import HEADER, SOURCE, day_lines, plant
from hypothesis import assume, given
from hypothesis import strategies as st

from fems.calendar import kinds_of_days
from fems.contracts.raw_object import RawObject
from fems.lake.serialize import to_parquet
from fems.process import abnormal, missing
from fems.process.aggregate import exact_sums
from fems.process.grid import time_axis
from fems.process.partition import process
from fems.process.register import energy_from_register
from fems.raw.decode import decode
from fems.registry.book import Book, load_book
from fems.registry.feed import FactoryFeed
from fems.registry.laws import usual_levels
from fems.registry.plant import Plant
from fems.registry.rules import Fill, Jump, Stuck
from fems.settings import settings

DAY, MONDAY = date(2025, 3, 4), date(2025, 6, 9)


def trap_plant() -> Plant:
    written = plant().model_dump()
    factory = written["factories"]["F"]
    factory["steam_traps"] = {"F-T01": {"name": "Drain", "set_point_c": 150}}
    factory["grain"]["steam_trap"], factory["mapping"]["steam_trap"] = "15min", "m"
    return Plant.model_validate(written)


def obj(lines: list[str], name: str = "a.csv", day: date = DAY):
    data = ("\n".join([HEADER, *lines]) + "\n").encode()
    return decode(RawObject(f"raw/meter/factory=F/date={day}/{name}", name, len(data), day), data, SOURCE)


def consistent_lines() -> list[str]:
    """A day in which power factor and current follow from active and reactive energy."""
    lines = []
    for i, line in enumerate(day_lines()):
        active, reactive = 5 + i % 7 + i / 100, 2 + i / 96
        apparent = math.hypot(active, reactive)
        values = (active, 100 * active / apparent, 6 * apparent, active * 1.001, reactive)
        lines.append(",".join([*line.split(",")[:3], *(f"{v:.3f}" for v in values)]))
    return lines


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
    corrected = lines[10].replace(",90.0,", ",91.0,")
    part = process([obj(lines, "a.csv"), obj([corrected], "a_corrected.csv")], SOURCE, DAY, DAY)
    native = part.tables["native"].to_pandas()
    assert native["power_factor_pct"].iloc[10] == 91.0
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
    used, active = native["used_kwh"], native["active_kwh"]
    assert used.iloc[[20, 30]].to_numpy() == pytest.approx(active.iloc[[20, 30]].to_numpy(), rel=0.1), (
        "its stand-in"
    )
    assert used.iloc[40] == pytest.approx((used.iloc[39] + used.iloc[41]) / 2), "no row, no stand-in: a line"


GAPS = Fill(interpolate_minutes=60, earlier_minutes=600)


def filled(values: np.ndarray, days: int, fill: Fill = GAPS) -> np.ndarray:
    axis = time_axis(MONDAY, MONDAY + timedelta(days=days - 1), "Asia/Seoul", 15)
    out = np.ascontiguousarray(values)
    missing.fill_gaps(out, axis, kinds_of_days(axis.days, "KR"), fill)
    return out


def test_a_long_gap_takes_the_same_time_on_days_of_the_same_kind_and_a_longer_one_stays_missing() -> None:
    shape = np.sin(np.arange(96) / 96 * 2 * np.pi) + 2
    values = np.concatenate([shape * (1.0 if d % 7 < 5 else 0.2) for d in range(21)])[None]
    gap, longer = slice(96 * 15 + 20, 96 * 15 + 45), slice(96 * 16 + 10, 96 * 16 + 60)
    saturday = slice(96 * 19 + 20, 96 * 19 + 45)
    broken = values.copy()
    for part in (gap, longer, saturday):
        broken[0, part] = np.nan
    found = filled(broken, 21)
    assert np.isnan(found[0, longer]).all()
    for part in (gap, saturday):
        line = np.linspace(values[0, part.start - 1], values[0, part.stop], part.stop - part.start + 2)[1:-1]
        ours = np.abs(found[0, part] - values[0, part]).mean()
        assert ours < 0.7 * np.abs(line - values[0, part]).mean(), "better than a straight line"


def test_a_gap_follows_the_level_that_the_day_has() -> None:
    values = np.full((1, 96 * 15), 5.0)
    values[0, 96 * 14 :] = 9.0
    values[0, 96 * 14 + 20 : 96 * 14 + 45] = np.nan
    np.testing.assert_allclose(filled(values, 15)[0, 96 * 14 :], 9.0)


@given(st.integers(0, 95), st.floats(0, 100), st.integers(1, 60))
def test_no_day_takes_anything_from_a_later_one(slot: int, planted: float, length: int) -> None:
    values = np.random.default_rng(0).random((2, 96 * 16))
    values[0, 96 * 15 - length : 96 * 15] = np.nan  # a gap that ends at midnight
    other = values.copy()
    other[:, 96 * 15 + slot] = planted
    np.testing.assert_array_equal(filled(values, 16)[:, : 96 * 15], filled(other, 16)[:, : 96 * 15])
    axis = time_axis(MONDAY, MONDAY + timedelta(days=15), "Asia/Seoul", 15)
    for each in (values, other):
        missing.fill_from_stand_in(each[:1], each[1:], axis)
    np.testing.assert_array_equal(values[:, : 96 * 15], other[:, : 96 * 15])


def test_stuck_values_stand_once_and_standby_may_repeat() -> None:
    values = np.array([[0.0] * 10 + [0.5] * 10 + [9.0, 10.0] + [8.0] * 6 + [7.01, 8.0]])
    usual = usual_levels(values)
    found = abnormal.stuck_values(values, Stuck(minutes=60, above_of_usual=0.1), usual, 15)
    assert found.tolist() == [23, 24, 25, 26, 27]


def test_a_reading_that_repeats_in_every_column_is_stuck_and_a_machine_at_rest_is_not() -> None:
    lines = day_lines()
    frozen = ",".join(lines[20].split(",")[3:])
    for i in range(21, 26):
        lines[i] = ",".join([*lines[i].split(",")[:3], frozen])
    for i in range(50, 60):
        lines[i] = ",".join([*lines[i].split(",")[:3], "0.2", "90.0", "0", "0", "0"])
    part = process([obj(lines)], SOURCE, DAY, DAY)
    changed = part.originals.to_pandas()
    assert set(changed["cause"]) == {"stuck reading"}
    assert sorted(set(changed["line"])) == [23, 24, 25, 26, 27], "the first of them stands"


def test_a_value_that_contradicts_the_others_is_the_one_to_blame() -> None:
    lines = consistent_lines()
    for i, column, factor in ((10, 3, 2), (20, 5, 2), (30, 6, 2), (40, 7, 5)):
        cells = lines[i].split(",")
        cells[column] = f"{float(cells[column]) * factor:.3f}"  # below every limit
        lines[i] = ",".join(cells)
    part = process([obj(lines)], SOURCE, DAY, DAY)
    changed = part.originals.sort_by("line").to_pydict()
    assert changed["column"] == ["used_kwh", "current_a", "active_kwh", "reactive_kvarh"]
    assert set(changed["cause"]) == {"contradicts other columns"}
    assert part.suspended == []


def test_a_law_that_a_sensor_does_not_keep_at_all_is_not_applied_and_said() -> None:
    lines = [
        ",".join([*(cells := line.split(","))[:3], f"{float(cells[3]) / 2:.3f}", *cells[4:]])
        for line in consistent_lines()
    ]
    part = process([obj(lines)], SOURCE, DAY, DAY)
    assert ("used_is_active", "F-M01") in part.suspended
    assert part.originals.num_rows == 0


def test_a_lone_jump_is_abnormal_and_a_step_that_lasts_is_not() -> None:
    values = np.array([[20.0, 21, 90, 22, 22, 150, 151, 150]])
    found = abnormal.jumps(values, Jump(per_minute=2), np.array([100.0]), 15)
    assert found.tolist() == [2]


def test_what_the_device_writes_for_no_signal_is_no_temperature() -> None:
    book = load_book(settings().definitions_dir, "steam_trap")
    source = FactoryFeed.of(trap_plant(), book, "F")
    text = "timestamp,factory_id,sensor_id,temperature_c\n" + "".join(
        f"2025-03-04 {h:02d}:{m:02d}:00,F,F-T01,{-99.9 if (h, m) == (5, 0) else 150 + (h + m) % 7}\n"
        for h in range(24)
        for m in (0, 15, 30, 45)
    )
    raw = RawObject("raw/steam_trap/factory=F/date=2025-03-04/t.csv", "e", len(text), DAY)
    part = process([decode(raw, text.encode(), source)], source, DAY, DAY)
    changed = part.originals.to_pylist()
    assert [(r["cause"], r["original"], r["flag"]) for r in changed] == [("no signal", "-99.9", "replaced")]
    assert part.tables["hour"].column("temperature_c")[5].as_py() > 100


def test_the_original_of_every_value_that_changed_can_be_found_again() -> None:
    lines = day_lines()
    for i, written in ((5, "ERR"), (6, "11.06 kWh"), (7, "99999")):
        cells = lines[i].split(",")
        lines[i] = ",".join([*cells[:3], written, *cells[4:]])
    part = process([obj(lines, "b.csv")], SOURCE, DAY, DAY)
    native = part.tables["native"].to_pandas()
    found = part.originals.to_pandas()
    assert found["original"].tolist() == ["ERR", "11.06 kWh", "99999.0"]
    assert found["flag"].tolist() == ["replaced", "retyped", "replaced"]
    assert found["cause"].tolist() == ["not a number", "", "outside limits"]
    assert found["line"].tolist() == [7, 8, 9] and found["object"].str.endswith("/b.csv").all()
    np.testing.assert_array_equal(found["value"], native["used_kwh"].iloc[5:8])
    flagged = native["flag"].isin(["retyped", "replaced"])
    assert flagged.sum() == len(found), "every such value is listed"


def test_an_override_holds_for_its_sensor_alone() -> None:
    limit = {"why": "a small motor", "sensors": ["F-M02"], "columns": {"used_kwh": {"limits": {"max": 6}}}}
    book = Book.model_validate({**SOURCE.book.model_dump(), "overrides": [limit]})
    source = FactoryFeed.of(plant(), book, "F")
    part = process([obj(day_lines() + day_lines(sensor="F-M02"))], source, DAY, DAY)
    changed = part.originals.to_pandas()
    assert set(changed["sensor_id"]) == {"F-M02"}
    assert (changed[changed["column"] == "used_kwh"]["original"].astype(float) > 6).all()
    assert source.version != SOURCE.version
    other = Book.model_validate({**SOURCE.book.model_dump(), "overrides": [{**limit, "sensors": ["G-M01"]}]})
    assert FactoryFeed.of(plant(), other, "F").version == SOURCE.version, "nothing of this factory is touched"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60), st.integers(1, 20))
def test_hours_and_days_are_summed_to_the_last_digit(values: list[float], size: int) -> None:
    begin = np.arange(0, len(values), size)
    sums = exact_sums(np.array([values]), begin)[0]
    exact = [math.fsum(values[b : b + size]) for b in begin]
    largest = [max(map(abs, values[b : b + size])) for b in begin]
    assert np.abs(sums - exact).max() <= 2**-52 * max(largest)  # one rounding, even where the sum cancels out
    tame = np.abs(values)
    np.testing.assert_array_max_ulp(
        exact_sums(tame[None], begin)[0], np.array([math.fsum(tame[b : b + size]) for b in begin]), maxulp=1
    )


def test_a_register_rolls_over_is_reset_and_has_gaps() -> None:
    used = np.array([4.0, 5, 6, 5, 4, 3, 5, 6, 4])
    readings = (990 + np.cumsum(used)) % 1000
    energy, spread = energy_from_register(readings, 1000, 10)
    np.testing.assert_allclose(energy[1:], used[1:])
    assert np.isnan(energy[0]) and not spread.any()

    gap = readings.copy()
    gap[3:5] = np.nan
    energy, spread = energy_from_register(gap, 1000, 10)
    np.testing.assert_allclose(energy[3:6], (5 + 4 + 3) / 3)
    assert spread.tolist() == [False, False, False, True, True, True, False, False, False]

    wrong = readings.copy()
    wrong[4] = 700
    energy, spread = energy_from_register(wrong, 1000, 10)
    assert np.flatnonzero(spread).tolist() == [4, 5]
    np.testing.assert_allclose(energy[4:6], (4 + 3) / 2)

    reset = readings.copy()
    reset[5:] = np.cumsum(used)[5:] - 20 + 300
    energy, _ = energy_from_register(reset, 1000, 10)
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
    part = process([obj(day_lines(before), day=before), obj(gap)], SOURCE, DAY, DAY)
    native = part.tables["native"].to_pandas()
    assert native["timestamp"].dt.date.unique().tolist() == [DAY]
    assert native["flag"].iloc[50] == "filled"
    assert list(part.days) == [DAY]
    alone = process([obj(gap)], SOURCE, DAY, DAY).tables["native"]
    assert alone["flag"][50].as_py() == "missing", "nothing to look back on"


def test_a_column_that_no_file_carries_is_not_made_up() -> None:
    lines = [
        "timestamp,factory_id,sensor_id,used_kwh",
        *(",".join(line.split(",")[:4]) for line in day_lines()),
    ]
    data = ("\n".join(lines) + "\n").encode()
    raw = RawObject(f"raw/meter/factory=F/date={DAY}/a.csv", "e", len(data), DAY)
    part = process([decode(raw, data, SOURCE)], SOURCE, DAY, DAY)
    for table in part.tables.values():
        assert table["active_kwh"].null_count == len(table)
    assert part.days[DAY]["cells_measured"] == 96 and part.days[DAY]["cells_missing"] == 96, (
        "of the other sensor"
    )


def test_what_is_made_up_keeps_the_hard_limits_and_what_is_measured_is_not_touched() -> None:
    values = np.array([[5.0, 120.0, -2.0, np.nan], [5.0, 120.0, 300.0, 8.0]])
    made = np.array([[False, True, True, True], [False, False, True, False]])
    missing.keep_within(values, made, np.zeros(2), np.array([100.0, np.inf]))
    assert np.array_equal(values, [[5.0, 100.0, 0.0, np.nan], [5.0, 120.0, 300.0, 8.0]], equal_nan=True)


def test_a_stand_in_that_runs_high_does_not_pass_what_the_machine_can_take() -> None:
    lines = []
    for i, line in enumerate(day_lines()):
        active, reactive = 24 + i % 5 / 2, 2 + i / 96
        used: float | str = 1.1 * active
        if 60 <= i < 64:  # used energy is lost where active energy is nearly what the rating allows
            active, used = 28.0 + i / 1000, "ERR"
        apparent = math.hypot(active, reactive)
        values = (
            used,
            f"{100 * active / apparent:.4f}",
            f"{6 * apparent:.4f}",
            f"{active:.4f}",
            f"{reactive:.4f}",
        )
        lines.append(",".join([*line.split(",")[:3], *map(str, values)]))
    table = process([obj(lines)], SOURCE, DAY, DAY).tables["native"].to_pandas()
    made = table[(table["sensor_id"] == "F-M01")].iloc[60:64]
    assert (made["flag"] == "replaced").all()
    assert (made["used_kwh"] == 1.15 * 100 / 4).all(), "not 1.1 x 28, which is more than it can be"


def test_a_register_that_falls_has_rolled_over_only_where_that_is_plausible() -> None:
    used = np.tile([2.0, 3, 2.5, 2.2, 2.8], 8)
    rolled = (99_950 + np.cumsum(used)) % 100_000
    for most in (np.inf, 10.0):
        energy, _ = energy_from_register(rolled, 100_000, most)
        np.testing.assert_allclose(energy[1:], used[1:])

        exchanged = 500 + np.cumsum(used)
        exchanged[20:] -= exchanged[20] - 2
        energy, _ = energy_from_register(exchanged, 1_000_000, most)
        assert np.isnan(energy[20])
        np.testing.assert_allclose(np.delete(energy, [0, 20]), np.delete(used, [0, 20]))

        exchanged[17:20] = np.nan  # during an outage: what it used until then is not known
        energy, spread = energy_from_register(exchanged, 1_000_000, most)
        assert np.isnan(energy[17:21]).all() and not spread.any()

        restarted = 500 + np.cumsum(used)
        restarted[20:23] = [0, 1.2, 2.4]
        energy, spread = energy_from_register(restarted, 1_000_000, most)
        np.testing.assert_allclose(energy[20:24].sum(), used[20:24].sum())
        assert np.flatnonzero(spread).tolist() == [20, 21, 22, 23]


def test_a_fall_over_a_gap_that_might_be_an_exchange_as_well_is_not_known() -> None:
    readings = (700 + np.cumsum(np.full(60, 9.0))) % 1000
    np.testing.assert_allclose(energy_from_register(readings, 1000, np.inf)[0][1:], 9.0)
    fell = int(np.flatnonzero(np.diff(readings) < 0)[0])
    readings[fell - 5 : fell + 5] = np.nan  # at ten times its pace it might have been anywhere
    energy, _ = energy_from_register(readings, 1000, np.inf)
    assert np.isnan(energy[fell - 5 : fell + 6]).all()


def test_a_fall_without_rating_and_history_is_not_known() -> None:
    energy, _ = energy_from_register(np.array([900.0, 902, 1, 3]), 1000, np.inf)
    np.testing.assert_array_equal(energy, [np.nan, 2, np.nan, 2])


@given(
    st.lists(st.floats(0.01, 5), min_size=30, max_size=60),
    st.floats(0, 9_999),
    st.integers(5, 25),
    st.integers(0, 6),
    st.floats(0, 9_999),
    st.booleans(),
)
def test_whatever_happens_to_a_register_its_energy_is_right_or_missing(
    used: list[float], first: float, event: int, gap: int, again: float, exchanged: bool
) -> None:
    """A gap, and perhaps another meter after it: an interval is right, a share of a right sum, or missing."""
    true = np.array(used)
    readings = (first + np.cumsum(true)) % 10_000
    last = event - min(gap, event - 1) - 1
    before = readings[last]
    if exchanged:
        readings[event:] = (again + np.cumsum(true[event:])) % 10_000
        # above the old meter only a limit can tell; near the top of the register nothing can
        assume(readings[event] < before < 9_000)
    seen = readings.copy()
    seen[last + 1 : event] = np.nan
    energy, spread = energy_from_register(seen, 10_000, np.inf)
    single = ~np.isnan(energy) & ~spread
    off = np.abs(energy - true) > 1e-6
    assert not (single & off).any()
    if spread.any():
        assert abs(energy[spread].sum() - true[spread].sum()) < 1e-6


def test_a_stuck_value_is_stuck_behind_a_gap_as_well() -> None:
    series = np.array([5.0, *[129.2] * 10, np.nan, *[129.2] * 3, np.nan, 129.2, 130.0, 129.2, 129.2, 5.0])
    found = abnormal.stuck_values(series[None], Stuck(minutes=90), np.array([100.0]), 15)
    assert found.tolist() == [*range(2, 11), 12, 13, 14, 16]


def test_what_stands_still_in_the_middle_of_a_fall_is_stuck_and_what_is_flat_is_not() -> None:
    rule = load_book(settings().definitions_dir, "steam_trap").columns["temperature_c"].stuck
    assert rule is not None
    still = [50.3, 45.1, 40.6, 36.8, 36.8, 36.8, 36.8, 36.8, 23.3, 21.3]
    flat = [22.9, 22.6, 23.1, 23.0, 23.0, 23.0, 23.0, 23.0, 22.1, 22.4]
    start = [22.9, 22.6, 23.1, 23.0, 23.0, 23.0, 23.0, 23.0, 41.0, 80.4]
    back = [10.1, 20.6, 28.1, 36.0, 36.0, 36.0, 36.0, 36.0, 28.1, 22.4]
    others = np.random.default_rng(1).uniform(3, 180, 2000).round(1)
    for series, found in (
        (still, [4, 5, 6, 7]),
        (flat, []),
        (start, []),
        (back, []),
        ([200.0 - x for x in still], [4, 5, 6, 7]),
    ):
        values = np.concatenate([series, others])[None]
        assert abnormal.stuck_values(values, rule, np.array([150.0]), 15).tolist() == found


def test_a_temperature_near_zero_may_not_stand_still() -> None:
    rule = load_book(settings().definitions_dir, "steam_trap").columns["temperature_c"].stuck
    assert rule is not None
    series = np.concatenate([np.linspace(-9, 9, 50).round(1), [-0.5] * 9])
    assert abnormal.stuck_values(series[None], rule, np.array([9.0]), 15).tolist() == list(range(51, 59))


@pytest.mark.parametrize("gap", [3, 20])
def test_the_same_value_twice_with_a_gap_between_is_not_stuck(gap: int) -> None:
    series = np.array([5.0, 129.2, *[np.nan] * gap, 129.2, 129.2, 5.0])
    assert not len(abnormal.stuck_values(series[None], Stuck(minutes=90), np.array([100.0]), 15))


def test_a_load_that_is_steady_to_one_percent_repeats() -> None:
    """Night load as a meter of two decimals shows it, the other columns moving: 0.87 kvarh thirteen times."""
    rng = np.random.default_rng(1)
    series = np.concatenate(
        [rng.uniform(0.9, 8, 200).round(2), [0.87] * 13, rng.uniform(0.9, 8, 200).round(2)]
    )
    rule = Stuck(minutes=120, above_of_usual=0.1)
    assert not len(abnormal.stuck_values(series[None], rule, np.array([7.9]), 15))
    series[200:213] = 4.87
    assert abnormal.stuck_values(series[None], rule, np.array([7.9]), 15).tolist() == list(range(201, 213))


def test_no_pipe_is_hot_for_one_interval_between_two_cold_ones() -> None:
    book = load_book(settings().definitions_dir, "steam_trap")
    jump = book.columns["temperature_c"].jump
    assert jump is not None
    values = np.array([[13.0, 13.5, 284.6, 14.0, 20.0, 90.0, 140.0, 135.0, 60.0, 30.0]])
    assert abnormal.jumps(values, jump, np.array([150.0]), 15).tolist() == [2]
