"""Values that the definition book calls abnormal."""

import numpy as np

from fems.book import Column


def upper_limits(column: Column, rated_kw: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Return each sensor's hard upper limit, inf where the book or the registry gives none.

    Args:
        column: the book's rules.
        rated_kw: float64, S, NaN where the registry has no rating.
        grain_minutes: the native interval.
    """
    limit = np.full(len(rated_kw), np.inf if column.limits.max is None else column.limits.max)
    if column.limits.max_of_rated is not None:
        rated = column.limits.max_of_rated * rated_kw * grain_minutes / 60
        limit = np.fmin(limit, rated)
    return limit


def outside_limits(values: np.ndarray, column: Column, upper: np.ndarray) -> np.ndarray:
    """Find values beyond the hard limits, and spikes far above what the sensor usually shows.

    Args:
        values: float64, (S, T).
        column: the book's rules.
        upper: float64, S.

    Returns:
        bool, (S, T).
    """
    limit = upper.copy()
    if column.limits.max_of_usual is not None and values.shape[1]:
        for s, series in enumerate(values):
            seen = series[~np.isnan(series)]
            if len(seen):
                usual = np.partition(seen, int(0.99 * (len(seen) - 1)))[int(0.99 * (len(seen) - 1))]
                if usual > 0:
                    limit[s] = min(limit[s], column.limits.max_of_usual * usual)
    low = -np.inf if column.limits.min is None else column.limits.min
    with np.errstate(invalid="ignore"):
        return (values < low) | (values > limit[:, None])


def stuck(values: np.ndarray, column: Column, grain_minutes: int) -> np.ndarray:
    """Find values that repeat exactly for longer than the book allows; zero may repeat, a machine may be off.

    The first value of such a run stands, the repetitions are abnormal.

    Args:
        values: float64, (S, T).
        column: the book's rules.
        grain_minutes: the native interval.

    Returns:
        bool, (S, T).
    """
    found = np.zeros(values.shape, bool)
    if column.stuck_minutes is None:
        return found
    longest = column.stuck_minutes // grain_minutes
    repeats = np.zeros(values.shape, bool)
    repeats[:, 1:] = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] != 0)
    for s, row in enumerate(repeats):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if end - begin > longest:
                found[s, begin:end] = True
    return found
