"""Sliding windows over a regular series, as views: no copy per window."""

import numpy as np
from numpy.typing import NDArray

from fems.errors import TooLittleHistory
from fems.model.history import Floats


def fill_forward(values: Floats, before: float = 0.0) -> Floats:
    """Replace what is missing by the last value before it, and by `before` where there is none.

    Only the past is looked at, so that an input never holds what came after it.

    Args:
        values: (T, C), NaN where missing.
        before: stands in until a column's first value.
    """
    known = np.isfinite(values)
    last = np.where(known, np.arange(len(values))[:, None], -1)
    np.maximum.accumulate(last, axis=0, out=last)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, filled, before)


def sliding(values: Floats, length: int) -> Floats:
    """Return (T - length + 1, length, C): a read-only view whose i-th window is `values[i : i + length]`.

    Raises:
        TooLittleHistory: fewer than `length` rows.
    """
    if len(values) < length:
        raise TooLittleHistory(f"a window needs {length} intervals; there are {len(values)}")
    view = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)
    return np.moveaxis(view, -1, 1)


def windows_with_target(target: Floats, length: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the windows of `sliding` whose next value was measured, and that value.

    A window whose target is missing is dropped; missing inputs inside a window are the business of
    `fill_forward`.

    Args:
        target: (T,) NaN where missing.
        length: intervals a window.

    Returns:
        (N,) positions of the windows; (N,) the value of the interval right after each.
    """
    following = target[length:]
    kept = np.flatnonzero(np.isfinite(following))
    return kept, following[kept]
