"""What a model must beat, and costs nothing to train."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import Days, holidays_of, weekdays
from fems.errors import TooLittleHistory
from fems.model.calendar_features import HOLIDAY
from fems.model.history import Floats, History
from fems.model.month_ahead.daygrid import horizon_hours, positions


def weekly_naive(history: History, origin: pd.Timestamp, count: int) -> pd.DataFrame:
    """Repeat the last week.

    An hour gets the value of 7 k days earlier, k the smallest that lies before the origin. Where that is
    missing, a week further back is looked at.

    Returns:
        (count, E) kWh, indexed by hour.

    Raises:
        TooLittleHistory: no week before the origin has a value for some hour.
    """
    known = history.until(origin)
    hours = horizon_hours(origin, count)
    values = np.full((count, len(known.equipment)), np.nan)
    week = 7 * 24
    at = np.arange(count) + len(known.hours) + _gap(known, origin)
    for back in range(1, 2 + (at[-1] // week)):
        rows = at - back * week
        usable = (rows >= 0) & (rows < len(known.hours))
        values[usable] = np.where(np.isfinite(values[usable]), values[usable], known.used_kwh[rows[usable]])
        if np.isfinite(values).all():
            break
    silent = ~np.isfinite(known.used_kwh).any(axis=0)
    values[:, silent] = 0.0
    if not np.isfinite(values).all():
        raise TooLittleHistory(
            f"weekly naive needs 7 days before {origin}; the table starts {history.hours[0]}"
        )
    return pd.DataFrame(values, index=hours, columns=list(known.equipment))


def hour_of_week_profile(
    history: History, origin: pd.Timestamp, count: int, half_life_weeks: float = 26.0
) -> pd.DataFrame:
    """Mean of each hour of the week, public holidays a weekday of their own, recent weeks counting more.

    Returns:
        (count, E) kWh, indexed by hour. Holidays look like Sundays until one was seen, and what was never seen
        gets the mean of all.
    """
    known = history.until(origin)
    day, slot = positions(known.hours)
    of_week = _eight_days(day, known.country) * 24 + slot
    age = np.arange(len(known.hours) - 1, -1, -1.0)
    weight = 0.5 ** (age / (7 * 24 * half_life_weeks))
    mask = np.isfinite(known.used_kwh) * weight[:, None]
    total, seen = np.zeros((192, mask.shape[1])), np.zeros((192, mask.shape[1]))
    np.add.at(total, of_week, np.where(mask > 0, known.used_kwh, 0.0) * mask)
    np.add.at(seen, of_week, mask)
    profile = total / np.where(seen > 0, seen, np.nan)
    profile[168:] = np.where(np.isfinite(profile[168:]), profile[168:], profile[144:168])
    profile = np.where(np.isfinite(profile), profile, total.sum(axis=0) / np.maximum(seen.sum(axis=0), 1e-9))
    hours = horizon_hours(origin, count)
    day, slot = positions(hours)
    rows = _eight_days(day, known.country) * 24 + slot
    return pd.DataFrame(profile[rows], index=hours, columns=list(known.equipment))


def _eight_days(days: Days, country: str) -> NDArray[np.int64]:
    """(T,) the weekday, 7 on a public holiday."""
    return np.where(holidays_of(country, days), HOLIDAY, weekdays(days))


def persistence(values: Floats) -> Floats:
    """(T,) each interval's forecast is the last measured value before it; NaN until there is one."""
    return pd.Series(values).ffill().shift(1).to_numpy(dtype=np.float64)


def _gap(known: History, origin: pd.Timestamp) -> int:
    """Hours between the last known one and the origin."""
    return int((origin - known.end) / pd.Timedelta(hours=1)) if len(known.hours) else 0
