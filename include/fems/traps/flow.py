"""How much live steam passes a trap that does not close, in kg/h."""

from dataclasses import dataclass
from typing import Literal

from fems.errors import ConfigError
from fems.steam import absolute

NAPIER_SI = 0.41189
"""kg/h of steam per mm2 and bar through an ideal opening (Napier, in SI units)."""
SHARP_EDGE = 0.6
"""Discharge coefficient of a sharp-edged orifice."""
_MASONEILAN = 22.1
_MM_PER_INCH = 25.4
_PSI_PER_BAR = 14.503774
_KG_PER_LB = 0.45359237

Kind = Literal["suspected_leak", "blow_through"]
FAILURE_TYPE = {"blow_through": 1.0, "leaking": 0.25, "rapid_cycling": 0.2}
"""FT of AM0017."""
SERVICE = {"process": 0.9, "drip": 1.4, "tracer": 1.4}
"""FS of AM0017: process traps, and traps of mains and tracers."""

BAND = (0.25, 0.55, 1.0)
"""Share of the open orifice's flow that a trap blowing through passes: low, likely, high.

The likely one is where Spirax Sarco's figures of an average failed trap lie; the high one is the whole orifice.
"""
LEAK_SHARE = 0.25
"""What a leaking trap passes of one that blows through (AM0017)."""
CLOSED_RETURN = 0.5
"""What is left of the loss where condensate returns to the boiler under pressure."""


@dataclass(frozen=True)
class Band:
    """Steam lost, kg/h."""

    low: float
    likely: float
    high: float


def napier_lb_h(orifice_in: float, psia: float) -> float:
    """Return the critical flow of saturated steam in lb/h: 24.24 d2 p, at a discharge coefficient of 0.6."""
    return 24.24 * orifice_in**2 * psia


def napier_kg_h(orifice_mm: float, bar_a: float, coefficient: float = SHARP_EDGE) -> float:
    """Return the critical flow of saturated steam in kg/h: 0.41189 C d2 p.

    Args:
        orifice_mm: diameter.
        bar_a: pressure before the trap, absolute.
        coefficient: of discharge.

    Raises:
        ConfigError: an orifice or a pressure that cannot be.
    """
    _positive(orifice_mm, bar_a)
    return NAPIER_SI * coefficient * orifice_mm**2 * bar_a


def masoneilan_kg_h(
    orifice_mm: float, bar_a: float, back_bar_a: float, *, failure: float, service: float
) -> float:
    """Return what UNFCCC's method AM0017 counts as lost, in kg/h.

    Args:
        orifice_mm: diameter.
        bar_a: pressure before the trap, absolute.
        back_bar_a: pressure behind it, absolute.
        failure: FT, see `FAILURE_TYPE`.
        service: FS, see `SERVICE`.

    Raises:
        ConfigError: an orifice or a pressure that cannot be.
    """
    _positive(orifice_mm, bar_a)
    high, low = bar_a * _PSI_PER_BAR, back_bar_a * _PSI_PER_BAR
    if low > high:
        raise ConfigError(f"back pressure {back_bar_a} bar a is above the line's {bar_a}")
    inches = orifice_mm / _MM_PER_INCH
    pounds = failure * service * _MASONEILAN * inches**2 * ((high - low) * (high + low)) ** 0.5
    return float(pounds * _KG_PER_LB)


def steam_loss(
    kind: Kind, orifice_mm: float, pressure_bar_g: float, *, condensate_returns: bool = False
) -> Band:
    """Return what a failed trap loses in kg/h: a band, never one number.

    In whole grams, so that what is computed from a printed rate is what is printed.

    Args:
        kind: a leak passes a quarter of a blow-through.
        orifice_mm: diameter of the trap's orifice.
        pressure_bar_g: of its line.
        condensate_returns: whether what passes comes back to the boiler.

    Raises:
        ConfigError: an orifice or a pressure that cannot be.
    """
    whole = napier_kg_h(orifice_mm, absolute(pressure_bar_g))
    share = (LEAK_SHARE if kind == "suspected_leak" else 1.0) * (CLOSED_RETURN if condensate_returns else 1.0)
    return Band(*(round(whole * part * share, 3) for part in BAND))


def _positive(orifice_mm: float, bar_a: float) -> None:
    if orifice_mm <= 0:
        raise ConfigError(f"a trap's orifice must be above 0 mm, not {orifice_mm}")
    if bar_a <= 0:
        raise ConfigError(f"a trap's pressure must be above 0 bar absolute, not {bar_a}")
