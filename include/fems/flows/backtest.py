"""Backtest any regular table of one series, no service needed."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from fems.errors import ConfigError, DataError
from fems.model import backtest
from fems.model.history import MEASURED, History


def read_series(
    path: Path, timestamp: str, target: str, features: list[str], zone: str, country: str
) -> History:
    """Read a CSV or Parquet table of one series into hours.

    Args:
        path: the table, or a folder of Parquet tables; its times mark the start of their interval.
        timestamp: its column of times; without a zone they are taken as wall-clock times of `zone`.
        target: its column of energy per interval, kWh; summed up to hours.
        features: further columns, named as the project names them (power_factor_pct, current_a, ...).
        zone: IANA time zone.
        country: ISO 3166 code of the public holidays.

    Raises:
        ConfigError: the file or a column is not there, or a feature is none of the project's.
        DataError: a time cannot be read or stands twice.
    """
    unknown = [name for name in features if name not in MEASURED[1:]]
    if unknown:
        raise ConfigError(
            f"features: {', '.join(unknown)} is none of {', '.join(MEASURED[1:])}; rename the column"
        )
    try:
        parquet = path.is_dir() or path.suffix == ".parquet"
        table = pd.read_parquet(path) if parquet else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a table: {error}") from error
    lacking = [name for name in (timestamp, target, *features) if name not in table]
    if lacking:
        raise ConfigError(
            f"{path}: has no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}"
        )
    times = pd.to_datetime(table[timestamp], errors="coerce")
    if times.isna().any():
        bad = table.loc[times.isna(), timestamp].iloc[0]
        raise DataError(
            f"{path}: row {int(times.isna().to_numpy().argmax()) + 1}: the time {bad!r} cannot be read; write ISO 8601"
        )
    if times.dt.tz is None:
        times = times.dt.tz_localize(ZoneInfo(zone), ambiguous="NaT", nonexistent="shift_forward")
    table = table.assign(timestamp=times.dt.tz_convert(ZoneInfo(zone))).dropna(subset="timestamp")
    if table["timestamp"].duplicated().any():
        again = table.loc[table["timestamp"].duplicated(), "timestamp"].iloc[0]
        raise DataError(f"{path}: the time {again} stands twice")
    by_hour = table.set_index("timestamp").sort_index().resample("1h")
    summed = {"used_kwh": by_hour[target].sum(min_count=1)}
    for name in features:
        energy = name.endswith("kwh") or name.endswith("kvarh")
        summed[name] = by_hour[name].sum(min_count=1) if energy else by_hour[name].mean()
    hours = pd.DataFrame(summed).reset_index()
    return History.from_hour_table(hours.assign(factory_id="series", sensor_id="series"), country=country)


def run(
    history: History, *, one_step: bool, horizon_minutes: int, origins: int, epochs: int, seed: int
) -> dict[str, Any]:
    """Score a series by one of the two protocols; see `fems.model.backtest`.

    Raises:
        TooLittleHistory: too few hours for so many windows.
    """
    if one_step:
        return backtest.one_step(history, epochs=epochs, seed=seed)
    return backtest.month_ahead(history, origins=origins, horizon_minutes=horizon_minutes, seed=seed)
