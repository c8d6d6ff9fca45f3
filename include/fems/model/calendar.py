"""What is known of the future: the calendar."""

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import ConfigError

Days = NDArray[np.datetime64]

HOLIDAY = 7
"""The kind of a public holiday; 0 to 6 are Monday to Sunday."""


@lru_cache(maxsize=64)
def _holidays_of(country: str, first_year: int, last_year: int) -> Days:
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
    return np.isin(days, _holidays_of(country, int(years.min()), int(years.max())))


def local_days(hours: pd.DatetimeIndex) -> Days:
    """Return (T,) the local calendar day of each hour."""
    days: Days = hours.tz_localize(None).to_numpy().astype("datetime64[D]")
    return days


def weekdays(days: Days) -> NDArray[np.int64]:
    """Return (D,) 0 for Monday to 6 for Sunday."""
    # 1970-01-01 was a Thursday.
    return (days.astype("int64") + 3) % 7


def day_features(days: Days, country: str) -> pd.DataFrame:
    """Return the known features of days.

    Args:
        days: (D,) datetime64[D].
        country: ISO 3166 code.

    Returns:
        Indexed by day: weekday (0 Monday), holiday, before_holiday, after_holiday (0 or 1).

    Raises:
        ConfigError: no calendar is known for the country.
    """
    one = np.timedelta64(1, "D")
    return pd.DataFrame(
        {
            "weekday": weekdays(days),
            "holiday": holidays_of(country, days).astype(np.int64),
            "before_holiday": holidays_of(country, days + one).astype(np.int64),
            "after_holiday": holidays_of(country, days - one).astype(np.int64),
        },
        index=pd.Index(days, name="day"),
    )


def day_kinds(days: Days, country: str) -> NDArray[np.int64]:
    """Return (D,) the weekday, or `HOLIDAY` on a public holiday."""
    kinds = weekdays(days)
    kinds[holidays_of(country, days)] = HOLIDAY
    return kinds


def hour_features(hours: pd.DatetimeIndex, country: str) -> pd.DataFrame:
    """Return the known features of hours: hour of the day and those of the day, indexed by hour.

    Raises:
        ConfigError: no calendar is known for the country.
    """
    days, position = np.unique(local_days(hours), return_inverse=True)
    features = day_features(days, country).iloc[position].set_axis(hours)
    features.insert(0, "hour", hours.hour)
    return features
