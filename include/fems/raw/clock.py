"""Written times into interval starts."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fems.plant import FileMapping

NO_TIME = np.iinfo(np.int64).min
"""Marks a time that could not be read (int64, as NaT)."""

_DAY_S = 86_400


def read_local_times(column: pa.ChunkedArray, mapping: FileMapping) -> np.ndarray:
    """Read written times as local wall-clock seconds.

    Returns:
        int64, n: seconds of the wall clock since 1970, NO_TIME where unreadable.
    """
    if mapping.time_format:
        parsed = pc.strptime(pc.utf8_trim_whitespace(column), mapping.time_format, "s", error_is_null=True)
        seconds = pc.cast(parsed, pa.int64()).to_numpy(zero_copy_only=False)
    else:
        index = pd.to_datetime(pd.Series(column.to_pylist()), errors="coerce", format="ISO8601")
        seconds = index.astype("datetime64[s]").astype("int64").to_numpy().astype(np.float64)
        seconds[index.isna().to_numpy()] = np.nan
    if seconds.dtype.kind == "f":  # nulls came back as NaN
        return np.where(np.isnan(seconds), NO_TIME, np.nan_to_num(seconds)).astype(np.int64)
    return seconds


def interval_starts(local: np.ndarray, mapping: FileMapping, grain_minutes: int) -> np.ndarray:
    """Turn written wall-clock times into the wall-clock starts of their intervals.

    `midnight: same_day` moves a row written 00:00 to the following midnight; `time_marks: end` steps back one
    interval. A clock that is off the grid by at most a tenth of the interval is set right.

    Args:
        local: int64, n, seconds, NO_TIME where unreadable.
        mapping: what the file's times mean.
        grain_minutes: the native interval.

    Returns:
        int64, n: seconds, NO_TIME where unreadable or off the grid.
    """
    step = grain_minutes * 60
    known = local != NO_TIME
    starts = local.copy()
    if mapping.midnight == "same_day":
        starts = np.where(known & (starts % _DAY_S == 0), starts + _DAY_S, starts)
    if mapping.time_marks == "end":
        starts = np.where(known, starts - step, starts)
    snapped = (starts + step // 2) // step * step
    on_grid = known & (np.abs(starts - snapped) * 10 <= step)
    return np.where(on_grid, snapped, NO_TIME)


def to_utc(local: np.ndarray, zone: str) -> np.ndarray:
    """Turn wall-clock seconds into UTC seconds.

    Returns:
        int64, n: UTC seconds; NO_TIME for a wall-clock time that a change of the clocks skips or repeats.
    """
    known = local != NO_TIME
    wall = pd.DatetimeIndex(local[known].astype("datetime64[s]"))
    located = wall.tz_localize(ZoneInfo(zone), ambiguous="NaT", nonexistent="NaT")
    utc = np.full(len(local), NO_TIME, dtype=np.int64)
    utc[known] = located.as_unit("s").asi8
    return utc
