"""A month of a factory's steam traps: what their sensors read, and the truth behind it, which is kept aside."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np

from fems import steam as properties
from fems.registry.factory import Factory
from fems.registry.steam_traps import SteamTrap
from fems.simulate import steam_supply, trap_causes
from fems.simulate.calendar import Grid, activity, campaign_levels
from fems.simulate.steam_supply import Supply, by_month, supply
from fems.simulate.streams import EPOCH, Floats, ar1
from fems.simulate.trap_causes import Nature, TrapRates
from fems.simulate.trap_physics import Flows, follow, settle

_WARM_UP_DAYS = 4
"""A cooling trap has forgotten its past after that long, so a month needs no more history."""


@dataclass(frozen=True)
class TrapEvent:
    """Something that happened to a trap, a line or the whole supply.

    Attributes:
        kind: leak, blow_through, flooded, blocked; shut; sensor_stuck, sensor_off_the_pipe, sensor_too_high, clamped;
            and, of no trap, line_shut, planned_stop, boiler_trip, pressure_step.
        trap_id: whose; None of a line and of the supply.
        sensor_id: of a sensor's own matter.
        line: of a line's.
        start: local time.
        end: local time.
        severity: 0..1, of a fault; of a pressure step the pressure as a share of the usual one.
    """

    kind: str
    trap_id: str | None
    sensor_id: str | None
    line: str | None
    start: datetime
    end: datetime
    severity: float


@dataclass(frozen=True)
class TrapMonth:
    """What a factory's trap sensors read.

    Attributes:
        values: degrees Celsius, shape (steps, sensors), sensors in the order of the registry.
        lost_kg_h: live steam that passes each trap, shape (steps, traps).
        supplied: whether steam reaches each trap, shape (steps, traps).
        events: what happened, within the grid or touching it.
    """

    values: Floats
    lost_kg_h: Floats
    supplied: Floats
    events: tuple[TrapEvent, ...]


def trap_month(
    factory_id: str,
    factory: Factory,
    grid: Grid,
    *,
    grain: int,
    seed: int,
    rates: TrapRates = TrapRates(),  # noqa: B008 - frozen
) -> TrapMonth:
    """Return what a factory's trap sensors read in some days.

    Args:
        factory_id: names the random streams.
        factory: its traps and shifts.
        grid: whole local days.
        grain: interval in minutes.
        seed: of the whole simulation.
        rates: how often things happen.
    """
    long = Grid(grid.zone, grid.first - timedelta(days=_WARM_UP_DAYS), grid.count + _WARM_UP_DAYS)
    steam = supply(factory_id, factory, long, grain=grain, seed=seed)
    kept = len(grid.hour) // grain
    span = (float((grid.first - EPOCH).days), float((grid.first - EPOCH).days + grid.count))
    pipes, lost, supplied, rooms, natures = [], [], [], [], []
    for trap_id, trap in factory.steam_traps.items():
        names = (factory_id, trap_id)
        made = trap_causes.nature(trap, _usual_bar(trap), seed=seed, names=names)
        flows, room, on = _flows(factory, trap, made, steam, long, grain, seed, names, rates)
        natures.append(made)
        pipes.append((trap_id, trap, flows))
        rooms.append(room)
        lost.append(flows.lost_kg_h[-kept:])
        supplied.append(on[-kept:])
    values = _sensors(factory_id, pipes, natures, rooms, steam, long, grain, seed, rates)
    return TrapMonth(
        values[-kept:],
        np.stack(lost, axis=1),
        np.stack(supplied, axis=1),
        tuple(events(factory_id, factory, span, seed=seed, rates=rates)),
    )


def _usual_bar(trap: SteamTrap) -> float:
    """Return the line's absolute pressure: the registered one, or the one whose saturation is the set point."""
    if trap.pressure_bar_g is not None:
        return properties.absolute(trap.pressure_bar_g)
    return float(properties.saturation_bar(trap.set_point_c + 4.0))


