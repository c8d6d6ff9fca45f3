"""The steam that a factory's traps get: the header's pressure, its steps, stops, outages, and each line's valve."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from fems.registry.plant import Factory
from fems.simulate.calendar import Grid, activity, outdoor_c
from fems.simulate.renewals import Spells, spells
from fems.simulate.streams import EPOCH, Floats, ar1, daily_draws, month_name, stream

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


def trips(seed: int, factory_id: str) -> Spells:
    """Return when the boiler is out, unplanned, for an hour to ten."""
    return spells(seed, factory_id, "trip", gap=_TRIP_GAP, length=_TRIP_LENGTH)


def planned_stops(seed: int, factory_id: str) -> Spells:
    """Return when the whole plant has no steam by plan: whole days."""
    drawn = spells(seed, factory_id, "stop", gap=_STOP_GAP, length=_STOP_LENGTH)
    return Spells(np.floor(drawn.start), np.ceil(drawn.end), drawn.number, drawn.draws)


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
    level = np.where(steps.at(days), _STEP_LOW + (_STEP_HIGH - _STEP_LOW) * steps.draws[index, 0], 1.0)
    ripple = _by_month(grid, grain, lambda rng, n: 0.012 * ar1(rng, n, 120.0 / grain + 1.0), seed, *names)
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


def _by_month(grid: Grid, grain: int, draw, seed: int, *names: str) -> Floats:  # type: ignore[no-untyped-def]
    """Draw each local month of the grid from its own stream, so that a month's draws stay what they are."""
    day = grid.day[::grain]
    out = np.empty(len(day))
    months = [month_name(grid.first + timedelta(days=n)) for n in range(grid.count)]
    for month in dict.fromkeys(months):
        mask = np.isin(day, [n for n, name in enumerate(months) if name == month])
        # A whole month is drawn, and its end kept: a warm-up of some days sees what the month itself had.
        drawn = draw(stream(seed, *names, "ripple", month), 31 * 1440 // grain + 8)
        out[mask] = drawn[: mask.sum()]
    return out
