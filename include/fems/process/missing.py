"""Gaps: filled by their length, from the same day or from earlier weeks, never from later days."""

import numpy as np

from fems.book import Fill

_WEEKS = (1, 2)


def fill_gaps(values: np.ndarray, day: np.ndarray, fill: Fill, grain_minutes: int) -> None:
    """Fill one column's gaps in place.

    A short gap inside a day is a straight line between its neighbours. A longer one, or a short one that touches
    midnight, is the mean of the same time one and two weeks earlier, as far as it was measured. What is longer
    still stays NaN. No day takes anything from a later one: a forecast from any midnight sees only its past.

    Args:
        values: float64, (S, T).
        day: int32, T, the local day of each interval.
        fill: the book's rules.
        grain_minutes: the native interval.
    """
    short, long = fill.interpolate_minutes // grain_minutes, fill.weeks_minutes // grain_minutes
    week = 7 * 24 * 60 // grain_minutes
    for series in values:
        gaps = np.isnan(series)
        if not gaps.any() or gaps.all():
            continue
        measured = series.copy()
        edges = np.flatnonzero(np.diff(np.concatenate(([False], gaps, [False])).astype(np.int8)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            inside = begin > 0 and end < len(series) and day[begin - 1] == day[end]
            if inside and end - begin <= short:
                series[begin:end] = np.linspace(measured[begin - 1], measured[end], end - begin + 2)[1:-1]
            elif end - begin <= long:
                series[begin:end] = _earlier(measured, begin, end, week)


def _earlier(measured: np.ndarray, begin: int, end: int, week: int) -> np.ndarray:
    """Mean of the same intervals in the weeks before, NaN where none of them was measured."""
    total, count = np.zeros(end - begin), np.zeros(end - begin)
    for k in _WEEKS:
        if begin - k * week < 0:
            break
        past = measured[begin - k * week : end - k * week]
        seen = ~np.isnan(past)
        total[seen] += past[seen]
        count += seen
    return np.divide(total, count, out=np.full(end - begin, np.nan), where=count > 0)
