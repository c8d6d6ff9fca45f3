"""When a factory works: shifts, meals, weekends, holidays, production campaigns, and the weather outside."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import Shifts, holiday_dates
from fems.registry.factory import Factory
from fems.simulate.streams import EPOCH, Floats, daily_draws, daily_noise, stream

Profile = tuple[tuple[float, float], ...]
"""Points (hour of the local day, activity 0..1), joined by straight lines."""

_OFF: Profile = ((0.0, 0.0), (24.0, 0.0))
_TWO_SHIFT: Profile = (
    *((6.0, 0.0), (6.6, 0.95), (10.4, 1.0), (10.55, 0.55), (11.15, 0.55), (11.35, 1.0), (14.25, 1.0)),
    *((14.45, 0.72), (14.8, 1.0), (18.4, 0.97), (18.55, 0.5), (19.15, 0.5), (19.35, 0.95), (22.0, 0.93)),
    (22.6, 0.0),
)
_TWO_SHIFT_SATURDAY: Profile = (
    *((6.0, 0.0), (6.7, 0.6), (10.4, 0.63), (10.55, 0.35), (11.15, 0.35), (11.35, 0.62), (14.0, 0.6)),
    (14.6, 0.0),
)
_DAY_SHIFT: Profile = (
    *((8.0, 0.0), (8.6, 0.95), (11.9, 1.0), (12.05, 0.3), (12.9, 0.3), (13.15, 1.0), (17.3, 0.97)),
)
_OVERTIME: Profile = (*_DAY_SHIFT, (17.6, 0.45), (19.4, 0.42), (19.8, 0.0))
_NO_OVERTIME: Profile = (*_DAY_SHIFT, (17.7, 0.0))
_CONTINUOUS: Profile = (
    *(
        (0.0, 0.9),
        (6.75, 0.9),
        (6.95, 0.76),
        (7.2, 1.0),
        (11.8, 1.0),
        (12.1, 0.87),
        (12.7, 0.87),
        (13.0, 1.0),
    ),
    *((14.75, 1.0), (14.95, 0.8), (15.2, 0.98), (22.75, 0.96), (22.95, 0.78), (23.2, 0.9), (24.0, 0.9)),
)


def _scaled(profile: Profile, factor: float) -> Profile:
    return tuple((hour, level * factor) for hour, level in profile)


_WEEK: dict[Shifts, tuple[Profile, ...]] = {  # Monday first
    "two_shift": (*(_TWO_SHIFT,) * 5, _TWO_SHIFT_SATURDAY, _OFF),
    "day_shift": (_OVERTIME, _OVERTIME, _NO_OVERTIME, _OVERTIME, _NO_OVERTIME, _OFF, _OFF),
    "continuous": (*(_CONTINUOUS,) * 5, _scaled(_CONTINUOUS, 0.9), _scaled(_CONTINUOUS, 0.84)),
}


@dataclass(frozen=True)
class Grid:
    """The minutes of some whole local days, in the order of real time.

    Attributes:
        zone: IANA name of the factory's zone.
        first: the first local day.
        count: number of local days.
    """

    zone: str
    first: date
    count: int

    @cached_property
    def starts(self) -> pd.DatetimeIndex:
        """Every minute's start, tz-aware in the factory's zone, microseconds."""
        edges = [local_midnight(self.first + timedelta(days=n), self.zone) for n in (0, self.count)]
        return pd.date_range(edges[0], edges[1], freq="min", inclusive="left", unit="us").tz_convert(
            self.zone
        )

    @cached_property
    def _local_minutes(self) -> NDArray[np.int64]:
        local = self.starts.tz_localize(None).to_numpy().astype("datetime64[m]").astype(np.int64)
        return np.asarray(local - (self.first - date(1970, 1, 1)).days * 1440, dtype=np.int64)

    @cached_property
    def day(self) -> NDArray[np.int64]:
        """Index of every minute's local day, 0 for `first`."""
        return self._local_minutes // 1440

    @cached_property
    def hour(self) -> Floats:
        """Every minute's hour of the local day, 0 <= hour < 24."""
        return (self._local_minutes % 1440) / 60.0

    @cached_property
    def dates(self) -> list[date]:
        """The local days."""
        return [self.first + timedelta(days=n) for n in range(self.count)]


