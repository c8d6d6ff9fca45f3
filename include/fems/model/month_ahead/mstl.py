"""MSTL over the factory's hours, with holidays and shutdowns taken out first and the holidays' effect put back.

Multiple seasonal-trend decomposition (Bandara et al., 2021), daily and weekly. It trusts the last days where means of
past days trust the year, and so errs elsewhere; a holiday that it reads as a fall of the level would mislead it for the
month. The trend stays where it ended: carried on as it last went, a month ahead, it leads astray far more often.
"""

import numpy as np
import pandas as pd

from fems.calendar import ONE_DAY
from fems.model.calendar_features import day_features, day_kinds
from fems.model.history import Floats, History
from fems.model.month_ahead import shapes, shutdowns
from fems.model.month_ahead.daygrid import DayGrid, horizon_hours, positions

DAYS = 91
"""What is decomposed. It is local: a quarter tells what a year tells, in a quarter of the time."""
LEAST_DAYS = 28

_DAY, _WEEK = 24, 168
_SHAPE_WEEKS = 26
_LEVEL_HOURS = 14 * 24
_JUMP = 12
"""Hours between the points at which a smooth curve is fitted, straight lines between them (Cleveland et al., 1990):
a seventh of the time, and less than 0.05 % of the span different."""
_STL = {"seasonal_deg": 0, "trend_jump": _JUMP, "low_pass_jump": _JUMP}
"""Degree 0, as in R's forecast and in statsforecast."""


def predict(known: History, origin: pd.Timestamp, count: int) -> Floats | None:
    """Forecast (count,) kWh of the factory from `origin` on, which may lie past the history's end.

    Args:
        known: what was measured before the origin.
        origin: the first hour.
        count: hours.

    Returns:
        None where there are fewer than `LEAST_DAYS` days, or nothing was measured.
    """
    if len(known.hours) < LEAST_DAYS * 24 or not np.isfinite(known.factory_kwh).any():
        return None
    from statsmodels.tsa.seasonal import MSTL  # type: ignore[import-untyped]

    ahead = horizon_hours(known.end, count + int((origin - known.end) / pd.Timedelta(hours=1)))
    hours = pd.DatetimeIndex(known.hours.append(ahead))
    clean, effect = _cleaned(known, hours)
    parts = MSTL(clean[-DAYS * 24 :], periods=(_DAY, _WEEK), stl_kwargs=_STL).fit()
    forecast: Floats = parts.trend[-1] + effect[len(clean) :]
    for period, seasonal in zip((_DAY, _WEEK), parts.seasonal.T, strict=True):
        forecast += np.resize(seasonal[-period:], len(ahead))
    clipped: Floats = np.maximum(forecast, 0.0)[-count:]
    return clipped


def _cleaned(known: History, hours: pd.DatetimeIndex) -> tuple[Floats, Floats]:
    """(T,) the known hours without holidays, stops and gaps; (T + ahead,) what a holiday adds to its weekday."""
    grid = DayGrid.of(known.hours, known.factory_kwh[:, None])
    day, slot = positions(hours)
    days = np.arange(grid.days[0], day[-1] + ONE_DAY, ONE_DAY)
    row = ((day - days[0]) / ONE_DAY).astype(np.int64)
    features = day_features(days, known.country)
    kinds, week = day_kinds(features), features["weekday"].to_numpy()
    mask, past = np.isfinite(grid.values), len(grid.days)
    observed = shapes.ObservedDays(
        np.where(mask, grid.values, 0.0),
        mask,
        kinds[:past],
        week[:past],
        shutdowns.find_shutdowns(grid.values, kinds[:past]),
        known.holidays_off,
    )
    shape = shapes.by_day_kind(observed, _SHAPE_WEEKS)
    usual = shape[week, week][row, slot, 0]
    effect = shape[kinds, week][row, slot, 0] - usual
    count = len(known.hours)
    ordinary = observed.ordinary[row[:count], slot[:count], 0] & np.isfinite(known.factory_kwh)
    above = pd.Series(np.where(ordinary, known.factory_kwh - usual[:count], np.nan))
    level = (
        above.rolling(_LEVEL_HOURS, center=True, min_periods=_DAY).mean().interpolate(limit_direction="both")
    )
    stand_in = usual[:count] + level.fillna(0.0).to_numpy()
    return np.where(ordinary, known.factory_kwh, stand_in), effect
