"""Time zones: how far their clocks are ahead of UTC, when they change, and how they are called."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

_DAY_S = 86_400
# Names that mean the same everywhere. Others (CST, IST, BST) mean what they do in the zone of the file.
_HOURS = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3,
    "KST": 9, "JST": 9, "HKT": 8, "SGT": 8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip


@lru_cache(maxsize=64)
def zone_names(zone: str | None) -> dict[str, int]:
    """Return the names that clocks have, such as KST -> seconds ahead of UTC.

    Args:
        zone: IANA name of the file's zone: its own names come first. A name that meant two things there is left out.
    """
    own: dict[str, set[int]] = {}
    for year in range(2000, 2038) if zone else ():
        for month in (1, 7):
            moment = datetime(year, month, 1, tzinfo=ZoneInfo(zone or "UTC"))
            offset = moment.utcoffset()
            if offset is not None:
                own.setdefault(moment.tzname() or "", set()).add(int(offset.total_seconds()))
    names = {name: hours * 3600 for name, hours in _HOURS.items()}
    names |= {name: next(iter(ahead)) for name, ahead in own.items() if name.isalpha() and len(ahead) == 1}
    return {name: ahead for name, ahead in names.items() if len(own.get(name, {0})) == 1}


@lru_cache(maxsize=64)
def local_names(zone: str) -> frozenset[str]:
    """Return what the clocks of a zone are called there, such as GMT and BST."""
    return frozenset(datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).tzname() or "" for month in (1, 7))


def utc_of_midnight(day: int, zone: str) -> int:
    """Return the UTC seconds at which a local day begins; `day`: its midnight as a label writes it."""
    local = datetime.fromtimestamp(day, UTC).replace(tzinfo=ZoneInfo(zone))
    return int(local.timestamp())


def day_length_s(day: int, zone: str) -> int:
    """Return how long a local day is, seconds; `day`: its midnight as a label writes it."""
    return utc_of_midnight(day + _DAY_S, zone) - utc_of_midnight(day, zone)


def wall_clock(utc: np.ndarray, zone: str) -> np.ndarray:
    """Return what the clocks of a zone show at instants: int64, n, seconds since 1970 as a label writes them."""
    ahead, steady = offsets(utc // _DAY_S, zone)
    wall = utc + ahead
    if not steady.all():
        index = pd.DatetimeIndex(utc[~steady].astype("datetime64[s]"), tz="UTC")
        wall[~steady] = index.tz_convert(ZoneInfo(zone)).tz_localize(None).as_unit("s").asi8
    result: np.ndarray = wall
    return result


def offsets(days: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Return how far a zone is ahead of UTC on each day, seconds, and whether it is so all through the day.

    Clocks change on two days a year; on the others one offset saves asking for every time.
    """
    if not len(days):
        return np.empty(0, np.int64), np.empty(0, bool)
    first = int(days.min())
    codes = days - first  # of three hundred years at most
    there = np.bincount(codes) > 0
    ahead, steady = np.zeros(len(there), np.int64), np.zeros(len(there), bool)
    for code in np.flatnonzero(there).tolist():
        offset = _steady_offset(zone, first + code)
        ahead[code], steady[code] = offset or 0, offset is not None
    return ahead[codes], steady[codes]


@lru_cache(maxsize=4096)
def _steady_offset(zone: str, day: int) -> int | None:
    """Return seconds ahead of UTC from a day before to a day after; None if the clocks change meanwhile."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    before, after = (
        (start + timedelta(days=away)).astimezone(ZoneInfo(zone)).utcoffset() for away in (-1, 2)
    )
    return int(before.total_seconds()) if before is not None and before == after else None
