"""Publishing a partition: evaluate, write aside, then let the manifest count."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from fems import __version__
from fems.contracts.grains import GRAINS, ORIGINALS
from fems.errors import PoorerPartition, QualityFailed
from fems.flows.evaluate import Evaluated, evaluate, keep, record_of, usual_before, write_docs
from fems.flows.partitions import PartitionPlan, wanted_parts
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.serialize import to_json, to_parquet
from fems.process.explain import why_unusable
from fems.process.losses import losses
from fems.process.metadata import describe
from fems.process.package import package, resource
from fems.process.partition import Partition
from fems.quality.evaluate import Evaluator
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Feed


def manifest_of(plan: PartitionPlan, source: FactoryFeed, partition: Partition) -> dict[str, Any]:
    """Say what a partition is made of. It holds no clock: rebuilding gives the same bytes."""
    etags = {o.key: o.etag for o in plan.sources}
    return {
        "factory_id": plan.factory_id,
        "feed": plan.feed,
        "month": plan.month,
        "first_day": plan.first.isoformat(),
        "last_day": plan.last.isoformat(),
        "timezone": source.zone,
        "grain_minutes": source.grain_minutes,
        "fingerprint": plan.fingerprint,
        "book_version": source.version,
        "code_version": __version__,
        "sources": [{"key": o.key, "etag": o.etag} for o in plan.sources],
        "late": [
            {"key": key, "etag": etags[key], "days": [day.isoformat() for day in days]}
            for key, days in sorted(partition.late.items())
        ],
        "objects": {
            "read": sum(1 for o in plan.sources if plan.first <= o.day <= plan.last),
            "quarantined": int((partition.quarantine["line"] == 0).sum()),
        },
        "future_from": None if partition.future_from is None else partition.future_from.isoformat(),
        **describe(partition, source),
    }


def _labelled(table: pa.Table, manifest: dict[str, Any], grain: str) -> pa.Table:
    about = {k: v for k, v in manifest.items() if k != "days"} | {"grain": grain}
    return table.replace_schema_metadata({b"fems": to_json(about)})


def _bad_rows(plan: PartitionPlan, partition: Partition) -> dict[str, Callable[[], bytes]]:
    """Return the key and the making of each day's quarantine."""
    rows = partition.quarantine
    table = pa.Table.from_pandas(rows.drop(columns="day"), preserve_index=False).replace_schema_metadata(None)
    return {
        keys.quarantine_key(plan.feed, plan.factory_id, day): partial(_packed, table, rows["day"] == day)
        for day in sorted(set(rows["day"]))
    }


def _packed(table: pa.Table, some: "pd.Series[bool]") -> bytes:
    return to_parquet(table.filter(pa.array(some)))


def publish(
    lake: Lake,
    plan: PartitionPlan,
    source: FactoryFeed,
    partition: Partition,
    evaluator: Evaluator,
    run: str = "by hand",
    accept: bool = False,
) -> tuple[dict[str, Any], Evaluated | None]:
    """Evaluate a partition and publish it: the tables under new names, then the manifest that makes them count.

    Readers follow the manifest, so they see the old partition or the new one, whole. What the manifest no longer names
    is removed last. Whatever stops this half-way leaves the partition stale, and the next run puts it right. A month
    none of whose rows could be used has a manifest and a quarantine, and no tables.

    Args:
        lake: where.
        plan: which partition.
        source: registry and book.
        partition: its tables.
        evaluator: Great Expectations.
        run: which run does it, for the record.
        accept: whether a person said that it may take the place of a published month that has more.

    Returns:
        The manifest, and the evaluation; None for a month of which no row could be used.

    Raises:
        QualityFailed: a critical expectation failed; the last good partition stays.
        PoorerPartition: it has less than the published one, and nobody accepted that; the published one stays.
    """
    manifest = manifest_of(plan, source, partition)
    evaluated = None
    if not manifest["empty"]:
        usual = usual_before(lake, plan.feed, plan.factory_id, plan.month)
        evaluated = evaluate(evaluator, plan, source, partition, usual)
    manifest["quality"] = {
        f"{severity}_failed": 0 if evaluated is None else evaluated.count(severity, own_only=True)
        for severity in ("critical", "warning")
    }
    lost = [] if accept or not plan.possible else losses(_published(lake, plan), manifest)
    keep(lake, record_of(plan, manifest, partition, evaluated, bool(lost)), run)
    if evaluated is not None and (evaluated.count("critical") or evaluated.count("warning")):
        write_docs(lake, plan, evaluated, run)
    refusal = _refusal(plan, evaluated, lost)
    if refusal is not None:
        write_quarantine(lake, plan, partition)
        reason = why_unusable(partition, source)
        raise type(refusal)(f"{refusal} {reason}".strip())
    write(lake, plan, partition, manifest)
    return manifest, evaluated


