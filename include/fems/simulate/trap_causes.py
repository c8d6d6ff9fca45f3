"""Why a simulated trap's sensors read what they read: faults, shut valves, clamps, sensors that fail."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fems.registry.steam_traps import Service, SteamTrap, TrapType
from fems.simulate.calendar import Grid
from fems.simulate.renewals import Spells, spells
from fems.simulate.steam_supply import Supply
from fems.simulate.streams import EPOCH, Floats, stream

FaultKind = Literal["leak", "blow_through", "flooded", "blocked"]
_SUBCOOLED_C: dict[TrapType, tuple[float, float]] = {
    "float": (0.0, 1.5),
    "inverted_bucket": (0.5, 2.5),
    "thermodynamic": (1.0, 5.0),
    "thermostatic": (7.0, 18.0),
    "orifice": (0.0, 1.0),
}
"""How far under saturation each type lets go of condensate."""
_LOAD_KG_H = {"process": (25.0, 140.0), "drip": (2.5, 9.0), "tracer": (1.5, 5.0)}
_ORIFICE_MM = {"process": (5.0, 11.0), "drip": (3.0, 6.5), "tracer": (2.5, 5.0)}
_FAULT_SHARE: tuple[tuple[FaultKind, float], ...] = (
    ("leak", 0.34),
    ("blow_through", 0.26),
    ("flooded", 0.20),
    ("blocked", 0.20),
)


@dataclass(frozen=True)
class TrapRates:
    """How often things happen to a trap, in days between them: uniform from low to high.

    Attributes:
        fault: from a repair to the next fault; the long tail that real traps have is cut, to see some in a year.
        mended: how long a fault lasts.
        shut: between times when somebody shuts the trap's own valve.
        reclamp: between times when its sensor is taken off and clamped on again.
        sensor: between failures of its sensor.
    """

    fault: tuple[float, float] = (120.0, 520.0)
    mended: tuple[float, float] = (9.0, 45.0)
    shut: tuple[float, float] = (600.0, 3000.0)
    reclamp: tuple[float, float] = (300.0, 1800.0)
    sensor: tuple[float, float] = (400.0, 2000.0)


@dataclass(frozen=True)
class Fault:
    """A trap that fails and is mended.

    Attributes:
        kind: what happened.
        start: days since the epoch.
        end: when it is mended.
        severity: in the end; of a leak the share of a blow-through, of a flooded or blocked trap the share of its
            usual load that it can't let through.
        ramp: days until it is as severe as that.
    """

    kind: FaultKind
    start: float
    end: float
    severity: float
    ramp: float

    def grown(self, days: Floats) -> Floats:
        """Return how far it has come at each instant, 0 (not there) to 1."""
        age = days - self.start
        return np.where(
            (age >= 0) & (days < self.end), np.minimum(1.0, (age + 1e-9) / (self.ramp + 1e-9)), 0.0
        )


@dataclass(frozen=True)
class Nature:
    """What a trap and its pipes are, for good.

    Attributes:
        bar: usual pressure of its line, absolute.
        back_bar: pressure behind it, absolute.
        orifice_mm: diameter.
        blow_share: of the open orifice's flow that passes when it does not close at all.
        load_kg_h: condensate at full load.
        margin: its capacity as a multiple of that.
        subcooled_c: how far under saturation it lets go.
        leg_w_k: heat that the pipe before it loses when full of condensate.
        outlet_w_k: heat that the pipe behind it loses up to the sensor.
        return_bar2: squared pressure that steam builds up in the return pipe, per (kg/h)2.
        inlet_film: inner over outer heat transfer at the inlet's sensor, `outlet_film` at the outlet's at full load.
        steam_film: how much better steam heats the pipe than condensate, per kg.
        conduction: share of the heat that comes along the pipe from the line when nothing flows.
        warm_min, cool_min: time constants of the pipe.
        body: weight of the inlet in what a sensor on the body reads.
        outside: whether it is outdoors.
    """

    bar: float
    back_bar: float
    orifice_mm: float
    blow_share: float
    load_kg_h: float
    margin: float
    subcooled_c: float
    leg_w_k: float
    outlet_w_k: float
    return_bar2: float
    inlet_film: float
    outlet_film: float
    steam_film: float
    conduction: float
    warm_min: float
    cool_min: float
    body: float
    outside: bool


def nature(trap: SteamTrap, bar: float, *, seed: int, names: tuple[str, str]) -> Nature:
    """Draw what a trap is where the registry does not say.

    Args:
        trap: as registered.
        bar: pressure of its line, absolute.
        seed: of the whole simulation.
        names: factory and trap ID.
    """
    rng = stream(seed, *names, "nature")
    use = trap.application or "drip"
    low, high = _SUBCOOLED_C[trap.type or "float"]
    load = float(np.exp(rng.uniform(*np.log(_LOAD_KG_H[use]))))
    orifice = float(rng.uniform(*_ORIFICE_MM[use]))
    behind = 1.01325 + (trap.back_pressure_bar_g or 0.0) + rng.uniform(0.0, 0.12)
    # Isothermal flow of steam through a pipe: p1^2 - p2^2 = f L/D G^2 R T, its bends and the water in it included.
    bore_m = rng.choice([0.0158, 0.0209]) if use != "process" else rng.choice([0.0209, 0.0266])
    area = np.pi / 4 * bore_m**2
    resistance = 0.03 * rng.uniform(6.0, 30.0) / bore_m * rng.uniform(1.5, 3.5)
    return_bar2 = resistance * 461.5 * 385.0 / (3600.0 * area) ** 2 / 1e10
    return Nature(
        bar=bar,
        back_bar=float(min(behind, 0.8 * bar)),
        orifice_mm=trap.orifice_mm or orifice,
        blow_share=float(rng.uniform(0.35, 0.95)),
        load_kg_h=load,
        margin=float(rng.uniform(2.0, 5.0)),
        subcooled_c=float(rng.uniform(low, high)),
        leg_w_k=float(np.exp(rng.uniform(np.log(0.5), np.log(1.2))) * np.sqrt(load)),
        outlet_w_k=float(rng.uniform(0.3, 1.2)),
        return_bar2=float(return_bar2),
        inlet_film=float(rng.uniform(30.0, 80.0)),
        outlet_film=float(np.exp(rng.uniform(np.log(4.0), np.log(14.0)))),
        steam_film=float(rng.uniform(3.0, 8.0)),
        conduction=float(rng.uniform(0.05, 0.18)),
        warm_min=float(rng.uniform(8.0, 20.0)),
        cool_min=float(rng.uniform(70.0, 170.0)),
        body=float(rng.uniform(0.35, 0.65)),
        outside=bool(rng.random() < 0.25),
    )


def faults(seed: int, *names: str, rates: TrapRates) -> list[Fault]:
    """Return all faults of a trap, whenever they are."""
    drawn = spells(seed, *names, "fault", gap=rates.fault, length=rates.mended)
    edges = np.cumsum([share for _, share in _FAULT_SHARE])
    kinds = np.searchsorted(edges, drawn.draws[:, 0], side="right").clip(max=len(edges) - 1)
    found = []
    for start, end, kind, draws in zip(drawn.start, drawn.end, kinds, drawn.draws, strict=True):
        name = _FAULT_SHARE[int(kind)][0]
        size = float(draws[1])
        severity = {
            "leak": 0.1 + 0.75 * size,
            "blow_through": 1.0,
            "flooded": 0.25 + 0.5 * size,
            "blocked": 0.97 + 0.03 * size,
        }[name]
        slow = {"leak": 15.0, "blow_through": 1.0, "flooded": 4.0, "blocked": 1.0}[name]
        found.append(Fault(name, float(start), float(end), severity, slow * float(draws[2])))
    return found


def shut(seed: int, *names: str, rates: TrapRates) -> Spells:
    """Return when somebody has shut the trap's own valve: it looks like a blocked one."""
    return spells(seed, *names, "shut", gap=rates.shut, length=(2.0, 14.0))


