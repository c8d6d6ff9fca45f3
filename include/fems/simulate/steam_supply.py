"""The steam that a factory's traps get: the header's pressure, its steps, stops, outages, and each line's valve."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fems.registry.factory import Factory
from fems.simulate.calendar import Grid, activity, outdoor_c
from fems.simulate.renewals import Spells, spells
from fems.simulate.streams import EPOCH, Floats, ar1, daily_draws, month_name, stream

Drawn = TypeVar("Drawn", float, Floats)

_STEP_GAP, _STEP_LENGTH = (25.0, 120.0), (10.0, 60.0)
"""Days between changes of the header's set pressure, and how long it stays away from the usual one."""
_STEP_LOW, _STEP_HIGH = 0.80, 1.12
_TRIP_GAP, _TRIP_LENGTH = (40.0, 140.0), (0.05, 0.4)
_STOP_GAP, _STOP_LENGTH = (110.0, 240.0), (1.0, 4.0)
_ISOLATED_GAP, _ISOLATED_LENGTH = (150.0, 420.0), (0.4, 3.0)
_DROOP = 0.06
"""Share of the header's pressure that is lost at full load."""
_LEAD_HOURS = 1.1


@dataclass(frozen=True)
class Supply:
    """A factory's steam at each step.

    Attributes:
        days: instant of each step, days since the epoch, local clock, shape (steps,).
        work: how busy the factory is, 0..1, shape (steps,).
        header: pressure of the header as a share of the usual one, shape (steps,).
        lit: whether the boiler gives steam, shape (steps,).
        open: line -> whether its valve is open, shape (steps,).
        outdoor: degrees Celsius, shape (steps,).
        indoor: degrees Celsius, shape (steps,).
    """

    days: Floats
    work: Floats
    header: Floats
    lit: NDArray[np.bool_]
    open: dict[str, NDArray[np.bool_]]
    outdoor: Floats
    indoor: Floats


def pressure_steps(seed: int, factory_id: str) -> Spells:
    """Return when the header runs at another pressure than usual; the first draw says at which."""
    return spells(seed, factory_id, "pressure", gap=_STEP_GAP, length=_STEP_LENGTH)


def step_level(draw: Drawn) -> Drawn:
    """Return the pressure of such a step as a share of the usual one, from its first draw."""
    return _STEP_LOW + (_STEP_HIGH - _STEP_LOW) * draw


def trips(seed: int, factory_id: str) -> Spells:
    """Return when the boiler is out, unplanned, for an hour to ten."""
    return spells(seed, factory_id, "trip", gap=_TRIP_GAP, length=_TRIP_LENGTH)


def planned_stops(seed: int, factory_id: str) -> Spells:
    """Return when the whole plant has no steam by plan: whole days."""
    drawn = spells(seed, factory_id, "stop", gap=_STOP_GAP, length=_STOP_LENGTH)
    return Spells(np.floor(drawn.start), np.ceil(drawn.end), drawn.draws)


def isolations(seed: int, factory_id: str, line: str) -> Spells:
    """Return when one line is shut for work on it."""
    return spells(seed, factory_id, "line", line, gap=_ISOLATED_GAP, length=_ISOLATED_LENGTH)


def supply(factory_id: str, factory: Factory, grid: Grid, *, grain: int, seed: int) -> Supply:
    """Return the steam of some days.

    Args:
        factory_id: names the random streams.
        factory: whose shifts decide when the boiler is lit.
        grid: the days.
        grain: interval in minutes.
        seed: of the whole simulation.
    """
    names = (factory_id, "boiler")
    work = activity(factory, grid, seed=seed, names=names, lead_hours=_LEAD_HOURS)[::grain]
    days = (grid.first - EPOCH).days + (grid.day + grid.hour / 24.0)[::grain]
    steps = pressure_steps(seed, factory_id)
    index = (np.searchsorted(steps.start, days, side="right") - 1).clip(0)
    level = np.where(steps.at(days), step_level(steps.draws[index, 0]), 1.0)
    ripple = by_month(
        lambda rng, n: 0.012 * ar1(rng, n, 120.0 / grain + 1.0), grid, grain, seed, *names, "ripple"
    )
    outdoor = outdoor_c(seed, grid)[::grain]
    room = daily_draws(seed, factory_id, "room", first=grid.first, count=grid.count)[grid.day[::grain]]
    off = trips(seed, factory_id).at(days) | planned_stops(seed, factory_id).at(days)
    lines = sorted({trap.line or "" for trap in factory.steam_traps.values()})
    return Supply(
        days=days,
        work=work,
        header=level * (1.0 - _DROOP * work) * (1.0 + ripple),
        lit=(work > 0.02) & ~off,
        open={line: ~isolations(seed, factory_id, line).at(days) for line in lines},
        outdoor=outdoor,
        indoor=21.0 + 0.45 * (outdoor - 12.0) + 0.8 * room,
    )


def by_month(
    draw: Callable[[np.random.Generator, int], Floats], grid: Grid, grain: int, seed: int, *names: str
) -> Floats:
    """Draw every local month of the grid from a stream of its own, so that a warm-up sees what its month had.

    Args:
        draw: is given a stream and how many steps; returns them.
        grid: whole local days.
        grain: interval in minutes.
        seed: of the whole simulation.
        names: of the stream.
    """
    day, minute = grid.day[::grain], np.rint(grid.hour[::grain] * 60).astype(np.int64)
    dates = grid.dates
    month = np.array([month_name(one) for one in dates])[day]
    index = (np.array([one.day - 1 for one in dates])[day] * 1440 + minute) // grain
    out = np.empty(len(day))
    for name in dict.fromkeys(month.tolist()):
        rows = month == name
        out[rows] = draw(stream(seed, *names, name), 31 * 1440 // grain)[index[rows]]
    return out
