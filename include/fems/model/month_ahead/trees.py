"""Boosted trees over the factory's hours: lags of whole days, the week's mean and the calendar.

Lags start at a day, so that a day's hours are forecast together and become the lags of the next (recursive). The
library is XGBoost: its wheel brings all that it needs, see docs/decisions/0010-trees-need-no-system-package.md.
"""

from typing import Any

import numpy as np
import pandas as pd

from fems.model.calendar_features import day_features
from fems.model.history import Floats, History
from fems.model.month_ahead.boosted import BoostedTrees
from fems.model.month_ahead.daygrid import horizon_hours, positions

_DAY, _WEEK = 24, 168
_LAGS = (24, 48, 72, 96, 120, 144, 168, 336)
_CALENDAR_FEATURES = ("weekday", "holiday", "festival", "before_holiday", "after_holiday")
FEATURES: tuple[str, ...] = (*(f"lag_{hours}h" for hours in _LAGS), "week_mean", "hour", *_CALENDAR_FEATURES)
"""The columns that a tree splits."""
COLUMNS = len(FEATURES)
_LEAST_ROWS = 7 * 24
ROUNDS = 300
LEARNING_RATE = 0.05
_DEPTH = 5
_SETTINGS = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "learning_rate": LEARNING_RATE,
    "max_depth": _DEPTH,
    "base_score": 0.0,  # the mean is taken off before
    "min_child_weight": 20,
}


def fit(known: History, *, seed: int = 0, threads: int = 1) -> BoostedTrees | None:
    """Fit on a history.

    Returns:
        The trees; None where fewer than a week of hours has the lags it needs.
    """
    import xgboost

    features, target = training_table(known)
    if len(target) < _LEAST_ROWS:
        return None
    mean = float(target.mean())
    table = xgboost.QuantileDMatrix(features, target - mean, nthread=threads)
    booster = xgboost.train(_SETTINGS | {"seed": seed, "nthread": threads}, table, ROUNDS)
    return BoostedTrees.of(booster, mean, _DEPTH)


def training_table(known: History) -> tuple[Floats, Floats]:
    """(R, COLUMNS) and (R,) kWh of the measured hours that have all lags."""
    past = filled(known)
    measured = np.flatnonzero(np.isfinite(known.factory_kwh))
    rows = measured[measured >= max(_LAGS)]
    return _features(past, _calendar(known.hours, known.country), rows), past[rows]


def predict(trees: BoostedTrees, known: History, origin: pd.Timestamp, count: int) -> Floats:
    """Forecast (count,) kWh of the factory from `origin` on, which may lie past the history's end.

    Args:
        trees: from `fit`.
        known: what was measured before the origin; at least 336 hours.
        origin: the first hour.
        count: hours.
    """
    past = filled(known)
    ahead = count + int((origin - known.end) / pd.Timedelta(hours=1))
    hours = pd.DatetimeIndex(known.hours.append(horizon_hours(known.end, ahead)))
    calendar = _calendar(hours, known.country)
    values = np.concatenate([past, np.full(ahead, np.nan)])
    for first in range(len(past), len(values), _DAY):
        at = np.arange(first, min(first + _DAY, len(values)))
        values[at] = np.maximum(trees(_features(values, calendar, at)), 0.0)
    return values[len(values) - count :]


def filled(known: History) -> Floats:
    """(T,) the factory's kWh without gaps: a week before, or the mean where there is none."""
    values = pd.Series(known.factory_kwh)
    while values.isna().any() and values.shift(_WEEK).where(values.isna()).notna().any():
        values = values.fillna(values.shift(_WEEK))
    return np.asarray(values.fillna(values.mean()), dtype=np.float64)


def _features(values: Floats, calendar: Floats, rows: Any) -> Floats:
    """(R, C): the columns of `FEATURES`."""
    lags = np.stack([values[rows - lag] for lag in _LAGS], axis=1)
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    week = (sums[rows - _DAY + 1] - sums[rows - _DAY + 1 - _WEEK]) / _WEEK
    return np.concatenate([lags, week[:, None], calendar[rows]], axis=1)


def _calendar(hours: pd.DatetimeIndex, country: str) -> Floats:
    """(T, 6): hour, weekday, holiday, festival, and whether the day before or after a holiday."""
    day, slot = positions(hours)
    days, row = np.unique(day, return_inverse=True)
    features = day_features(days, country)[list(_CALENDAR_FEATURES)].to_numpy(dtype=np.float64)
    return np.concatenate([slot[:, None], features[row]], axis=1)
