"""Decoded rows onto a regular grid per sensor, each repeated row accounted for."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from fems.calendar import shift_starts
from fems.errors import LostRows
from fems.raw.decoded import DecodedObject
from fems.raw.numbers import ABSENT
from fems.raw.text import BadLine


@dataclass(frozen=True)
class Axis:
    """The time axis of a stretch of local days.

    Attributes:
        starts: int64, T: UTC seconds of the interval starts.
        day: int32, T: the local day of each interval, counted from the first one.
        clock: int32, T: the local time of day of each interval, in intervals since midnight.
        days: datetime64[D]: the local days.
        bounds: int64, days + 1: where each day begins on the axis, and the end.
        grain_minutes: the interval.
    """

    starts: np.ndarray
    day: np.ndarray
    clock: np.ndarray
    days: np.ndarray
    bounds: np.ndarray
    grain_minutes: int

    @cached_property
    def at_clock(self) -> np.ndarray:
        """Where each local time of day is on the axis; int64, (days, intervals a day), -1 where a day has it not.

        Of an hour that the clocks repeat, the first one; a day on which they skip an hour has none there.
        """
        positions = np.full((len(self.days), 24 * 60 // self.grain_minutes), -1, np.int64)
        # assigned backwards, the first one stays
        positions[self.day[::-1], self.clock[::-1]] = np.arange(len(self.starts) - 1, -1, -1)
        return positions

    def hours(self, since: int) -> np.ndarray:
        """Return where each local hour begins from interval `since` on, counted from there.

        An hour that the clocks repeat counts twice: there the clock does not go on by one interval. Of shifts and days
        nobody knows the hours: there is none.
        """
        if self.grain_minutes > 60:
            return np.zeros(0, np.int64)
        clock, day = self.clock[since:], self.day[since:]
        hour = clock // (60 // self.grain_minutes)
        begins = (np.diff(hour) != 0) | (np.diff(day) != 0) | (np.diff(clock) != 1)
        return np.concatenate(([0], np.flatnonzero(begins) + 1))


@dataclass
class Grid:
    """Values of S sensors at T intervals for C columns.

    Attributes:
        axis: the intervals.
        values: float64, (C, S, T): NaN where there is none.
        states: uint8, (C, S, T): what became of each cell, see `fems.raw.numbers`; ABSENT where no row came.
        row: int32, (S, T): position in `Rows` of the row that stands there, -1 where none does.
        supplied: bool, C: whether the files carry the column at all.
    """

    axis: Axis
    values: np.ndarray
    states: np.ndarray
    row: np.ndarray
    supplied: np.ndarray


@dataclass(frozen=True)
class Rows:
    """The rows of some objects, one after the other.

    Attributes:
        objects: the objects, ordered by key.
        owner: int32, n: position of the row's object.
        days: int32, n: local day of the row, days since 1970.
        lines: int32, n: line in the object.
        values: float64, (C, n).
        states: uint8, (C, n).
        place: int64, n: the row's position among its object's rows.
    """

    objects: list[DecodedObject]
    owner: np.ndarray
    days: np.ndarray
    lines: np.ndarray
    values: np.ndarray
    states: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class Placed:
    """What became of the rows.

    Attributes:
        rows: the rows.
        stands: bool, n: the row stands on the grid.
        conflicting: bool, n: the row says something else than the one that stands in its place. A row that neither
            stands nor conflicts repeats the one that stands there, value for value.
        standing: int64, n: the row that stands in its place.
    """

    rows: Rows
    stands: np.ndarray
    conflicting: np.ndarray
    standing: np.ndarray

    def conflict(self, row: int) -> BadLine:
        """Return the quarantine record of a conflicting row."""
        rows, other = self.rows, self.standing[row]
        name = rows.objects[rows.owner[other]].raw.name
        reason = f"the same sensor and time as line {rows.lines[other]} of {name}, with other values"
        written = ",".join(repr(float(v)) for v in rows.values[:, row])
        return BadLine(int(rows.lines[row]), reason, written)


def time_axis(first: date, last: date, zone: str, grain_minutes: int, day_begins: int = 0) -> Axis:
    """Return the axis from the first local day to the last one, both in.

    Args:
        first: local day.
        last: local day.
        zone: of the factory.
        grain_minutes: the native interval.
        day_begins: of shifts and days: minutes after midnight at which a day's first interval begins.
    """
    if grain_minutes > 60:
        return _shift_axis(first, last, zone, grain_minutes, day_begins)
    midnights = pd.date_range(first, pd.Timestamp(last) + pd.Timedelta(days=1), freq="D", unit="s")
    # where the clocks change at midnight, a day begins when its first minute does
    span = midnights.tz_localize(
        zone, nonexistent="shift_forward", ambiguous=np.ones(len(midnights), bool)
    ).asi8
    step = grain_minutes * 60
    starts = np.arange(span[0], span[-1], step, dtype=np.int64)
    day = (np.searchsorted(span, starts, side="right") - 1).astype(np.int32)
    local = pd.DatetimeIndex(starts.astype("datetime64[s]"), tz="UTC").tz_convert(zone).tz_localize(None)
    clock = (local.as_unit("s").asi8 % 86_400 // step).astype(np.int32)
    bounds = np.searchsorted(starts, span)
    return Axis(starts, day, clock, midnights[:-1].to_numpy().astype("datetime64[D]"), bounds, grain_minutes)


def _shift_axis(first: date, last: date, zone: str, grain_minutes: int, day_begins: int) -> Axis:
    days = pd.date_range(first, last, freq="D").to_numpy().astype("datetime64[D]")
    per_day = 24 * 60 // grain_minutes
    day, clock = np.divmod(np.arange(len(days) * per_day, dtype=np.int32), np.int32(per_day))
    starts = shift_starts(days, grain_minutes, day_begins, zone)
    return Axis(starts, day, clock, days, np.arange(len(days) + 1) * per_day, grain_minutes)


def gather(objects: list[DecodedObject], axis: Axis) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Put together the rows whose day lies on the axis.

    Returns:
        The rows; int64, n: position of each row's interval on the axis; int16, n: its sensor.

    Raises:
        LostRows: a row of one of these days has no interval on the axis.
    """
    first, last = axis.days[[0, -1]].astype(np.int64)
    picks: list[np.ndarray | slice] = []
    for d in objects:
        inside = (d.days >= first) & (d.days <= last)
        picks.append(slice(None) if inside.all() else np.flatnonzero(inside))
    counts = [len(d.days[pick]) for d, pick in zip(objects, picks, strict=True)]
    pairs = list(zip(objects, picks, strict=True))
    rows = Rows(
        objects=objects,
        owner=np.repeat(np.arange(len(objects), dtype=np.int32), counts),
        days=np.concatenate([d.days[pick] for d, pick in pairs]),
        lines=np.concatenate([d.lines[pick] for d, pick in pairs]),
        values=np.concatenate([d.values[:, pick] for d, pick in pairs], axis=1),
        states=np.concatenate([d.states[:, pick] for d, pick in pairs], axis=1),
        place=np.concatenate([np.arange(len(d.days))[pick] for d, pick in pairs]),
    )
    starts = np.concatenate([d.starts[pick] for d, pick in pairs])
    sensors = np.concatenate([d.sensors[pick] for d, pick in pairs])
    if axis.grain_minutes > 60:  # where the clocks change, a shift is longer or shorter
        slot = np.searchsorted(axis.starts, starts)
        off = np.append(axis.starts, -1)[slot] != starts
    else:
        slot, off = np.divmod(starts - axis.starts[0], axis.grain_minutes * 60)
    if len(slot) and (slot.min() < 0 or slot.max() >= len(axis.starts) or off.any()):
        raise LostRows("a decoded row has no interval on the partition's axis; nothing is published")
    return rows, slot, sensors


