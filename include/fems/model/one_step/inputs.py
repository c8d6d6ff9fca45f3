"""The one-step model's features at the end of an interval: what was measured, and what is known of the next one."""

import numpy as np
import pandas as pd

from fems.calendar import local_days, weekdays
from fems.model.calendar_features import day_features
from fems.model.history import Floats, History
from fems.model.one_step.windows import fill_forward
from fems.model.scaling import MinMaxScaler

_DAY, _WEEK = pd.Timedelta(days=1), pd.Timedelta(days=7)
_OF_DAY = ("holiday", "festival", "before_holiday", "after_holiday", "bridge")
_WAVES = tuple(f"{wave}_{n}" for n in (1, 2) for wave in ("sin", "cos"))

CALENDAR_FEATURES: tuple[str, ...] = (
    "used_kwh_day_before",
    "used_kwh_week_before",
    *_WAVES,
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *_OF_DAY,
)
"""Columns that follow the measured ones, all of the next interval."""


def input_columns(history: History, scaler: MinMaxScaler) -> Floats:
    """Lay out the inputs, a row an interval; nothing that was measured after the interval's end enters its row.

    Args:
        history: one factory; its measured columns are those of `scaler`, used_kwh first.
        scaler: from the training span.

    Returns:
        (T, C): the measured columns, scaled and carried forward; then `CALENDAR_FEATURES`.
    """
    measured = history.inputs.reindex(columns=list(scaler.names)).to_numpy(dtype=np.float64)
    scaled = scaler.transform(measured)
    following = history.hours + history.step
    return np.concatenate(
        [fill_forward(scaled), _before(scaled[:, 0], history), _calendar(following, history)], axis=1
    )


def _before(used: Floats, history: History) -> Floats:
    """(T, 2) a day and a week before the next interval; each stands in where the other is missing."""
    lags = [int(ago / history.step) - 1 for ago in (_DAY, _WEEK)]
    day, week = (np.concatenate([np.full(min(lag, len(used)), np.nan), used])[: len(used)] for lag in lags)
    pair = np.stack([np.where(np.isfinite(day), day, week), np.where(np.isfinite(week), week, day)], axis=1)
    return fill_forward(pair)


def _calendar(intervals: pd.DatetimeIndex, history: History) -> Floats:
    """(T, 16)."""
    days, row = np.unique(local_days(intervals), return_inverse=True)
    of_day = day_features(days, history.country)[list(_OF_DAY)].to_numpy(dtype=np.float64)
    angle = 2 * np.pi * (intervals.hour * 60 + intervals.minute).to_numpy() / (24 * 60)
    time = np.stack([wave(n * angle) for n in (1, 2) for wave in (np.sin, np.cos)], axis=1)
    return np.concatenate([time, np.eye(7)[weekdays(days)][row], of_day[row]], axis=1)
