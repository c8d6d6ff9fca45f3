"""The factory's calendar: public holidays and kinds of days."""

from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fems.errors import ConfigError

Days = NDArray[np.datetime64]

_EPOCH = date(1970, 1, 1).toordinal()

WORKDAY, SATURDAY, REST = range(3)
"""Kinds of days: Monday to Friday, Saturday, and Sunday or public holiday."""


@lru_cache(maxsize=64)
def holiday_days(country: str, first_year: int, last_year: int) -> Days:
    """Return the public and bank holidays of some years, in order.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    import holidays

    try:
        supported = holidays.country_holidays(country).supported_categories
        # KR's 1 May, a day off in every factory, is among the bank holidays.
        categories = tuple(c for c in ("public", "bank") if c in supported)
        found = holidays.country_holidays(
            country, years=range(first_year, last_year + 1), categories=categories
        )
    except NotImplementedError as error:
        raise ConfigError(f"country {country!r}: no calendar of public holidays is known for it") from error
    return np.array(sorted(found), dtype="datetime64[D]")


def holidays_of(country: str, days: Days) -> NDArray[np.bool_]:
    """Return (D,) whether each day is a public holiday.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    if len(days) == 0:
        return np.zeros(0, dtype=bool)
    years = days.astype("datetime64[Y]").astype(int) + 1970
    return np.isin(days, holiday_days(country, int(years.min()), int(years.max())))


def weekdays(days: Days) -> NDArray[np.int64]:
    """Return (D,) 0 for Monday to 6 for Sunday."""
    # 1970-01-01 was a Thursday.
    return (days.astype("datetime64[D]").astype("int64") + 3) % 7


def day_number(day: date) -> int:
    """Return a day as days since 1970."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """Return the day that is so many days after 1 January 1970."""
    return date.fromordinal(number + _EPOCH)


def kinds_of_days(days: Days, country: str | None) -> NDArray[np.int8]:
    """Return (D,) WORKDAY, SATURDAY or REST.

    Args:
        days: local days.
        country: whose public holidays are days of rest; None where the factory works through them.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    weekday = weekdays(days)
    kinds = np.where(weekday < 5, WORKDAY, np.where(weekday == 5, SATURDAY, REST)).astype(np.int8)
    if country is not None:
        kinds[holidays_of(country, days)] = REST
    return kinds


def local_instants(wall: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return the UTC seconds at which a clock shows some times.

    Of a time that it shows twice, the first; where it skips one, the first minute after.

    Args:
        wall: seconds since 1970 of the clock.
        zone: of the clock, IANA name.
    """
    import pandas as pd

    index = pd.DatetimeIndex(wall.astype("datetime64[s]"))
    placed = index.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(len(index), bool))
    instants: NDArray[np.int64] = placed.as_unit("s").asi8
    return instants


def shift_starts(days: Days, minutes: int, day_begins: int, zone: str) -> NDArray[np.int64]:
    """Return the UTC seconds at which the intervals of some days begin, where an interval is a part of the day.

    Args:
        days: local days, in order.
        minutes: length of an interval: 480 for three shifts, 1440 for days.
        day_begins: minutes after midnight at which the first of a day begins.
        zone: of the factory, whose clock the shifts keep.
    """
    within = day_begins * 60 + np.arange(24 * 60 // minutes) * minutes * 60
    midnights = days.astype("datetime64[s]").astype(np.int64)
    return local_instants((midnights[:, None] + within).reshape(-1), zone)