def local_midnight(day: date, zone: str) -> pd.Timestamp:
    """Return the first instant of a local day, in UTC (some zones skip or repeat midnight)."""
    naive = pd.Timestamp(datetime.combine(day, time()))
    return naive.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")


def day_profiles(factory: Factory, grid: Grid) -> list[Profile]:
    """Return the activity profile of each local day of the grid."""
    week = _WEEK[factory.shifts]
    return [
        _OFF
        if factory.holidays_off and day in holiday_dates(factory.country, day.year)
        else week[day.weekday()]
        for day in grid.dates
    ]


def activity(factory: Factory, grid: Grid, *, seed: int, names: tuple[str, ...], lead_hours: float) -> Floats:
    """Return how much a machine is asked to work, 0..1, for every minute of the grid.

    Args:
        factory: whose shifts and holidays count.
        grid: the minutes.
        seed: of the whole simulation.
        names: the machine's name, for its own daily jitter of some minutes.
        lead_hours: how much earlier than the shift the machine is switched on.
    """
    profiles = day_profiles(factory, grid)
    jitter = daily_draws(seed, *names, "start", first=grid.first, count=grid.count) * 0.08
    edges = np.searchsorted(grid.day, np.arange(grid.count + 1))
    level = np.empty(len(grid.hour))
    for i, profile in enumerate(profiles):
        hours, levels = np.array(profile).T
        # Only the morning moves by the lead: nobody stays longer because the furnace was lit early.
        hours = np.where(hours < 9.0, hours - lead_hours, hours) if factory.shifts != "continuous" else hours
        part = slice(edges[i], edges[i + 1])
        level[part] = np.interp(grid.hour[part] - jitter[i], hours, levels)
    return level


def campaign_levels(seed: int, *names: str, grid: Grid, low: float, high: float) -> Floats:
    """Return the level of the production campaign of each day, shape (grid.count,), uniform in low..high.

    Campaigns last 2 to 7 weeks and change on Mondays.
    """
    rng = stream(seed, *names, "campaign")
    ends = np.cumsum(rng.integers(2, 8, size=2000))
    levels = rng.uniform(low, high, size=2000)
    weeks = np.array([(day - EPOCH).days // 7 for day in grid.dates])
    by_day: Floats = levels[np.searchsorted(ends, weeks, side="right").clip(max=1999)]
    return by_day


def maintenance_days(seed: int, *names: str, grid: Grid, weekday: int | None) -> NDArray[np.bool_]:
    """Return whether the machine is down for planned work, per day: one day every 5 to 10 weeks.

    `weekday` (0 is Monday) pins it to one day of the week; None lets it fall on any.
    """
    rng = stream(seed, *names, "maintenance")
    weeks = np.cumsum(rng.integers(5, 11, size=2000))
    days = rng.integers(0, 7, size=2000) if weekday is None else np.full(2000, weekday)
    number = np.array([(day - EPOCH).days for day in grid.dates])
    return np.isin(number, weeks * 7 + days)


def outdoor_c(seed: int, grid: Grid) -> Floats:
    """Return the outdoor temperature of every minute in degrees Celsius.

    The yearly course is that of Seoul's climate normals (coldest about 22 January at -1, warmest in late July
    at 26), with spells of warm and cold days and a daily swing that peaks at 15:00.
    """
    year_day = np.array([day.timetuple().tm_yday for day in grid.dates])
    mean = 12.5 - 13.5 * np.cos(2 * np.pi * (year_day - 22) / 365.25)
    mean = mean + 3.2 * daily_noise(seed, "weather", first=grid.first, count=grid.count, memory=0.75)
    by_minute = np.interp(np.arange(len(grid.hour)) / 1440.0, np.arange(grid.count) + 0.5, mean)
    return by_minute + 4.2 * np.cos(2 * np.pi * (grid.hour - 15.0) / 24.0)
