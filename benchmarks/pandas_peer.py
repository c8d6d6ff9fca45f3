"""The peer of `process`: a month of raw CSV files into native, hour and day tables, in plain pandas.

Written as a user of pandas would write it: no row loops, and no tricks either. It reads clean files only and does less
than ours: no quarantine, no flags, no stuck meters, no filling from earlier weeks, no account of the rows.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

VALUES = ["used_kwh", "power_factor_pct", "current_a", "active_kwh", "reactive_kvarh"]
GAP_MINUTES = 60
MIN_COVERAGE = 0.9


def tables(
    files: Iterable[Path], rated_kw: Mapping[str, float], zone: str, first: date, last: date
) -> dict[str, pd.DataFrame]:
    """Make the tables native, hour and day of a factory that writes a row a minute, ordered by sensor and time.

    Args:
        files: a CSV file a day, UTF-8, with the definition book's headers, local times.
        rated_kw: sensor -> nameplate power.
        zone: the factory's time zone.
        first: first local day.
        last: last local day.
    """
    raw = pd.concat([pd.read_csv(f, dtype={"factory_id": str, "sensor_id": str}) for f in files])
    raw["timestamp"] = pd.to_datetime(raw["timestamp"], format="%Y-%m-%d %H:%M:%S").dt.tz_localize(zone)
    raw = raw.drop_duplicates(["sensor_id", "timestamp"])
    end = last + timedelta(days=1)
    minutes = pd.date_range(first, end, freq="min", tz=zone, inclusive="left")
    made: dict[str, list[pd.DataFrame]] = {"native": [], "hour": [], "day": []}
    for sensor_id, rows in raw.groupby("sensor_id"):
        native = rows.set_index("timestamp")[VALUES].reindex(minutes).rename_axis("timestamp")
        native = _limited(native, rated_kw[str(sensor_id)])
        native = native.interpolate(limit=GAP_MINUTES, limit_area="inside")
        by_grain = {"native": native, "hour": _summed(native, "h"), "day": _summed(native, "D")}
        for grain, table in by_grain.items():
            made[grain].append(table.reset_index().assign(sensor_id=sensor_id))
    return {grain: pd.concat(parts, ignore_index=True) for grain, parts in made.items()}


def _limited(native: pd.DataFrame, rated_kw: float) -> pd.DataFrame:
    """Take away what lies outside the limits: of the nameplate, and of what the sensor usually shows."""
    minute = rated_kw / 60
    most = native.quantile(0.99) * 10
    hard = {"used_kwh": 1.15 * minute, "active_kwh": 1.15 * minute, "reactive_kvarh": 2 * minute}
    most["power_factor_pct"] = 100
    for name, limit in hard.items():
        most[name] = min(limit, most[name])
    return native.where((native >= 0) & (native <= most))


def _summed(native: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Sum up by hours or local days; a column needs enough of the minutes to have a value."""
    groups = native.resample(rule)
    size, count = groups.size(), groups.count()
    summed = groups[["used_kwh", "active_kwh", "reactive_kvarh"]].sum()
    means = groups[["power_factor_pct", "current_a"]].mean()
    weighted = (native["power_factor_pct"] * native["used_kwh"]).resample(rule).sum() / summed["used_kwh"]
    summed["power_factor_pct"] = weighted.fillna(means["power_factor_pct"])
    summed["current_a"] = means["current_a"]
    summed = summed[VALUES].where(count.ge(MIN_COVERAGE * size, axis=0))
    summed["coverage_pct"] = 100 * count["used_kwh"] / size
    return summed
