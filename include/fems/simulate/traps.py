"""Steam traps: the temperature at the trap, and the traps that fail."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from fems.registry.plant import Factory, SteamTrap
from fems.simulate.calendar import Grid, activity
from fems.simulate.streams import EPOCH, Floats, ar1, month_name, stream

_WARM_UP_DAYS = 4
"""A cooling trap has forgotten its past after that long, so a month needs no more history."""
_HEAT_UP_MIN = 22.0
_COOL_DOWN_MIN = 210.0
_ROOM_C = 24.0


@dataclass(frozen=True)
class TrapFailure:
    """A trap that fails and is mended: a leak passes live steam and runs hot, a blocked one fills with water.

    Attributes:
        kind: trap_leak or trap_blocked.
        first: the day it begins, `last` the day before it is mended.
        size_c: degrees that the temperature has moved by in the end.
    """

    kind: str
    first: date
    last: date
    size_c: float


def failures(seed: int, *names: str, grid: Grid) -> list[TrapFailure]:
    """Return a trap's failures that touch the grid: about one in seven months, mended after 4 to 16 days."""
    rng = stream(seed, *names, "failures")
    gaps = rng.integers(70, 350, size=500)
    lengths = rng.integers(4, 17, size=500)
    leaks = rng.random(500) < 0.6
    sizes = rng.random(500)
    begins = np.cumsum(gaps + lengths) - lengths
    low = (grid.first - EPOCH).days
    found = np.flatnonzero((begins < low + grid.count) & (begins + lengths > low))
    return [
        TrapFailure(
            kind="trap_leak" if leaks[i] else "trap_blocked",
            first=EPOCH + timedelta(days=int(begins[i])),
            last=EPOCH + timedelta(days=int(begins[i] + lengths[i]) - 1),
            size_c=round(float(9 + 12 * sizes[i] if leaks[i] else -(30 + 35 * sizes[i])), 1),
        )
        for i in found
    ]


def _first_order(target: Floats, heating: NDArray[np.bool_], grain: int) -> Floats:
    """Follow a piecewise constant target with one time constant upwards and another downwards.

    The exact answer of the first-order lag T' = (target - T) / tau, a stretch of equal target at a time.
    """
    edges = np.flatnonzero(np.diff(target, prepend=np.nan) != 0)
    out = np.empty(len(target))
    value = target[0]
    for begin, end in zip(edges, [*edges[1:], len(target)], strict=True):
        tau = _HEAT_UP_MIN if heating[begin] else _COOL_DOWN_MIN
        fade = np.exp(-grain * np.arange(1, end - begin + 1) / tau)
        out[begin:end] = target[begin] + (value - target[begin]) * fade
        value = out[end - 1]
    return out


def true_temperature(
    factory: Factory, trap: SteamTrap, grid: Grid, *, grain: int, seed: int, names: tuple[str, str]
) -> tuple[Floats, list[TrapFailure]]:
    """Return a trap's mean temperature of each interval in degrees Celsius, and the failures behind it.

    Args:
        factory: whose shifts decide when there is steam.
        trap: its set point.
        grid: one local month.
        grain: length of an interval in minutes.
        seed: of the whole simulation.
        names: factory and sensor IDs, naming the trap's random streams.
    """
    long = Grid(grid.zone, grid.first - timedelta(days=_WARM_UP_DAYS), grid.count + _WARM_UP_DAYS)
    asked = activity(factory, long, seed=seed, names=names, lead_hours=0.8)[::grain]
    steam = asked > 0.08
    smooth = _first_order(np.where(steam, trap.set_point_c, _ROOM_C), steam, grain)[
        -(len(grid.hour) // grain) :
    ]
    asked, steam = asked[-len(smooth) :], steam[-len(smooth) :]
    rng = stream(seed, *names, "temperature", month_name(grid.first))
    hot = ((smooth - _ROOM_C) / (trap.set_point_c - _ROOM_C)).clip(0.0, 1.0)
    own = stream(seed, *names, "nature").uniform(-1.5, 1.5)
    noise = 0.9 * ar1(rng, len(smooth), 90.0 / grain + 1.0) + 0.4 * rng.standard_normal(len(smooth))
    smooth = smooth + hot * (own - 2.5 * np.where(steam, 1.0 - asked, 0.0)) + noise * (0.25 + 0.75 * hot)
    events = failures(seed, *names, grid=grid)
    day = grid.day[::grain] + grid.hour[::grain] / 24.0
    for event in events:
        age = day - (event.first - grid.first).days
        there = (age >= 0) & (age < (event.last - event.first).days + 1)
        smooth += np.where(there, event.size_c * hot * (1.0 - np.exp(-age.clip(0) / 1.5)), 0.0)
    return smooth, events
