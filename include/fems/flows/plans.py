"""Plans and forecasts from outside, as they were known on a day: production plans, planned stops, weather forecasts.

A plan is made anew again and again. What is published is the newest one; every earlier one stays in its raw objects,
each under the day on which it was known. So what was known on a day is what the objects up to that day make, and a plan
that came later cannot slip in.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from fems.canonical import fingerprint
from fems.errors import ConfigError, DataError
from fems.flows.machines import machine_columns
from fems.flows.platform import Platform
from fems.model.plans import EVERY_MACHINE, Kind, Plan, PlanEntry
from fems.process.partition import process
from fems.raw.decode import decode_all
from fems.registry.feed import FactoryFeed
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)

PRODUCTION, STOP, TEMPERATURE = "planned_qty", "stop_min", "temperature_c"
"""The columns by which a feed of plans is known for what it is."""

_WORKS = 0.5
"""From this share of its planned shifts on a line works in a shift of the week as a rule."""
_LEAST_SEEN = 4
_WHOLE_DAY = 0.8


@dataclass(frozen=True)
class KnownPlan:
    """What a factory's feeds of plans say.

    Attributes:
        plan: all of it, each entry with the moment when it was known.
        objects: raw key -> (ETag, when it was known).
    """

    plan: Plan
    objects: dict[str, tuple[str, pd.Timestamp]]

    def fingerprint(self, origin: pd.Timestamp) -> str:
        """Return what tells whether what was known at an instant has changed; empty where nothing was."""
        known = {key: etag for key, (etag, moment) in self.objects.items() if moment <= origin}
        return fingerprint(known) if known else ""


def known_plan(platform: Platform, factory_id: str) -> KnownPlan:
    """Return everything that was ever planned of a factory, machine by machine, with when it was known.

    A file is known from the end of the local day under which it lies. What cannot be read of it is passed over with a
    warning, and stands in quarantine once it is ingested.
    """
    entries: list[PlanEntry] = []
    objects: dict[str, tuple[str, pd.Timestamp]] = {}
    for feed in platform.plant.feeds(factory_id):
        source = platform.source(factory_id, feed)
        read = next((read for column, read in _READERS.items() if column in source.book.columns), None)
        if not source.book.ahead_days or read is None:
            continue
        files = list(_files(platform, source))
        objects |= {file.key: (file.etag, file.known_at) for file in files}
        entries += read(source, files)
    return KnownPlan(Plan(tuple(sorted(entries, key=lambda entry: entry.known_at))), objects)


@dataclass(frozen=True)
class _File:
    """A raw object of a plan: when it was known, and start, sensor and value of its usable rows."""

    key: str
    etag: str
    known_at: pd.Timestamp
    rows: pd.DataFrame


def _files(platform: Platform, source: FactoryFeed) -> Iterator[_File]:
    raw = sorted(platform.lake.raw_objects(source.feed, source.factory_id), key=lambda o: (o.day, o.key))
    data = platform.lake.get_many([o.key for o in raw])
    column = next(name for name in _READERS if name in source.book.columns)
    position, limits = list(source.book.columns).index(column), source.book.columns[column].limits
    names = np.array([sensor.sensor_id for sensor in source.sensors])
    for decoded in decode_all(list(zip(raw, data, strict=True)), source):
        values = decoded.values[position]
        low, high = (
            -np.inf if limits.min is None else limits.min,
            np.inf if limits.max is None else limits.max,
        )
        usable = np.isfinite(values) & (values >= low) & (values <= high)
        if decoded.quarantined or not usable.all():
            passed_over = len(decoded.quarantined) + int((~usable).sum())
            reason = decoded.quarantined[0].reason if decoded.quarantined else f"{column} outside its limits"
            log.warning("%s: %d rows of the plan cannot be used: %s", decoded.raw.key, passed_over, reason)
        starts = pd.DatetimeIndex(pd.to_datetime(decoded.starts[usable], unit="s", utc=True)).tz_convert(
            source.zone
        )
        rows = pd.DataFrame(
            {"start": starts, "sensor": names[decoded.sensors[usable]], "value": values[usable]}
        )
        known_at = pd.Timestamp(decoded.raw.day + timedelta(days=1), tz=source.zone)
        yield _File(decoded.raw.key, decoded.raw.etag, known_at, rows)


def _meters(source: FactoryFeed) -> dict[str, list[str]]:
    """Return the meters of the machines that a sensor's plan is of; of one that names no machine, all of them."""
    columns = machine_columns(source.plant.factory(source.factory_id))
    every = list(columns.values())
    return {
        sensor.sensor_id: every if sensor.equipment_id is None else [columns[sensor.equipment_id]]
        for sensor in source.sensors
    }


def _end(start: pd.Timestamp, minutes: int) -> pd.Timestamp:
    """The end of an interval; of whole days by the wall clock."""
    return start + (pd.DateOffset(days=1) if minutes == 1440 else pd.Timedelta(minutes=minutes))