def place(
    objects: list[DecodedObject], axis: Axis, sensors: int, columns: int, newest_counts: bool = False
) -> tuple[Grid, Placed]:
    """Put rows on the grid.

    Of rows with the same sensor and interval, the object whose key sorts last wins (a correction lands beside the
    file that it corrects), and within an object the first row. A loser with the same values is a duplicate; one with
    other values is a conflict and goes to quarantine.

    Args:
        objects: decoded objects ordered by key.
        axis: the intervals; rows of other days are left out.
        sensors: S.
        columns: C.
        newest_counts: a row of a later day's object takes the place of an earlier one without a conflict: of a plan,
            which is made anew every day.
    """
    steps = len(axis.starts)
    standing_row = np.full(sensors * steps, -1, np.int32)
    supplied = np.zeros(columns, bool)
    for decoded in objects:
        supplied |= decoded.supplied
    rows, slot, sensor = gather(objects, axis)
    cell = sensor.astype(np.int64) * steps + slot
    stands, standing = _winners(cell, rows.owner, standing_row)
    conflicting = np.zeros(len(cell), bool)
    losers = np.flatnonzero(~stands)
    if len(losers):
        a, b = rows.values[:, losers], rows.values[:, standing[losers]]
        conflicting[losers] = ~((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=0)
        if newest_counts:
            day = np.array([decoded.raw.day.toordinal() for decoded in objects])[rows.owner]
            conflicting[losers] &= day[losers] == day[standing[losers]]
    empty = np.flatnonzero(standing_row < 0)
    values = np.empty((columns, sensors * steps))
    states = np.empty((columns, sensors * steps), np.uint8)
    if len(cell):
        for j in range(columns):
            # -1, where no row stands, takes the last row's; it is overwritten below
            np.take(rows.values[j], standing_row, out=values[j], mode="wrap")
            np.take(rows.states[j], standing_row, out=states[j], mode="wrap")
    values[:, empty], states[:, empty] = np.nan, ABSENT
    shape = (sensors, steps)
    grid = Grid(
        axis,
        values.reshape(columns, *shape),
        states.reshape(columns, *shape),
        standing_row.reshape(shape),
        supplied,
    )
    return grid, Placed(rows, stands, conflicting, standing)


def _winners(cell: np.ndarray, owner: np.ndarray, stands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write into `stands`, a place for each cell, the row that stands there.

    Returns:
        bool, n: whether a row stands in its cell; int64, n: the row that does.
    """
    rows = np.arange(len(cell), dtype=np.int32)
    stands[cell] = rows
    standing = stands[cell]
    wins = standing == rows
    if not wins.all():  # some rows share a cell
        # Assigned in order, the last one stays. Objects come in order, and within one the rows in reverse, so that
        # the first row of the last object is the one that stays. Only shared cells need it.
        shared = np.zeros(len(stands), bool)
        shared[cell[~wins]] = True
        some = np.flatnonzero(shared[cell])
        order = some[np.lexsort((-some, owner[some]))]
        stands[cell[order]] = order
        standing = stands[cell]
        wins = standing == rows
    return wins, standing