def _flows(
    factory: Factory,
    trap: SteamTrap,
    made: Nature,
    steam: Supply,
    grid: Grid,
    grain: int,
    seed: int,
    names: tuple[str, str],
    rates: TrapRates,
) -> tuple[Flows, Floats, Floats]:
    """Return the flows of one trap, the temperature around it, and whether steam reaches it."""
    room = steam.outdoor if made.outside else steam.indoor
    own = trap_causes.supply_open(trap.service, steam, grid, grain, seed=seed, names=names)
    if trap.service == "batch" and trap.equipment is not None:
        own &= (
            activity(factory, grid, seed=seed, names=(names[0], trap.equipment), lead_hours=0.0)[::grain]
            > 0.1
        )
    closed = trap_causes.shut(seed, *names, rates=rates).at(steam.days)
    on = steam.lit & steam.open[trap.line or ""] & own & ~closed
    flutter = by_month(lambda rng, n: 0.10 * ar1(rng, n, 90.0 / grain), grid, grain, seed, *names, "load")
    level = campaign_levels(seed, *names, grid=grid, low=0.8, high=1.1)[grid.day[::grain]]
    if trap.application == "process":
        share = (0.3 + 0.6 * activity(factory, grid, seed=seed, names=names, lead_hours=0.3)[::grain]) * level
    else:
        share = 0.55 + 0.012 * (25.0 - room)
    load = made.load_kg_h * np.clip(share * (1.0 + flutter), 0.08, 1.3)
    every = trap_causes.faults(seed, *names, rates=rates)
    first, last = steam.days[0], steam.days[-1]
    flows = settle(
        made,
        [fault for fault in every if fault.start <= last and fault.end > first],
        days=steam.days,
        bar=made.bar * steam.header,
        on=on,
        load=load,
        room=room,
    )
    return flows, room, on.astype(np.float64)


def _sensors(
    factory_id: str,
    pipes: list[tuple[str, SteamTrap, Flows]],
    natures: list[Nature],
    rooms: list[Floats],
    steam: Supply,
    grid: Grid,
    grain: int,
    seed: int,
    rates: TrapRates,
) -> Floats:
    """Return what the sensors read, in the order of the registry, shape (steps, sensors)."""
    targets, flowing = [], []
    for _, _, flows in pipes:
        targets += [flows.inlet, flows.outlet]
        flowing += [flows.flowing] * 2
    warm = np.repeat([made.warm_min for made in natures], 2)
    cool = np.repeat([made.cool_min for made in natures], 2)
    pipe = follow(np.stack(targets, axis=1), np.stack(flowing, axis=1), warm, cool, grain)
    columns = []
    for number, (trap_id, trap, _) in enumerate(pipes):
        inlet, outlet = pipe[:, 2 * number], pipe[:, 2 * number + 1]
        weight = natures[number].body
        single = {"outlet": outlet, "body": weight * inlet + (1.0 - weight) * outlet}
        seen = [(trap_id, single.get(trap.position or "inlet", inlet))]
        if trap.outlet_sensor is not None:
            seen.append((trap.outlet_sensor, outlet))
        for sensor_id, skin in seen:
            columns.append(
                _reading((factory_id, sensor_id), skin, rooms[number], steam.days, grid, grain, seed, rates)
            )
    return np.stack(columns, axis=1)


def _reading(
    names: tuple[str, str],
    pipe: Floats,
    room: Floats,
    days: Floats,
    grid: Grid,
    grain: int,
    seed: int,
    rates: TrapRates,
) -> Floats:
    """Return what one clamped sensor reads of its pipe."""
    touch = trap_causes.contact(seed, *names, days=days, rates=rates)
    noise = by_month(
        lambda rng, n: 0.35 * ar1(rng, n, 60.0 / grain + 1.0) + 0.2 * rng.standard_normal(n),
        grid,
        grain,
        seed,
        *names,
        "noise",
    )
    read = room + touch * (pipe - room) + noise
    failed = trap_causes.sensor_failures(seed, *names, rates=rates)
    for start, end, draws in failed.touching(days[0], days[-1] + 1.0):
        inside = (days >= start) & (days < end)
        kind = _failure(draws)
        if kind == "stuck":
            read = np.where(inside, 40.0 + 100.0 * draws[1], read)
        elif kind == "off_the_pipe":
            read = np.where(inside, room + 0.03 * (pipe - room) + noise, read)
        else:
            read = np.where(inside, read + 25.0 + 60.0 * draws[1], read)
    return read


