"""Decoded rows onto a regular grid per sensor, each repeated row accounted for."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from fems.errors import LostRows
from fems.raw.decode import DecodedObject
from fems.raw.numbers import ABSENT
from fems.raw.text import BadLine


@dataclass
class Grid:
    """Values of S sensors at T intervals for C columns.

    Attributes:
        starts: int64, T: UTC seconds of the interval starts.
        day: int32, T: which local day an interval belongs to (0, 1, ...).
        values: float64, (S, T, C): NaN where there is none.
        states: uint8, (S, T, C): what became of each cell, see `fems.raw.numbers`; ABSENT where no row came.
        supplied: bool, C: whether the files carry the column at all.
    """

    starts: np.ndarray
    day: np.ndarray
    values: np.ndarray
    states: np.ndarray
    supplied: np.ndarray


@dataclass(frozen=True)
class Placed:
    """What became of the rows of each object.

    Attributes:
        published: object index -> rows that stand on the grid.
        duplicate: object index -> rows that repeat one that stands there, value for value.
        conflicting: object index -> rows that say something else than the one that stands there.
    """

    published: np.ndarray
    duplicate: np.ndarray
    conflicting: dict[int, list[BadLine]]


def grid_axis(first: date, last: date, zone: str, grain_minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval starts (UTC seconds) and the local day of each, from the first day to the last, both in."""
    import pandas as pd

    midnights = pd.date_range(first, pd.Timestamp(last) + pd.Timedelta(days=1), freq="D", unit="s")
    # where the clocks change at midnight, a day begins when its first minute does
    span = midnights.tz_localize(
        zone, nonexistent="shift_forward", ambiguous=np.ones(len(midnights), bool)
    ).asi8
    step = grain_minutes * 60
    starts = np.arange(span[0], span[-1], step, dtype=np.int64)
    return starts, (np.searchsorted(span, starts, side="right") - 1).astype(np.int32)


def place(
    objects: list[DecodedObject], starts: np.ndarray, day: np.ndarray, sensors: int, columns: int
) -> tuple[Grid, Placed]:
    """Put rows on the grid.

    Of rows with the same sensor and interval, the object whose name sorts last wins (a correction lands beside the
    file that it corrects), and within an object the first row. A loser with the same values is a duplicate; one with
    other values is a conflict and goes to quarantine.

    Args:
        objects: decoded objects ordered by key; their rows all lie on the axis.
        starts: the axis, int64, T.
        day: the local day of each interval, int32, T.
        sensors: S.
        columns: C.
    """
    steps = len(starts)
    values = np.full((sensors * steps, columns), np.nan)
    states = np.full((sensors * steps, columns), ABSENT, np.uint8)
    supplied = np.zeros(columns, bool)
    for decoded in objects:
        supplied |= decoded.supplied
    counts = [len(d.starts) for d in objects]
    published = np.zeros(len(objects), np.int64)
    duplicate = np.zeros(len(objects), np.int64)
    conflicting: dict[int, list[BadLine]] = {}
    if sum(counts):
        owner = np.repeat(np.arange(len(objects)), counts)
        row_values = np.concatenate([d.values for d in objects])
        row_states = np.concatenate([d.states for d in objects])
        lines = np.concatenate([d.lines for d in objects])
        step = int(starts[1] - starts[0]) if steps > 1 else 1
        slot = (np.concatenate([d.starts for d in objects]) - starts[0]) // step
        if slot.min() < 0 or slot.max() >= steps:
            raise LostRows("a decoded row lies outside the partition's days; nothing is published")
        cell = np.concatenate([d.sensors for d in objects]).astype(np.int64) * steps + slot

        winner = _winners(cell, owner, sensors * steps)
        lost = winner != np.arange(len(cell))
        kept = ~lost
        values[cell[kept]], states[cell[kept]] = row_values[kept], row_states[kept]
        published = np.bincount(owner[kept], minlength=len(objects))
        losers = np.flatnonzero(lost)
        a, b = row_values[losers], row_values[winner[losers]]
        same = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
        duplicate = np.bincount(owner[losers[same]], minlength=len(objects))
        for row in losers[~same]:
            other = winner[row]
            reason = (
                f"the same sensor and time as line {lines[other]} of {objects[owner[other]].raw.name}, "
                "with other values"
            )
            written = ",".join(repr(float(v)) for v in row_values[row])
            conflicting.setdefault(int(owner[row]), []).append(BadLine(int(lines[row]), reason, written))
    shape = (sensors, steps, columns)
    grid = Grid(starts, day, values.reshape(shape), states.reshape(shape), supplied)
    return grid, Placed(published, duplicate, conflicting)


def _winners(cell: np.ndarray, owner: np.ndarray, cells: int) -> np.ndarray:
    """Return for each row the row that stands in its cell."""
    rows = np.arange(len(cell))
    stands = np.full(cells, -1, np.int64)
    stands[cell] = rows
    if not np.array_equal(stands[cell], rows):  # some rows share a cell
        # Assigned in order, the last one stays. Objects come in order, and within one the rows in reverse, so that
        # the first row of the last object is the one that stays.
        order = np.lexsort((-rows, owner))
        stands[cell[order]] = order
    return stands[cell]
