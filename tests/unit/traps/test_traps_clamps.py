"""What a clamp does to a reading is not taken for a fault of the trap, and a fault not for the clamp's."""

import numpy as np
import pytest

from fems.contracts.traps import LEAKS, TrapState
from fems.registry.steam_traps import SteamTrap
from fems.traps.detector import STATES, Detection, detect
from fems.traps.evidence import CAUSE
from fems.traps.features import day_features
from fems.traps.layout import layout_of
from fems.traps.readings import Readings

DAYS = np.arange("2025-01-01", "2025-03-12", dtype="datetime64[D]")
STEPS = 96
CHANGES = 45
"""Index of the day on which something happens."""
ROOM = 20.0
TRAPS = {
    f"T{i}": SteamTrap(
        name="t", set_point_c=150, position=position, outlet_sensor="OUT" if position == "pair" else None,
        line="A", service="continuous", pressure_bar_g=5, orifice_mm=5,
    )
    for i, position in enumerate(["pair", "inlet", "pair", "inlet", "pair"])
}  # fmt: skip


def working_days(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inlets at 155 and outlets at 98 from 6 to 22 o'clock, at a grain of 15 minutes; cooling at night."""
    rng = np.random.default_rng(seed)
    shape = (len(DAYS) * STEPS, len(TRAPS))
    hour = np.tile(np.arange(STEPS) / 4, len(DAYS))[:, None]
    warmth = np.where((hour >= 6) & (hour < 22), 1.0, np.exp(-((hour - 22) % 24) / 1.7))
    main = ROOM + 135.0 * warmth + rng.normal(0, 0.4, shape)
    outlet = ROOM + 78.0 * warmth + rng.normal(0, 0.4, shape)
    return main, np.where([trap.position == "pair" for trap in TRAPS.values()], outlet, np.nan)


def judged(main: np.ndarray, outlet: np.ndarray, days: int = len(DAYS)) -> Detection:
    steps = days * STEPS
    day = np.repeat(np.arange(days), STEPS)
    machine = np.full((steps, len(TRAPS)), np.nan)
    readings = Readings(day, DAYS[:days], 15, main[:steps], outlet[:steps], machine)
    layout = layout_of(TRAPS)
    nothing = np.zeros((days, len(TRAPS)), dtype=bool)
    return detect(day_features(readings, layout), layout, stopped=nothing, repaired=nothing)


def since(day: int, hour: float) -> slice:
    return slice(int(day * STEPS + hour * 4), None)


def heated(values: np.ndarray) -> np.ndarray:
    """Return where a sensor is hot."""
    return values > 85.0


def clamped_anew(kelvin: float) -> tuple[np.ndarray, np.ndarray]:
    main, outlet = working_days()
    rows = since(CHANGES, 12)
    outlet[rows, 0] += kelvin * heated(outlet[rows, 0])
    return main, outlet


@pytest.mark.parametrize("kelvin", [-6.0, 5.5, 7.0])
def test_an_outlet_that_is_clamped_anew_opens_no_event(kelvin: float) -> None:
    found = judged(*clamped_anew(kelvin))
    assert not found.events
    assert found.cause[CHANGES + 1, 0] == CAUSE["jumped"]
    assert STATES[found.state[CHANGES + 1, 0]] == TrapState.sensor_fault
    assert {STATES[code] for code in found.state[CHANGES + 2 :, 0]} == {TrapState.ok}
    np.testing.assert_allclose(found.outlet_usual[-1, 0], 98.0 + kelvin, atol=0.5)


def test_a_leak_after_the_clamping_is_found_against_the_new_level() -> None:
    main, outlet = clamped_anew(5.5)
    rows = since(CHANGES + 8, 6)
    outlet[rows, 0] += 9.0 * heated(outlet[rows, 0])
    (event,) = judged(main, outlet).events
    assert event.trap == 0 and event.start == CHANGES + 8 and STATES[event.kinds[-1][1]] in LEAKS


def test_an_outlet_that_rises_by_more_than_a_clamp_can_do_is_a_fault() -> None:
    (event,) = judged(*clamped_anew(15.0)).events
    assert event.start == CHANGES and event.detected <= CHANGES + 2


def test_an_outlet_that_rises_by_hours_is_a_fault() -> None:
    main, outlet = working_days()
    rows = since(CHANGES, 8)
    grown = np.minimum(1.0, np.arange(len(outlet[rows])) / (STEPS / 4))
    outlet[rows, 0] += 6.0 * grown * heated(outlet[rows, 0])
    (event,) = judged(main, outlet).events
    assert event.trap == 0 and STATES[event.kinds[-1][1]] == TrapState.suspected_leak


def test_a_jump_that_the_whole_line_makes_is_no_clamp() -> None:
    main, outlet = working_days()
    rows = since(CHANGES, 12)
    main[rows] += 6.0 * heated(main[rows])
    found = judged(main, outlet)
    assert not (found.cause == CAUSE["jumped"]).any() and not found.events


def test_cutting_off_the_future_changes_nothing_before_a_clamping() -> None:
    values = clamped_anew(5.5)
    whole = judged(*values)
    for until in (CHANGES + 1, CHANGES + 2, CHANGES + 9):
        short = judged(*values, days=until)
        for name in ("state", "cause", "confidence", "outlet_usual", "outlet_moved"):
            np.testing.assert_array_equal(getattr(whole, name)[:until], getattr(short, name), err_msg=name)


@pytest.mark.parametrize(("share", "event"), [(0.02, False), (0.1, True)])
def test_a_cold_sensor_is_beside_its_pipe_where_the_hot_line_does_not_warm_it(
    share: float, event: bool
) -> None:
    main, outlet = working_days()
    rows = since(CHANGES, 5)  # the pipe is cold: nothing falls
    main[rows, 1] = ROOM + share * (main[rows, 1] - ROOM) + np.random.default_rng(1).normal(
        0, 0.2, len(main[rows])
    )  # fmt: skip
    found = judged(main, outlet)
    assert bool(found.events) == event
    assert (found.cause[CHANGES:, 1] == CAUSE["not_warmed"]).all() != event


def test_a_leak_that_becomes_a_blow_through_is_another_event() -> None:
    main, outlet = working_days()
    for day, kelvin in ((CHANGES - 10, 6.0), (CHANGES + 10, 20.0)):
        rows = since(day, 6)
        outlet[rows, 4] += kelvin * heated(outlet[rows, 4])
    first, second = judged(main, outlet).events
    assert first.end == [CHANGES + 10] and first.closed == [(CHANGES + 11, "another")]
    assert second.start == CHANGES + 10 and not second.end


def test_a_leak_that_blocks_is_another_event() -> None:
    main, outlet = working_days()
    rows = since(CHANGES - 10, 6)
    outlet[rows, 4] += 8.0 * heated(outlet[rows, 4])
    rows = since(CHANGES, 0)
    main[rows, 4], outlet[rows, 4] = (
        ROOM + 0.12 * (part[rows, 4] - ROOM) + np.random.default_rng(2).normal(0, 0.2, len(main[rows]))
        for part in (main, outlet)
    )
    first, second = judged(main, outlet).events
    assert STATES[first.kinds[0][1]] in LEAKS and first.end == [CHANGES] == [second.start]
    assert STATES[second.kinds[-1][1]] == TrapState.blocked
