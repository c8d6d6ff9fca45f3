"""Features of days that are known in advance: weekday, holidays, the days around them, the shift plan."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import ONE_DAY, PLANNED_HOURS, Days, bridges, holidays_of, weekdays
from fems.errors import ConfigError

HOLIDAY = 7
"""The kind of a public holiday that stands alone; 0 to 6 are Monday to Sunday."""

FESTIVAL = 8
"""The kind of a public holiday with another right before or after it, such as the three days of Chuseok.

A plant that works through single holidays still stops for these.
"""

DAY_FEATURES = ("weekday", "holiday", "festival", "before_holiday", "after_holiday", "bridge", "planned")
"""What is known of a day of the future; the columns of `day_features`."""


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
    plan = next((hours for name, hours in PLANNED_HOURS.items() if name == shifts), (0,) * 7)
    if shifts is not None and shifts not in PLANNED_HOURS:
        raise ConfigError(f"shifts {shifts!r}: write one of {', '.join(PLANNED_HOURS)}")
    planned = np.array(plan) / 24
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
