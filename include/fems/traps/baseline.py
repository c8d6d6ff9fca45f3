"""What is usual for a trap: its own past weeks, and what its line does today."""

from dataclasses import dataclass

import numpy as np

from fems.traps.layout import TrapLayout
from fems.traps.readings import Bools, Floats, nan_median

FIRST_DAY, LAST_DAY = 35, 7
"""The baseline is taken from so many days before to so many: a slow fault has no part in it."""
LONG_DAYS = 75
"""Where the plant stood still, or the trap had a fault, the baseline reaches back so far."""
LEAST_DAYS = 10
_FEWEST_OTHERS = 3
_SIGMA_OF_MAD = 1.4826


@dataclass(frozen=True)
class Usual:
    """A median and a spread of the past, shape (traps,); NaN where too few good days are known."""

    median: Floats
    sigma: Floats


def usual(values: Floats, good: Bools, today: int, least_sigma: float) -> Usual:
    """Return the median and robust spread of good days in the window before a day.

    Args:
        values: a figure of each day, shape (days, traps).
        good: days that count, shape (days, traps).
        today: index of the day.
        least_sigma: no spread is taken to be smaller.
    """
    end = max(0, today - LAST_DAY + 1)
    if end == 0:
        nothing = np.full(values.shape[1], np.nan)
        return Usual(nothing, nothing)
    window = slice(max(0, today - LONG_DAYS), end)
    past = np.where(good[window], values[window], np.nan)
    recent = past[-(FIRST_DAY - LAST_DAY + 1) :]
    few = np.count_nonzero(~np.isnan(recent), axis=0) < LEAST_DAYS
    past[: -len(recent), ~few] = np.nan
    count = np.count_nonzero(~np.isnan(past), axis=0)
    median = np.where(count >= LEAST_DAYS, nan_median(past), np.nan)
    spread = nan_median(np.abs(past - median)) * _SIGMA_OF_MAD
    return Usual(median, np.maximum(spread, least_sigma))


class Neighbours:
    """What moved with a whole line, or the whole factory, is not one trap's fault."""

    def __init__(self, layout: TrapLayout) -> None:
        self._lines = [np.flatnonzero(layout.line == line) for line in np.unique(layout.line)]

    def shift(self, moved: Floats, sound: Bools) -> Floats:
        """Return how far the others have moved, shape (traps,).

        The median of the other sound traps of the line; of the factory where the line has fewer than three;
        0 where that has fewer, too.

        Args:
            moved: each trap's distance from what is usual for it, NaN where not known.
            sound: traps without a fault.
        """
        usable = np.where(sound, moved, np.nan)
        out = _others(usable)
        for members in self._lines:
            line = _others(usable[members])
            out[members] = np.where(np.isnan(line), out[members], line)
        return np.nan_to_num(out)


def _others(values: Floats) -> Floats:
    """Return for each value the median of the others, NaN where there are fewer than three."""
    known = np.flatnonzero(~np.isnan(values))
    ordered = np.sort(values[known])
    count = len(ordered)
    out = np.full(len(values), np.nan)
    if count >= _FEWEST_OTHERS:
        out[:] = np.median(ordered)
    if count - 1 < _FEWEST_OTHERS:
        out[known] = np.nan
        return out
    # Without the value itself the middle moves up by one rank at most: no sort a trap.
    rank = np.searchsorted(ordered, values[known])
    half = (count - 1) // 2
    upper = ordered[half + (rank <= half)]
    if count % 2 == 0:
        out[known] = upper
    else:
        lower = ordered[half - 1 + (rank <= half - 1)]
        out[known] = (lower + upper) / 2.0
    return out


def agreed(alone: Floats, shift: Floats) -> Floats:
    """Return the part of a move that both the trap's own past and its neighbours bear out, shape (traps,)."""
    left = alone - shift
    smaller = np.where(np.abs(alone) < np.abs(left), alone, left)
    return np.where(np.sign(alone) == np.sign(left), smaller, 0.0)
