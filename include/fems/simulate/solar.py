"""Solar panels behind a machine's meter: by the sun's height, and by clouds that a plant's neighbours have, too."""

import numpy as np

from fems.simulate.calendar import Grid
from fems.simulate.streams import Floats, daily_noise

_LATITUDE = np.radians(37.5)
_SOLAR_NOON = 12.5
"""Seoul's, by the clock."""


def solar_kw(seed: int, grid: Grid, peak_kw: float) -> Floats:
    """Return what panels make in every minute, kW, 0 at night.

    The sun's height is that of Cooper's declination (1969); what is made goes with its sine, and with a clearness that
    changes from day to day.

    Args:
        seed: of the whole simulation; all panels have the same clouds.
        grid: whole local days.
        peak_kw: what they make at most, at a height of 90 degrees.
    """
    year_day = np.array([day.timetuple().tm_yday for day in grid.dates])
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + year_day) / 365)
    angle = np.radians(15.0) * (grid.hour - _SOLAR_NOON)
    height = np.sin(_LATITUDE) * np.sin(declination)[grid.day] + np.cos(_LATITUDE) * np.cos(declination)[
        grid.day
    ] * np.cos(angle)
    clouds = daily_noise(seed, "clouds", first=grid.first, count=grid.count, memory=0.3)
    clearness = (0.62 + 0.25 * clouds).clip(0.1, 1.0)[grid.day]
    made: Floats = peak_kw * np.maximum(height, 0.0) * clearness
    return made
