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


def usual_levels(values: np.ndarray) -> np.ndarray:
    """Return each sensor's 99th percentile, NaN where it measured nothing.

    Args:
        values: float64, (S, T).
    """
    levels = np.full(len(values), np.nan)
    for s, series in enumerate(values):
        seen = series[~np.isnan(series)]
        if len(seen):
            rank = int(0.99 * (len(seen) - 1))
            levels[s] = np.partition(seen, rank)[rank]
    return levels


def outside_limits(values: np.ndarray, column: Column, upper: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Find values beyond the hard limits, and spikes far above what the sensor usually shows.

    Args:
        values: float64, (S, T).
        column: the book's rules.
        upper: float64, S, see `upper_limits`.
        usual: float64, S, see `usual_levels`.

    Returns:
        bool, (S, T).
    """
    limit = upper
    if column.limits.max_of_usual is not None:
        limit = np.fmin(upper, np.where(usual > 0, column.limits.max_of_usual * usual, np.inf))
    low = -np.inf if column.limits.min is None else column.limits.min
    with np.errstate(invalid="ignore"):
        return (values < low) | (values > limit[:, None])


def stuck(values: np.ndarray, column: Column, usual: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Find values that repeat exactly for longer than the book allows; zero may repeat, a machine may be off.

    The first value of such a run stands, the repetitions are abnormal.

    Args:
        values: float64, (S, T).
        column: the book's rules.
        usual: float64, S, see `usual_levels`.
        grain_minutes: the native interval.

    Returns:
        bool, (S, T).
    """
    found = np.zeros(values.shape, bool)
    if column.stuck is None:
        return found
    longest = column.stuck.minutes // grain_minutes
    floor = np.nan_to_num(column.stuck.above_of_usual * usual)
    repeats = np.zeros(values.shape, bool)
    repeats[:, 1:] = (
        (values[:, 1:] == values[:, :-1]) & (values[:, 1:] != 0) & (values[:, 1:] >= floor[:, None])
    )
    for s, row in enumerate(repeats):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if end - begin > longest:
                found[s, begin:end] = True
    return found
