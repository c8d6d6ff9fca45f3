"""What a day says of each trap. The order of the rules is the order of their certainty."""

import numpy as np

from fems.contracts.traps import FAULTS, LEAKS, TrapState
from fems.traps.evidence import CAUSE, Day, Memory, Settle, Verdict, begin
from fems.traps.layout import Bools, Floats, Ints

LEAST_SIGMA_MAIN, LEAST_SIGMA_OUTLET = 1.0, 0.8
"""Smallest day-to-day spread that a sensor is given credit for, degrees."""

COOLED_C = 60.0
"""A sensor whose coldest hours are under that sees the line cool down at times."""
RISEN_DAYS = 3
COOLED_TRAPS = 4
"""So many traps must cool down together before one that stays warmer is held to be at fault."""
_LEAST_MEASURED = 0.25
_COLD_HOURS = 3.0
_COLD_SHARE, _WARM_AGAIN_SHARE = 0.3, 0.7
_COLD_WHOLE_HOURS, _COLD_WHOLE_SHARE = 7.0, 0.1
_NEIGHBOURS = 3
_LONGEST_COLD, _COLD_BATCH_DAYS = 5, 4
_FLOODED_C, _FLOODED_SIGMAS = 8.0, 4.0
_FLOODED_AT_ONCE_C, _AT_ONCE_HOURS = 16.0, 5.0
_LEAK_C, _LEAK_ALONE_C, _LEAK_SIGMAS = 4.5, 6.0, 3.0
_BLOW_C, _BLOW_SIGMAS = 10.0, 5.0
_BLOW_SHARE, _BLOW_ALONE_C = 0.28, 20.0
_SLOW_LEAK_C, _SLOW_LEAK_ALONE_C, _SLOW_LEAK_SIGMAS = 4.0, 6.0, 3.5
_BOTH_C, _BOTH_SIGMAS = 2.5, 2.0
_BEGUN_SHARE = 0.5
_PRESSURE_SHARE = 0.5
_CUSUM_SLACK, _CUSUM_ALARM, _CUSUM_STEP = 0.75, 8.0, 6.0
_INLET_HOLDS_C, _INLET_ROSE_C, _INLET_ROSE_SHARE = 5.0, 3.0, 0.5
_BRIEFLY_FLAT = 0.1
_TOO_HIGH_C = 12.0
_JUMP_LEFT_C = 15.0
_OFFSET_C = 15.0
_BROKEN_DAYS = 2
_SEASON_DAYS = 25
_ABOVE_SATURATION_C = 10.0
_CLOSE_SHARE, _CLOSE_LEVEL = 0.5, 0.35
_FLAT_SHARE = 0.4
_FLAT_HOURS = 2.0
_SEASON_SHARE = 0.6
_HANGS_BESIDE, _HEATINGS = 0.048, 3
"""A pipe behind a blocked trap is warmed by more than that along the metal; seen so often where steam is not sure."""

_STATE = {state: number for number, state in enumerate(TrapState)}
_LEAK_STATES = [_STATE[state] for state in LEAKS]
_FAULT_STATES = [_STATE[state] for state in FAULTS]
_WATER_STATES = [state for state in _FAULT_STATES if state not in _LEAK_STATES]


