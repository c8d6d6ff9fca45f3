"""Whether a month looks like the accepted months before it: each sensor's level, spread and daily rhythm.

A month is summed up as a few figures per sensor and column; they are kept with its evaluation, so that the next month
needs no table of an earlier one.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.contracts.evaluation import Profile, SensorProfile
from fems.quality.table import CheckResult, TableView, value_columns

QUANTILES = (0.05, 0.5, 0.95)
LIKENESS = 0.7
"""How well a shifted day must fit the days before for the clock to be the reason; a rhythm of its own is none."""

RHYTHM = "rhythm"
SHARES = ("coverage_pct", "estimated_pct")


def profile(hours: TableView, timezone: str) -> Profile:
    """Sum up an hour table.

    Args:
        hours: as published.
        timezone: of the hours of the day, IANA name.
    """
    columns = [name for name in value_columns(hours.frame) if name not in SHARES]
    local = pd.DatetimeIndex(hours.seconds.view("datetime64[s]")).tz_localize("UTC").tz_convert(timezone)
    hour = np.asarray(local.hour)[hours.positions]
    values = {column: hours.matrix(column) for column in columns}
    quantiles = {column: _quantiles(each) for column, each in values.items()}
    profiles: Profile = {}
    for i, sensor in enumerate(hours.sensor_names):
        figures: SensorProfile = {column: each[i] for column, each in quantiles.items() if each[i]}
        if figures:
            first = values[columns[0]][i]
            measured = ~np.isnan(first)
            mean = _mean_by_hour(first[measured], hour[i][measured])
            if mean is not None:
                figures[RHYTHM] = mean
            profiles[sensor] = figures
    return profiles


def _quantiles(values: NDArray[np.float64]) -> list[tuple[float, ...]]:
    """Return the quantiles of each sensor's values, (sensors, rows); of one without a value none."""
    missing = np.isnan(values)
    if values.size and not missing.any():
        return [tuple(each) for each in np.quantile(values, QUANTILES, axis=1).T.tolist()]
    measured = [each[~gone] for each, gone in zip(values, missing, strict=True)]
    return [tuple(np.quantile(each, QUANTILES).tolist()) if len(each) else () for each in measured]


def _mean_by_hour(values: NDArray[np.float64], hour: NDArray[np.int64]) -> tuple[float, ...] | None:
    """Return the mean of each hour of the day; None if one has no value."""
    count = np.bincount(hour, minlength=24)
    if not count.all():
        return None
    return tuple((np.bincount(hour, weights=values, minlength=24) / count).tolist())


def baseline(profiles: Iterable[Profile]) -> Profile:
    """Return what is usual in some months: the median of each figure."""
    kept = list(profiles)
    usual: Profile = {}
    for sensor in sorted({name for each in kept for name in each}):
        own = [each[sensor] for each in kept if sensor in each]
        names = sorted({name for each in own for name in each})
        usual[sensor] = {
            name: tuple(np.median([each[name] for each in own if name in each], axis=0).tolist())
            for name in names
        }
    return usual


def level_changes(month: Profile, usual: Profile, max_times: float) -> CheckResult:
    """Find sensors of which a column's level or spread is another than before.

    The spread is from the 5th to the 95th percentile. A column has changed if its spread has grown or shrunk by more
    than `max_times`, or if its median lies outside of the usual percentiles by more than their distance.
    """
    messages, compared = [], 0
    for sensor, columns in month.items():
        for column, quantiles in columns.items():
            before = usual.get(sensor, {}).get(column)
            if column == RHYTHM or before is None:
                continue
            compared += 1
            (low, middle, high), (low_before, _, high_before) = quantiles, before
            spread, spread_before = high - low, high_before - low_before
            if spread_before <= 0:
                continue
            outside = max(low_before - middle, middle - high_before, 0.0)
            if (
                outside > spread_before
                or not spread_before / max_times <= spread <= spread_before * max_times
            ):
                messages.append(
                    f"{sensor} {column}: {low:.4g} to {high:.4g}, before {low_before:.4g} to {high_before:.4g}"
                )
    return CheckResult(compared, messages=tuple(messages))


def clock_shifts(month: Profile, usual: Profile, min_gain: float) -> CheckResult:
    """Find sensors whose day fits the days before better when it is shifted by an hour or more: a clock that is off.

    Args:
        month: its profile.
        usual: see `baseline`.
        min_gain: by how much the correlation must rise.
    """
    messages, compared = [], 0
    for sensor, columns in month.items():
        before = np.array(usual.get(sensor, {}).get(RHYTHM, ()))
        day = np.array(columns.get(RHYTHM, ()))
        if len(before) != 24 or len(day) != 24 or np.ptp(before) <= 0 or np.ptp(day) <= 0:
            continue
        compared += 1
        shifted = day[(np.arange(24) + np.arange(24)[:, None]) % 24]  # row k: the day k hours earlier
        a, b = shifted - day.mean(), before - before.mean()
        fits = a @ b / np.sqrt((a**2).sum(axis=1) * (b**2).sum())
        lag = int(np.argmax(fits))
        if lag and fits[lag] > LIKENESS and fits[lag] - fits[0] > min_gain:
            messages.append(f"{sensor}: {lag if lag <= 12 else lag - 24:+d} h")
    return CheckResult(compared, messages=tuple(messages))
