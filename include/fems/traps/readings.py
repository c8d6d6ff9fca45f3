"""What was measured at traps and machines, on one regular clock."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fems.calendar import Days

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Readings:
    """Measured values of N traps; what was filled or replaced is NaN, since it hides the evidence.

    Attributes:
        day: index of each interval's local day in `days`, ascending, shape (steps,).
        days: the local days, shape (D,).
        grain: interval in minutes.
        main: sensor at the inlet, or the only one, degrees Celsius, shape (steps, N).
        outlet: sensor at the outlet or on the body, NaN where there is none, shape (steps, N).
        machine: 1 where the machine that a trap serves runs, 0 where not, NaN where that is not known, (steps, N).
    """

    day: NDArray[np.int64]
    days: Days
    grain: int
    main: Floats
    outlet: Floats
    machine: Floats

    def steps_of(self, minutes: float) -> int:
        """Return how many intervals some minutes are, at least one."""
        return max(1, round(minutes / self.grain))


def trailing_all(flags: Bools, steps: int) -> Bools:
    """Return whether a flag was set at an instant and at the `steps - 1` before it, along axis 0."""
    count = np.cumsum(flags, axis=0, dtype=np.int32)
    before = np.zeros_like(count)
    before[steps:] = count[:-steps]
    out = count - before == steps
    out[: steps - 1] = False
    return np.asarray(out)


def earlier(values: Floats, steps: int) -> Floats:
    """Return the values of some steps before, NaN where there are none, along axis 0."""
    out = np.full_like(values, np.nan)
    out[steps:] = values[:-steps]
    return out


def nan_quantile(values: Floats, share: float) -> Floats:
    """Return a quantile along axis 0, NaN left out and NaN where nothing else is; the nearest rank below."""
    ordered = np.sort(values, axis=0)
    count = np.count_nonzero(~np.isnan(values), axis=0)
    rank = np.floor((count - 1).clip(0) * share).astype(np.int64)
    result: Floats = np.take_along_axis(ordered, rank[None], axis=0)[0]
    return result


def nan_median(values: Floats) -> Floats:
    """Return the median along axis 0, NaN left out and NaN where nothing else is."""
    ordered = np.sort(values, axis=0)
    count = np.count_nonzero(~np.isnan(values), axis=0)
    low, high = ((count - 1).clip(0) // 2)[None], (count // 2)[None]
    high = np.minimum(high, len(values) - 1)
    middle = np.take_along_axis(ordered, low, axis=0) + np.take_along_axis(ordered, high, axis=0)
    return np.where(count > 0, middle[0] / 2.0, np.nan)


def running(used_kwh: Floats, day: NDArray[np.int64]) -> Floats:
    """Return whether machines run: 1, 0, or NaN where that is not known, shape (steps, machines).

    A machine runs where it draws more than a quarter of what it drew in the busiest tenth of the three weeks
    before that day.

    Args:
        used_kwh: of each interval, NaN where not measured, shape (steps, machines).
        day: index of each interval's day, ascending, shape (steps,).
    """
    count = int(day[-1]) + 1
    edges = np.searchsorted(day, np.arange(count + 1))
    busy = np.stack(
        [
            nan_quantile(used_kwh[a:b], 0.9) if b > a else np.full(used_kwh.shape[1], np.nan)
            for a, b in itertools.pairwise(edges)
        ]
    )
    out = np.full(used_kwh.shape, np.nan)
    for number in range(count):
        usual = (
            nan_quantile(busy[max(0, number - 21) : number], 0.9)
            if number >= 5
            else np.full(busy.shape[1], np.nan)
        )
        part = slice(edges[number], edges[number + 1])
        known = ~np.isnan(used_kwh[part]) & ~np.isnan(usual)
        out[part] = np.where(known, used_kwh[part] > 0.25 * usual, np.nan)
    return out