def judge(day: Day, memory: Memory, open_kind: Ints, level: Floats) -> Verdict:
    """Weigh a day's evidence; the memory goes on to the next day.

    Args:
        day: what is known.
        memory: of the days before; changed.
        open_kind: state of each trap's open event, -1 without: it lets go of a fault later than it took hold.
        level: the largest shift of the open event, degrees.
    """
    n, f, layout = day.number, day.features, day.layout
    traps = len(layout.trap_ids)
    leak_open, water_open = np.isin(open_kind, _LEAK_STATES), np.isin(open_kind, _WATER_STATES)
    state = np.full(traps, _STATE[TrapState.ok])
    cause = np.full(traps, CAUSE["usual"])
    confidence = np.full(traps, 0.9)
    start = np.full(traps, n)
    free = np.ones(traps, dtype=bool)

    def settle(where: Bools, what: TrapState, why: str, sure: Floats | float) -> None:
        nonlocal free
        rows = where & free
        state[rows], cause[rows] = _STATE[what], CAUSE[why]
        confidence[rows] = np.broadcast_to(sure, (traps,))[rows]
        free &= ~rows

    hot = np.nan_to_num(f.hot_share[n], nan=1.0)
    line_hours = f.line_hours[n]
    with np.errstate(invalid="ignore"):
        settle(day.stopped, TrapState.line_off, "planned_stop", 1.0)
        settle(f.measured[n] < _LEAST_MEASURED, TrapState.not_observable, "no_data", 1.0)
        _sensors(day, memory, settle, hot)
        nothing_on = (f.steam_hours[n] < 1.0) & (line_hours < 1.0)
        settle(nothing_on & ~f.line_known[n], TrapState.not_observable, "off_or_blocked", 0.5)
        settle(nothing_on, TrapState.line_off, "line_off", 0.9)
        _cold(day, memory, settle, hot, start, water_open)
        settle(np.isnan(f.main_c[n]), TrapState.not_observable, "no_flow", 0.5)
        moved = np.where(leak_open, day.outlet_moved, day.main_moved)
        evaluated = free & (
            ~np.isnan(moved) | (~leak_open & np.isnan(day.main_usual) & (hot > _WARM_AGAIN_SHARE))
        )
        _fell(day, memory, settle, free, start, water_open, level)
        _leaks(day, memory, settle, free, start, leak_open, level)
        settle(np.isnan(day.main_usual), TrapState.learning, "too_few_days", 0.5)
    # A sensor that was broken yesterday proves nothing today.
    broken = state == _STATE[TrapState.sensor_fault]
    memory.since_broken = np.where(broken, 0, memory.since_broken + 1)
    doubtful = np.isin(state, _FAULT_STATES) & (open_kind < 0) & (memory.since_broken <= _BROKEN_DAYS)
    state[doubtful], cause[doubtful] = _STATE[TrapState.sensor_fault], CAUSE["broken_lately"]
    unseen = free & ~layout.leak_observable
    cause[unseen] = CAUSE["leak_not_observable"]
    confidence[free] = np.where(unseen, 0.7, 0.9)[free]
    return Verdict(state, cause, confidence, start, evaluated & ~np.isin(state, _FAULT_STATES))


def _sensors(day: Day, memory: Memory, settle: Settle, hot: Floats) -> None:
    """Sensors first: a broken one is no evidence of anything else."""
    f, n, layout = day.features, day.number, day.layout
    on = (day.features.line_hours[n] >= _FLAT_HOURS) | (f.steam_hours[n] >= _FLAT_HOURS)
    flat = (f.flat[n] > _FLAT_SHARE) | (layout.pair & (f.outlet_flat[n] > _FLAT_SHARE))
    settle(flat & on, TrapState.sensor_fault, "flat", 0.95)
    cold = hot < _COLD_SHARE
    outlet_hot = np.nan_to_num(f.outlet_hot[n], nan=0.0)
    memory.came_off = f.sudden[n] | (memory.came_off & ~(f.hot_share[n] > _WARM_AGAIN_SHARE))
    high = np.fmax(np.nan_to_num(day.floor_high), np.nan_to_num(day.outlet_floor_high)) > _OFFSET_C
    cooled = ~np.isnan(day.floor_high) & ~on
    memory.offset = high | (memory.offset & ~cooled)
    settle(memory.offset, TrapState.sensor_fault, "too_hot", 0.8)
    outlet_cold = layout.pair & (outlet_hot < _COLD_SHARE) & ~np.isnan(f.outlet_hot[n])
    settle(memory.came_off & cold & ~outlet_cold & on, TrapState.sensor_fault, "came_off", 0.8)
    memory.heat(f.warmed[n], cold, known=~np.isnan(f.hot_share[n]))
    warmed = np.where(
        layout.always_hot, memory.warmed_sum / np.maximum(memory.heatings, 1), memory.warmed_most
    )
    least = np.where(layout.always_hot, 1, _HEATINGS)
    beside = layout.at_inlet & (memory.heatings >= least) & (warmed < _HANGS_BESIDE)
    settle(beside & cold & on, TrapState.cold_or_shut, "not_warmed", 0.7)
    settle(day.jumped, TrapState.sensor_fault, "jumped", 0.6)
    settle(
        layout.pair & cold & (outlet_hot > _WARM_AGAIN_SHARE) & on,
        TrapState.sensor_fault,
        "sensors_contradict",
        0.9,
    )
    inlet_usual = (hot > _WARM_AGAIN_SHARE) & ~(day.main_moved <= -_INLET_HOLDS_C)
    settle(
        outlet_cold & inlet_usual & on & (f.line_hours[n] >= _COLD_HOURS),
        TrapState.sensor_fault,
        "sensors_contradict",
        0.7,
    )
    at_inlet = layout.at_inlet
    risen = at_inlet & (day.main_moved > np.maximum(_TOO_HIGH_C, 5 * day.main_sigma))
    above = f.main_c[n] > layout.saturation_c + _ABOVE_SATURATION_C
    # Under saturation an inlet that rose for days is one whose baseline was learned while it was flooded.
    mended = risen & ~above & ~np.isnan(layout.saturation_c)
    memory.risen_days = np.where(
        mended, memory.risen_days + 1, np.where(np.isnan(f.main_c[n]), memory.risen_days, 0)
    )
    settle(mended, TrapState.learning, "rose_to_steam", 0.5)
    too_hot = risen | above
    too_hot |= layout.pair & (f.outlet_c[n] > f.main_c[n] + _INLET_HOLDS_C)
    high = day.outlet_moved > _JUMP_LEFT_C
    # A jump in the evening is not yet in the median of its own day.
    memory.outlet_jumped = f.outlet_jumped[n] | (memory.outlet_jumped & (high | np.isnan(day.outlet_moved)))
    settle(memory.outlet_jumped & high, TrapState.sensor_fault, "too_hot", 0.6)
    settle(too_hot, TrapState.sensor_fault, "too_hot", 0.85)


