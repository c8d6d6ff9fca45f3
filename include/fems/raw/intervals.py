"""Files of another interval than the factory's: on its grid, their rows would count for more or less than they do."""

import numpy as np

from fems.raw.clock import NO_TIME, LabelTimes

_FEWEST = 6
"""Rows from which an interval can be told."""
_ALIKE = 0.8
"""Share of the steps from row to row that are the interval."""


def unlike_the_grain(
    owner: np.ndarray,
    codes: np.ndarray,
    times: LabelTimes,
    sensors: np.ndarray,
    starts: np.ndarray,
    grain_minutes: int,
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

    Returns:
        (object, sensor; -1 for all of them) -> the interval of their rows, minutes.
    """
    if not len(owner):
        return {}
    step, labels = grain_minutes * 60, len(times.local)
    objects = int(owner[-1]) + 1
    held = np.zeros(objects * labels, bool)
    held[owner.astype(np.int64) * labels + codes] = True
    found: dict[tuple[int, int], int] = {}
    distinct = np.zeros(objects, np.int64)
    for i in range(objects):
        own = np.flatnonzero(held[i * labels : (i + 1) * labels])
        local = times.local[own]
        local = np.unique(local[local != NO_TIME])
        distinct[i] = len(local)
        apart = _interval(local)
        if apart is not None and apart != step and (apart > step or step % apart == 0):
            found[i, -1] = apart // 60
    most = int(sensors.max(initial=0)) + 1
    known = sensors >= 0
    rows_of = np.bincount(owner[known] * most + sensors[known], minlength=objects * most).reshape(
        objects, most
    )
    sparse = (rows_of >= _FEWEST) & (rows_of <= 0.6 * distinct[:, None])
    for i, sensor in zip(*(places.tolist() for places in np.nonzero(sparse)), strict=True):
        if (i, -1) in found:
            continue
        own = starts[(owner == i) & (sensors == sensor)]
        apart = _interval(np.unique(own[own != NO_TIME]))
        if apart is not None and apart > step:
            found[i, sensor] = apart // 60
    return found


def _interval(moments: np.ndarray) -> int | None:
    """Return the step from one moment to the next that most of them keep, seconds; None if they keep none."""
    if len(moments) < _FEWEST:
        return None
    steps = np.diff(moments)
    usual = int(np.median(steps))
    near = np.abs(steps - usual) <= usual // 10
    return usual if near.mean() >= _ALIKE and steps.min() * 2 > usual else None
