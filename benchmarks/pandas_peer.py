"""The job in plain pandas, as a user of it would write it: no row loops, and no tricks either.

It does less than ours: no quarantine, no flags, no typing of dirty numbers, no filling from earlier weeks, no account
of the rows.
"""

import pandas as pd

from benchmarks.job import (
    GAP_MINUTES,
    MIN_COVERAGE,
    RATED_LIMITS,
    STUCK_ABOVE,
    STUCK_COLUMNS,
    STUCK_MINUTES,
    TIME_FORMAT,
    USUAL_LIMIT,
    VALUES,
    Job,
)

NAME = f"pandas {pd.__version__}"


def run(job: Job) -> None:
    """Make the three Parquet files."""
    ids = {"factory_id": str, "sensor_id": str}
    files = [pd.read_csv(file, dtype=ids, low_memory=False) for file in job.files]
    raw = pd.concat(files, ignore_index=True)
    raw["timestamp"] = pd.to_datetime(raw["timestamp"], format=TIME_FORMAT, errors="coerce")
    raw = raw.dropna(subset="timestamp").drop_duplicates(["sensor_id", "timestamp"])
    raw["timestamp"] = raw["timestamp"].dt.tz_localize(job.zone)
    raw[VALUES] = raw[VALUES].apply(pd.to_numeric, errors="coerce")
    minutes = pd.date_range(job.first, job.end, freq="min", tz=job.zone, inclusive="left", name="timestamp")
    made: dict[str, dict[str, pd.DataFrame]] = {"native": {}, "hour": {}, "day": {}}
    for sensor_id, rows in raw.groupby("sensor_id"):
        native = rows.set_index("timestamp")[VALUES].reindex(minutes)
        native = _cleaned(native, job.rated_kw[str(sensor_id)])
        native = _short_gaps_filled(native)
        made["native"][str(sensor_id)] = native
        made["hour"][str(sensor_id)] = _summed(native, "h")
        made["day"][str(sensor_id)] = _summed(native, "D")
    for grain, tables in made.items():
        table = pd.concat(tables, names=["sensor_id"]).reset_index()
        table.to_parquet(job.out / f"{grain}.parquet", index=False)


def _cleaned(native: pd.DataFrame, rated_kw: float) -> pd.DataFrame:
    """Take away what lies outside the limits, then what stands still."""
    most = native.quantile(0.99) * USUAL_LIMIT
    most["power_factor_pct"] = 100
    for name, share in RATED_LIMITS.items():
        most[name] = min(share * rated_kw / 60, most[name])
    native = native.where((native >= 0) & (native <= most))
    floor = native.quantile(0.99) * STUCK_ABOVE
    for name in STUCK_COLUMNS:
        column = native[name]
        run = (column != column.shift()).cumsum()
        long = run.map(run.value_counts()) > STUCK_MINUTES + 1
        repeated = column == column.shift()
        native[name] = column.mask(long & repeated & (column >= floor[name]) & (column > 0))
    return native


def _short_gaps_filled(native: pd.DataFrame) -> pd.DataFrame:
    """Join the ends of gaps that are short enough; a longer one stays as it is."""
    line = native.interpolate(limit_area="inside")
    for name in VALUES:
        gap = native[name].isna()
        number = (gap != gap.shift()).cumsum()
        short = number.map(number.value_counts()) <= GAP_MINUTES
        native[name] = native[name].fillna(line[name].where(short))
    return native


def _summed(native: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Sum up by hours or local days; a column needs enough of the minutes to have a value."""
    groups = native.resample(rule)
    size, count = groups.size(), groups.count()
    summed = groups[["used_kwh", "active_kwh", "reactive_kvarh"]].sum()
    means = groups[["power_factor_pct", "current_a"]].mean()
    both = native[["power_factor_pct", "used_kwh"]].dropna()
    energy = both["used_kwh"].resample(rule).sum()
    weighted = (both["power_factor_pct"] * both["used_kwh"]).resample(rule).sum() / energy
    summed["power_factor_pct"] = weighted.reindex(summed.index).fillna(means["power_factor_pct"])
    summed["current_a"] = means["current_a"]
    summed = summed[VALUES].where(count.ge(MIN_COVERAGE * size, axis=0))
    summed["coverage_pct"] = 100 * count["used_kwh"] / size
    return summed
