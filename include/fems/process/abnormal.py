"""Values that the definition book calls abnormal: each function finds the cells that break one kind of rule."""

from dataclasses import dataclass

import numpy as np

from fems.process.runs import longer_than
from fems.registry.book import Column, Consistency, Jump, Stuck, StuckReading
from fems.registry.laws import check_laws


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
    bad = values > limit[:, None]
    if column.limits.min is not None:
        bad |= values < column.limits.min
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
    if jump.of_usual is not None:
        limit = np.fmin(limit, np.where(usual > 0, jump.of_usual * usual, np.inf))
    step = np.diff(values, axis=1)
    up, down = step > limit[:, None], step < -limit[:, None]
    found = np.zeros(values.shape, bool)
    found[:, 1:-1] = (up[:, :-1] & down[:, 1:]) | (down[:, :-1] & up[:, 1:])
    return np.flatnonzero(found)


def stuck_values(values: np.ndarray, stuck: Stuck, usual: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Find values that repeat exactly for longer than the book allows; zero may repeat, a machine may be off.

    The first value of such a run stands, the repetitions are abnormal.

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
    repeats[:, 1:] &= (now != 0) & (now >= floor[:, None])
    return longer_than(repeats, stuck.minutes // grain_minutes)


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
    return cells[telling.sum(axis=0) >= rule.columns]


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
    found, suspended = {}, {}
    for name, check in check_laws(values, laws, usual).items():
        judged, broken = check.judged, check.broken
        often = broken.sum(axis=1) > laws[name].max_broken * judged.sum(axis=1)
        broken[often] = judged[often] = False
        found[name], suspended[name] = (judged, broken), often
    some = [broken for _, broken in found.values()]
    cells = np.flatnonzero(np.logical_or.reduce(some)) if some else np.empty(0, np.int64)
    if not len(cells):
        return Contradictions({}, suspended)
    names = [column for column in values if any(column in laws[name].columns for name in found)]
    guilt = np.zeros((len(names), len(cells)), np.int64)
    for name, (judged, broken) in found.items():
        here = broken.reshape(-1)[cells]
        kept = judged.reshape(-1)[cells] & ~here
        for column in laws[name].columns:
            guilt[names.index(column)] += len(found) * here.astype(np.int64) - kept
    worst = guilt.max(axis=0)
    blamed = {column: cells[(guilt[i] == worst) & (worst > 0)] for i, column in enumerate(names)}
    return Contradictions(blamed, suspended)