def _published(lake: Lake, plan: PartitionPlan) -> dict[str, Any] | None:
    """Return the manifest that counts now; a broken one is as good as none."""
    return lake.manifests(plan.feed, plan.factory_id).get(plan.month)


def _refusal(plan: PartitionPlan, evaluated: Evaluated | None, lost: list[str]) -> QualityFailed | None:
    """Return why a partition may not be published; None where it may."""
    try:
        for grain, evaluation in {} if evaluated is None else evaluated.tables.items():
            evaluation.require(f"factory {plan.factory_id}, {plan.feed} {grain}, {plan.month}")
    except QualityFailed as error:
        return error
    if lost:
        return poorer(plan.factory_id, plan.feed, plan.month, lost)
    return None


def poorer(factory_id: str, feed: str, month: str, lost: list[str]) -> PoorerPartition:
    """Return the question that a person is asked before a month loses something."""
    return PoorerPartition(
        f"factory {factory_id}, {feed} {month}: not published, the published month stays. It would lose "
        f"{'; '.join(lost)}. Mend the files or the mapping; or, if it is meant, say so: "
        f"fems ingest --factory {factory_id} --accept (in Airflow: the param `accept` of the Dag ingest)."
    )


def write(lake: Lake, plan: PartitionPlan, partition: Partition, manifest: dict[str, Any]) -> None:
    """Write the tables, then the manifest that makes them count; then remove what it no longer names."""
    wanted = wanted_parts(plan, manifest)
    tables = {**partition.tables, ORIGINALS: partition.originals}
    coming: dict[str, Callable[[], bytes]] = {}
    for name, table in tables.items() if wanted else ():
        key = keys.processed_key(plan.feed, name, plan.factory_id, plan.month, plan.fingerprint)
        coming[key] = partial(to_parquet, _labelled(table, manifest, name))
    for _ in lake.put_many(coming.items()):
        pass
    lake.store.put(keys.manifest_key(plan.feed, plan.factory_id, plan.month), to_json(manifest))
    for key in lake.part_keys(plan.feed, plan.factory_id, plan.month) - wanted:
        lake.store.delete(key)
    write_quarantine(lake, plan, partition)


def write_quarantine(lake: Lake, plan: PartitionPlan, partition: Partition) -> None:
    """Write a partition's bad rows, a file a day, also where the partition itself may not be published.

    What a correction healed is removed.
    """
    bad = _bad_rows(plan, partition)
    for _ in lake.put_many(bad.items()):
        pass
    for key in list(lake.store.keys(_quarantine_of(plan.feed, plan.factory_id, plan.month))):
        if key not in bad:
            lake.store.delete(key)


def _quarantine_of(feed: str, factory_id: str, month: str) -> str:
    return f"quarantine/{feed}/factory={factory_id}/date={month}-"


def take_back(lake: Lake, feed: Feed, factory_id: str, month: str) -> None:
    """Remove a published month: the manifest first, so that no reader sees a part of it."""
    lake.store.delete(keys.manifest_key(feed, factory_id, month))
    rest = [
        *lake.part_keys(feed, factory_id, month),
        *lake.store.keys(_quarantine_of(feed, factory_id, month)),
    ]
    for key in [*rest, keys.quality_key(feed, factory_id, month)]:
        lake.store.delete(key)


def write_package(platform: Platform, factory_id: str) -> None:
    """Describe all published tables of a factory in its data package; it is written anew only if it says more."""
    lake, resources = platform.lake, []
    for feed in platform.plant.feeds(factory_id):
        there, book = lake.part_keys(feed, factory_id), platform.book(feed)
        for manifest in lake.manifests(feed, factory_id).values():
            for grain in GRAINS:
                key = keys.processed_key(feed, grain, factory_id, manifest["month"], manifest["fingerprint"])
                if key in there:
                    path = key.removeprefix("processed/")
                    resources.append(resource(path, grain, book, manifest))
    content = to_json(package(factory_id, platform.plant.factory(factory_id).name, resources))
    key = keys.package_key(factory_id)
    if not resources:  # a package without a resource is none
        lake.store.delete(key)
    elif lake.get(key) != content:
        lake.store.put(key, content)
