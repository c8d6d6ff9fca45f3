"""Ingest: find the partitions whose raw objects changed, process, evaluate, publish."""

import hashlib
import json
import logging
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from fems import __version__
from fems import lake as keys
from fems.errors import QualityFailed
from fems.flows.platform import Platform, timed
from fems.lake import Lake, RawObject
from fems.plant import Feed
from fems.process.metadata import describe
from fems.process.package import package, resource
from fems.process.partition import ROW_COUNTS, Partition, process
from fems.quality.evaluate import Evaluation, Evaluator
from fems.raw.decode import DecodedObject, Source, decode_all

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


def _fingerprint(source: Source, job: dict[str, Any], sources: tuple[RawObject, ...]) -> str:
    content = {
        **job,
        "sources": [(o.key, o.etag) for o in sources],
        "book": source.version,
        "code": __version__,
        "mapping": source.mapping.model_dump(mode="json"),
        "grain": source.grain_minutes,
        "zone": source.zone,
        "rest": source.rest_country,
        "sensors": [(s.sensor_id, s.rated_kw) for s in source.sensors],
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def jobs(source: Source, raw: list[RawObject], late: dict[RawObject, set[date]]) -> Iterator[Job]:
    """Yield every partition that a feed's raw objects make, in order.

    A partition is a month. It begins with the first day of which there are rows and ends with the last one, so that a
    month that is still running has no empty days at its end.

    Args:
        source: the factory's feed.
        raw: its raw objects.
        late: objects known to hold rows of days before their own, and which days.
    """
    if not raw:
        return
    by_day = sorted(raw, key=lambda o: (o.day, o.key))
    named = {day for days in late.values() for day in days}
    there = {o.day for o in by_day} | named
    begin, end = min(there), max(there)
    for month in sorted({day.isoformat()[:7] for day in there}):
        year, number = int(month[:4]), int(month[5:])
        first = max(begin, date(year, number, 1))
        last = min(end, date(year, number, monthrange(year, number)[1]))
        since = first - timedelta(days=source.book.lookback_days)
        sources = tuple(
            o
            for o in by_day
            if since <= o.day <= last or any(since <= day <= last for day in late.get(o, ()))
        )
        what = {
            "factory_id": source.factory_id,
            "feed": source.feed,
            "month": month,
            "first": first,
            "last": last,
        }
        yield Job(
            source.factory_id, source.feed, month, first, last, sources, _fingerprint(source, what, sources)
        )


def stale(lake: Lake, source: Source) -> list[Job]:
    """Return the partitions of a factory's feed whose published state is not what the raw objects make."""
    published = lake.manifests(source.feed, source.factory_id)
    there = lake.part_keys(source.feed, source.factory_id)
    raw = lake.raw_objects(source.feed, source.factory_id)
    return [
        job
        for job in jobs(source, raw, _late_rows(raw, published))
        if published.get(job.month, {}).get("fingerprint") != job.fingerprint
        or _parts_of(there, job.month) != _wanted_parts(job, published[job.month])
    ]


def _late_rows(raw: list[RawObject], published: dict[str, dict[str, Any]]) -> dict[RawObject, set[date]]:
    """Return which objects hold rows of earlier days, as the partitions of their own days found out."""
    by_name = {(o.key, o.etag): o for o in raw}
    found: dict[RawObject, set[date]] = {}
    for manifest in published.values():
        for item in manifest.get("late", ()):
            known = by_name.get((item["key"], item["etag"]))
            if known is not None:
                found.setdefault(known, set()).update(date.fromisoformat(day) for day in item["days"])
    return found


def _parts_of(keys_there: set[str], month: str) -> set[str]:
    return {key for key in keys_there if f"/month={month}/" in key}


def _wanted_parts(job: Job, manifest: dict[str, Any]) -> set[str]:
    if manifest["empty"]:
        return set()
    return {
        keys.processed_key(job.feed, table, job.factory_id, job.month, job.fingerprint)
        for table in keys.TABLES
    }


def decode_ahead(lake: Lake, source: Source, wanted: list[Job]) -> Iterator[tuple[Job, list[DecodedObject]]]:
    """Yield each partition with its decoded objects, ordered by key; the next one's are decoded meanwhile.

    A backfill reads each raw object once: what the next partition looks back on is kept, the rest is let go.
    """
    kept: dict[RawObject, DecodedObject] = {}

    def objects_of(job: Job) -> list[DecodedObject]:
        nonlocal kept
        missing = [o for o in job.sources if o not in kept]
        data = lake.get_many([o.key for o in missing])
        fresh = {d.raw: d for d in decode_all(list(zip(missing, data, strict=True)), source)}
        kept = {o: fresh[o] if o in fresh else kept[o] for o in sorted(job.sources)}
        return list(kept.values())

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as ahead:
        coming = [ahead.submit(objects_of, job) for job in wanted[:1]]
        for i, job in enumerate(wanted):
            decoded = coming.pop().result()
            coming = [ahead.submit(objects_of, following) for following in wanted[i + 1 : i + 2]]
            yield job, decoded


def manifest_of(job: Job, source: Source, partition: Partition) -> dict[str, Any]:
    """Say what a partition is made of. It holds no clock: rebuilding gives the same bytes."""
    etags = {o.key: o.etag for o in job.sources}
    return {
        "factory_id": job.factory_id,
        "feed": job.feed,
        "month": job.month,
        "first_day": job.first.isoformat(),
        "last_day": job.last.isoformat(),
        "timezone": source.zone,
        "grain_minutes": source.grain_minutes,
        "fingerprint": job.fingerprint,
        "book_version": source.version,
        "code_version": __version__,
        "sources": [{"key": o.key, "etag": o.etag} for o in job.sources],
        "late": [
            {"key": key, "etag": etags[key], "days": [day.isoformat() for day in days]}
            for key, days in sorted(partition.late.items())
        ],
        "objects": {
            "read": sum(1 for o in job.sources if job.first <= o.day <= job.last),
            "quarantined": int((partition.quarantine["line"] == 0).sum()),
        },
        **describe(partition, source),
    }


def _labelled(table: pa.Table, manifest: dict[str, Any], grain: str) -> pa.Table:
    about = {k: v for k, v in manifest.items() if k != "days"} | {"grain": grain}
    return table.replace_schema_metadata({b"fems": keys.to_json(about)})


def _bad_rows(job: Job, partition: Partition) -> dict[str, Callable[[], bytes]]:
    """Return the key and the making of each day's quarantine."""
    rows = partition.quarantine
    table = pa.Table.from_pandas(rows.drop(columns="day"), preserve_index=False).replace_schema_metadata(None)
    return {
        keys.quarantine_key(job.feed, job.factory_id, day): partial(_packed, table, rows["day"] == day)
        for day in sorted(set(rows["day"]))
    }


def _packed(table: pa.Table, some: "pd.Series[bool]") -> bytes:
    return keys.to_parquet(table.filter(pa.array(some)))


def _evaluate(evaluator: Evaluator, job: Job, partition: Partition) -> dict[str, Evaluation]:
    found = {}
    for grain, table in partition.tables.items():
        found[grain] = evaluator.evaluate(table.to_pandas(), f"{job.feed}_{grain}")
    return found


def publish(
    lake: Lake, job: Job, source: Source, partition: Partition, evaluator: Evaluator
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
    manifest = manifest_of(job, source, partition)
    evaluations = {} if manifest["empty"] else _evaluate(evaluator, job, partition)
    manifest["quality"] = {
        "critical_failed": sum(len(e.failed("critical")) for e in evaluations.values()),
        "warning_failed": sum(len(e.failed("warning")) for e in evaluations.values()),
    }
    record = {"fingerprint": job.fingerprint, **{grain: e.to_json() for grain, e in evaluations.items()}}
    lake.store.put(keys.quality_key(job.feed, job.factory_id, job.month), keys.to_json(record))
    for grain, evaluation in evaluations.items():
        evaluation.require(f"factory {job.factory_id}, {job.feed} {grain}, {job.month}")
    write(lake, job, partition, manifest)
    return manifest


def write(lake: Lake, job: Job, partition: Partition, manifest: dict[str, Any]) -> None:
    """Write quarantine and tables, then the manifest that makes them count; then remove what it no longer names.

    The quarantine holds exactly this partition's bad rows, a file a day: what a correction healed is removed.
    """
    wanted = _wanted_parts(job, manifest)
    bad = _bad_rows(job, partition)
    tables = {**partition.tables, keys.ORIGINALS: partition.originals}
    coming = dict(bad)
    for name, table in tables.items() if wanted else ():
        key = keys.processed_key(job.feed, name, job.factory_id, job.month, job.fingerprint)
        coming[key] = partial(keys.to_parquet, _labelled(table, manifest, name))
    for _ in lake.put_many(coming.items()):
        pass
    lake.store.put(keys.manifest_key(job.feed, job.factory_id, job.month), keys.to_json(manifest))
    for key in lake.part_keys(job.feed, job.factory_id, job.month) - wanted:
        lake.store.delete(key)
    for key in list(lake.store.keys(f"quarantine/{job.feed}/factory={job.factory_id}/date={job.month}-")):
        if key not in bad:
            lake.store.delete(key)


def stale_factories(platform: Platform, factory_ids: Iterable[str]) -> list[str]:
    """Return which of the factories have anything to ingest."""
    return [
        factory_id
        for factory_id in factory_ids
        if any(
            stale(platform.lake, platform.source(factory_id, feed))
            for feed in platform.plant.feeds(factory_id)
        )
    ]


@dataclass
class _Tally:
    """What an ingest did."""

    done: list[str]
    rows: dict[str, int]
    failed: dict[str, str]


def _ingest_feed(platform: Platform, source: Source, tally: _Tally, progress: Progress) -> None:
    """Rebuild a feed's stale partitions, until none is: a partition may find late rows of the one before it."""
    while wanted := [j for j in stale(platform.lake, source) if j.fingerprint not in tally.failed]:
        for job, decoded in decode_ahead(platform.lake, source, wanted):
            partition = process(decoded, source, job.first, job.last)
            try:
                manifest = publish(platform.lake, job, source, partition, platform.evaluator)
            except QualityFailed as error:
                tally.failed[job.fingerprint] = str(error)
                progress(str(error))
                continue
            for name, count in manifest["rows"].items():
                tally.rows[name] += count
            tally.done.append(f"{job.feed} {job.month}")
            counts = ", ".join(f"{count} {name}" for name, count in manifest["rows"].items())
            progress(f"factory {job.factory_id}, {job.feed} {job.month}: {counts}")


def _write_package(platform: Platform, factory_id: str) -> None:
    """Describe all published tables of a factory in its data package; it is written anew only if it says more."""
    lake, resources = platform.lake, []
    for feed in platform.plant.feeds(factory_id):
        there = lake.part_keys(feed, factory_id)
        for manifest in lake.manifests(feed, factory_id).values():
            for grain in keys.GRAINS:
                key = keys.processed_key(feed, grain, factory_id, manifest["month"], manifest["fingerprint"])
                if key in there:
                    path = key.removeprefix("processed/")
                    resources.append(resource(path, grain, platform.book(feed), manifest))
    content = keys.to_json(package(factory_id, platform.plant.factory(factory_id).name, resources))
    key = keys.package_key(factory_id)
    if resources and lake.get(key) != content:
        lake.store.put(key, content)


@timed
def ingest_factory(platform: Platform, factory_id: str, progress: Progress = log.info) -> dict[str, Any]:
    """Bring every stale partition of a factory up to date.

    A partition that fails its evaluation does not stop the others; it is raised at the end.

    Returns:
        partitions: the number rebuilt; rows: their counts; months: which.

    Raises:
        QualityFailed: one or more partitions were not published.
    """
    tally = _Tally([], dict.fromkeys(ROW_COUNTS, 0), {})
    for feed in platform.plant.feeds(factory_id):
        _ingest_feed(platform, platform.source(factory_id, feed), tally, progress)
    _write_package(platform, factory_id)
    if tally.failed:
        messages = list(tally.failed.values())
        more = f" (and {len(messages) - 1} partitions more)" if len(messages) > 1 else ""
        raise QualityFailed(messages[0] + more)
    if not tally.done:
        progress(f"factory {factory_id}: nothing new")
    return {
        "factory_id": factory_id, "partitions": len(tally.done), "rows": tally.rows, "months": tally.done,
    }  # fmt: skip
