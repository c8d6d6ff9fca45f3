"""Rows of times that cannot be: they have not come yet, or lie before the plant's first day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from fems.calendar import day_number
from fems.raw.decoded import DecodedObject
from fems.raw.text import BadLine
from fems.registry.feed import FactoryFeed

TOLERANCE = timedelta(hours=1)
"""By how much a collector's clock may be ahead of ours."""

_SIMULATED = timedelta(days=400)
"""`fems simulate` knows no clock: its months may lie ahead, yet no century."""


def _ahead(source: FactoryFeed) -> timedelta:
    """Return how far ahead of the clock a row may lie; a plan's lie in the future."""
    simulated = source.plant.factory(source.factory_id).simulated
    return TOLERANCE + timedelta(days=source.book.ahead_days) + (_SIMULATED if simulated else timedelta())


def last_day(source: FactoryFeed, now: datetime) -> date:
    """Return the last local day of which there may be rows."""
    return pd.Timestamp(now + _ahead(source)).tz_convert(source.zone).date()


def is_due(source: FactoryFeed, moment: datetime | None, now: datetime | None) -> bool:
    """Tell whether rows that lay in the future may be read now.

    Args:
        source: registry and book.
        moment: the first time that they have; None where no row lay in the future.
        now: the time.
    """
    return moment is not None and now is not None and moment <= now + _ahead(source)


def without_impossible(
    objects: list[DecodedObject], source: FactoryFeed, now: datetime | None
) -> tuple[list[DecodedObject], datetime | None]:
    """Move the rows whose time cannot be into their objects' quarantine.

    Args:
        objects: decoded objects.
        source: registry and book; `since` is its first day.
        now: the time; None where nothing lies in the future.

    Returns:
        The objects; and the first time that lies in the future, None where none does.
    """
    latest = None if now is None else (now + _ahead(source)).timestamp()
    kept: list[DecodedObject] = []
    coming: list[int] = []
    for each in objects:
        future = np.zeros(len(each.starts), bool) if latest is None else each.starts > latest
        early = each.days < day_number(source.since)
        if future.any():
            coming.append(int(each.starts[future].min()))
        kept.append(_without(each, future, early, source) if future.any() or early.any() else each)
    return kept, datetime.fromtimestamp(min(coming), UTC) if coming else None


def _without(
    each: DecodedObject, future: np.ndarray, early: np.ndarray, source: FactoryFeed
) -> DecodedObject:
    gone = np.flatnonzero(future | early)
    stays = ~(future | early)
    records = [_record(each, row, bool(future[row]), source) for row in gone.tolist()]
    return replace(
        each,
        starts=each.starts[stays],
        days=each.days[stays],
        sensors=each.sensors[stays],
        lines=each.lines[stays],
        values=each.values[:, stays],
        states=each.states[:, stays],
        odd=each.odd.without(gone),
        quarantined=sorted([*each.quarantined, *records], key=lambda record: record.line),
    )


def _record(each: DecodedObject, row: int, future: bool, source: FactoryFeed) -> BadLine:
    time = pd.Timestamp(int(each.starts[row]), unit="s", tz="UTC").tz_convert(source.zone)
    why = "has not come yet: the collector's clock is wrong" if future else f"lies before {source.since}, "
    if not future:
        why += "the first day of the factory's data (`since` in factories.yaml)"
    written = ",".join(
        [f"{time:%Y-%m-%d %H:%M%z}", source.sensors[each.sensors[row]].sensor_id]
        + [repr(float(value)) for value in each.values[:, row]]
    )
    return BadLine(int(each.lines[row]), f"the time '{time:%Y-%m-%d %H:%M}' {why}", written)
