"""The hour that the clocks repeat, told by the order of the rows where the labels name no offset.

A label of that hour can be of its first or of its second run. In a file whose rows are in order, the first run ends
where the labels fall back. Rows that stand twice, or once more at the file's end, fall back as well, but not from one
run to the other. What a sensor's own rows leave open, those of the other sensors around them may tell.

Labels that mark the ends of intervals are written in two ways: as the clock shows the end (01:00, 01:00, 02:00 where
clocks go back from 02:00 to 01:00), or as the start plus the interval (01:00, 02:00, 02:00).
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fems.raw.labels import NO_TIME
from fems.raw.zones import wall_clock
from fems.registry.mapping import FileMapping

_DAY_S = 86_400
_DAYS_AROUND = 3
"""Days that belong to one change of the clocks; changes are months apart."""
_ORDERED = 20
"""Of so many rows one may be out of order, and one more."""


@dataclass(frozen=True)
class _Labels:
    """What the labels of a feed's files mean: the interval, and how far its start lies before the label; seconds."""

    step: int
    back: int
    zone: str


def resolve(
    wall: np.ndarray,
    owners: np.ndarray,
    sensors: np.ndarray,
    utc: np.ndarray,
    mapping: FileMapping,
    grain_minutes: int,
    zone: str,
) -> np.ndarray:
    """Place rows of days around a change of the clocks by the order in which they stand.

    Args:
        wall: int64, n: what the rows' labels write, on the grid; none of them names its offset.
        owners: int, n: rows of one file have the same.
        sensors: int, n: which sensor's.
        utc: int64, n: where the rows are by their labels alone, NO_TIME where these do not tell.
        mapping: which end of the interval the labels mark.
        grain_minutes: the interval.
        zone: of the labels.

    Returns:
        int64, n: where the rows are; NO_TIME where that stays open.
    """
    step = grain_minutes * 60
    labels = _Labels(step, step if mapping.time_marks == "end" else 0, zone)
    placed = utc.copy()
    days = np.unique(wall // _DAY_S)
    changes = np.cumsum(np.diff(days, prepend=days[0]) > _DAYS_AROUND)[np.searchsorted(days, wall // _DAY_S)]
    of_change = owners.astype(np.int64) * (int(changes.max()) + 1) + changes
    for one in np.unique(of_change).tolist():
        rows = np.flatnonzero(of_change == one)
        shifts = [
            _resolve_sensor(placed, rows[sensors[rows] == sensor], wall, labels)
            for sensor in np.unique(sensors[rows]).tolist()
        ]
        told = {shift for shift in shifts if shift is not None}
        if told:
            _resolve_by_neighbours(placed, rows, wall, max(told), labels)
    return placed


def _resolve_sensor(placed: np.ndarray, rows: np.ndarray, wall: np.ndarray, labels: _Labels) -> int | None:
    """Place a sensor's rows; return how far before the label the clock is that they show, None if that is open."""
    order = rows[::-1] if _descends(wall[rows]) else rows
    either = np.zeros(len(order), bool)
    for shift in dict.fromkeys((0, labels.back)):
        instants, repeated = _runs(wall[order] - shift, labels, labels.back - shift)
        if instants is not None:
            placed[order] = np.where(instants == NO_TIME, NO_TIME, instants - (labels.back - shift))
            return shift
        either |= repeated
    if either.any():
        placed[order[either]] = NO_TIME
    elif labels.back:
        _place_skipped(placed, order, wall, labels)
    return None


def _resolve_by_neighbours(
    placed: np.ndarray, rows: np.ndarray, wall: np.ndarray, shift: int, labels: _Labels
) -> None:
    """Place rows whose run is open where only one of the two lies between the rows around them.

    Args:
        placed: where the rows are so far.
        rows: of one file, as they stand.
        wall: what the labels write.
        shift: how far before its label the clock is that another sensor's rows show.
        labels: what they mean.
    """
    known = placed[rows][placed[rows] != NO_TIME]
    steps = np.diff(known)
    falls, rises = int((steps < 0).sum()), int((steps > 0).sum())
    if min(falls, rises) > 1 + len(rows) // _ORDERED or len(known) == len(rows):
        return
    order = rows[::-1] if falls > rises else rows
    at = placed[order]
    none = at == NO_TIME
    before = np.maximum.accumulate(np.where(none, -1, np.arange(len(at))))
    after = np.minimum.accumulate(np.where(none, len(at), np.arange(len(at)))[::-1])[::-1]
    held = np.flatnonzero(none & (before >= 0) & (after < len(at)))
    low, high = at[before[held]], at[after[held]]
    runs = [_localized(wall[order[held]] - shift, labels.zone, first) for first in (True, False)]
    first, second = (np.where(run == NO_TIME, NO_TIME, run - (labels.back - shift)) for run in runs)
    fits_first, fits_second = (low <= first) & (first <= high), (low <= second) & (second <= high)
    one = (fits_first != fits_second) & (first != second)
    placed[order[held[one]]] = np.where(fits_first, first, second)[one]


def _descends(labels: np.ndarray) -> bool:
    steps = np.diff(labels)
    return int((steps < 0).sum()) > int((steps > 0).sum())


def _localized(labels: np.ndarray, zone: str, first: bool) -> np.ndarray:
    """Return UTC seconds of labels, NO_TIME where they are skipped; of repeated ones the first or second instant."""
    index = pd.DatetimeIndex(labels.astype("datetime64[s]"))
    placed = index.tz_localize(ZoneInfo(zone), ambiguous=np.full(len(labels), first), nonexistent="NaT")
    return placed.as_unit("s").asi8


def _runs(labels: np.ndarray, form: _Labels, lead: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the instants of a sensor's labels by where they fall back, None if that tells nothing; and the repeated.

    What tells: they fall back once from the hour's first run into its second, which the rows around them go on from
    and to; or they stop or begin at the hour's edge without a gap.

    Args:
        labels: wall-clock seconds, n.
        form: the interval and the zone.
        lead: how far the interval's start lies before the label.
    """
    early, late = _localized(labels, form.zone, True), _localized(labels, form.zone, False)
    repeated = early != late
    if not repeated.any():
        return None, repeated
    steps = np.diff(labels)
    # the hour has one interval alone: its label twice is its first and its second run
    alone = form.step >= int((late - early)[repeated].max())
    falls = np.flatnonzero((steps <= 0) if alone else (steps < 0)) + 1
    if int((steps < 0).sum()) > 1 + len(labels) // _ORDERED:
        return None, repeated
    if not len(falls):
        return _at_the_edge(labels, early, late, form, lead), repeated
    edges = [0, *falls.tolist(), len(labels)]
    stretches = []
    for begin, back, end in zip(edges, edges[1:], edges[2:], strict=False):
        goes_on = (begin == 0 or not repeated[begin]) and (end == len(labels) or not repeated[end - 1])
        if repeated[back - 1] and repeated[back] and goes_on:
            stretches.append((begin, back, end))
    if len(stretches) != 1:
        return None, repeated
    [(begin, back, end)] = stretches
    instants = np.where(repeated, NO_TIME, early)
    instants[begin:back], instants[back:end] = early[begin:back], late[back:end]
    return instants, repeated


def _at_the_edge(
    labels: np.ndarray, early: np.ndarray, late: np.ndarray, form: _Labels, lead: int
) -> np.ndarray | None:
    """Return the instants of rising labels that stop or begin within the hour, next to what comes before or after.

    None where the day begins or ends there: then it is no wonder that the labels do.
    """
    repeated = np.flatnonzero(early != late)
    begins, ends = repeated[0] == 0, repeated[-1] == len(labels) - 1
    if ends and not begins and labels[repeated[0]] - labels[repeated[0] - 1] == form.step:
        return None if _is_midnight(late[-1] - lead + form.step, form.zone) else early
    if begins and not ends and labels[repeated[-1] + 1] - labels[repeated[-1]] == form.step:
        return None if _is_midnight(early[0] - lead, form.zone) else late
    return None


def _is_midnight(instant: np.int64, zone: str) -> bool:
    return bool(wall_clock(np.array([instant]), zone)[0] % _DAY_S == 0)


def _place_skipped(placed: np.ndarray, order: np.ndarray, wall: np.ndarray, form: _Labels) -> None:
    """Place ends of intervals that the clock skips, where the start plus the interval was written, and no other is."""
    labels = wall[order]
    instants = _localized(labels, form.zone, True)
    skipped = instants == NO_TIME
    if not skipped.any():
        return
    starts = _localized(labels - form.step, form.zone, True)
    again = {int(start) for start in placed[order[~skipped]].tolist()}
    for row, start in zip(order[skipped].tolist(), starts[skipped].tolist(), strict=True):
        if start != NO_TIME and start not in again:
            placed[row] = start
