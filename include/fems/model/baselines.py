"""What a model must beat."""

import numpy as np
import pandas as pd

from fems.errors import TooLittleHistory
from fems.model.calendar import weekdays
from fems.model.daygrid import horizon_hours, positions
from fems.model.history import Floats, History


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


def hour_of_week_profile(history: History, origin: pd.Timestamp, count: int, weeks: int = 26) -> pd.DataFrame:
    """Mean of each hour of the week over the last `weeks` weeks.

    Returns:
        (count, E) kWh, indexed by hour; an hour of the week never seen gets the mean of all.
    """
    known = history.until(origin).last_days(7 * weeks)
    day, slot = positions(known.hours)
    of_week = weekdays(day) * 24 + slot
    mask = np.isfinite(known.used_kwh)
    total, seen = np.zeros((168, mask.shape[1])), np.zeros((168, mask.shape[1]))
    np.add.at(total, of_week, np.where(mask, known.used_kwh, 0.0))
    np.add.at(seen, of_week, mask)
    overall = total.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    profile = np.where(seen > 0, total / np.maximum(seen, 1), overall)
    hours = horizon_hours(origin, count)
    day, slot = positions(hours)
    return pd.DataFrame(profile[weekdays(day) * 24 + slot], index=hours, columns=list(known.equipment))


def persistence(values: Floats) -> Floats:
    """(T,) each interval's forecast is the last measured value before it; NaN until there is one."""
    return pd.Series(values).ffill().shift(1).to_numpy(dtype=np.float64)


def _gap(known: History, origin: pd.Timestamp) -> int:
    """Hours between the last known one and the origin."""
    return int((origin - known.end) / pd.Timedelta(hours=1)) if len(known.hours) else 0