class _Marks:
    """Stops and extra shifts that a feed has listed: a later file that says otherwise calls them off."""

    def __init__(self) -> None:
        self._listed: set[tuple[Kind, str, pd.Timestamp]] = set()

    def entry(
        self,
        kind: Kind,
        meter: str,
        start: pd.Timestamp,
        end: pd.Timestamp,
        known_at: pd.Timestamp,
        is_so: bool,
    ) -> Iterator[PlanEntry]:
        """Yield an entry where there is something to say."""
        cell = (kind, meter, start)
        if is_so or cell in self._listed:
            (self._listed.add if is_so else self._listed.discard)(cell)
            yield PlanEntry(meter, kind, start, end, float(is_so), known_at)


def _production(source: FactoryFeed, files: list[_File]) -> Iterator[PlanEntry]:
    """Planned quantities over what was usually planned up to then, by machine, weekday and shift.

    0 where the line usually works is a stop; work where it usually rests is an extra shift.
    """
    meters, marks = _meters(source), _Marks()
    seen: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for file in files:
        if file.rows.empty:
            continue
        rows = file.rows.assign(meter=file.rows["sensor"].map(meters)).explode("meter")
        listed = rows.pivot_table(
            index="start", columns="meter", values="value", aggfunc="sum", fill_value=0.0
        )
        quantities = listed.reindex(columns=sorted({m for of in meters.values() for m in of}), fill_value=0.0)
        starts = pd.DatetimeIndex(quantities.index)
        cells = [
            (str(meter), start, float(quantity))
            for meter, column in quantities.items()
            for start, quantity in zip(starts, column, strict=True)
        ]
        for meter, start, quantity in cells:
            seen[meter, start.weekday(), start.hour].append(quantity)
        for meter, start, quantity in cells:
            past = np.array(seen[meter, start.weekday(), start.hour])
            works = float((past > 0).mean()) >= _WORKS
            told = len(past) >= _LEAST_SEEN
            end = _end(start, source.grain_minutes)
            yield from marks.entry("stop", meter, start, end, file.known_at, quantity == 0 and works and told)
            extra = quantity > 0 and not works and told
            yield from marks.entry("shift", meter, start, end, file.known_at, extra)
            if quantity > 0 and not extra:
                ratio = quantity / float(np.median(past[past > 0]))
                yield PlanEntry(meter, "production", start, end, min(max(ratio, 0.05), 5.0), file.known_at)


def _stops(source: FactoryFeed, files: list[_File]) -> Iterator[PlanEntry]:
    meters, marks = _meters(source), _Marks()
    for file in files:
        starts = pd.DatetimeIndex(file.rows["start"])
        for start, sensor, value in zip(starts, file.rows["sensor"], file.rows["value"], strict=True):
            minutes = min(float(value), source.grain_minutes)
            whole = minutes >= source.grain_minutes or minutes == 0
            end = _end(start, source.grain_minutes) if whole else start + pd.Timedelta(minutes=minutes)
            for meter in meters[sensor]:
                yield from marks.entry("stop", meter, start, end, file.known_at, minutes > 0)


def _temperatures(source: FactoryFeed, files: list[_File]) -> Iterator[PlanEntry]:
    """The mean of each day that a forecast knows the most of, over its stations."""
    of_day = 24 * 60 / source.grain_minutes * _WHOLE_DAY
    for file in files:
        by_time = file.rows.groupby("start")["value"].mean()
        by_day = by_time.groupby(pd.DatetimeIndex(by_time.index).normalize()).agg(["mean", "count"])
        for day, mean, count in by_day.itertuples():
            if count >= of_day:
                yield PlanEntry(
                    EVERY_MACHINE, "temperature", day, _end(day, 1440), float(mean), file.known_at
                )


_READERS = {PRODUCTION: _production, STOP: _stops, TEMPERATURE: _temperatures}


def plan_as_known(
    platform: Platform, factory_id: str, feed: Feed, known_on: date, first: date, last: date
) -> pa.Table:
    """Return a plan as it was known at the end of a local day.

    Args:
        platform: the outside world.
        factory_id: whose plan.
        feed: one whose book has `ahead_days`.
        known_on: local day; objects of later days are not looked at.
        first: first local day of the plan to return.
        last: last local day.

    Returns:
        The native table, as published ones are.

    Raises:
        ConfigError: the feed is no plan.
        DataError: nothing was known yet.
    """
    source = platform.source(factory_id, feed)
    book = source.book
    if not book.ahead_days:
        raise ConfigError(f"feed {feed} is no plan: its definition book has no `ahead_days`")
    since = first - timedelta(days=max(book.ahead_days, book.lookback_days))
    raw = [o for o in platform.lake.raw_objects(feed, factory_id) if since <= o.day <= known_on]
    if not raw:
        raise DataError(f"factory {factory_id}, {feed}: nothing was known of {first} to {last} on {known_on}")
    data = platform.lake.get_many([o.key for o in raw])
    decoded = decode_all(list(zip(raw, data, strict=True)), source)
    return process(sorted(decoded, key=lambda d: d.raw), source, first, last).tables["native"]
