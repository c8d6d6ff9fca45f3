"""Backtest any regular table of one series, no service needed."""

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from fems.errors import ConfigError, DataError
from fems.model import backtest
from fems.model.backtest import BacktestResult
from fems.model.history import MEASURED, History

HOUR = pd.Timedelta(hours=1)

_OFFSET = r"[0-9](?:Z|[+-][0-9]{2}:?[0-9]{2})$"
"""The end of a written time that carries an offset."""


def read_series(
    path: Path,
    timestamp: str,
    target: str,
    features: list[str],
    zone: str,
    country: str,
    step: pd.Timedelta = HOUR,
) -> History:
    """Read a CSV or Parquet table of one series into hours, or into parts of hours.

    Args:
        path: the table, or a folder of Parquet tables; its times mark the start of their interval.
        timestamp: its column of times; without a zone they are taken as wall-clock times of `zone`.
        target: its column of energy per interval, kWh; summed up to hours.
        features: further columns, named as the project names them (power_factor_pct, current_a, ...).
        zone: IANA time zone.
        country: ISO 3166 code of the public holidays.
        step: what energies are summed up to; an hour or a whole part of one.

    Raises:
        ConfigError: the file, a column or the zone is not there, or a feature is none of the project's.
        DataError: a time cannot be read or stands twice, a value is no number, or the table is coarser than `step`.
    """
    unknown = [name for name in features if name not in MEASURED[1:]]
    if unknown:
        raise ConfigError(
            f"features: {', '.join(unknown)} is none of {', '.join(MEASURED[1:])}; rename the column"
        )
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"{zone!r} is no IANA time zone (such as Asia/Seoul)") from error
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
    numbers = {name: _numbers(path, table[name]) for name in (target, *features)}
    rows = pd.DataFrame(numbers).assign(timestamp=_times(path, table[timestamp], local))
    rows = rows.dropna(subset="timestamp")
    if rows["timestamp"].duplicated().any():
        again = rows.loc[rows["timestamp"].duplicated(), "timestamp"].iloc[0]
        raise DataError(f"{path}: the time {again} stands twice; a table of several series is none of one")
    rows = rows.set_index("timestamp").sort_index()
    apart = pd.Timedelta(pd.Series(rows.index).diff().min())
    if step < HOUR and apart > step:
        raise DataError(f"{path}: its rows are {apart} apart, which is coarser than {step}")
    by_step = rows.resample(step)
    summed = {"used_kwh": by_step[target].sum(min_count=1)}
    for name in features:
        energy = name.endswith("kwh") or name.endswith("kvarh")
        summed[name] = by_step[name].sum(min_count=1) if energy else by_step[name].mean()
    table = pd.DataFrame(summed).reset_index().assign(factory_id="series", sensor_id="series")
    return History.from_hour_table(table, country=country, step=step)


def step_of(grain: str) -> pd.Timedelta:
    """Read a grain such as 1h or 15min.

    Raises:
        ConfigError: it is no hour and no whole part of one.
    """
    try:
        step = pd.Timedelta(grain)
    except ValueError as error:
        raise ConfigError(f"--grain {grain!r}: write 1h, or whole minutes such as 15min") from error
    if not pd.Timedelta(minutes=1) <= step <= HOUR or HOUR % step:
        raise ConfigError(f"--grain {grain}: neither an hour nor a whole part of one")
    return step


def _times(path: Path, written: pd.Series, local: ZoneInfo) -> pd.Series:
    """Read times in one way: all with an offset, or none."""
    if isinstance(written.dtype, pd.DatetimeTZDtype):
        converted: pd.Series = written.dt.tz_convert(local)
        return converted
    text = written.astype(str)
    offset = text.str.contains(_OFFSET)
    if offset.any() and not offset.all():
        odd = int((offset != offset.iloc[0]).to_numpy().argmax())
        raise DataError(
            f"{path}: some times carry an offset and some do not: {text.iloc[0]!r} in row 1, {text.iloc[odd]!r} in row "
            f"{odd + 1}; write all of them in one way"
        )
    aware = bool(offset.any())
    times = pd.to_datetime(written, errors="coerce", utc=aware)
    if times.isna().any():
        odd = int(times.isna().to_numpy().argmax())
        raise DataError(f"{path}: row {odd + 1}: the time {text.iloc[odd]!r} cannot be read; write ISO 8601")
    if not aware:
        times = times.dt.tz_localize(local, ambiguous="NaT", nonexistent="shift_forward")
    return times.dt.tz_convert(local)


def _numbers(path: Path, column: pd.Series) -> pd.Series:
    """Read a column of numbers; an empty field is a missing value, anything else that is no number an error."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    text = numbers.isna() & column.notna()
    if text.any():
        odd = int(text.to_numpy().argmax())
        raise DataError(f"{path}: row {odd + 1}: {column.name} is {column.iloc[odd]!r}, which is no number")
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        odd = int(infinite.argmax())
        raise DataError(f"{path}: row {odd + 1}: {column.name} is infinite")
    return numbers


def run(
    history: History,
    *,
    one_step: bool,
    horizon_minutes: int,
    origins: int,
    epochs: int,
    seed: int,
    skip: int = 0,
) -> BacktestResult:
    """Score a series by one of the two protocols; see `fems.model.backtest`.

    Args:
        history: the series.
        one_step: the study's protocol, not month-ahead.
        horizon_minutes: of each window; whole hours.
        origins: how many windows.
        epochs: of the one-step model, at most.
        seed: of every random choice.
        skip: so many of the last windows are left out; designs are chosen on those before.

    Raises:
        ConfigError: the horizon is not a number of whole hours.
        TooLittleHistory: too few hours for so many windows.
    """
    if horizon_minutes < 60 or horizon_minutes % 60:
        raise ConfigError(f"the horizon of {horizon_minutes} minutes is not a number of whole hours")
    if one_step:
        return backtest.one_step(history, epochs=epochs, seed=seed)
    methods = backtest.all_methods(seed=seed)
    return backtest.month_ahead(history, methods, count=origins, horizon_minutes=horizon_minutes, skip=skip)
