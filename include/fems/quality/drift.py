"""Whether a month looks like the accepted months before it: each sensor's level, spread and daily rhythm.

A month is summed up as a few figures per sensor and column; they are kept with its evaluation, so that the next month
needs no table of an earlier one.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fems.contracts.evaluation import Profile, SensorProfile
from fems.quality.table import CheckResult, seconds, sensor_codes, value_columns

QUANTILES = (0.05, 0.5, 0.95)
LIKENESS = 0.7
"""How well a moved day must fit the days before for the clock to be the reason; a rhythm of its own is none."""

NOT_MEASURED = ("coverage_pct", "estimated_pct")


def profile(hours: pd.DataFrame, timezone: str) -> Profile:
    """Sum up an hour table.

    Args:
        hours: as published.
        timezone: of the hours of the day, IANA name.
    """
    codes, names = sensor_codes(hours)
    columns = [name for name in value_columns(hours) if name not in NOT_MEASURED]
    local = pd.DatetimeIndex(seconds(hours).view("datetime64[s]")).tz_localize("UTC").tz_convert(timezone)
    hour = np.asarray(local.hour)
    found: Profile = {}
    for i, sensor in enumerate(names):
        mine = codes == i
        own: SensorProfile = {}
        for column in columns:
            values = hours[column].to_numpy(np.float64)[mine]
            values = values[~np.isnan(values)]
            if len(values):
                own[column] = tuple(float(each) for each in np.quantile(values, QUANTILES))
        if own:
            first = hours[columns[0]].to_numpy(np.float64)[mine]
            good = ~np.isnan(first)
            count = np.bincount(hour[mine][good], minlength=24)
            total = np.bincount(hour[mine][good], weights=first[good], minlength=24)
            if (count > 0).all():
                own["rhythm"] = tuple((total / count).tolist())
            found[sensor] = own
    return found


def usual(profiles: Iterable[Profile]) -> Profile:
    """Return what is usual in some months: the median of each figure."""
    kept = list(profiles)
    found: Profile = {}
    for sensor in sorted({name for each in kept for name in each}):
        own = [each[sensor] for each in kept if sensor in each]
        names = sorted({name for each in own for name in each})
        found[sensor] = {
            name: tuple(np.median([each[name] for each in own if name in each], axis=0).tolist())
            for name in names
        }
    return found


def moved(now: Profile, before: Profile, max_times: float) -> CheckResult:
    """Find sensors of which a column's level or spread is another than before.

    The spread is from the 5th to the 95th percentile. A column has moved if its spread has grown or shrunk by more than
    `max_times`, or if its median lies outside what was between these percentiles by more than their distance.
    """
    lines, looked = [], 0
    for sensor, columns in now.items():
        for column, quantiles in columns.items():
            old = before.get(sensor, {}).get(column)
            if column == "rhythm" or old is None:
                continue
            looked += 1
            (low, middle, high), (old_low, _, old_high) = quantiles, old
            spread, old_spread = high - low, old_high - old_low
            if old_spread <= 0:
                continue
            outside = max(old_low - middle, middle - old_high, 0.0)
            if outside > old_spread or not old_spread / max_times <= spread <= old_spread * max_times:
                lines.append(
                    f"{sensor} {column}: {low:.4g} to {high:.4g}, before {old_low:.4g} to {old_high:.4g}"
                )
    return CheckResult(looked, absent=tuple(lines))


def shifted(now: Profile, before: Profile, min_gain: float) -> CheckResult:
    """Find sensors whose day fits the days before better when it is moved by an hour or more: a clock that is off.

    Args:
        now: of the month.
        before: what was usual.
        min_gain: by how much the correlation must rise.
    """
    lines, looked = [], 0
    for sensor, columns in now.items():
        old = np.array(before.get(sensor, {}).get("rhythm", ()))
        new = np.array(columns.get("rhythm", ()))
        if len(old) != 24 or len(new) != 24 or np.ptp(old) <= 0 or np.ptp(new) <= 0:
            continue
        looked += 1
        fits = [float(np.corrcoef(np.roll(new, -lag), old)[0, 1]) for lag in range(24)]
        lag = int(np.argmax(fits))
        if lag and fits[lag] > LIKENESS and fits[lag] - fits[0] > min_gain:
            lines.append(f"{sensor}: {lag if lag <= 12 else lag - 24:+d} h")
    return CheckResult(looked, absent=tuple(lines))