def _cold(day: Day, memory: Memory, settle: Settle, hot: Floats, start: Ints, is_open: Bools) -> None:
    """Cold while there is steam: blocked where the trap should be hot, else perhaps shut."""
    f, n, layout = day.features, day.number, day.layout
    season = layout.seasonal & (np.nan_to_num(f.season_on[n]) > _SEASON_SHARE)
    expected = layout.always_hot | layout.has_machine | season
    limit = np.where(is_open & (memory.cold_start >= 0), _WARM_AGAIN_SHARE, _COLD_SHARE)
    known = (f.line_hours[n] >= _COLD_HOURS) & ~day.stopped
    cold = known & (hot < limit)
    over = known & ~cold
    memory.longest_cold = np.where(
        over, np.maximum(memory.longest_cold, memory.cold_days.clip(max=_LONGEST_COLD)), memory.longest_cold
    )
    memory.cold_start = begin(memory.cold_start, memory.cold_clear, n, cold, known)
    memory.cold_days = np.where(cold & expected, memory.cold_days + 1, np.where(over, 0, memory.cold_days))
    start[cold] = memory.cold_start[cold]
    # A trap that is cold on some days by its work is held against its own longest cold spell, and one neighbour's
    # word on the steam is worth less than several.
    whole = (
        layout.always_hot
        & (layout.neighbours >= _NEIGHBOURS)
        & (f.line_hours[n] >= _COLD_WHOLE_HOURS)
        & (hot < _COLD_WHOLE_SHARE)
    )
    least = np.where(layout.seasonal, _SEASON_DAYS, _COLD_BATCH_DAYS)
    needed = np.where(layout.always_hot, np.where(whole, 1, 2), np.maximum(least, memory.longest_cold + 1))
    expected &= (memory.cold_days >= needed) | is_open
    outlet_cold = layout.pair & (np.nan_to_num(f.outlet_hot[n], nan=1.0) < _COLD_SHARE)
    sure = np.clip(0.6 + 0.08 * (n - memory.cold_start), 0.6, 0.9)
    settle(cold & expected & outlet_cold, TrapState.blocked, "cold_outlet", sure)
    settle(cold & expected & ~layout.pair, TrapState.blocked_or_flooded, "cold", sure - 0.05)
    settle(cold & expected, TrapState.flooded, "cold", sure - 0.1)
    settle(cold, TrapState.cold_or_shut, "cold_not_expected", 0.5)


def _fell(
    day: Day, memory: Memory, settle: Settle, free: Bools, start: Ints, is_open: Bools, level: Floats
) -> None:
    """The inlet fell against itself and its line: condensate stands before the trap."""
    n, layout = day.number, day.layout
    limit = np.maximum(_FLOODED_C, _FLOODED_SIGMAS * day.main_sigma)
    limit = np.where(is_open, np.maximum(_CLOSE_SHARE * limit, _CLOSE_LEVEL * level), limit)
    # Heat that no neighbour bears out, or that stands still for some hours, may be the sensor's.
    told = (day.features.line_hours[n] >= _COLD_HOURS) | ~day.features.line_known[n]
    told &= day.features.flat[n] < _BRIEFLY_FLAT
    told |= layout.pair & (day.outlet_moved < -_BOTH_C)
    known = free & ~np.isnan(day.main_moved) & (told | is_open)
    memory.falls.keep(day.main_moved, known)
    memory.outlet_falls.keep(day.outlet_moved, known & layout.pair)
    # Both ends of a trap cooler for days: too little for the limit of one sensor, and more than one clamp can do.
    least, outlet_least = (
        np.maximum(_BOTH_C, _BOTH_SIGMAS * sigma) for sigma in (day.main_sigma, day.outlet_sigma)
    )
    both = (
        known
        & layout.pair
        & (day.main_moved < -_BEGUN_SHARE * least)
        & (memory.falls.middle() < -least)
        & (memory.outlet_falls.middle() < -outlet_least)
    )
    begun = known & (day.main_moved < -_BEGUN_SHARE * limit)
    fell = known & (day.main_moved < -limit)
    memory.fell_start = begin(memory.fell_start, memory.fell_clear, n, begun, known)
    memory.fell_days = np.where(fell, memory.fell_days + 1, np.where(known, 0, memory.fell_days))
    much = day.main_moved < -np.maximum(_FLOODED_AT_ONCE_C, 2 * limit)
    # A few hours with steam, as on the day of an outage, hold more of the warming up than of the work.
    much &= (day.features.line_hours[n] >= _AT_ONCE_HOURS) | ~day.features.line_known[n]
    alarm = (fell & ((memory.fell_days >= 2) | much | is_open)) | both
    start[alarm] = np.where(memory.fell_start[alarm] >= 0, memory.fell_start[alarm], n)
    sure = np.clip(0.5 + 0.1 * (-day.main_moved / limit - 1.0) + 0.05 * memory.fell_days, 0.5, 0.95)
    settle(alarm & layout.pair, TrapState.flooded, "inlet_fell", np.nan_to_num(sure))
    settle(alarm, TrapState.blocked_or_flooded, "inlet_fell", np.nan_to_num(sure))


