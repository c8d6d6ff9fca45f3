"""The job in polars, as a user of it would write it: lazy frames, one a sensor, collected together on all cores.

The same with `over("sensor_id")` on one frame takes about twice as long. It does less than ours: no quarantine, no
flags, no typing of dirty numbers, no filling from earlier weeks, no account of the rows.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

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

NAME = f"polars {pl.__version__}"


def run(job: Job) -> None:
    """Make the three Parquet files."""
    for grain, table in tables(job.files, job.rated_kw, job.zone, job.first, job.end).items():
        table.write_parquet(job.out / f"{grain}.parquet")


def tables(
    files: Sequence[Path] | Sequence[bytes], rated_kw: Mapping[str, float], zone: str, first: date, end: date
) -> dict[str, pl.DataFrame]:
    """Return the three tables of raw files by grain; see `benchmarks.job.Job` for the arguments."""
    raw = (
        pl.scan_csv(list(files), infer_schema=False)
        .select(
            pl.col("timestamp").str.to_datetime(TIME_FORMAT, time_unit="us", strict=False),
            "sensor_id",
            pl.col(VALUES).cast(pl.Float64, strict=False),
        )
        .drop_nulls("timestamp")
        .with_columns(pl.col("timestamp").dt.replace_time_zone(zone))
        .collect()
    )
    midnights = [pl.lit(day).cast(pl.Datetime("us")).dt.replace_time_zone(zone) for day in (first, end)]
    grid = pl.LazyFrame().select(timestamp=pl.datetime_range(*midnights, interval="1m", closed="left"))
    plans = []
    for (sensor_id,), rows in sorted(raw.partition_by("sensor_id", as_dict=True, include_key=False).items()):
        unique = rows.lazy().unique("timestamp", keep="first", maintain_order=True)
        native = grid.join(unique, on="timestamp", how="left", maintain_order="left")
        native = _short_gaps_filled(_cleaned(native, rated_kw[str(sensor_id)]))
        plans.append(native.select("timestamp", pl.lit(sensor_id).alias("sensor_id"), *VALUES))
    native = pl.concat(pl.collect_all(plans, engine="in-memory"))
    return {"native": native, "hour": _summed(native, "1h"), "day": _summed(native, "1d")}


def _cleaned(native: pl.LazyFrame, rated_kw: float) -> pl.LazyFrame:
    """Take away what lies outside the limits, then what stands still."""
    usual = {name: pl.col(name).quantile(0.99, "linear") for name in VALUES}
    most = {name: usual[name] * USUAL_LIMIT for name in VALUES} | {"power_factor_pct": pl.lit(100.0)}
    for name, share in RATED_LIMITS.items():
        most[name] = pl.min_horizontal(pl.lit(share * rated_kw / 60), most[name])
    native = native.with_columns(
        pl.when(pl.col(name).is_between(0, most[name])).then(name) for name in VALUES
    )
    runs = [pl.col(name).rle_id().alias(f"{name}_run") for name in STUCK_COLUMNS]
    return native.with_columns(runs).with_columns(
        pl.when(
            (pl.len().over(f"{name}_run") > STUCK_MINUTES + 1)
            & (pl.col(name) == pl.col(name).shift())
            & (pl.col(name) >= STUCK_ABOVE * usual[name])
            & (pl.col(name) > 0)
        )
        .then(None)
        .otherwise(name)
        .alias(name)
        for name in STUCK_COLUMNS
    )


def _short_gaps_filled(native: pl.LazyFrame) -> pl.LazyFrame:
    """Join the ends of gaps that are short enough; a longer one stays as it is."""
    gaps = [pl.col(name).is_null().rle_id().alias(f"{name}_gap") for name in VALUES]
    return native.with_columns(gaps).with_columns(
        pl.when(pl.len().over(f"{name}_gap") <= GAP_MINUTES)
        .then(pl.col(name).interpolate())
        .otherwise(name)
        .alias(name)
        for name in VALUES
    )


def _summed(native: pl.DataFrame, every: str) -> pl.DataFrame:
    """Sum up by hours or local days; a column needs enough of the minutes to have a value."""
    used, factor = pl.col("used_kwh"), pl.col("power_factor_pct")
    energy = used.filter(factor.is_not_null()).sum()
    value = {name: pl.col(name).sum() for name in ("used_kwh", "active_kwh", "reactive_kvarh")}
    value["current_a"] = pl.col("current_a").mean()
    value["power_factor_pct"] = (
        pl.when(energy > 0).then((factor * used).sum() / energy).otherwise(factor.mean())
    )
    enough = {name: pl.col(name).count() >= MIN_COVERAGE * pl.len() for name in VALUES}
    return native.group_by_dynamic("timestamp", every=every, group_by="sensor_id").agg(
        *(pl.when(enough[name]).then(value[name]).alias(name) for name in VALUES),
        coverage_pct=100 * used.count() / pl.len(),
    )
