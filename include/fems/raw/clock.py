"""Written times into interval starts."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fems.plant import FileMapping

NO_TIME = np.iinfo(np.int64).min
"""Marks a time that could not be read (int64, as NaT)."""

_DAY_S = 86_400
_OFFSET = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"


def read_local_times(column: pa.ChunkedArray, mapping: FileMapping, zone: str) -> np.ndarray:
    """Read written times as wall-clock seconds of a zone.

    Args:
        column: text, n values.
        mapping: its time_format, or ISO 8601, with or without an offset.
        zone: the wall clock's zone; a time that names its own offset is turned to it.

    Returns:
        int64, n: seconds of the wall clock since 1970, NO_TIME where unreadable.
    """
    if mapping.time_format:
        parsed = pc.strptime(pc.utf8_trim_whitespace(column), mapping.time_format, "s", error_is_null=True)
        seconds = pc.cast(parsed, pa.int64()).to_numpy(zero_copy_only=False)
        local = (
            np.where(np.isnan(seconds), NO_TIME, np.nan_to_num(seconds))
            if seconds.dtype.kind == "f"
            else seconds
        )
        return _without_impossible_days(local.astype(np.int64), column, mapping.time_format)
    written = pd.Series(column.to_pylist(), dtype="object").str.strip()
    located = written.str.contains(_OFFSET, na=False)
    local = np.full(len(written), NO_TIME, np.int64)
    plain = pd.to_datetime(written[~located], errors="coerce", format="ISO8601")
    with_offset = pd.to_datetime(written[located], errors="coerce", format="ISO8601", utc=True)
    turned = with_offset.dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    for rows, times in ((~located, plain), (located, turned)):
        seconds = times.astype("datetime64[s]").astype("int64").to_numpy()
        local[rows.to_numpy()] = np.where(times.isna().to_numpy(), NO_TIME, seconds)
    return local


def _without_impossible_days(local: np.ndarray, column: pa.ChunkedArray, time_format: str) -> np.ndarray:
    """Refuse 30 February: the fast reader makes 2 March of it. Only the first days of a month can be such."""
    day = local.astype("datetime64[s]").astype("datetime64[D]")
    early = np.flatnonzero((local != NO_TIME) & ((day - day.astype("datetime64[M]")).astype(np.int64) < 3))
    if not len(early):
        return local
    coded = column.take(pa.array(early)).combine_chunks().dictionary_encode()
    possible = []
    for text in coded.dictionary.to_pylist():
        try:
            datetime.strptime(text.strip(), time_format)  # noqa: DTZ007 - only whether it can be read
            possible.append(True)
        except ValueError:
            possible.append(False)
    local[early[~np.array(possible)[coded.indices.to_numpy()]]] = NO_TIME
    return local


def on_grid(local: np.ndarray, mapping: FileMapping, grain_minutes: int) -> np.ndarray:
    """Set a clock right that is off the grid by at most a tenth of the interval; then the midnight quirk.

    `midnight: same_day` moves a row written 00:00 to the following midnight.

    Args:
        local: int64, n, wall-clock seconds, NO_TIME where unreadable.
        mapping: what the file's times mean.
        grain_minutes: the native interval.

    Returns:
        int64, n: seconds, NO_TIME where unreadable or off the grid.
    """
    step = grain_minutes * 60
    known = local != NO_TIME
    snapped = np.where(known, (np.where(known, local, 0) + step // 2) // step * step, NO_TIME)
    near = known & (np.abs(np.where(known, local - snapped, 0)) * 10 <= step)
    if mapping.midnight == "same_day":
        snapped = np.where(near & (snapped % _DAY_S == 0), snapped + _DAY_S, snapped)
    return np.where(near, snapped, NO_TIME)


def interval_starts(wall: np.ndarray, mapping: FileMapping, grain_minutes: int, zone: str) -> np.ndarray:
    """Turn wall-clock seconds on the grid into the UTC seconds of their intervals' starts.

    Args:
        wall: int64, n, from `on_grid`.
        mapping: which end of the interval the time marks.
        grain_minutes: the native interval.
        zone: of the wall clock.

    Returns:
        int64, n: UTC seconds; NO_TIME for a wall-clock time that a change of the clocks skips or repeats.
    """
    known = wall != NO_TIME
    utc = np.full(len(wall), NO_TIME, dtype=np.int64)
    index = pd.DatetimeIndex(wall[known].astype("datetime64[s]"))
    located = index.tz_localize(ZoneInfo(zone), ambiguous="NaT", nonexistent="NaT").as_unit("s").asi8
    back = grain_minutes * 60 if mapping.time_marks == "end" else 0
    utc[known] = np.where(located == NO_TIME, NO_TIME, located - back)
    return utc


def local_days(utc: np.ndarray, zone: str) -> np.ndarray:
    """Return the local day of each instant as days since 1970, int64, n; NO_TIME stays NO_TIME."""
    known = utc != NO_TIME
    days = np.full(len(utc), NO_TIME, dtype=np.int64)
    local = pd.DatetimeIndex(utc[known].astype("datetime64[s]"), tz="UTC").tz_convert(ZoneInfo(zone))
    days[known] = local.tz_localize(None).as_unit("s").asi8 // _DAY_S
    return days
