"""The factory's calendar: local days, public holidays, kinds of days and shift plans."""

from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from fems.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

Days = NDArray[np.datetime64]

ONE_DAY = np.timedelta64(1, "D")

_EPOCH = date(1970, 1, 1).toordinal()

WORKDAY, SATURDAY, REST = range(3)
"""Kinds of days: Monday to Friday, Saturday, and Sunday or public holiday."""

Shifts = Literal["continuous", "two_shift", "day_shift"]

PLANNED_HOURS: dict[Shifts, tuple[int, ...]] = {
    "continuous": (24, 24, 24, 24, 24, 24, 24),
    "two_shift": (16, 16, 16, 16, 16, 8, 0),
    "day_shift": (10, 10, 10, 10, 10, 0, 0),
}
"""Hours that a shift plan works on each day of the week, Monday first."""


def local_days(hours: "pd.DatetimeIndex") -> Days:
    """Return (T,) the local calendar day of each tz-aware instant."""
    days: Days = hours.tz_localize(None).to_numpy().astype("datetime64[D]")
    return days


@lru_cache(maxsize=64)
def changes_by_half_an_hour(zone: str) -> bool:
    """Tell whether a zone's clocks change by less than an hour, as on Lord Howe Island, in these decades."""
    clock = ZoneInfo(zone)
    offsets = [
        datetime(year, month, 1, tzinfo=clock).utcoffset() for year in (2001, 2024, 2037) for month in (1, 7)
    ]
    apart = {
        int((b - a).total_seconds()) for a in offsets for b in offsets if a is not None and b is not None
    }
    return any(0 < seconds < 3600 for seconds in apart)


def local_hour_starts(first: int, last: int, zone: str) -> NDArray[np.int64]:
    """Return when each hour that the clocks show begins, from one local midnight to another, UTC seconds.

    Where the clocks change by half an hour, an hour is half as long or stands twice.

    Args:
        first: UTC seconds of the first midnight.
        last: of the last one, not in.
        zone: IANA name.
    """
    import pandas as pd

    halves = pd.date_range(
        pd.Timestamp(first, unit="s", tz="UTC"),
        pd.Timestamp(last, unit="s", tz="UTC"),
        freq="30min",
        inclusive="left",
    )
    wall = halves.tz_convert(zone).tz_localize(None).as_unit("s").asi8
    begins = np.append(True, (np.diff(wall // 3600) != 0) | (np.diff(wall) != 1800))
    starts: NDArray[np.int64] = halves.tz_localize(None).as_unit("s").asi8[begins]
    return starts


@lru_cache(maxsize=64)
def holiday_days(country: str, first_year: int, last_year: int) -> Days:
    """Return the public and bank holidays of some years, in order.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    import holidays

    try:
        supported = holidays.country_holidays(country).supported_categories
        days = holidays.country_holidays(
            country, years=range(first_year, last_year + 1), categories=_categories(supported)
        )
    except NotImplementedError as error:
        raise ConfigError(f"country {country!r}: no calendar of public holidays is known for it") from error
    return np.array(sorted(days), dtype="datetime64[D]")


def _categories(supported: tuple[str, ...]) -> tuple[str, ...]:
    """Public and bank holidays: KR's 1 May, a day off in every factory, is among the latter."""
    return tuple(category for category in ("public", "bank") if category in supported)


@lru_cache(maxsize=256)
def holiday_dates(country: str, year: int) -> frozenset[date]:
    """Return a year's public and bank holidays.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    return frozenset(holiday_days(country, year, year).tolist())


def holiday_name(country: str, day: date, language: Literal["ko", "en"]) -> str:
    """Return a public holiday's name, "" on other days; the calendar's own where it has none in that language."""
    return _holiday_names(country, day.year, language).get(day, "")


@lru_cache(maxsize=64)
def _holiday_names(country: str, year: int, language: Literal["ko", "en"]) -> dict[date, str]:
    import holidays

    known = holidays.country_holidays(country)
    wanted = {"ko": "ko", "en": "en_US"}[language]
    spoken = wanted if wanted in (known.supported_languages or ()) else None
    categories = _categories(known.supported_categories)
    return dict(holidays.country_holidays(country, years=year, language=spoken, categories=categories))


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
    """Return (D,) the kind of each day: WORKDAY, SATURDAY or REST.

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


def bridges(country: str, days: Days) -> NDArray[np.bool_]:
    """Return (D,) whether each is a working day between two days off, at least one of them a holiday.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    weekend = _weekend_of(country)

    def off(when: Days) -> NDArray[np.bool_]:
        return holidays_of(country, when) | np.isin(weekdays(when), weekend)

    touches = holidays_of(country, days - ONE_DAY) | holidays_of(country, days + ONE_DAY)
    between: NDArray[np.bool_] = ~off(days) & off(days - ONE_DAY) & off(days + ONE_DAY) & touches
    return between


@lru_cache(maxsize=64)
def _weekend_of(country: str) -> NDArray[np.int64]:
    import holidays

    return np.array(sorted(holidays.country_holidays(country).weekend), dtype=np.int64)


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
