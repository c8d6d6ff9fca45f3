"""Ingest: find the partitions whose raw objects changed, process, evaluate, publish."""

import hashlib
import json
import logging
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems import __version__
from fems import lake as keys
from fems.book import Book
from fems.errors import QualityFailed
from fems.flows.platform import Platform, timed
from fems.lake import Lake, RawObject
from fems.plant import Feed, Plant
from fems.process.partition import GRAINS, ROW_COUNTS, Partition, process
from fems.quality.evaluate import Evaluation, Evaluator
from fems.raw.decode import DecodedObject, Source, decode

log = logging.getLogger(__name__)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A partition as its raw objects say it should be.

    Attributes:
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM.
        first: first local day that it has.
        last: last local day.
        sources: the raw objects behind it, those of the lookback included.
        fingerprint: changes when the sources, the book, the registry's entry or the code's version do.
    """

    factory_id: str
    feed: Feed
    month: str
    first: date
    last: date
    sources: tuple[RawObject, ...]
    fingerprint: str


def _fingerprint(plant: Plant, book: Book, job: dict[str, Any], sources: tuple[RawObject, ...]) -> str:
    factory = plant.factory(job["factory_id"])
    content = {
        **job,
        "sources": [(o.key, o.etag) for o in sources],
        "book": book.version,
        "code": __version__,
        "mapping": plant.mapping(job["factory_id"], book.feed).model_dump(mode="json"),
        "grain": factory.grain[book.feed],
        "zone": factory.timezone,
        "sensors": [(s.sensor_id, s.rated_kw) for s in plant.sensors(job["factory_id"], book.feed)],
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def jobs(plant: Plant, book: Book, factory_id: str, raw: list[RawObject]) -> Iterator[Job]:
    """Yield every partition that a feed's raw objects make, in order.

    A partition is a month. It begins with the first raw object's day and ends with the last one's, so that a month
    that is still running has no empty days at its end.
    """
    if not raw:
        return
    by_day = sorted(raw, key=lambda o: (o.day, o.key))
    begin, end = by_day[0].day, by_day[-1].day
    for month, _ in groupby(by_day, key=lambda o: o.day.isoformat()[:7]):
        year, number = int(month[:4]), int(month[5:])
        first = max(begin, date(year, number, 1))
        last = min(end, date(year, number, monthrange(year, number)[1]))
        since = first - timedelta(days=book.lookback_days)
        sources = tuple(o for o in by_day if since <= o.day <= last)
        what = {"factory_id": factory_id, "feed": book.feed, "month": month, "first": first, "last": last}
        yield Job(
            factory_id, book.feed, month, first, last, sources, _fingerprint(plant, book, what, sources)
        )


def stale(platform: Platform, factory_id: str, feed: Feed) -> list[Job]:
    """Return the partitions of a factory's feed whose published state is not what the raw objects make."""
    book, lake = platform.book(feed), platform.lake
    published = lake.manifests(feed, factory_id)
    there = lake.part_keys(feed, factory_id)
    return [
        job
        for job in jobs(platform.plant, book, factory_id, lake.raw_objects(feed, factory_id))
        if published.get(job.month, {}).get("fingerprint") != job.fingerprint
        or _parts_of(there, job.month) != _wanted_parts(job, published[job.month])
    ]


def _parts_of(keys_there: set[str], month: str) -> set[str]:
    return {key for key in keys_there if f"/month={month}/" in key}


def _wanted_parts(job: Job, manifest: dict[str, Any]) -> set[str]:
    if manifest["empty"]:
        return set()
    return {
        keys.processed_key(job.feed, grain, job.factory_id, job.month, job.fingerprint) for grain in GRAINS
    }


class _DecodeCache:
    """Decoded objects of the last partition and its lookback: a backfill reads each raw object once."""

    def __init__(self, lake: Lake, source: Source) -> None:
        self._lake, self._source = lake, source
        self._kept: dict[RawObject, DecodedObject] = {}

    def get(self, sources: tuple[RawObject, ...]) -> list[DecodedObject]:
        wanted = [o for o in sources if o not in self._kept]
        data = self._lake.get_many([o.key for o in wanted])
        fresh = {o: decode(o, d, self._source) for o, d in zip(wanted, data, strict=True)}
        self._kept = {o: fresh[o] if o in fresh else self._kept[o] for o in sources}
        return [self._kept[o] for o in sorted(sources)]


def _totals(days: dict[date, dict[str, int]]) -> dict[str, int]:
    return {name: sum(day[name] for day in days.values()) for name in ROW_COUNTS}


def _manifest(job: Job, book: Book, source: Source, partition: Partition) -> dict[str, Any]:
    """Say what a partition is made of. It holds no clock: rebuilding gives the same bytes."""
    hour = partition.tables["hour"]
    main = book.value_columns[0]
    coverage = hour["coverage_pct"].to_numpy()
    ranges = {name: pc.min_max(partition.tables["native"][name]).as_py() for name in book.value_columns}
    cells = {
        key: sum(day.get(key, 0) for day in partition.days.values())
        for key in ("cells_measured", "cells_retyped", "cells_replaced", "cells_filled", "cells_missing")
    }
    return {
        "factory_id": job.factory_id,
        "feed": job.feed,
        "month": job.month,
        "first_day": job.first.isoformat(),
        "last_day": job.last.isoformat(),
        "timezone": source.zone,
        "grain_minutes": source.grain_minutes,
        "fingerprint": job.fingerprint,
        "empty": not any(day["published"] for day in partition.days.values()),
        "book_version": book.version,
        "code_version": __version__,
        "sources": [{"key": o.key, "etag": o.etag} for o in job.sources],
        "rows": _totals(partition.days),
        "objects": {
            "read": sum(1 for o in job.sources if o.day >= job.first),
            "quarantined": int((partition.quarantine["line"] == 0).sum()),
        },
        "days": {day.isoformat(): counts for day, counts in sorted(partition.days.items())},
        "cells": cells,
        "coverage_pct": round(float(np.mean(coverage)), 4) if len(coverage) else 0.0,
        "total": {main: pc.sum(partition.tables["native"][main]).as_py()},
        "ranges": ranges,
    }