def supply_open(
    service: Service | None, steam: Supply, grid: Grid, grain: int, *, seed: int, names: tuple[str, str]
) -> NDArray[np.bool_]:
    """Return whether the trap's own supply is open by its service, shape (steps,).

    A batch trap sees steam some hours at a time, and not on every day; a seasonal one from autumn to spring.
    """
    if service == "seasonal":
        return _seasonal(steam.days, seed, *names)
    if service != "batch":
        return np.ones(len(steam.days), dtype=bool)
    out = np.zeros(len(steam.days), dtype=bool)
    day = grid.day[::grain]
    hour = grid.hour[::grain]
    for number, date in enumerate(grid.dates):
        rng = stream(seed, *names, "batch", date.isoformat())
        if rng.random() < 0.08:
            continue
        lengths = rng.uniform((1.5, 0.3), (5.0, 1.8), size=(16, 2)).reshape(-1)
        edges = np.cumsum(lengths)
        rows = day == number
        out[rows] = np.searchsorted(edges, hour[rows], side="right") % 2 == 0
    return out


def _seasonal(days: Floats, seed: int, *names: str) -> NDArray[np.bool_]:
    year_day = (days - (np.datetime64("2001-01-01") - np.datetime64(EPOCH)).astype(int)) % 365.25
    rng = stream(seed, *names, "season")
    begins, ends = rng.normal(305.0, 8.0), rng.normal(100.0, 8.0)
    return np.asarray((year_day >= begins) | (year_day < ends))


def clamped(seed: int, *names: str, rates: TrapRates) -> Spells:
    """Return when a sensor was taken off and clamped on again."""
    return spells(seed, *names, "clamp", gap=rates.reclamp, length=(0.01, 0.02))


def contact(seed: int, *names: str, days: Floats, rates: TrapRates) -> Floats:
    """Return how well a clamped sensor follows its pipe, 0..1, same shape as `days`.

    It wears off by a per cent or two a year, and is another after each clamping.
    """
    times = clamped(seed, *names, rates=rates)
    index = (np.searchsorted(times.start, days, side="right") - 1).clip(0)
    age, draws = days - times.start[index], times.draws[index]
    return np.asarray(0.945 + 0.045 * draws[:, 0] - 0.015 * draws[:, 1] * age.clip(0) / 365.0)


def sensor_failures(seed: int, *names: str, rates: TrapRates) -> Spells:
    """Return when a sensor is broken: by its first draw stuck, off the pipe, or reading far too high."""
    return spells(seed, *names, "sensor", gap=rates.sensor, length=(2.0, 20.0))


SENSOR_FAILURES = ("stuck", "off_the_pipe", "too_high")