def _leaks(
    day: Day, memory: Memory, settle: Settle, free: Bools, start: Ints, is_open: Bools, level: Floats
) -> None:
    """The outlet rose against itself and its line while the inlet holds: live steam passes."""
    n, layout = day.number, day.layout
    known = free & layout.leak_observable & ~np.isnan(day.outlet_moved)
    body = np.isin(layout.main_position, ("body",))
    # A body is warmed from the inlet, too: what the line's inlets did is no leak.
    moved = np.where(body, np.minimum(day.main_moved, day.outlet_moved), day.outlet_moved)
    # At a higher pressure every outlet is warmer, each by as much as its load makes it.
    moved = moved - _PRESSURE_SHARE * np.clip(day.line_moved, 0.0, None)
    # A leak makes no inlet hotter: what does is the pressure, or a sensor clamped anew, unless the outlet rose by more.
    held = day.main_moved < np.maximum(_INLET_ROSE_C, _INLET_ROSE_SHARE * moved)
    holds = ~layout.pair | ((day.main_moved > -_INLET_HOLDS_C) & held)
    z = np.clip(np.nan_to_num(moved / day.outlet_sigma), -_CUSUM_STEP, _CUSUM_STEP)
    grown = np.maximum(0.0, memory.cusum + z - _CUSUM_SLACK)
    memory.cusum = np.where(known, np.minimum(grown, 3 * _CUSUM_ALARM), memory.cusum)
    memory.rises.keep(moved, known)
    least = np.maximum(np.where(layout.pair, _LEAK_C, _LEAK_ALONE_C), _LEAK_SIGMAS * day.outlet_sigma)
    slow = np.maximum(
        np.where(layout.pair, _SLOW_LEAK_C, _SLOW_LEAK_ALONE_C), _SLOW_LEAK_SIGMAS * day.outlet_sigma
    )
    rising = known & (moved > _BEGUN_SHARE * slow)
    memory.rise_start = begin(memory.rise_start, memory.rise_clear, n, rising, known)
    slowly = rising & holds & ~is_open & (memory.rises.middle() > slow) & (memory.cusum > _CUSUM_ALARM)
    least = np.where(is_open, np.maximum(_CLOSE_SHARE * least, _CLOSE_LEVEL * level), least)
    rose = known & holds & (moved > least) & ((memory.cusum > _CUSUM_ALARM) | is_open)
    much = known & holds & (moved > np.maximum(_BLOW_C, _BLOW_SIGMAS * day.outlet_sigma))
    memory.leak_days = np.where(rose, memory.leak_days + 1, np.where(known, 0, memory.leak_days))
    memory.blow_days = np.where(much, memory.blow_days + 1, np.where(known, 0, memory.blow_days))
    rows = rose | much | slowly
    start[rows] = np.where(memory.rise_start[rows] >= 0, memory.rise_start[rows], n)
    sure = np.clip(0.4 + 0.05 * (moved / day.outlet_sigma) + 0.03 * memory.leak_days, 0.4, 0.9)
    sure = np.nan_to_num(sure) - np.where(layout.pair, 0.0, 0.1)
    alarm = (
        (much & ((memory.blow_days >= 2) | is_open)) | (rose & ((memory.leak_days >= 2) | is_open)) | slowly
    )
    # How far from the usual outlet to the steam before the trap.
    room = np.where(layout.pair, day.main_usual, layout.saturation_c) - day.outlet_usual
    size = np.fmax(moved, memory.rises.middle())
    wide = np.where(np.isnan(room) | body, size > _BLOW_ALONE_C, size > _BLOW_SHARE * room)
    settle(alarm & wide, TrapState.blow_through, "outlet_rose_much", sure)
    settle(alarm, TrapState.suspected_leak, "outlet_rose", sure)
