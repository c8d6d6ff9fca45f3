"""Intervals of shifts and days: they are longer than an hour and begin at times of the factory's own clock."""

import numpy as np
import pandas as pd

from fems.calendar import local_instants
from fems.raw.labels import NO_TIME
from fems.registry.mapping import FileMapping

_DAY_S = 86_400
_TOLERANCE_S = 360
"""How far a written time may be from the shift's begin; as much as the clock of an hourly collector."""


def placed_shifts(
    written: np.ndarray,
    ahead: np.ndarray,
    mapping: FileMapping,
    grain_minutes: int,
    day_begins: int,
    zone: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place written times of shifts or days.

    A time names the begin of its interval, or its end (`time_marks: end`). A bare date of a feed of days names the day.

    Args:
        written: int64, n: seconds since 1970 as the labels write them, NO_TIME where unreadable.
        ahead: int64, n: seconds that their clocks are ahead of UTC, NO_TIME where they do not say.
        mapping: in which zone the file writes times, and which end of the interval they mark.
        grain_minutes: the native interval, a part of the day.
        day_begins: minutes after midnight at which the day's first interval begins.
        zone: of the factory, whose clock the shifts keep.

    Returns:
        int64, n each: seconds of the factory's wall clock; of the interval's begin on it, and the same in UTC, NO_TIME
        where the time is unreadable or no begin of an interval.
    """
    known = written != NO_TIME
    local = np.full(len(written), NO_TIME, np.int64)
    local[known] = _factory_clock(written[known], ahead[known], mapping, zone)
    step, begins = grain_minutes * 60, day_begins * 60
    clock = np.where(known, local, 0)
    nearest = (clock - begins + step // 2) // step * step + begins
    fits = known & (np.abs(clock - nearest) <= _TOLERANCE_S)
    bare = known & ~fits & (clock % _DAY_S == 0) & (grain_minutes == 24 * 60)
    begin = nearest - step if mapping.time_marks == "end" else nearest
    begin, fits = np.where(bare, clock + begins, begin), fits | bare
    wall = np.where(fits, begin, NO_TIME)
    utc = np.full(len(written), NO_TIME, np.int64)
    utc[fits] = local_instants(wall[fits], zone)
    return local, wall, utc


def _factory_clock(written: np.ndarray, ahead: np.ndarray, mapping: FileMapping, zone: str) -> np.ndarray:
    """Return what the factory's clock shows at each written time, seconds since 1970."""
    instants = np.where(ahead == NO_TIME, 0, written - ahead)
    silent = ahead == NO_TIME
    if silent.any():
        instants[silent] = local_instants(written[silent], mapping.timezone or zone)
    shown = pd.DatetimeIndex(instants.astype("datetime64[s]"), tz="UTC").tz_convert(zone).tz_localize(None)
    clock: np.ndarray = shown.as_unit("s").asi8
    return clock
