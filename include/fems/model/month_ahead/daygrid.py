"""Hours laid out as local calendar days of 24 slots, so that a model of days keeps the wall clock."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import ONE_DAY, Days, local_days
from fems.model.history import Floats


@dataclass(frozen=True)
class DayGrid:
    """Values by local day and hour.

    Attributes:
        days: (D,) consecutive days.
        values: (D, 24, C) NaN where missing. A slot that a clock change repeats holds the mean of both.
    """

    days: Days
    values: Floats

    @classmethod
    def of(cls, hours: pd.DatetimeIndex, values: Floats) -> "DayGrid":
        """Lay out (T, C) values of tz-aware hours."""
        day, slot = positions(hours)
        days = np.arange(day[0], day[-1] + ONE_DAY, ONE_DAY)
        row = (day - day[0]).astype(np.int64)
        shape = (len(days), 24, values.shape[1])
        total, count = np.zeros(shape), np.zeros(shape)
        known = np.isfinite(values)
        np.add.at(total, (row, slot), np.where(known, values, 0.0))
        np.add.at(count, (row, slot), known)
        with np.errstate(invalid="ignore"):
            return cls(days, total / np.where(count > 0, count, np.nan))


def positions(hours: pd.DatetimeIndex) -> tuple[Days, NDArray[np.int64]]:
    """Return (T,) local days and (T,) slots of the day, 0 to 23."""
    return local_days(hours), np.asarray(hours.hour, dtype=np.int64)


def horizon_hours(origin: pd.Timestamp, count: int) -> pd.DatetimeIndex:
    """Return the `count` hours from `origin` on, counted in real time and not by the wall clock."""
    return pd.date_range(origin, periods=count, freq="h", name="timestamp")
