"""Gaps: filled by their length, from the same day or from earlier ones, never from later days."""

from dataclasses import dataclass

import numpy as np

from fems.calendar import weekdays
from fems.process.grid import Axis
from fems.process.runs import cells_of, runs
from fems.registry.rules import Fill

_EARLIER = 4
"""How many earlier days a filled value is the mean of."""

_EDGE_MINUTES = 30
"""How much of the day on either side of a gap tells its level."""


def fill_from_stand_in(values: np.ndarray, stand_in: np.ndarray, axis: Axis) -> np.ndarray:
    """Fill one column's gaps in place where another column measured the same.

    The other's value counts times the ratio of the two, of the days so far: each sensor's own, and blind to what
    comes later.

    Args:
        values: float64, (S, T).
        stand_in: float64, (S, T), the other column as measured.
        axis: the intervals.

    Returns:
        int64: flat positions that were filled.
    """
    cells = np.flatnonzero(np.isnan(values) & ~np.isnan(stand_in))
    if not len(cells):
        return cells
    both = ~(np.isnan(values) | np.isnan(stand_in))
    begin = axis.bounds[:-1]
    mine = np.cumsum(np.add.reduceat(np.where(both, values, 0), begin, axis=1), axis=1)
    other = np.cumsum(np.add.reduceat(np.where(both, stand_in, 0), begin, axis=1), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(other > 0, mine / other, 1.0)
    sensor, step = np.divmod(cells, values.shape[1])
    values.reshape(-1)[cells] = stand_in.reshape(-1)[cells] * ratio[sensor, axis.day[step]]
    return cells


def sums_of_shares(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return of which sum each equal share is, counted from 0: neighbours with the same share are of the same sum.

    Args:
        values: float64, (S, T), contiguous.
        cells: int64, n, rising: flat positions of shares.
    """
    flat, steps = values.reshape(-1), values.shape[1]
    follows = (np.diff(cells) == 1) & (flat[cells[1:]] == flat[cells[:-1]]) & (cells[1:] % steps != 0)
    result: np.ndarray = np.concatenate(([0], np.cumsum(~follows)))
    return result


def shape_shares(
    values: np.ndarray, shared: np.ndarray, axis: Axis, kinds: np.ndarray, fill: Fill, most: np.ndarray
) -> None:
    """Give the equal shares of a register's sum the shape that earlier days have there, in place; the sum stays.

    Spans that a straight line would fill keep equal shares, and so do those of which earlier days say nothing, or of
    which a share would pass the sensor's limit.

    Args:
        values: float64, (S, T), contiguous.
        shared: bool, (S, T): shares of a known sum.
        axis: the intervals.
        kinds: int8, days: see `fems.calendar.kinds_of_days`.
        fill: the book's rules.
        most: float64, S: the most of each sensor's, inf where there is none.
    """
    cells = np.flatnonzero(shared)
    if not len(cells):
        return
    flat, steps = values.reshape(-1), values.shape[1]
    span = sums_of_shares(values, cells)
    length = np.bincount(span)
    read = np.where(shared, np.nan, values)
    shape = _from_earlier_days(read, cells, axis, kinds)
    weight = np.bincount(span, weights=shape)
    total = np.bincount(span, weights=flat[cells])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = shape * (total / weight)[span]
        fits = np.minimum.reduceat(
            (shape >= 0) & (shares <= most[cells // steps]), np.flatnonzero(np.diff(span, prepend=-1))
        )
    wanted = fits & (weight > 0) & (length > fill.interpolate_minutes // axis.grain_minutes)
    flat[cells] = np.where(wanted[span], shares, flat[cells])


def fill_gaps(values: np.ndarray, axis: Axis, kinds: np.ndarray, fill: Fill) -> None:
    """Fill one column's gaps in place.

    A short gap inside a day is a straight line between its neighbours. A longer one, or a short one that touches
    midnight, is the mean of the same time on the four nearest earlier days of the same kind on which it was measured,
    days of the same weekday before others; where the day was measured on both sides of the gap, this is moved to the
    level there and averaged with the straight line (see `_drawn_to_today`). What is longer still stays NaN, and so does
    what comes after a sensor's last value: nothing is made beyond it. No day takes anything from a later one: a
    forecast from any midnight sees only its past.

    Args:
        values: float64, (S, T), contiguous.
        axis: the intervals.
        kinds: int8, days: see `fems.calendar.kinds_of_days`.
        fill: the book's rules.
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return
    steps = values.shape[1]
    short, long = fill.interpolate_minutes // axis.grain_minutes, fill.earlier_minutes // axis.grain_minutes
    sensor, begin, end = runs(gaps)
    length = end - begin
    day = axis.day
    inside = (begin > 0) & (end < steps)
    inside[inside] = day[begin[inside] - 1] == day[end[inside]]
    line = inside & (length <= short)
    earlier = ~line & (length <= long) & (end < steps)

    flat = values.reshape(-1)
    at = sensor * steps + begin
    far, run = cells_of(sensor[earlier], begin[earlier], end[earlier], steps)
    # before the lines: from measured values alone
    filled = _from_earlier_days(values, far, axis, kinds)
    if len(far):
        gaps_of = _Gaps((sensor * steps + begin)[earlier], length[earlier], run)
        filled = _drawn_to_today(filled, values, far, gaps_of, axis, kinds)
    cells, run = cells_of(sensor[line], begin[line], end[line], steps)
    if len(cells):
        before, after = at[line] - 1, at[line] + length[line]
        share = (cells - before[run]) / (after - before)[run]
        low, high = flat[before][run], flat[after][run]
        flat[cells] = low + (high - low) * share
    flat[far] = filled


def _from_earlier_days(values: np.ndarray, cells: np.ndarray, axis: Axis, kinds: np.ndarray) -> np.ndarray:
    """Return for each cell the mean of the same time on earlier days like its own, NaN where there is none."""
    total, count = np.zeros(len(cells)), np.zeros(len(cells), np.int64)
    sensor, step = np.divmod(cells, values.shape[1])
    day = axis.day[step]
    weekday = weekdays(axis.days)
    for d in np.unique(day):
        mine = np.flatnonzero(day == d)
        like = np.flatnonzero(kinds[:d] == kinds[d])
        # the same weekday first, then the nearest
        order = like[np.lexsort((-like, weekday[like] != weekday[d]))]
        at = axis.clock[step[mine]]
        for past in order:
            open_ = count[mine] < _EARLIER
            if not open_.any():
                break
            there = axis.at_clock[past, at]
            value = values[sensor[mine], there]
            use = open_ & ~np.isnan(value) & (there >= 0)
            total[mine[use]] += value[use]
            count[mine[use]] += 1
    result: np.ndarray = np.divide(total, count, out=np.full(len(cells), np.nan), where=count > 0)
    return result


@dataclass(frozen=True)
class _Gaps:
    """Some gaps: flat position at which each begins, its length, and the gap of each of their cells."""

    begin: np.ndarray
    length: np.ndarray
    run: np.ndarray


def _drawn_to_today(
    expected: np.ndarray,
    values: np.ndarray,
    cells: np.ndarray,
    gaps: _Gaps,
    axis: Axis,
    kinds: np.ndarray,
) -> np.ndarray:
    """Return what earlier days say, moved to the level that the day itself has at the edges of the gap.

    The level is the mean of half an hour on either side. The mean of two estimates: the earlier days' shape, moved to
    these levels; and the straight line between the levels. A machine that changed its pace is followed by both, and
    where it keeps it, the noise of the one is not that of the other. A gap without measured values of its own day on
    both sides stays as the earlier days say, and no value falls below the least that the sensor measured.

    Args:
        expected: float64, n: from earlier days.
        values: float64, (S, T), NaN in the gaps.
        cells: int64, n: flat positions.
        gaps: whose cells they are.
        axis: the intervals.
        kinds: of the days.
    """
    flat, steps = values.reshape(-1), values.shape[1]
    size = max(1, _EDGE_MINUTES // axis.grain_minutes)
    share = (cells - gaps.begin[gaps.run] + 1) / (gaps.length[gaps.run] + 1)
    last = gaps.begin + gaps.length - 1
    levels = []
    for edge, way in ((gaps.begin, -1), (last, 1)):
        near = edge[:, None] + way * np.arange(1, size + 1)
        row = edge[:, None] // steps
        inside = (near >= 0) & (near < len(flat)) & (near // steps == row)
        near = np.where(inside, near, edge[:, None])
        inside &= axis.day[near % steps] == axis.day[edge % steps][:, None]
        seen = np.where(inside, flat[near], np.nan)
        usual = _from_earlier_days(values, near.reshape(-1), axis, kinds).reshape(near.shape)
        both = ~np.isnan(seen) & ~np.isnan(usual)
        count = both.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            levels.append([np.where(both, x, 0).sum(axis=1) / count for x in (seen, usual)])
    (seen, usual), (seen_after, usual_after) = levels
    one_day = axis.day[gaps.begin % steps] == axis.day[last % steps]
    run = gaps.run
    line = seen[run] * (1 - share) + seen_after[run] * share
    moved = expected + line - (usual[run] * (1 - share) + usual_after[run] * share)
    least = np.fmin.reduce(values, axis=1)[cells // steps]
    drawn = np.maximum((moved + line) / 2, least)
    return np.where(np.isnan(drawn) | ~one_day[run], expected, drawn)


def keep_within(values: np.ndarray, made: np.ndarray, least: np.ndarray, most: np.ndarray) -> None:
    """Keep made values within the book's hard limits, in place: a stand-in x a ratio may go beyond them.

    Args:
        values: float64, (S, T), NaN where still missing.
        made: bool, (S, T): not measured.
        least: float64, S: the least of each sensor's, -inf where there is none.
        most: float64, S: the most of each sensor's, inf where there is none.
    """
    cells = np.flatnonzero(made)
    if len(cells):
        flat = values.reshape(-1)
        sensor = cells // values.shape[1]
        flat[cells] = np.clip(flat[cells], least[sensor], most[sensor])