def _failure(draws: Floats) -> str:
    kinds = trap_causes.SENSOR_FAILURES
    return kinds[min(int(draws[0] * len(kinds)), len(kinds) - 1)]


def events(
    factory_id: str, factory: Factory, span: tuple[float, float], *, seed: int, rates: TrapRates
) -> list[TrapEvent]:
    """Return what happened in some days, in the order of its start.

    Args:
        factory_id: names the random streams.
        factory: its traps.
        span: first and last instant, days since the epoch, local clock.
        seed: of the whole simulation.
        rates: how often things happen.
    """
    found = [*_supply_events(factory_id, factory, span, seed)]
    for trap_id, trap in factory.steam_traps.items():
        found += _trap_events(factory_id, trap_id, trap, span, seed, rates)
    return sorted(found, key=lambda event: (event.start, event.kind, event.trap_id or ""))


def _event(
    kind: str,
    start: float,
    end: float,
    severity: float = 1.0,
    *,
    trap_id: str | None = None,
    sensor_id: str | None = None,
    line: str | None = None,
) -> TrapEvent:
    return TrapEvent(kind, trap_id, sensor_id, line, _moment(start), _moment(end), severity)


def _supply_events(
    factory_id: str, factory: Factory, span: tuple[float, float], seed: int
) -> Iterator[TrapEvent]:
    """Yield what happened to the steam itself."""
    for start, end, _ in steam_supply.planned_stops(seed, factory_id).touching(*span):
        yield _event("planned_stop", start, end)
    for start, end, _ in steam_supply.trips(seed, factory_id).touching(*span):
        yield _event("boiler_trip", start, end)
    for start, end, draws in steam_supply.pressure_steps(seed, factory_id).touching(*span):
        yield _event("pressure_step", start, end, steam_supply.step_level(float(draws[0])))
    for line in sorted({trap.line or "" for trap in factory.steam_traps.values()}):
        for start, end, _ in steam_supply.isolations(seed, factory_id, line).touching(*span):
            yield _event("line_shut", start, end, line=line)


def _trap_events(
    factory_id: str, trap_id: str, trap: SteamTrap, span: tuple[float, float], seed: int, rates: TrapRates
) -> Iterator[TrapEvent]:
    """Yield what happened to one trap and its sensors."""
    for fault in trap_causes.faults(seed, factory_id, trap_id, rates=rates):
        if fault.start < span[1] and fault.end > span[0]:
            yield _event(fault.kind, fault.start, fault.end, fault.severity, trap_id=trap_id)
    for start, end, _ in trap_causes.shut(seed, factory_id, trap_id, rates=rates).touching(*span):
        yield _event("shut", start, end, trap_id=trap_id)
    for sensor_id in filter(None, (trap_id, trap.outlet_sensor)):
        names = (factory_id, sensor_id)
        for start, end, draws in trap_causes.sensor_failures(seed, *names, rates=rates).touching(*span):
            yield _event(f"sensor_{_failure(draws)}", start, end, trap_id=trap_id, sensor_id=sensor_id)
        for start, end, _ in trap_causes.clamped(seed, *names, rates=rates).touching(*span):
            yield _event("clamped", start, end, trap_id=trap_id, sensor_id=sensor_id)


def _moment(days: float) -> datetime:
    """Return a local wall-clock time, whole minutes, without a zone."""
    return datetime.combine(EPOCH, time()) + timedelta(minutes=round(days * 1440))


def stop_dates(found: list[TrapEvent] | tuple[TrapEvent, ...]) -> list[tuple[date, date]]:
    """Return the planned stops as first and last day, as a plant would write them down."""
    return [
        (event.start.date(), (event.end - timedelta(minutes=1)).date())
        for event in found
        if event.kind == "planned_stop"
    ]
