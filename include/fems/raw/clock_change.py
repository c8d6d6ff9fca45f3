"""The hour that the clocks repeat, told by the order of the rows where the labels name no offset.

A label of that hour can be of its first or of its second run. In a file whose rows are in order, the first run ends
where the labels fall back. Labels that mark the ends of intervals are written in two ways: as the clock shows the end
(01:00, 01:00, 02:00 where clocks go back from 02:00 to 01:00), or as the start plus the interval (01:00, 02:00, 02:00).
"""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fems.raw.labels import NO_TIME
from fems.registry.mapping import FileMapping

_DAY_S = 86_400
_DAYS_AROUND = 3
"""Days that belong to one change of the clocks; changes are months apart."""


def resolve(
    wall: np.ndarray,
    groups: np.ndarray,
    utc: np.ndarray,
    mapping: FileMapping,
    grain_minutes: int,
    zone: str,
) -> np.ndarray:
    """Place rows of days around a change of the clocks by the order in which they stand.

    Args:
        wall: int64, n: what the rows' labels write, on the grid; none of them names its offset.
        groups: int, n: rows of one file and sensor have the same.
        utc: int64, n: where the rows are by their labels alone, NO_TIME where these do not tell.
        mapping: which end of the interval the labels mark.
        grain_minutes: the interval.
        zone: of the labels.

    Returns:
        int64, n: where the rows are; NO_TIME where that stays open.
    """
    step = grain_minutes * 60
    back = step if mapping.time_marks == "end" else 0
    placed = utc.copy()
    days = np.unique(wall // _DAY_S)
    changes = np.cumsum(np.diff(days, prepend=days[0]) > _DAYS_AROUND)[np.searchsorted(days, wall // _DAY_S)]
    of_change = groups * (int(changes.max()) + 1) + changes
    for group in np.unique(of_change).tolist():
        rows = np.flatnonzero(of_change == group)
        order = rows[::-1] if _descends(wall[rows]) else rows
        for shift in dict.fromkeys((0, back)):
            instants = _runs(wall[order] - shift, step, zone)
            if instants is not None:
                placed[order] = np.where(instants == NO_TIME, NO_TIME, instants - (back - shift))
                break
        else:
            if back:
                _place_skipped(placed, order, wall, step, zone)
    return placed


def _descends(labels: np.ndarray) -> bool:
    steps = np.diff(labels)
    return int((steps < 0).sum()) > int((steps > 0).sum())


def _localized(labels: np.ndarray, zone: str, first: bool) -> np.ndarray:
    """Return UTC seconds of labels, NO_TIME where they are skipped; of repeated ones the first or second instant."""
    index = pd.DatetimeIndex(labels.astype("datetime64[s]"))
    placed = index.tz_localize(ZoneInfo(zone), ambiguous=np.full(len(labels), first), nonexistent="NaT")
    return placed.as_unit("s").asi8


def _runs(labels: np.ndarray, step: int, zone: str) -> np.ndarray | None:
    """Return the instants of labels in rising order of time, by where they fall back; None if that tells nothing.

    What tells: they fall back once within the repeated hour, or they stop or begin at its edge without a gap.
    """
    early, late = _localized(labels, zone, True), _localized(labels, zone, False)
    repeated = np.flatnonzero(early != late)
    if not len(repeated):
        return None
    falls = np.flatnonzero(np.diff(labels) <= 0) + 1
    inside = falls[np.isin(falls, repeated) & np.isin(falls - 1, repeated)]
    if len(falls) == 1 and len(inside) == 1:
        second = np.arange(len(labels)) >= inside[0]
    elif len(falls) == 0 and _contiguous(repeated):
        begins, ends = repeated[0] == 0, repeated[-1] == len(labels) - 1
        before = not begins and labels[repeated[0]] - labels[repeated[0] - 1] == step
        after = not ends and labels[repeated[-1] + 1] - labels[repeated[-1]] == step
        if before and ends:
            second = np.zeros(len(labels), bool)
        elif begins and after:
            second = np.ones(len(labels), bool)
        else:
            return None
    else:
        return None
    instants = np.where(second, late, early)
    known = instants[instants != NO_TIME]
    return instants if (np.diff(known) > 0).all() else None


def _contiguous(rows: np.ndarray) -> bool:
    return bool(rows[-1] - rows[0] == len(rows) - 1)


def _place_skipped(placed: np.ndarray, order: np.ndarray, wall: np.ndarray, step: int, zone: str) -> None:
    """Place ends of intervals that the clock skips, where the start plus the interval was written, and no other is."""
    labels = wall[order]
    instants = _localized(labels, zone, True)
    skipped = instants == NO_TIME
    if not skipped.any():
        return
    starts = _localized(labels - step, zone, True)
    again = {int(start) for start in placed[order[~skipped]].tolist()}
    for row, start in zip(order[skipped].tolist(), starts[skipped].tolist(), strict=True):
        if start != NO_TIME and start not in again:
            placed[row] = start
