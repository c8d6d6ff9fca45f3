"""Days on which a machine stood still for no reason in the calendar: a summer stop, a strike, a repair.

Such days say nothing of the weeks after them; a mean or a level that counts them is wrong for a month.
"""

import numpy as np
from numpy.typing import NDArray

from fems.model.calendar_features import HOLIDAY
from fems.model.history import Floats

SHARE = 0.4
"""A day below this share of its weekday's median counts as a stop."""

MOST = 0.1
"""Where more of a weekday's days are so low, low days belong to that weekday and none is a stop."""

_LEAST_DAYS = 6
_LEAST_HOURS = 20


def find_shutdowns(known: Floats, kinds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Find the stops.

    Args:
        known: (D, 24, E) kWh, NaN where missing.
        kinds: (D,) kinds of the days; holidays are never stops.

    Returns:
        (D, E).
    """
    there = np.isfinite(known)
    hours = there.sum(axis=1)
    mean = np.where(there, known, 0.0).sum(axis=1) / np.maximum(hours, 1)
    mean = np.where(hours >= _LEAST_HOURS, mean, np.nan)
    stopped = np.zeros(mean.shape, dtype=bool)
    for weekday in range(HOLIDAY):
        rows = np.flatnonzero((kinds == weekday) & np.isfinite(mean).any(axis=1))
        if len(rows) < _LEAST_DAYS:
            continue
        low = mean[rows] < SHARE * _median(mean[rows])  # NaN is not low
        stopped[rows] = low & (low.mean(axis=0) <= MOST)
    return stopped


def _median(values: Floats) -> Floats:
    """(D, E) -> (E,) medians of what is not NaN; of so few columns much faster than `np.nanmedian`."""
    ordered = np.sort(values, axis=0)  # NaN last
    known = np.isfinite(values).sum(axis=0)
    column = np.arange(values.shape[1])
    low, high = (
        ordered[np.maximum(known - 1, 0) // 2, column],
        ordered[np.minimum(known // 2, len(values) - 1), column],
    )
    median: Floats = (low + high) / 2
    return np.where(known > 0, median, np.nan)
