"""Ingest: rebuild the partitions whose raw objects changed, until none is stale."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from fems.contracts.manifest import RowCounts
from fems.contracts.outcomes import IngestOutcome
from fems.errors import QualityFailed
from fems.flows.evaluate import Evaluated, prune, write_docs
from fems.flows.partitions import PartitionPlan, process_ahead, stale, without_raw
from fems.flows.platform import Platform, timed
from fems.flows.publish import publish, question, write_package
from fems.lake.lake import Lake
from fems.process.explain import why_unusable
from fems.process.losses import losses
from fems.process.partition import Partition
from fems.process.period import last_day
from fems.registry.feed import FactoryFeed

log = logging.getLogger(__name__)
Progress = Callable[[str], None]


def stale_factories(platform: Platform, factory_ids: Iterable[str], now: datetime | None = None) -> list[str]:
    """Return which of the factories have anything to ingest; `now`: the time, the present if not given."""
    now = now or datetime.now(UTC)
    return [
        factory_id
        for factory_id in factory_ids
        if any(
            stale(platform.lake, source, now) or without_raw(platform.lake, source)
            for source in (platform.source(factory_id, feed) for feed in platform.plant.feeds(factory_id))
        )
    ]


@dataclass
class _Tally:
    """What an ingest did.

    Attributes:
        done: feed and month of what was published.
        rows: their counts.
        failed: fingerprint -> why a partition was not published.
        unusable: months of which no row could be used, and months that nothing makes any more.
    """

    done: list[str]
    rows: RowCounts
    failed: dict[str, QualityFailed]
    unusable: list[QualityFailed]


def _ingest_feed(
    platform: Platform,
    source: FactoryFeed,
    run: str,
    accept: bool,
    now: datetime,
    tally: _Tally,
    progress: Progress,
) -> None:
    """Rebuild a feed's stale partitions, until none is: a partition may find late rows of the one before it."""
    last: tuple[PartitionPlan, Evaluated] | None = None
    lake = platform.lake
    while pending := stale(lake, source, now):
        wanted = [plan for plan in pending if plan.fingerprint not in tally.failed]
        if not wanted:
            break
        for plan, partition in process_ahead(lake, source, wanted, now):
            try:
                manifest, evaluated = publish(lake, plan, source, partition, platform.evaluator, run, accept)
            except QualityFailed as error:
                tally.failed[plan.fingerprint] = error
                progress(str(error))
                continue
            last = last if evaluated is None else (plan, evaluated)
            tally.rows += manifest.rows
            tally.done.append(f"{plan.feed} {plan.month}")
            counts = ", ".join(f"{count} {name}" for name, count in manifest.rows)
            warned = manifest.quality.warning_failed
            progress(
                f"factory {plan.factory_id}, {plan.feed} {plan.month}: {counts}"
                + (f", {warned} warnings" if warned else "")
            )
            for line in partition.off_levels:
                progress(f"factory {plan.factory_id}, {plan.feed} {plan.month}: taken out, {line}")
            for line in partition.register_sums:
                progress(f"factory {plan.factory_id}, {plan.feed} {plan.month}: {line}")
            if manifest.empty and len(partition.quarantine):
                tally.unusable.append(_unusable(plan, partition, source))
    # what another partition's late rows mended is no failure any more
    still = {plan.fingerprint for plan in pending}
    tally.failed = {key: error for key, error in tally.failed.items() if key in still}
    _take_back_orphans(lake, source, accept, now, tally, progress)
    if last is not None:
        write_docs(lake, *last, run)
    prune(lake, source.feed, source.factory_id, now.date())


def _unusable(plan: PartitionPlan, partition: Partition, source: FactoryFeed) -> QualityFailed:
    return QualityFailed(
        f"factory {plan.factory_id}, {plan.feed} {plan.month}: no row could be used, nothing is published. "
        + why_unusable(partition, source)
    )


def _take_back_orphans(
    lake: Lake, source: FactoryFeed, accept: bool, now: datetime, tally: _Tally, progress: Progress
) -> None:
    """Take back the months whose raw objects are gone; one that has tables only on a person's word.

    A month of the future, or from before the plant, never had any that were good.
    """
    months = source.since.isoformat()[:7], last_day(source, now).isoformat()[:7]
    published = lake.readable_manifests(source.feed, source.factory_id)
    for month in without_raw(lake, source):
        possible = months[0] <= month <= months[1]
        lost = [] if accept or not possible else losses(published[month], None)
        if lost:
            lost.append("for its raw objects are gone")
            error = question(source.factory_id, source.feed, month, lost, [])
            tally.unusable.append(error)
            progress(str(error))
            continue
        lake.take_back(source.feed, source.factory_id, month)
        tally.done.append(f"{source.feed} {month}")
        progress(f"factory {source.factory_id}, {source.feed} {month}: taken back, its raw objects are gone")


@timed
def ingest_factory(
    platform: Platform,
    factory_id: str,
    progress: Progress = log.info,
    run: str = "by hand",
    accept: bool = False,
    now: datetime | None = None,
) -> IngestOutcome:
    """Bring every stale partition of a factory up to date.

    A partition that fails its evaluation does not stop the others; it is raised at the end.

    Args:
        platform: the outside world.
        factory_id: the factory.
        progress: called with a line for each partition.
        run: which run does it, for the record of the evaluations.
        accept: a person's word that a doubtful month may be published; see `fems.flows.publish.publish`.
        now: the time; the present if not given.

    Raises:
        QualityFailed: one or more partitions were not published, or no row of one could be used.
        NeedsAcceptance: one has less than the published month, or another level, and nobody accepted that.
    """
    failed: list[QualityFailed] = []
    at = now or datetime.now(UTC)
    tally = _Tally([], RowCounts(), {}, [])
    for feed in platform.plant.feeds(factory_id):
        _ingest_feed(platform, platform.source(factory_id, feed), run, accept, at, tally, progress)
        failed += tally.failed.values()
    write_package(platform, factory_id)
    failed += tally.unusable
    if failed:
        more = f" (and {len(failed) - 1} partitions more)" if len(failed) > 1 else ""
        raise type(failed[0])(f"{failed[0]}{more}")
    if not tally.done:
        progress(f"factory {factory_id}: nothing new")
    return IngestOutcome(
        factory_id=factory_id, partitions=len(tally.done), rows=tally.rows, months=tuple(tally.done)
    )
