"""What the meter reads besides energy: reactive energy, power factor, current. Physics that must agree."""

from dataclasses import dataclass

import numpy as np

from fems.simulate.streams import Floats, ar1

LINE_VOLTAGE = 380.0
"""Line-to-line volts of Korea's three-phase supply."""


@dataclass(frozen=True)
class Magnetics:
    """Power factor at full load, and the reactive power at no load as a share of the nameplate power."""

    full_pf: float
    no_load: float


MAGNETICS: dict[str, Magnetics] = {
    "compressor": Magnetics(0.89, 0.30),
    "furnace": Magnetics(0.96, 0.08),
    "boiler": Magnetics(0.94, 0.10),
    "press": Magnetics(0.85, 0.36),
    "pump": Magnetics(0.89, 0.28),
    "chiller": Magnetics(0.89, 0.28),
    "conveyor": Magnetics(0.83, 0.36),
    "mixer": Magnetics(0.88, 0.30),
    "line": Magnetics(0.92, 0.18),
}
_STANDBY_PF = 0.72


def _tan_phi(power_factor: float) -> float:
    return float(np.sqrt(1.0 / power_factor**2 - 1.0))


def reactive_kvar(kind: str, kw: Floats, load: Floats, rated_kw: float, rng: np.random.Generator) -> Floats:
    """Return the reactive power of every minute in kvar, shape of `kw`.

    An induction machine takes a constant magnetising part, and a leakage part that grows with the square of
    the load (the approximate equivalent circuit of any textbook on electrical machines):
    Q = P_rated (q0 + (q1 - q0) load^2), q1 = tan(phi) at full load. Off, only the standby electronics remain.
    """
    magnetics = MAGNETICS.get(kind, MAGNETICS["line"])
    # Under a quarter of the load a machine is started and stopped, and is magnetised only while it runs.
    running = (load / 0.25).clip(0.0, 1.0)
    q1 = _tan_phi(magnetics.full_pf)
    machine = rated_kw * running * (magnetics.no_load + (q1 - magnetics.no_load) * load**2)
    standby = (kw - rated_kw * load) * _tan_phi(_STANDBY_PF)
    drawn: Floats = (machine + standby) * (1.0 + 0.012 * ar1(rng, len(kw), 20.0)).clip(0.9, 1.1)
    return drawn


def meter_columns(
    used_kwh: Floats, reactive_kvarh: Floats, hours: float, own: np.random.Generator, rng: np.random.Generator
) -> Floats:
    """Return what the meter reads for each interval, shape (n, 5): the meter columns in the project's order.

    used_kwh is the billing register, active_kwh the measurement beside it, of class 0.2 (IEC 62053-22: within
    0.2 %).
    power_factor_pct = 100 active / sqrt(active^2 + reactive^2);
    current_a = 1000 P / (sqrt(3) V_line pf), the balanced three-phase formula, the voltage within some 0.3 %.

    Args:
        used_kwh: true energy of each interval, shape (n,); below 0 where it is fed in.
        reactive_kvarh: true reactive energy of each interval, shape (n,).
        hours: length of an interval.
        own: the meter's lasting error is drawn from here.
        rng: what changes from interval to interval.
    """
    n = len(used_kwh)
    error = (own.uniform(-0.0014, 0.0014) + 0.0002 * rng.standard_normal(n)).clip(-0.0019, 0.0019)
    active = used_kwh * (1.0 + error)
    share = active / np.hypot(active, reactive_kvarh)
    volts = LINE_VOLTAGE * (1.0 + 0.003 * ar1(rng, n, max(1.0, 1.0 / hours)).clip(-3.0, 3.0))
    current = 1000.0 * active / hours / (np.sqrt(3.0) * volts * share)
    return np.column_stack([used_kwh, 100.0 * np.abs(share), current, active, reactive_kvarh])
