"""Values that the definition book calls abnormal: each function finds the cells that break one kind of rule."""

from dataclasses import dataclass

import numpy as np

from fems.process.runs import cells_of, longer_than, runs
from fems.registry.laws import check_laws
from fems.registry.rules import Column, Consistency, Jump, Stuck, StuckReading

_TREND_STEPS = 10
"""Steps of the resolution by which a value moves that rises or falls."""
_LEAST_DISTINCT = 10
"""So many distinct values show a meter's resolution."""


def lower_limits(column: Column, upper: np.ndarray) -> np.ndarray:
    """Return each sensor's hard lower limit, -inf where there is none; of a meter of both ways, less the upper one.

    Args:
        column: the book's rules.
        upper: float64, S, see `upper_limits`.
    """
    if column.limits.both_ways:
        return -upper
    return np.full(len(upper), -np.inf if column.limits.min is None else column.limits.min)


def outside_limits(values: np.ndarray, column: Column, upper: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Find values beyond the hard limits, and spikes far above what the sensor usually shows.

    Args:
        values: float64, (S, T).
        column: the book's rules.
        upper: float64, S, see `fems.registry.book.Column.upper_limits`.
        usual: float64, S, see `fems.registry.laws.usual_levels`.

    Returns:
        int64: flat positions.
    """
    limit = upper
    if column.limits.max_of_usual is not None:
        limit = np.fmin(upper, np.where(usual > 0, column.limits.max_of_usual * usual, np.inf))
    lower = lower_limits(column, limit)
    bad = values > limit[:, None]
    if np.isfinite(lower).any():
        bad |= values < lower[:, None]
    return np.flatnonzero(bad)


def jumps(values: np.ndarray, jump: Jump, usual: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Find values that leap away from both neighbours, the same way, by more than the rate of change allows.

    A step that lasts is none: a machine was switched on.

    Args:
        values: float64, (S, T).
        jump: the book's rule.
        usual: float64, S.
        grain_minutes: the native interval.

    Returns:
        int64: flat positions.
    """
    limit = np.full(len(values), np.inf)
    if jump.per_minute is not None:
        limit[:] = jump.per_minute * grain_minutes
    if jump.at_most is not None:
        limit = np.fmin(limit, jump.at_most)
    if jump.of_usual is not None:
        limit = np.fmin(limit, np.where(usual > 0, jump.of_usual * usual, np.inf))
    step = np.diff(values, axis=1)
    up, down = step > limit[:, None], step < -limit[:, None]
    leaps = np.zeros(values.shape, bool)
    leaps[:, 1:-1] = (up[:, :-1] & down[:, 1:]) | (down[:, :-1] & up[:, 1:])
    return np.flatnonzero(leaps)


def stuck_values(values: np.ndarray, stuck: Stuck, usual: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Find values that repeat exactly for longer than the book allows; zero may repeat, a machine may be off.

    The first value of such a run stands, the repetitions are abnormal, also those behind a gap in it. A value that is
    few steps of the meter's resolution may repeat as well: a steady load gives the same few pulses again and again.

    Args:
        values: float64, (S, T).
        stuck: the book's rule.
        usual: float64, S, see `fems.registry.laws.usual_levels`.
        grain_minutes: the native interval.

    Returns:
        int64: flat positions.
    """
    floor = np.nan_to_num(stuck.above_of_usual * usual)
    repeats = np.zeros(values.shape, bool)
    now = values[:, 1:]
    np.equal(now, values[:, :-1], out=repeats[:, 1:])
    if not repeats.any():
        return np.empty(0, np.int64)
    repeats[:, 1:] &= (now != 0) & (np.abs(now) >= floor[:, None])
    length = stuck.minutes // grain_minutes
    cells = longer_than(repeats, length)
    if stuck.trend_minutes is not None:
        cells = np.union1d(cells, _still_in_a_trend(values, repeats, stuck.trend_minutes // grain_minutes))
    for s in np.unique(cells // values.shape[1]).tolist():
        cells = np.union1d(cells, s * values.shape[1] + _repeats_over_gaps(values[s], floor[s], length))
    sensor = cells // values.shape[1]
    least = _in_steps(stuck.above_steps, values, sensor)
    result: np.ndarray = cells[np.abs(values.reshape(-1)[cells]) >= least]
    return result


def _still_in_a_trend(values: np.ndarray, repeats: np.ndarray, length: int) -> np.ndarray:
    """Return the flat positions of runs of more than `length` repetitions before which and after which values move.

    Args:
        values: float64, (S, T).
        repeats: bool, (S, T): the value is the one before it.
        length: of a run.
    """
    steps = values.shape[1]
    sensor, begin, end = runs(repeats)
    inside = (end - begin > length) & (begin >= 2) & (end < steps)
    sensor, begin, end = sensor[inside], begin[inside], end[inside]
    held = values[sensor, begin]
    before, after = held - values[sensor, begin - 2], values[sensor, end] - held
    least = _in_steps(_TREND_STEPS, values, sensor)
    moves = (np.sign(before) == np.sign(after)) & (np.abs(before) >= least)
    moves &= np.abs(after) >= np.abs(before)
    return cells_of(sensor[moves], begin[moves], end[moves], steps)[0]


def _repeats_over_gaps(series: np.ndarray, floor: float, length: int) -> np.ndarray:
    """Return the places of more than `length` repetitions; between two of them as many values may be missing."""
    places = np.flatnonzero(~np.isnan(series))
    known = series[places]
    same = np.zeros((1, len(known)), bool)
    same[0, 1:] = (known[1:] == known[:-1]) & (np.diff(places) <= length + 1)
    same[0] &= (known != 0) & (np.abs(known) >= floor)
    result: np.ndarray = places[longer_than(same, length)]
    return result


def _in_steps(count: int, values: np.ndarray, sensor: np.ndarray) -> np.ndarray:
    """Return how much so many steps of the resolution are, for each of some sensors; float64, as long as `sensor`."""
    sensors, which = np.unique(sensor, return_inverse=True)
    amounts = np.array([count * resolution(values[s]) for s in sensors], np.float64)
    return amounts[which]


def resolution(series: np.ndarray) -> float:
    """Return the step in which a sensor's values come, such as 1 for whole kWh, 0.01 for two decimals.

    Args:
        series: float64, T, NaN where there is none.
    """
    distinct = np.unique(np.round(series[~np.isnan(series)], 6))
    if len(distinct) >= _LEAST_DISTINCT:
        return float(np.quantile(np.diff(distinct), 0.1, method="lower"))
    for step in 10.0 ** np.arange(0, -6, -1):
        if np.allclose(distinct / step, np.round(distinct / step), rtol=0, atol=1e-6):
            return float(step)
    return 1e-6


def stuck_readings(values: np.ndarray, rule: StuckReading, grain_minutes: int) -> np.ndarray:
    """Find readings that repeat in every column for longer than the book allows.

    Args:
        values: float64, (C, S, T), as read: registers still as registers.
        rule: the book's.
        grain_minutes: the native interval.

    Returns:
        int64: flat positions of (S, T).
    """
    repeats = np.zeros(values.shape[1:], bool)
    repeats[:, 1:] = values[0, :, 1:] == values[0, :, :-1]
    for column in values[1:]:
        same = column[:, 1:] == column[:, :-1]
        same |= np.isnan(column[:, 1:]) & np.isnan(column[:, :-1])
        repeats[:, 1:] &= same
    cells = longer_than(repeats, rule.minutes // grain_minutes)
    repeated = values.reshape(len(values), -1)[:, cells]
    telling = (repeated != 0) & ~np.isnan(repeated)
    result: np.ndarray = cells[telling.sum(axis=0) >= rule.columns]
    return result


@dataclass(frozen=True)
class Contradictions:
    """What the laws between columns say of some sensors.

    Attributes:
        cells: column -> int64: flat positions of the values that are to blame.
        suspended: law -> bool, S: sensors that do not keep the law at all, on which it was not applied.
    """

    cells: dict[str, np.ndarray]
    suspended: dict[str, np.ndarray]


def contradictions(
    values: dict[str, np.ndarray], laws: dict[str, Consistency], usual: dict[str, np.ndarray]
) -> Contradictions:
    """Find values that contradict the other columns of their reading.

    To blame is the column that stands in the most broken laws, and of such columns the one in the fewest kept ones.
    Several that are as guilty as each other all are abnormal, for nothing tells which of them lies.

    Args:
        values: column -> float64, (S, T), of the columns that the files carry.
        laws: the book's laws; those with a column that the files don't carry are left out.
        usual: column -> float64, S.
    """
    verdicts, suspended = {}, {}
    for name, check in check_laws(values, laws, usual).items():
        judged, broken = check.judged, check.broken
        often = broken.sum(axis=1) > laws[name].max_broken * judged.sum(axis=1)
        broken[often] = judged[often] = False
        verdicts[name], suspended[name] = (judged, broken), often
    some = [broken for _, broken in verdicts.values()]
    cells = np.flatnonzero(np.logical_or.reduce(some)) if some else np.empty(0, np.int64)
    if not len(cells):
        return Contradictions({}, suspended)
    names = [column for column in values if any(column in laws[name].columns for name in verdicts)]
    guilt = np.zeros((len(names), len(cells)), np.int64)
    for name, (judged, broken) in verdicts.items():
        here = broken.reshape(-1)[cells]
        kept = judged.reshape(-1)[cells] & ~here
        for column in laws[name].columns:
            guilt[names.index(column)] += len(verdicts) * here.astype(np.int64) - kept
    worst = guilt.max(axis=0)
    blamed = {column: cells[(guilt[i] == worst) & (worst > 0)] for i, column in enumerate(names)}
    return Contradictions(blamed, suspended)