def _labelled(table: pa.Table, manifest: dict[str, Any], grain: str) -> pa.Table:
    about = {k: v for k, v in manifest.items() if k != "days"} | {"grain": grain}
    return table.replace_schema_metadata({b"fems": keys.to_json(about)})


def _write_quarantine(lake: Lake, job: Job, partition: Partition) -> None:
    """Leave exactly this partition's bad rows in quarantine, a file a day; what a correction healed is removed."""
    wanted = {}
    for day in sorted(partition.days):
        rows = partition.quarantine[partition.quarantine["day"] == day]
        if rows.empty:
            continue
        table = pa.Table.from_pandas(rows.drop(columns="day"), preserve_index=False)
        wanted[keys.quarantine_key(job.feed, job.factory_id, day)] = keys.to_parquet(
            table.replace_schema_metadata(None)
        )
    for key, data in wanted.items():
        lake.store.put(key, data)
    for item in list(lake.store.list(f"quarantine/{job.feed}/factory={job.factory_id}/date={job.month}-")):
        if item.key not in wanted:
            lake.store.delete(item.key)


def _evaluate(evaluator: Evaluator, job: Job, partition: Partition) -> dict[str, Evaluation]:
    found = {}
    for grain, table in partition.tables.items():
        found[grain] = evaluator.evaluate(table.to_pandas(), f"{job.feed}_{grain}")
    return found


def publish(
    lake: Lake, job: Job, book: Book, source: Source, partition: Partition, evaluator: Evaluator
) -> dict[str, Any]:
    """Evaluate a partition and publish it: the tables under new names, then the manifest that makes them count.

    Readers follow the manifest, so they see the old partition or the new one, whole. What the manifest no longer names
    is removed last. Whatever stops this half-way leaves the partition stale, and the next run puts it right. A month
    none of whose rows could be used has a manifest and a quarantine, and no tables.

    Returns:
        The manifest.

    Raises:
        QualityFailed: a critical expectation failed; the last good partition stays.
    """
    manifest = _manifest(job, book, source, partition)
    evaluations = {} if manifest["empty"] else _evaluate(evaluator, job, partition)
    manifest["quality"] = {
        "critical_failed": sum(len(e.failed("critical")) for e in evaluations.values()),
        "warning_failed": sum(len(e.failed("warning")) for e in evaluations.values()),
    }
    record = {"fingerprint": job.fingerprint, **{grain: e.to_json() for grain, e in evaluations.items()}}
    lake.store.put(keys.quality_key(job.feed, job.factory_id, job.month), keys.to_json(record))
    for grain, evaluation in evaluations.items():
        evaluation.require(f"factory {job.factory_id}, {job.feed} {grain}, {job.month}")
    _write_quarantine(lake, job, partition)
    wanted = _wanted_parts(job, manifest)
    for grain in GRAINS if wanted else ():
        table = _labelled(partition.tables[grain], manifest, grain)
        key = keys.processed_key(job.feed, grain, job.factory_id, job.month, job.fingerprint)
        lake.store.put(key, keys.to_parquet(table))
    lake.store.put(keys.manifest_key(job.feed, job.factory_id, job.month), keys.to_json(manifest))
    for key in lake.part_keys(job.feed, job.factory_id, job.month) - wanted:
        lake.store.delete(key)
    return manifest


def stale_factories(platform: Platform, factory_ids: Iterable[str]) -> list[str]:
    """Return which of the factories have anything to ingest."""
    return [
        factory_id
        for factory_id in factory_ids
        if any(stale(platform, factory_id, feed) for feed in platform.plant.feeds(factory_id))
    ]


@timed
def ingest_factory(platform: Platform, factory_id: str, progress: Progress = log.info) -> dict[str, Any]:
    """Bring every stale partition of a factory up to date.

    A partition that fails its evaluation does not stop the others; it is raised at the end.

    Returns:
        partitions: the number rebuilt; rows: their counts; months: which.

    Raises:
        QualityFailed: one or more partitions were not published.
    """
    evaluator: Evaluator | None = None
    done: list[str] = []
    rows = dict.fromkeys(ROW_COUNTS, 0)
    failed: list[str] = []
    for feed in platform.plant.feeds(factory_id):
        book = platform.book(feed)
        source = Source.of(platform.plant, book, factory_id)
        cache = _DecodeCache(platform.lake, source)
        for job in stale(platform, factory_id, feed):
            evaluator = evaluator or Evaluator(platform.settings.expectations_dir)
            partition = process(cache.get(job.sources), source, job.first, job.last)
            try:
                manifest = publish(platform.lake, job, book, source, partition, evaluator)
            except QualityFailed as error:
                failed.append(str(error))
                progress(str(error))
                continue
            for name, count in manifest["rows"].items():
                rows[name] += count
            done.append(f"{feed} {job.month}")
            counts = ", ".join(f"{count} {name}" for name, count in manifest["rows"].items())
            progress(f"factory {factory_id}, {feed} {job.month}: {counts}")
    if failed:
        more = f" (and {len(failed) - 1} partitions more)" if len(failed) > 1 else ""
        raise QualityFailed(failed[0] + more)
    if not done:
        progress(f"factory {factory_id}: nothing new")
    return {"factory_id": factory_id, "partitions": len(done), "rows": rows, "months": done}
