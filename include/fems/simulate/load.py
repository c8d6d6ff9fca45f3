"""What a machine draws: the true electric power of every minute."""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from fems.registry.factory import Equipment, Factory
from fems.simulate.calendar import Grid, activity, campaign_levels, maintenance_days
from fems.simulate.streams import Floats, ar1, daily_noise, month_name, stream

_DEFAULT_RATED_KW = 150.0
_CEILING = 0.985
"""Highest load as a share of the nameplate: leaves room for the meter's error, so truth stays under it."""


@dataclass(frozen=True)
class Nature:
    """How a kind of machine behaves. Powers are shares of the nameplate.

    Attributes:
        run: mean load while the factory works at full activity.
        standby: what it draws when off (controls, heaters, leakage).
        keep: share of its work that goes on when the factory is off.
        lead_h: hours that it starts before the shift.
        cool: rise of the load in a hot summer; `heat` in a cold winter.
        period_min: length of a work cycle in minutes (0: none); `duty` is the share of it at high load.
        low: load in the rest of the cycle, relative to the high one.
        by_duty: the demand sets how long it is at high load (load/unload control), not how high.
        noise: relative deviation of its load, with a memory of `tau_min`.
    """

    run: float
    standby: float
    keep: float = 0.0
    lead_h: float = 0.0
    cool: float = 0.0
    heat: float = 0.0
    period_min: float = 0.0
    duty: float = 1.0
    low: float = 1.0
    by_duty: bool = False
    noise: float = 0.03
    tau_min: float = 30.0


NATURES: dict[str, Nature] = {
    "compressor": Nature(0.58, 0.02, 0.04, 0.3, cool=0.08, period_min=9, low=0.28, by_duty=True),
    "furnace": Nature(0.56, 0.03, 0.12, 1.2, heat=0.10, period_min=45, duty=0.62, low=0.35, tau_min=40),
    "boiler": Nature(0.5, 0.02, 0.08, 1.0, heat=0.35, period_min=24, duty=0.6, low=0.5),
    "press": Nature(0.6, 0.025, 0.0, 0.1, period_min=70, duty=0.88, low=0.18, noise=0.05, tau_min=8),
    "pump": Nature(0.7, 0.012, 0.06, 0.25, cool=0.06, noise=0.018, tau_min=60),
    "chiller": Nature(0.46, 0.02, 0.3, 0.5, cool=0.6, period_min=18, duty=0.6, low=0.55),
    "conveyor": Nature(0.58, 0.02, 0.0, 0.0, period_min=60, duty=0.92, low=0.3, tau_min=15),
    "mixer": Nature(0.56, 0.02, 0.0, 0.05, period_min=50, duty=0.74, low=0.25),
    "line": Nature(0.6, 0.03, 0.02, 0.2, period_min=120, duty=0.93, low=0.45, tau_min=25),
}

OTHER_KIND = "line"
"""How a machine behaves whose kind is a plant's own word."""


def rated_kw(equipment: Equipment) -> float:
    """Return the nameplate power in kW; a machine without one gets a middling one."""
    return equipment.rated_kw or _DEFAULT_RATED_KW


def _season(nature: Nature, outdoor: Floats) -> Floats:
    """Rise of the load with the degrees over and under 14 C, each scaled to about 1 at Korea's extremes."""
    return (
        1.0
        + nature.cool * np.clip((outdoor - 14.0) / 16.0, 0, 1.2)
        + nature.heat * np.clip((14.0 - outdoor) / 20.0, 0, 1.2)
    )


def _drift(rng: np.random.Generator, days: Floats) -> Floats:
    """Wear and cleaning: slow waves of 90 to 400 days, some per cent in all."""
    periods = rng.uniform(90, 400, size=3)
    phases = rng.uniform(0, 2 * np.pi, size=3)
    waves: Floats = np.sin(2 * np.pi * days[:, None] / periods + phases).sum(axis=1)
    return 1.0 + 0.014 * waves


def _breakdowns(rng: np.random.Generator, n: int) -> Floats:
    """1 while the machine can run, 0 in a month's unplanned stops: about one, half an hour to some hours."""
    up = np.ones(n)
    for _ in range(rng.poisson(0.9)):
        begin = int(rng.integers(0, n))
        up[begin : begin + int(30 * math.exp(abs(rng.normal(0, 0.9))))] = 0.0
    return up


