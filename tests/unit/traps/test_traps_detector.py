"""The detector of trap faults: past data only, silent where it cannot know, quick where it can."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fems.contracts.traps import FAULTS, LEAKS, TrapState
from fems.registry.steam_traps import Repair, SteamTrap, Stop
from fems.traps.detector import STATES, Detection, detect
from fems.traps.features import day_features
from fems.traps.layout import layout_of, repaired_days, stopped_days
from fems.traps.readings import Readings, nan_median, nan_quantile, running

DAYS = np.arange("2025-01-01", "2025-03-22", dtype="datetime64[D]")
STEPS = 24
FAILS = 50
"""Index of the day on which something happens."""


def trap(position: str, service: str = "continuous", line: str | None = "A") -> SteamTrap:
    behind = "OUT" if position == "pair" else None
    return SteamTrap(
        name="t", set_point_c=150, position=position, outlet_sensor=behind, line=line, service=service,
        pressure_bar_g=5, orifice_mm=5,
    )  # fmt: skip


TRAPS = {f"T{i}": trap(position) for i, position in enumerate(["pair", "inlet", "pair", "outlet", "pair"])}


def sound(traps: dict[str, SteamTrap] = TRAPS, days: int = len(DAYS), seed: int = 0) -> Readings:
    """Working traps at an hourly grain: inlets at 155, outlets at 98, a degree of noise, no nights."""
    rng = np.random.default_rng(seed)
    shape = (days * STEPS, len(traps))
    inlet = 155 + rng.normal(0, 0.6, shape)
    outlet = 98 + rng.normal(0, 0.6, shape)
    positions = [t.position for t in traps.values()]
    main = np.where([p in ("outlet", "body") for p in positions], outlet, inlet)
    behind = np.where([p != "inlet" for p in positions], outlet, np.nan)
    day = np.repeat(np.arange(days), STEPS)
    return Readings(day, DAYS[:days], 60, main, behind, np.full(shape, np.nan))


def fine(readings: Readings) -> Readings:
    """The same at a grain of 15 minutes, each with a noise of its own."""
    rng = np.random.default_rng(5)

    def spread(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, 4, axis=0) + rng.normal(0, 0.1, (4 * len(values), values.shape[1]))

    return Readings(
        np.repeat(readings.day, 4), readings.days, 15, spread(readings.main), spread(readings.outlet),
        np.repeat(readings.machine, 4, axis=0),
    )  # fmt: skip


def changed(readings: Readings, column: int, *, main: float = 0.0, outlet: float = 0.0, first: int = FAILS,
            last: int = len(DAYS)) -> Readings:  # fmt: skip
    rows = (readings.day >= first) & (readings.day < last)
    new_main, new_outlet = readings.main.copy(), readings.outlet.copy()
    new_main[rows, column] += main
    new_outlet[rows, column] += outlet
    return replace(readings, main=new_main, outlet=new_outlet)


def judged(readings: Readings, traps: dict[str, SteamTrap] = TRAPS, stops: tuple[Stop, ...] = (),
           repairs: tuple[Repair, ...] = ()) -> Detection:  # fmt: skip
    layout = layout_of(traps)
    return detect(
        day_features(readings, layout),
        layout,
        stopped=stopped_days(traps, stops, readings.days),
        repaired=repaired_days(traps, repairs, readings.days),
    )


def states(found: Detection, column: int) -> list[TrapState]:
    return [STATES[code] for code in found.state[:, column]]


def test_sound_traps_are_learned_and_then_ok() -> None:
    found = judged(sound())
    assert not found.events
    for column in range(len(TRAPS)):
        assert states(found, column)[0] == TrapState.learning
        assert set(states(found, column)[20:]) == {TrapState.ok}


def test_a_blocked_pair_is_found_at_once() -> None:
    found = judged(changed(sound(), 0, main=-115, outlet=-75))
    (event,) = found.events
    assert event.trap == 0 and event.start == FAILS and event.detected - FAILS <= 1
    assert states(found, 0)[-1] == TrapState.blocked


def test_one_sensor_cannot_tell_blocked_from_flooded() -> None:
    found = judged(changed(sound(), 1, main=-25))
    (event,) = found.events
    assert STATES[event.kinds[-1][1]] == TrapState.blocked_or_flooded


def test_a_flooded_pair_is_found_and_named() -> None:
    found = judged(changed(sound(), 2, main=-18, outlet=-6))
    (event,) = found.events
    assert event.detected - FAILS <= 2 and states(found, 2)[-1] == TrapState.flooded


@pytest.mark.parametrize(("kelvin", "kind", "days"), [(6.5, "suspected_leak", 8), (20, "blow_through", 2)])
def test_a_leak_of_a_pair_is_found(kelvin: float, kind: str, days: int) -> None:
    found = judged(changed(sound(), 4, outlet=kelvin))
    (event,) = found.events
    assert event.detected - FAILS <= days and abs(event.start - FAILS) <= 2
    assert states(found, 4)[-1] == kind


def test_a_slow_leak_below_the_limit_of_a_day_is_found_by_its_middle() -> None:
    found = judged(changed(sound(), 4, outlet=4.0))
    (event,) = found.events
    assert event.detected - FAILS <= 7 and abs(event.start - FAILS) <= 2
    assert states(found, 4)[-1] == TrapState.suspected_leak


def test_a_large_rise_far_from_the_steam_is_a_leak_and_not_yet_a_blow_through() -> None:
    assert states(judged(changed(sound(), 4, outlet=12.0)), 4)[-1] == TrapState.suspected_leak


def test_both_ends_of_a_pair_a_little_cooler_for_days_are_condensate() -> None:
    found = judged(changed(sound(), 2, main=-3.5, outlet=-4.0))
    (event,) = found.events
    assert event.detected - FAILS <= 6 and states(found, 2)[-1] == TrapState.flooded
    assert not judged(changed(sound(), 2, main=-3.5)).events, "one end alone may be its clamp"


def test_an_outlet_that_rises_with_the_pressure_is_no_leak() -> None:
    readings = sound()
    rows = readings.day >= FAILS
    main, outlet = readings.main.copy(), readings.outlet.copy()
    main[np.ix_(rows, [0, 1, 2, 4])] += 8.0
    outlet[rows, 4] += 5.0
    assert not judged(replace(readings, main=main, outlet=outlet)).events


@pytest.mark.parametrize(("main", "outlet"), [(-25.0, -10.0), (-120.0, -75.0)])
def test_a_fault_that_began_while_nobody_could_see_begins_in_the_middle_of_that_time(
    main: float, outlet: float
) -> None:
    readings = changed(sound(), 2, main=main, outlet=outlet)
    off = (readings.day >= FAILS - 6) & (readings.day < FAILS)
    cold = 22.0 + np.random.default_rng(3).normal(0, 0.2, readings.main.shape)
    seen = [np.where(off[:, None], cold, values) for values in (readings.main, readings.outlet)]
    (event,) = judged(replace(readings, main=seen[0], outlet=seen[1])).events
    assert event.start == FAILS - 3 and event.detected >= FAILS


def test_no_fault_began_before_the_repair() -> None:
    readings = changed(sound(), 2, main=-120, outlet=-75)
    off = (readings.day >= FAILS - 6) & (readings.day < FAILS)
    cold = 22.0 + np.random.default_rng(3).normal(0, 0.2, readings.main.shape)
    seen = [np.where(off[:, None], cold, values) for values in (readings.main, readings.outlet)]
    repair = Repair(trap_id="T2", day=DAYS[FAILS - 1].astype(object))
    (event,) = judged(replace(readings, main=seen[0], outlet=seen[1]), repairs=(repair,)).events
    assert event.start == FAILS


def test_heat_that_stands_still_is_no_evidence_of_condensate() -> None:
    readings = sound()
    rows = np.flatnonzero(readings.day == FAILS)[-13:]
    main = readings.main.copy()
    main[rows, 1] = 118.0
    late = (readings.day == FAILS) & (np.arange(len(main)) < rows[0])
    main[late] = 22.0 + np.random.default_rng(4).normal(0, 0.2, main[late].shape)
    assert not judged(replace(readings, main=main)).events


def test_a_sensor_that_jumps_in_the_evening_is_at_fault_on_the_next_day() -> None:
    quarter = fine(sound())
    steps = np.flatnonzero(quarter.day == FAILS)
    outlet = quarter.outlet.copy()
    outlet[steps[-6] :, 0] += 45.0
    found = judged(replace(quarter, outlet=outlet))
    assert not found.events and states(found, 0)[FAILS + 1] == TrapState.sensor_fault


def test_flow_that_comes_back_after_a_pause_is_no_jump_of_the_sensor() -> None:
    quarter = fine(sound())
    steps = np.flatnonzero(quarter.day == FAILS)
    outlet = quarter.outlet.copy()
    outlet[steps[20:28], 0] = np.linspace(98.0, 80.0, 8)
    outlet[steps[28] :, 0] += 40.0
    found = judged(replace(quarter, outlet=outlet))
    assert states(found, 0)[FAILS + 2] == TrapState.blow_through


@given(st.floats(-150, 150), st.floats(-90, 90), st.integers(0, 60), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_an_inlet_sensor_never_says_leak(main: float, outlet: float, first: int, length: int) -> None:
    traps = {f"T{i}": trap("inlet") for i in range(4)}
    readings = changed(sound(traps), 0, main=main, first=first, last=first + length)
    found = judged(replace(readings, outlet=np.full_like(readings.outlet, np.nan)), traps)
    assert not set(states(found, 0)) & set(LEAKS)


@given(st.integers(12, 79), st.floats(-140, 60), st.floats(-80, 60), st.integers(0, 4), st.integers(5, 75))
@settings(max_examples=30, deadline=None)
def test_cutting_off_the_future_changes_no_earlier_state(
    until: int, main: float, outlet: float, column: int, first: int
) -> None:
    whole = changed(sound(), column, main=main, outlet=outlet, first=first)
    rows = whole.day < until
    cut = Readings(
        whole.day[rows], DAYS[:until], 60, whole.main[rows], whole.outlet[rows], whole.machine[rows]
    )
    long, short = judged(whole), judged(cut)
    for name in ("state", "cause", "confidence", "main_usual", "outlet_usual", "main_moved", "event"):
        np.testing.assert_array_equal(getattr(long, name)[:until], getattr(short, name), err_msg=name)
    known = [(e.trap, e.start, e.detected) for e in long.events if e.detected < until]
    assert known == [(e.trap, e.start, e.detected) for e in short.events]


def test_the_same_days_give_the_same_answer() -> None:
    readings = changed(sound(), 0, main=-30)
    first, second = judged(readings), judged(readings)
    np.testing.assert_array_equal(first.state, second.state)
    np.testing.assert_array_equal(first.confidence, second.confidence)


def test_a_line_that_is_off_is_no_fault() -> None:
    readings = sound()
    rows = readings.day >= FAILS
    main, outlet = readings.main.copy(), readings.outlet.copy()
    main[rows], outlet[rows] = 22.0, 21.0
    main += np.random.default_rng(1).normal(0, 0.2, main.shape)
    found = judged(replace(readings, main=main, outlet=outlet))
    assert not found.events
    assert set(states(found, 0)[FAILS + 1 :]) == {TrapState.line_off}


def test_a_step_of_the_pressure_is_nobodys_fault() -> None:
    readings = sound()
    rows = readings.day >= FAILS
    main = readings.main.copy()
    main[np.ix_(rows, [0, 1, 2, 4])] -= 11.0
    assert not judged(replace(readings, main=main)).events


def test_a_planned_stop_is_silent() -> None:
    stop = Stop(first=DAYS[FAILS].astype(object), last=DAYS[-1].astype(object), trap_id="T0")
    found = judged(changed(sound(), 0, main=-120, outlet=-75), stops=(stop,))
    assert not found.events and set(states(found, 0)[FAILS:]) == {TrapState.line_off}


def test_a_repair_closes_the_event_and_begins_anew() -> None:
    readings = changed(sound(), 4, outlet=20, last=62)
    found = judged(readings, repairs=(Repair(trap_id="T4", day=DAYS[62].astype(object)),))
    (event,) = found.events
    assert event.end == [62] and event.closed == [(62, "repaired")]
    assert states(found, 4)[64] == TrapState.learning


def test_three_good_days_close_an_event() -> None:
    found = judged(changed(sound(), 2, main=-20, last=60))
    (event,) = found.events
    assert event.end == [60] and event.closed == [(62, "recovered")]


def test_a_trap_has_one_open_event_at_most() -> None:
    readings = changed(changed(sound(), 0, main=-20), 0, outlet=20, first=60)
    found = judged(readings)
    assert len([event for event in found.events if event.trap == 0 and not event.end]) <= 1


def test_a_sensor_that_stands_still_proves_nothing() -> None:
    readings = sound()
    main = readings.main.copy()
    main[readings.day >= FAILS, 1] = 120.0
    found = judged(replace(readings, main=main))
    assert not found.events and states(found, 1)[FAILS + 2] == TrapState.sensor_fault


def test_alone_off_and_blocked_cannot_be_told_apart() -> None:
    traps = {"T0": trap("inlet", line=None)}
    readings = sound(traps)
    main = readings.main.copy()
    main[readings.day >= FAILS] = 22 + np.random.default_rng(2).normal(
        0, 0.2, (int((readings.day >= FAILS).sum()), 1)
    )
    found = judged(replace(readings, main=main), traps)
    assert not found.events and states(found, 0)[-1] == TrapState.not_observable


def test_a_batch_trap_without_a_machine_may_be_shut() -> None:
    traps = {**TRAPS, "T1": trap("inlet", "batch")}
    found = judged(changed(sound(traps), 1, main=-125), traps)
    assert not found.events and states(found, 1)[-1] == TrapState.cold_or_shut


def test_states_that_are_faults_have_an_event() -> None:
    found = judged(changed(changed(sound(), 0, main=-30), 4, outlet=15))
    codes = [STATES.index(state) for state in FAULTS]
    assert (found.event[np.isin(found.state, codes)] >= 0).all()


def test_a_machine_runs_where_it_draws_power() -> None:
    used = np.tile(np.r_[np.full(12, 0.2), np.full(12, 10.0)], 20)[:, None]
    on = running(used, np.repeat(np.arange(20), 24))
    assert np.isnan(on[: 5 * 24]).all()
    np.testing.assert_array_equal(on[5 * 24 :, 0], used[5 * 24 :, 0] > 1)


@given(st.lists(st.floats(-100, 100) | st.just(float("nan")), min_size=1, max_size=30))
def test_medians_leave_out_what_is_not_known(values: list[float]) -> None:
    column = np.array(values)[:, None]
    known = column[~np.isnan(column)]
    expected = np.median(known) if len(known) else np.nan
    np.testing.assert_allclose(nan_median(column)[0], expected)
    low = nan_quantile(column, 0.0)[0]
    np.testing.assert_allclose(low, known.min() if len(known) else np.nan)
