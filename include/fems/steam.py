"""Properties of saturated steam by IAPWS-IF97, computed by CoolProp.

Pressures are absolute, in bar; temperatures in degrees Celsius; enthalpies in kJ/kg.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ATMOSPHERE_BAR = 1.01325
"""Standard atmosphere: what a gauge pressure adds up with to an absolute one."""
KELVIN = 273.15
LOWEST_BAR, HIGHEST_BAR = 0.02, 200.0
"""Where the tables below hold; no steam trap works outside."""
_FEED_WATER_BAR = 5.0
_POINTS = 4000
_PROPERTIES = (("T", 1.0), ("H", 0.0), ("H", 1.0))
_BAR, _CELSIUS, _LIQUID, _VAPOUR = range(4)
"""Columns of the table."""


def absolute(bar_g: float) -> float:
    """Return an absolute pressure in bar from one above the atmosphere."""
    return bar_g + ATMOSPHERE_BAR


def _properties() -> Callable[..., Any]:
    from CoolProp.CoolProp import PropsSI  # a second on a cold disk

    return PropsSI


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats, Floats, Floats]:
    """Return pressure, temperature and both enthalpies on a grid so fine that lines between are exact to 1e-4."""
    compute = _properties()
    bar = np.geomspace(LOWEST_BAR, HIGHEST_BAR, _POINTS)
    values = [np.asarray(compute(name, "P", bar * 1e5, "Q", q, "IF97::Water")) for name, q in _PROPERTIES]
    return bar, values[0] - KELVIN, values[1] / 1e3, values[2] / 1e3


def _look_up(given: ArrayLike, known: int, wanted: int) -> Floats:
    """Return a column of the table where another one has the given values."""
    table = _table()
    return np.interp(np.asarray(given, dtype=np.float64), table[known], table[wanted])


def saturation_c(bar: ArrayLike) -> Floats:
    """Return the temperature of saturated steam in degrees Celsius, any shape."""
    return _look_up(bar, _BAR, _CELSIUS)


def saturation_bar(celsius: ArrayLike) -> Floats:
    """Return the pressure of saturated steam in bar absolute, any shape."""
    return _look_up(celsius, _CELSIUS, _BAR)


def liquid_kj_kg(bar: ArrayLike) -> Floats:
    """Return the enthalpy of saturated condensate in kJ/kg, any shape."""
    return _look_up(bar, _BAR, _LIQUID)


def vapour_kj_kg(bar: ArrayLike) -> Floats:
    """Return the enthalpy of dry saturated steam in kJ/kg, any shape."""
    return _look_up(bar, _BAR, _VAPOUR)


@lru_cache(maxsize=64)
def feed_water_kj_kg(celsius: float) -> float:
    """Return the enthalpy of a boiler's feed water in kJ/kg.

    Taken at 5 bar absolute; between 1 and 10 bar it differs from that by less than 0.5 kJ/kg.
    """
    return float(_properties()("H", "P", _FEED_WATER_BAR * 1e5, "T", celsius + KELVIN, "IF97::Water")) / 1e3