def _on_share(rng: np.random.Generator, n: int, period_min: float, duty: Floats | float) -> Floats:
    """Share of every minute that lies in the high part of the work cycle, cycles of uneven length."""
    step = (1.0 + 0.22 * ar1(rng, n, 45.0)).clip(0.3) / period_min
    phase = np.cumsum(step) + rng.random()
    part = phase - np.floor(phase)
    return np.asarray(((duty - part) * period_min + 0.5).clip(0.0, 1.0), dtype=np.float64)


def day_levels(seed: int, factory_id: str, grid: Grid) -> Floats:
    """Return the factory's production level of each day, about 0.7 to 1.1: campaign times daily noise."""
    level = campaign_levels(seed, factory_id, grid=grid, low=0.74, high=1.04)
    return level * (
        1.0 + 0.03 * daily_noise(seed, factory_id, "level", first=grid.first, count=grid.count, memory=0.6)
    )


def true_kw(
    factory: Factory,
    equipment: Equipment,
    grid: Grid,
    *,
    seed: int,
    names: tuple[str, str],
    outdoor: Floats,
    levels: Floats,
    planned: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return a machine's true mean power of every minute in kW, and its load as a share of the nameplate.

    The load is the share without the standby, 0 when the machine is off; the power factor follows it.

    Args:
        factory: whose shifts and holidays count.
        equipment: the machine; its kind decides its nature.
        grid: one local month, minutes.
        seed: of the whole simulation.
        names: factory and equipment IDs, naming the machine's random streams.
        outdoor: degrees Celsius, a value a minute.
        levels: the factory's production level, a value a day.
        planned: what the plans of the machine make of its work, a factor a minute; see `plans.work`.
    """
    nature = NATURES.get(equipment.kind, NATURES[OTHER_KIND])
    own = stream(seed, *names, "nature")
    run, keep, period, lead = own.uniform((0.92, 0.75, 0.8, 0.7), (1.08, 1.25, 1.25, 1.3))
    rng = stream(seed, *names, "load", month_name(grid.first))
    n = len(grid.hour)

    asked = activity(factory, grid, seed=seed, names=names, lead_hours=nature.lead_h * lead)
    keep *= nature.keep
    asked = keep + (1.0 - keep) * asked
    weekday = None if factory.shifts == "continuous" else 5
    down = maintenance_days(seed, *names, grid=grid, weekday=weekday)
    mix = campaign_levels(seed, *names, grid=grid, low=0.9, high=1.08)
    noise = daily_noise(seed, *names, "day", first=grid.first, count=grid.count, memory=0.4)
    numbers = np.array([(day - date(1970, 1, 1)).days for day in grid.dates], dtype=np.float64)
    by_day = levels * mix * (1.0 + 0.025 * noise) * _drift(own, numbers)
    asked = asked * by_day[grid.day] * _breakdowns(rng, n)
    if planned is not None:
        asked = asked * planned
    asked[down[grid.day] & (grid.hour >= 4.0) & (grid.hour < 20.0)] = 0.0

    mean = nature.run * run * asked * _season(nature, outdoor)
    mean *= 1.0 + nature.noise * ar1(rng, n, nature.tau_min)
    load = _cycled(nature, rng, mean, nature.period_min * period)
    load *= 1.0 + 0.35 * nature.noise * rng.standard_normal(n)
    load = load.clip(0.0, _CEILING - nature.standby)
    standby = nature.standby * (1.0 + 0.04 * ar1(rng, n, 120.0)).clip(0.5, 1.0)
    return rated_kw(equipment) * (standby + load), load


def _cycled(nature: Nature, rng: np.random.Generator, mean: Floats, period_min: float) -> Floats:
    """Give a smooth demand the shape of the machine's work cycle, its mean kept."""
    if nature.period_min == 0:
        return mean
    if not nature.by_duty:
        high = _on_share(rng, len(mean), period_min, nature.duty)
        return (
            mean * (nature.low + (1.0 - nature.low) * high) / (nature.low + (1.0 - nature.low) * nature.duty)
        )
    full = 0.9
    duty = ((mean / full - nature.low) / (1.0 - nature.low)).clip(0.05, 1.0)
    loaded = full * (nature.low + (1.0 - nature.low) * _on_share(rng, len(mean), period_min, duty))
    floor = full * (nature.low + (1.0 - nature.low) * 0.05)
    share: Floats = (mean / floor).clip(0.0, 1.0)
    return loaded * share
