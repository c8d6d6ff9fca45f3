"""Files of another interval than the factory's: on its grid, their rows would count for more or less than they do."""

from itertools import pairwise

import numpy as np

from fems.raw.clock import NO_TIME, LabelTimes

_FEWEST = 6
"""Rows from which an interval can be told."""
_FEWEST_COARSE = 12
"""The same of a coarser interval than the factory's: a few rows may be what a file was left with."""
_SPARSE = 0.6
"""Share of a file's times below which a sensor may be read at a longer interval."""
_ALIKE = 0.8
"""Share of the steps from row to row that are the interval."""


def unlike_the_grain(
    owner: np.ndarray,
    codes: np.ndarray,
    times: LabelTimes,
    sensors: np.ndarray,
    starts: np.ndarray,
    grain_minutes: int,
    everyone: int,
) -> dict[tuple[int, int], int]:
    """Find files, and sensors in them, whose rows stand at another interval than the factory's.

    Finer ones show by rows off the grid: those on it would be taken for the whole interval. Of coarser ones every
    other place would be empty, and filled.

    Args:
        owner: int, n, rising: position of each row's object.
        codes: int32, n: each row's place among the labels.
        times: what the labels mean.
        sensors: int16, n: position among the feed's sensors, -1 for another one.
        starts: int64, n: UTC seconds, NO_TIME where unknown.
        grain_minutes: the factory's.
        everyone: how many sensors the feed has.

    Returns:
        (object, sensor; -1 for all of them) -> the interval of their rows, minutes.
    """
    if not len(owner):
        return {}
    step = grain_minutes * 60
    apart_of: dict[tuple[int, int], int] = {}
    edges = np.searchsorted(owner, np.arange(int(owner[-1]) + 2)).tolist()
    for i, (begin, end) in enumerate(pairwise(edges)):
        if begin == end:
            continue
        first = int(codes[begin:end].min())
        held = np.bincount(codes[begin:end] - first) > 0
        local = times.local[first : first + len(held)][held]
        if not (local[1:] > local[:-1]).all() or local[0] == NO_TIME:
            local = np.unique(local[local != NO_TIME])
        if (
            len(local) >= _FEWEST
            and local[-1] - local[0] == (len(local) - 1) * step
            and not (local % step).any()
        ):
            apart: int | None = step  # nearly all files: no row off the grid, and none left out
        else:
            apart = _interval(local)
        coarser = apart is not None and apart > step and len(local) >= _FEWEST_COARSE
        if apart is not None and (coarser or (apart < step and step % apart == 0)):
            apart_of[i, -1] = apart // 60
            continue
        if end - begin > len(local) * (everyone - 1 + _SPARSE):
            continue  # all sensors have rows enough
        counts = np.bincount(sensors[begin:end] + 1)[1:]
        for sensor in np.flatnonzero((counts >= _FEWEST_COARSE) & (counts <= _SPARSE * len(local))).tolist():
            own = starts[begin:end][sensors[begin:end] == sensor]
            apart = _interval(np.unique(own[own != NO_TIME]))
            if apart is not None and apart > step:
                apart_of[i, sensor] = apart // 60
    return apart_of


def _interval(moments: np.ndarray) -> int | None:
    """Return the step from one moment to the next that most of them keep, seconds; None if they keep none."""
    if len(moments) < _FEWEST:
        return None
    steps = np.diff(moments)
    usual = int(np.median(steps))
    near = np.abs(steps - usual) <= usual // 10
    return usual if near.mean() >= _ALIKE and steps.min() * 2 > usual else None
