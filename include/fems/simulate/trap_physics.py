"""What physics makes of the causes: flows through a trap, temperatures of the fluid, of the pipe and of the sensor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fems import steam
from fems.simulate.streams import Floats
from fems.simulate.trap_causes import Fault, Nature

Bools = NDArray[np.bool_]

_CRITICAL_FLOW = 0.41189 * 0.6
"""kg/h per mm2 and bar of a sharp-edged orifice (Napier)."""
_WATER_W_K = 4190.0 / 3600.0
"""W/K that one kg/h of condensate carries."""
_W_PER_KG_H_KJ = 1.0 / 3.6
_VAPOUR_KJ_K = 2.05
_THROUGH_DRAIN_MIN = 28.0
"""Time constant of a pipe whose flow has become cooler."""
_USUAL_LOAD = 0.7
"""Of the full load."""
_STILL = 0.12
"""Share of the full load under which the water in the leg stands rather than flows: it cools like a shut pipe."""
_LAST_OF_THE_STEAM_BAR = 1.02


@dataclass(frozen=True)
class Flows:
    """Pipe temperatures that a trap would settle at, at each step, degrees Celsius, and whether anything flows.

    Attributes:
        inlet: pipe before the trap, shape (steps,).
        outlet: pipe behind it, shape (steps,).
        flowing: whether something flows, shape (steps,).
        lost_kg_h: live steam that passes, shape (steps,).
    """

    inlet: Floats
    outlet: Floats
    flowing: Bools
    lost_kg_h: Floats


def settle(
    trap: Nature, fault_list: list[Fault], *, days: Floats, bar: Floats, on: Bools, load: Floats, room: Floats
) -> Flows:
    """Return where a trap's pipes would settle.

    A flooded or blocked trap lets less condensate through than arrives: the leg before it fills up and loses heat,
    the more the longer it stays there. A leak mixes live steam into what leaves: more heat reaches the pipe behind,
    and the pressure in the return pipe, so its temperature, rises with the square of the steam's flow.

    Args:
        trap: what it is.
        fault_list: what is wrong with it.
        days: instants, days since the epoch, shape (steps,).
        bar: pressure of its line, absolute, shape (steps,).
        on: whether steam reaches it, shape (steps,).
        load: condensate that arrives, kg/h, shape (steps,).
        room: temperature around it, shape (steps,).
    """
    pressure = np.where(on, bar, _LAST_OF_THE_STEAM_BAR)
    hot = steam.saturation_c(pressure)
    capacity, opened = _condition(trap, fault_list, days, pressure)
    passed = np.minimum(load, capacity)
    full = np.clip((load / np.maximum(capacity, 1e-6) - 1.0) / 0.25, 0.0, 1.0)
    cooled = room + (hot - room) * np.exp(-trap.leg_w_k / (_WATER_W_K * np.maximum(passed, 1e-3)))
    fluid = full * cooled + (1.0 - full) * (hot - trap.subcooled_c)
    along = room + trap.conduction * (hot - room)
    fluid = np.maximum(fluid, along)
    whole = _CRITICAL_FLOW * trap.orifice_mm**2 * pressure
    lost = opened * trap.blow_share * whole * (1.0 - 0.5 * np.minimum(1.0, passed / (capacity + 1e-6)))
    behind = _outlet(trap, fluid, passed, lost, pressure, room)
    film = trap.inlet_film / (trap.inlet_film + 1.0)
    inlet = np.where(on, room + film * (fluid - room), room)
    return Flows(
        inlet,
        np.where(on, behind, room),
        on & (passed + lost > _STILL * trap.load_kg_h),
        np.where(on, lost, 0.0),
    )


def _condition(trap: Nature, fault_list: list[Fault], days: Floats, bar: Floats) -> tuple[Floats, Floats]:
    """Return the condensate that can pass, kg/h, and how far open for steam the trap stands, 0..1."""
    sound = (
        trap.load_kg_h
        * trap.margin
        * np.sqrt(np.maximum(bar - trap.back_bar, 0.05) / (trap.bar - trap.back_bar))
    )
    capacity, opened = sound, np.zeros(len(days))
    for fault in fault_list:
        grown = fault.grown(days)
        if fault.kind in ("leak", "blow_through"):
            opened = np.maximum(opened, fault.severity * grown)
        else:
            left = _USUAL_LOAD * trap.load_kg_h * (1.0 - fault.severity * grown)
            capacity = np.where(grown > 0, np.minimum(capacity, left), capacity)
    return capacity, opened


def _outlet(trap: Nature, fluid: Floats, passed: Floats, lost: Floats, bar: Floats, room: Floats) -> Floats:
    """Return the temperature of the pipe behind a trap."""
    flow = np.maximum(passed + lost, 1e-3)
    water = steam.liquid_kj_kg(steam.saturation_bar(np.maximum(fluid, 20.0)))
    heat = (passed * water + lost * steam.vapour_kj_kg(bar)) / flow
    back = np.full(len(fluid), trap.back_bar)
    for _ in range(2):  # pressure and share of steam depend on each other; the second pass changes little
        liquid, vapour = steam.liquid_kj_kg(back), steam.vapour_kj_kg(back)
        share = np.clip((heat - liquid) / (vapour - liquid), 0.0, 1.0)
        back = np.minimum(np.sqrt(trap.back_bar**2 + trap.return_bar2 * (share * flow) ** 2), 0.9 * bar)
    boiling = steam.saturation_c(back)
    lost_heat = trap.outlet_w_k * (boiling - room) / _W_PER_KG_H_KJ / flow
    heat = heat - lost_heat
    liquid, vapour = steam.liquid_kj_kg(back), steam.vapour_kj_kg(back)
    superheat = np.maximum(heat - vapour, 0.0) / _VAPOUR_KJ_K
    lacking = np.maximum(liquid - heat, 0.0) / 4.19
    fluid_out = np.maximum(np.where(heat > vapour, boiling + superheat, boiling - lacking), room)
    share = np.clip((heat - liquid) / (vapour - liquid), 0.0, 1.0)
    film = trap.outlet_film * ((passed + trap.steam_film * share * flow) / trap.load_kg_h) ** 0.8
    along = room + 0.4 * trap.conduction * (boiling - room)
    return np.asarray(np.maximum(room + film / (film + 1.0) * (fluid_out - room), along))


def follow(target: Floats, flowing: Bools, warm_min: Floats, cool_min: Floats, grain: int) -> Floats:
    """Let pipes follow their targets: fast while they are heated, slowly when left to cool.

    The first-order lag T' = (target - T) / tau, exact over an interval of equal target.

    Args:
        target: shape (steps, pipes).
        flowing: whether something flows, shape (steps, pipes).
        warm_min: time constant of heating, shape (pipes,).
        cool_min: of cooling without flow, shape (pipes,).
        grain: interval in minutes.
    """
    warm, cool = (np.exp(-grain / tau) for tau in (warm_min, cool_min))
    drain = np.exp(-grain / np.maximum(warm_min, _THROUGH_DRAIN_MIN))
    down = np.where(flowing, drain, cool)
    out = np.empty_like(target)
    value = target[0].copy()
    for step in range(len(target)):
        gap = value - target[step]
        value = target[step] + gap * np.where(gap < 0, warm, down[step])
        out[step] = value
    return out
