"""A month of a factory's clean readings: every machine and trap put together."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.registry.factory import Factory
from fems.registry.sensors import Feed
from fems.simulate import electrics, load, plans
from fems.simulate.calendar import Grid, outdoor_c
from fems.simulate.solar import solar_kw
from fems.simulate.streams import Floats, month_name, stream
from fems.simulate.traps import TrapEvent, trap_month


@dataclass(frozen=True)
class MonthTruth:
    """The clean readings of one feed in one local month.

    Attributes:
        starts: start of each interval, tz-aware in the factory's zone, shape (steps,).
        day: index of each interval's local day within the month, shape (steps,).
        values: shape (steps, sensors, columns), not rounded; columns as in `collector.FEED_COLUMNS`.
        events: what happened to the steam and its traps in this month.
    """

    starts: pd.DatetimeIndex
    day: NDArray[np.int64]
    values: Floats
    events: tuple[TrapEvent, ...] = ()


def month_truth(
    factory_id: str, factory: Factory, feed: Feed, grid: Grid, *, grain: int, seed: int
) -> MonthTruth:
    """Return the truth of one feed of one factory.

    Machines are simulated minute by minute whatever the grain, so that a coarser grain shows the same month.

    Args:
        factory_id: names the random streams.
        factory: shifts, machines, traps.
        feed: meter or steam_trap.
        grid: one whole local month.
        grain: native interval in minutes.
        seed: of the whole simulation.
    """
    starts, day = grid.starts[::grain], grid.day[::grain]
    if feed == "meter":
        return MonthTruth(starts, day, _meters(factory_id, factory, grid, grain, seed))
    month = trap_month(factory_id, factory, grid, grain=grain, seed=seed)
    return MonthTruth(starts, day, month.values[:, :, None], month.events)


def _meters(factory_id: str, factory: Factory, grid: Grid, grain: int, seed: int) -> Floats:
    outdoor = outdoor_c(seed, grid)
    levels = load.day_levels(seed, factory_id, grid)
    hours = grain / 60.0
    out = np.empty((len(grid.hour) // grain, len(factory.equipment), 5))
    for i, (equipment_id, equipment) in enumerate(factory.equipment.items()):
        names = (factory_id, equipment_id)
        kw, share = load.true_kw(
            factory,
            equipment,
            grid,
            seed=seed,
            names=names,
            outdoor=outdoor,
            levels=levels,
            planned=plans.work(factory, seed, names, grid),
        )
        month = month_name(grid.first)
        rng = stream(seed, *names, "reactive", month)
        kvar = electrics.reactive_kvar(equipment.kind, kw, share, load.rated_kw(equipment), rng)
        used, reactive = (x.reshape(-1, grain).mean(axis=1) * hours for x in (kw, kvar))
        if equipment.solar_kw is not None:
            used = used - solar_kw(seed, grid, equipment.solar_kw).reshape(-1, grain).mean(axis=1) * hours
        own = stream(seed, *names, "meter")
        out[:, i, :] = electrics.meter_columns(
            used, reactive, hours, own, stream(seed, *names, "meter", month)
        )
    return out


def months_of(start: date, months: int) -> tuple[date, list[date]]:
    """Return the day after the last simulated one, and the first day of every calendar month touched."""
    count = start.year * 12 + start.month - 1 + months
    firsts = [date(m // 12, m % 12 + 1, 1) for m in range(start.year * 12 + start.month - 1, count + 1)]
    last = firsts[-1]
    end = last.replace(day=min(start.day, monthrange(last.year, last.month)[1]))
    return end, [first for first in firsts if first < end]
