"""Times as a collector's clock shows them into starts of intervals in UTC."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fems.raw.interval_labels import read_times
from fems.raw.labels import NO_TIME
from fems.raw.shifts import placed_shifts
from fems.raw.zones import offsets, wall_clock
from fems.registry.mapping import FileMapping

__all__ = ["NO_TIME", "LabelTimes", "interval_starts", "label_times", "local_days", "on_grid", "placed_times"]

_DAY_S = 86_400


@dataclass(frozen=True)
class LabelTimes:
    """What written times mean, stage by stage; int64, n each, NO_TIME from the stage on that failed.

    Attributes:
        local: seconds since 1970 of the wall clock in the zone of the file.
        wall: the same on the grid.
        utc: UTC seconds of the interval's start.
        day: local day of the interval's start in the zone of the factory, days since 1970.
        near_change: bool, n: it names no offset, and the clocks change on its day or one beside it.
    """

    local: np.ndarray
    wall: np.ndarray
    utc: np.ndarray
    day: np.ndarray
    near_change: np.ndarray


def label_times(
    labels: list[str], mapping: FileMapping, grain_minutes: int, zone: str, day_begins: int = 0
) -> LabelTimes:
    """Read written times and place them: `read_times`, then `placed_times`."""
    read = read_times(labels, mapping, grain_minutes, mapping.timezone or zone)
    return placed_times(*read, mapping, grain_minutes, zone, day_begins)


def placed_times(
    written: np.ndarray,
    ahead: np.ndarray,
    mapping: FileMapping,
    grain_minutes: int,
    zone: str,
    day_begins: int = 0,
) -> LabelTimes:
    """Place written times; a file has far fewer different ones than rows.

    Args:
        written: int64, n: seconds since 1970 as the labels write them, NO_TIME where unreadable.
        ahead: int64, n: seconds that their clocks are ahead of UTC, NO_TIME where they do not say.
        mapping: in which zone the file writes times, and which end of the interval they mark.
        grain_minutes: the native interval.
        zone: of the factory; the file's as well if the mapping names none.
        day_begins: of shifts and days: minutes after midnight at which a day's first interval begins.

    Returns:
        What each label means. A label that names its offset from UTC is exact; of one that does not and that a
        change of the clocks skips or repeats, the order of the rows may tell more (`fems.raw.clock_change`).
    """
    if grain_minutes > 60:
        local, wall, utc = placed_shifts(written, ahead, mapping, grain_minutes, day_begins, zone)
        return LabelTimes(local, wall, utc, local_days(utc, zone), np.zeros(len(utc), bool))
    source_zone = mapping.timezone or zone
    exact = ahead != NO_TIME
    local = written.copy()
    instants = written[exact] - ahead[exact]
    local[exact] = wall_clock(instants, source_zone)
    wall = on_grid(local, mapping, grain_minutes)
    utc = interval_starts(wall, mapping, grain_minutes, source_zone)
    if exact.any():
        moved = wall[exact] - local[exact] - _back_s(mapping, grain_minutes)
        utc[exact] = np.where(wall[exact] == NO_TIME, NO_TIME, instants + moved)
    near = ~exact & (wall != NO_TIME)
    near[near] = ~offsets(wall[near] // _DAY_S, source_zone)[1]
    return LabelTimes(local, wall, utc, local_days(utc, zone), near)


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
    utc = np.full(len(wall), NO_TIME, np.int64)
    known = wall != NO_TIME
    located = wall[known]
    ahead, steady = offsets(located // _DAY_S, zone)
    located = located - ahead
    if not steady.all():
        index = pd.DatetimeIndex(wall[known][~steady].astype("datetime64[s]"))
        placed = index.tz_localize(ZoneInfo(zone), ambiguous="NaT", nonexistent="NaT")
        located[~steady] = placed.as_unit("s").asi8
    utc[known] = np.where(located == NO_TIME, NO_TIME, located - _back_s(mapping, grain_minutes))
    return utc


def local_days(utc: np.ndarray, zone: str) -> np.ndarray:
    """Return the local day of each instant as days since 1970, int64, n; NO_TIME stays NO_TIME."""
    days = np.full(len(utc), NO_TIME, np.int64)
    known = utc != NO_TIME
    days[known] = wall_clock(utc[known], zone) // _DAY_S
    return days


def _back_s(mapping: FileMapping, grain_minutes: int) -> int:
    return grain_minutes * 60 if mapping.time_marks == "end" else 0
