"""Features of days that are known in advance: weekday, holidays, the days around them, the shift plan."""

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import Days, holidays_of, weekdays
from fems.errors import ConfigError

HOLIDAY = 7
"""The kind of a public holiday that stands alone; 0 to 6 are Monday to Sunday."""

FESTIVAL = 8
"""The kind of a public holiday with another right before or after it, such as the three days of Chuseok.

A plant that works through single holidays still stops for these.
"""

DAY_FEATURES = ("weekday", "holiday", "festival", "before_holiday", "after_holiday", "bridge", "planned")
"""What is known of a day of the future; the columns of `day_features`."""

ONE_DAY = np.timedelta64(1, "D")

_PLANNED_HOURS: dict[str, tuple[int, ...]] = {
    "continuous": (24, 24, 24, 24, 24, 24, 24),
    "two_shift": (16, 16, 16, 16, 16, 8, 0),
    "day_shift": (10, 10, 10, 10, 10, 0, 0),
}


def local_days(hours: pd.DatetimeIndex) -> Days:
    """Return (T,) the local calendar day of each hour."""
    days: Days = hours.tz_localize(None).to_numpy().astype("datetime64[D]")
    return days


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


def day_features(days: Days, country: str, shifts: str | None = None) -> pd.DataFrame:
    """Return the known features of days.

    Args:
        days: (D,) datetime64[D].
        country: ISO 3166 code.
        shifts: the shift plan, one of factories.yaml; None where none is known.

    Returns:
        Indexed by day: weekday (0 Monday), holiday, festival, before_holiday, after_holiday, bridge (0 or 1), and
        planned, the share of the day that the shift plan works on such a weekday (0 without a plan).

    Raises:
        ConfigError: no calendar is known for the country, or no such shift plan.
    """
    if shifts is not None and shifts not in _PLANNED_HOURS:
        raise ConfigError(f"shifts {shifts!r}: write one of {', '.join(_PLANNED_HOURS)}")
    planned = np.array(_PLANNED_HOURS[shifts] if shifts else (0,) * 7) / 24
    before, after = holidays_of(country, days + ONE_DAY), holidays_of(country, days - ONE_DAY)
    holiday = holidays_of(country, days)
    return pd.DataFrame(
        {
            "weekday": weekdays(days),
            "holiday": holiday.astype(np.int64),
            "festival": (holiday & (before | after)).astype(np.int64),
            "before_holiday": before.astype(np.int64),
            "after_holiday": after.astype(np.int64),
            "bridge": bridges(country, days).astype(np.int64),
            "planned": planned[weekdays(days)],
        },
        index=pd.Index(days, name="day"),
        columns=list(DAY_FEATURES),
    )


def day_kinds(features: pd.DataFrame) -> NDArray[np.int64]:
    """Return (D,) the weekday, `HOLIDAY` or `FESTIVAL` of the days of `day_features`."""
    kinds = features["weekday"].to_numpy().copy()
    kinds[features["holiday"] == 1] = HOLIDAY
    kinds[features["festival"] == 1] = FESTIVAL
    return kinds
