"""Publishing a partition: evaluate, write aside, then let the manifest count."""

from collections.abc import Callable, Collection
from datetime import date
from functools import partial

import pandas as pd
import pyarrow as pa

from fems import __version__
from fems.contracts.grains import ORIGINALS
from fems.contracts.manifest import FailedCounts, LateRows, Manifest, ObjectCounts, Source
from fems.errors import NeedsAcceptance, QualityFailed
from fems.flows.evaluate import (
    Evaluated,
    evaluate,
    evaluation_record,
    keep,
    write_docs,
)
from fems.flows.partitions import PartitionPlan
from fems.flows.past_months import PastMonths
from fems.lake.lake import Lake
from fems.process.explain import why_unusable
from fems.process.losses import losses
from fems.process.metadata import figures
from fems.process.month_level import months_off
from fems.process.partition import Partition
from fems.quality.evaluate import Evaluator
from fems.registry.feed import FactoryFeed


def manifest_of(plan: PartitionPlan, source: FactoryFeed, partition: Partition) -> Manifest:
    """Return a partition's metadata, before its evaluation. It holds no clock: rebuilding gives the same bytes."""
    etags = {o.key: o.etag for o in plan.sources}
    return Manifest(
        factory_id=plan.factory_id,
        feed=plan.feed,
        month=plan.month,
        first_day=plan.first,
        last_day=plan.last,
        timezone=source.zone,
        grain_minutes=source.grain_minutes,
        fingerprint=plan.fingerprint,
        book_version=source.version,
        code_version=__version__,
        sources=tuple(Source(key=o.key, etag=o.etag) for o in plan.sources),
        late=tuple(
            LateRows(key=key, etag=etags[key], days=tuple(days))
            for key, days in sorted(partition.late.items())
        ),
        objects=ObjectCounts(
            read=sum(1 for o in plan.sources if plan.first <= o.day <= plan.last),
            quarantined=int((partition.quarantine["line"] == 0).sum()),
        ),
        future_from=partition.future_from,
        **dict(figures(partition, source)),
    )


def publish(
    lake: Lake,
    plan: PartitionPlan,
    source: FactoryFeed,
    partition: Partition,
    evaluator: Evaluator,
    run: str = "by hand",
    accept: bool = False,
    past: PastMonths | None = None,
    there: Collection[str] | None = None,
) -> tuple[Manifest, Evaluated | None]:
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
        accept: a person's word that it may be published, though it has less than the published month, or its level is
            off the months before by the factor of a unit.
        past: the months before, for a caller that publishes several; read here if not given.
        there: keys of the tables that lie there of the month, if they were just listed.

    Returns:
        The manifest, and the evaluation; None for a month of which no row could be used.

    Raises:
        QualityFailed: a critical expectation failed; the last good partition stays.
        NeedsAcceptance: it would need a person's word; the published month stays.
    """
    manifest = manifest_of(plan, source, partition)
    past = past or PastMonths(lake, plan.feed, plan.factory_id)
    published = lake.readable_manifest(plan.feed, plan.factory_id, plan.month)
    evaluated = None
    if not manifest.empty:
        usual = past.usual_before(plan.month)
        evaluated = evaluate(evaluator, plan, source, partition, usual)
        failed = FailedCounts(
            critical_failed=evaluated.count("critical", own_only=True),
            warning_failed=evaluated.count("warning", own_only=True),
        )
        manifest = manifest.model_copy(update={"quality": failed})
    lost, off = _doubts(lake, plan, source, manifest, published, evaluated, past)
    asked = (lost or off) and not accept
    record = evaluation_record(plan, manifest, partition, evaluated, bool(asked))
    keep(lake, plan.feed, record, run)
    past.add(record)
    if evaluated is not None and (evaluated.count("critical") or evaluated.count("warning")):
        write_docs(lake, plan, evaluated, run)
    try:
        for grain, evaluation in {} if evaluated is None else evaluated.tables.items():
            evaluation.require(f"factory {plan.factory_id}, {plan.feed} {grain}, {plan.month}")
        if asked:
            raise question(plan.factory_id, plan.feed, plan.month, lost, off)
    except QualityFailed as error:
        lake.write_quarantine(plan.feed, plan.factory_id, plan.month, _bad_rows(partition))
        raise type(error)(f"{error} {why_unusable(partition, source)}".strip()) from None
    before = () if published is None else published.accepted
    manifest = manifest.model_copy(update={"accepted": tuple(sorted({*before, *off}))})
    write(lake, plan, partition, manifest, there)
    return manifest, evaluated


def _doubts(
    lake: Lake,
    plan: PartitionPlan,
    source: FactoryFeed,
    manifest: Manifest,
    published: Manifest | None,
    evaluated: Evaluated | None,
    past: PastMonths,
) -> tuple[list[str], list[str]]:
    """Return what a month would take away from the published one, and which levels are off; neither if accepted."""
    lost = losses(published, manifest) if plan.possible else []
    if published is None and manifest.empty and lake.part_keys(plan.feed, plan.factory_id, plan.month):
        lost = ["all of its tables, of which the metadata cannot be read"]
    if evaluated is None:
        return lost, []
    off = months_off(evaluated.profile, past.newest_before(plan.month), source)
    return lost, [line for line in off if published is None or line not in published.accepted]


def question(factory_id: str, feed: str, month: str, lost: list[str], off: list[str]) -> NeedsAcceptance:
    """Return what a person is asked before a doubtful month takes the place of a good one.

    Args:
        factory_id: whose.
        feed: the feed.
        month: YYYY-MM.
        lost: what the published month has and this one has not.
        off: levels that are off the months before by the factor of a unit.
    """
    doubts = [f"It would lose {'; '.join(lost)}."] if lost else []
    doubts += [f"Its level is off: {'; '.join(off)}."] if off else []
    return NeedsAcceptance(
        f"factory {factory_id}, {feed} {month}: not published, what is published stays. {' '.join(doubts)} "
        f"Mend the files, the mapping or the book; or, if it is meant, say so: "
        f"fems ingest {factory_id} --accept (in Airflow: the param `accept` of the Dag ingest)."
    )


def write(
    lake: Lake,
    plan: PartitionPlan,
    partition: Partition,
    manifest: Manifest,
    there: Collection[str] | None = None,
) -> None:
    """Write a partition's quarantine and tables, then the manifest that makes them count; see `publish`."""
    tables = {} if manifest.empty else {**partition.tables, ORIGINALS: partition.originals}
    lake.write_partition(plan.feed, manifest, tables, _bad_rows(partition), there)


def _bad_rows(partition: Partition) -> dict[date, Callable[[], pa.Table]]:
    """Return each day's quarantine, as what makes its table: all of them at once may be large."""
    rows = partition.quarantine
    table = pa.Table.from_pandas(rows.drop(columns="day"), preserve_index=False).replace_schema_metadata(None)
    return {day: partial(_rows_of, table, rows["day"] == day) for day in sorted(set(rows["day"]))}


def _rows_of(table: pa.Table, some: "pd.Series[bool]") -> pa.Table:
    return table.filter(pa.array(some))
