"""A simulated year of a factory full of steam traps, and what a plant's collectors hand over of it."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pandas as pd

from fems.registry.factory import Factory
from fems.simulate import load
from fems.simulate.calendar import Grid, outdoor_c
from fems.simulate.streams import EPOCH, Floats, stream
from fems.simulate.trap_causes import TrapRates
from fems.simulate.traps import TrapEvent, events, trap_month

GRAIN = 15
RATES = TrapRates()
FIRST = date(2024, 12, 1)
MONTHS = 13
"""A month to learn in, and a year."""
SCORED_FROM = datetime(2025, 1, 5)  # noqa: DTZ001 - local, as the truth is
TRAPS = 50
_KINDS = ("press", "furnace", "mixer", "line", "pump")
_TYPES = ("float", "inverted_bucket", "thermodynamic", "thermostatic")


@dataclass(frozen=True)
class TrapYear:
    """A factory, what its sensors read, and what happened.

    Attributes:
        factory: its traps.
        starts: of each interval, tz-aware, shape (steps,).
        values: degrees Celsius, NaN where nothing arrived, shape (steps, sensors).
        used_kwh: of each machine, NaN where nothing arrived, shape (steps, machines).
        lost_kg_h: truth, shape (steps, traps).
        supplied: truth, whether steam reaches each trap, shape (steps, traps).
        events: truth.
    """

    factory: Factory
    starts: pd.DatetimeIndex
    values: Floats
    used_kwh: Floats
    lost_kg_h: Floats
    supplied: Floats
    events: tuple[TrapEvent, ...]


def bench_factory(seed: int, traps: int = TRAPS) -> Factory:
    """Return a factory of some traps of all kinds, on lines of one to twelve."""
    rng = stream(seed, "bench", "factory")
    made, line, room = {}, 0, 0
    bar = back = 0.0
    for number in range(traps):
        if room == 0:
            line, room = line + 1, int(rng.choice([1, 3, 6, 9, 12], p=[0.04, 0.16, 0.3, 0.3, 0.2]))
            bar, back = float(rng.uniform(2.5, 10.0)), float(rng.choice([0.0, 0.3, 0.8]))
        room -= 1
        service = str(rng.choice(["continuous", "batch", "seasonal"], p=[0.68, 0.22, 0.10]))
        trap_id = f"T{number:03d}"
        position = str(rng.choice(["inlet", "pair", "outlet", "body"], p=[0.35, 0.5, 0.08, 0.07]))
        made[trap_id] = {
            "name": trap_id,
            "set_point_c": 150.0,
            "type": str(rng.choice(_TYPES)),
            "position": position,
            "outlet_sensor": f"{trap_id}-OUT" if position == "pair" else None,
            "line": f"L{line}",
            "pressure_bar_g": round(bar, 1),
            "back_pressure_bar_g": back,
            "application": str(rng.choice(["process", "drip", "tracer"], p=[0.5, 0.38, 0.12])),
            "service": service,
            "equipment": f"E{int(rng.integers(0, len(_KINDS)))}" if service == "batch" else None,
        }
    return Factory.model_validate(
        {
            "name": "bench",
            "name_ko": "시험",
            "grain": {"meter": "15min", "steam_trap": "15min"},
            "mapping": {"meter": "m", "steam_trap": "m"},
            "shifts": str(rng.choice(["continuous", "two_shift", "day_shift"], p=[0.4, 0.4, 0.2])),
            "equipment": {
                f"E{i}": {"name": f"E{i}", "kind": kind, "sensor": f"M{i}", "rated_kw": 200.0}
                for i, kind in enumerate(_KINDS)
            },
            "steam_traps": made,
        }
    )


def trap_year(seed: int, *, traps: int = TRAPS, months: int = MONTHS, rates: TrapRates = RATES) -> TrapYear:
    """Simulate a factory for the months from `FIRST` on."""
    factory = bench_factory(seed, traps)
    name = f"bench{seed}"
    firsts = [date(y, m, 1) for y, m in _months(months + 1)]
    grids = [Grid(factory.timezone, first, (after - first).days) for first, after in pairwise(firsts)]
    parts = [trap_month(name, factory, grid, grain=GRAIN, seed=seed, rates=rates) for grid in grids]
    starts = pd.DatetimeIndex(np.concatenate([grid.starts[::GRAIN] for grid in grids]), tz="UTC").tz_convert(
        factory.timezone
    )
    span = (float((firsts[0] - EPOCH).days), float((firsts[-1] - EPOCH).days))
    used = np.concatenate([_used(name, factory, grid, seed) for grid in grids])
    values = np.concatenate([part.values for part in parts])
    lost, used = _losses(seed, values, used)
    return TrapYear(
        factory,
        starts,
        np.round(lost, 1),
        used,
        np.concatenate([part.lost_kg_h for part in parts]),
        np.concatenate([part.supplied for part in parts]),
        tuple(events(name, factory, span, seed=seed, rates=rates)),
    )


def _months(count: int) -> list[tuple[int, int]]:
    first = FIRST.year * 12 + FIRST.month - 1
    return [(month // 12, month % 12 + 1) for month in range(first, first + count)]


def _used(name: str, factory: Factory, grid: Grid, seed: int) -> Floats:
    outdoor, levels = outdoor_c(seed, grid), load.day_levels(seed, name, grid)
    columns = []
    for key, machine in factory.equipment.items():
        kw, _ = load.true_kw(
            factory, machine, grid, seed=seed, names=(name, key), outdoor=outdoor, levels=levels
        )
        columns.append(kw.reshape(-1, GRAIN).mean(axis=1) * GRAIN / 60.0)
    return np.stack(columns, axis=1)


def _losses(seed: int, values: Floats, used: Floats) -> tuple[Floats, Floats]:
    """Take away what a gateway or a sensor did not send: hours of all, hours of one, single values."""
    rng = stream(seed, "bench", "missing")
    values, used = values.copy(), used.copy()
    steps, sensors = values.shape
    hour = 60 // GRAIN
    for at in np.cumsum(rng.uniform(20, 60, size=steps // (20 * 24 * hour)) * 24 * hour).astype(int):
        end = at + int(rng.uniform(1, 30) * hour)
        values[at:end] = used[at:end] = np.nan
    for sensor in range(sensors):
        for at in rng.integers(0, steps, size=6 * steps // (365 * 24 * hour) + 1):
            values[at : at + int(rng.uniform(1, 20) * hour), sensor] = np.nan
    values[rng.random(values.shape) < 0.002] = np.nan
    return values, used
