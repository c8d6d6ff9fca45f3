"""Ingest: rebuild the partitions whose raw objects changed, until none is stale."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fems.contracts.feed_index import PublishedMonth
from fems.contracts.manifest import RowCounts
from fems.contracts.outcomes import IngestOutcome
from fems.errors import QualityFailed
from fems.flows.data_package import write_package
from fems.flows.evaluate import Evaluated, prune, write_docs
from fems.flows.feed_state import FeedState
from fems.flows.lookout import Lookout, has_news, keep_index, look, prune_marks
from fems.flows.partitions import PartitionPlan, process_ahead
from fems.flows.past_months import PastMonths
from fems.flows.platform import Platform, timed
from fems.flows.publish import publish, question
from fems.lake.lake import Lake
from fems.lake.records import side_by_side
from fems.process.explain import why_unusable
from fems.process.losses import losses
from fems.process.partition import Partition
from fems.process.period import last_day
from fems.registry.feed import FactoryFeed
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)
LOOKS = 8
"""Factories that are looked at side by side: most of it is waiting for the object store."""

Progress = Callable[[str], None]


def stale_factories(platform: Platform, factory_ids: Iterable[str], now: datetime | None = None) -> list[str]:
    """Return which of the factories may have something to ingest, in order; see `fems.flows.lookout`.

    Args:
        platform: the outside world.
        factory_ids: which to look at.
        now: the time, the present if not given.
    """
    lookout = Lookout.from_lake(platform.lake, platform.settings, now or datetime.now(UTC))

    def is_stale(factory_id: str) -> bool:
        return any(
            has_news(platform.lake, platform.source(factory_id, feed), lookout)
            for feed in platform.plant.feeds(factory_id)
        )

    wanted = list(factory_ids)
    prune_marks(platform.lake, platform.settings, lookout.now)
    found = side_by_side(is_stale, wanted, LOOKS)
    return [factory_id for factory_id, news in zip(wanted, found, strict=True) if news]


def reconcile_factory(platform: Platform, factory_id: str, now: datetime | None = None) -> list[str]:
    """List everything of a factory and make its indexes anew.

    Returns:
        Feed and month of each partition that is to be ingested or taken back.
    """
    lookout = Lookout.from_lake(platform.lake, platform.settings, now or datetime.now(UTC))
    open_months: list[str] = []
    for feed in platform.plant.feeds(factory_id):
        state = look(platform.lake, platform.source(factory_id, feed), lookout, everything=True)
        keep_index(platform.lake, state)
        months = {plan.month for plan in state.stale(lookout.now)} | set(state.orphans())
        open_months += [f"{feed} {month}" for month in sorted(months)]
    return open_months


@dataclass
class _Tally:
    """What an ingest did.

    Attributes:
        done: feed and month of what was published.
        rows: their counts.
        failed: fingerprint -> why a partition was not published.
        unusable: months of which no row could be used, and months that nothing makes any more.
        left: fingerprints of the partitions that are left for a backfill.
    """

    done: list[str]
    rows: RowCounts
    failed: dict[str, QualityFailed]
    unusable: list[QualityFailed]
    left: set[str] = field(default_factory=set)


def _ingest_feed(
    platform: Platform,
    state: FeedState,
    run: str,
    accept: bool,
    now: datetime,
    tally: _Tally,
    progress: Progress,
    most_months: int | None = None,
) -> None:
    """Rebuild a feed's stale partitions, until none is: a partition may find late rows of the one before it.

    Of more than `most_months` the newest are rebuilt, and the others left.
    """
    last: tuple[PartitionPlan, Evaluated] | None = None
    lake, source = platform.lake, state.source
    past = PastMonths(lake, source.feed, source.factory_id)
    done = 0
    while pending := state.stale(now):
        wanted = [plan for plan in pending if plan.fingerprint not in tally.failed.keys() | tally.left]
        if most_months is not None and not done and len(wanted) > most_months:
            tally.left |= {plan.fingerprint for plan in wanted[:-most_months]}
            wanted = wanted[-most_months:]
        if not wanted:
            break
        if state.verify(lake, wanted):
            continue
        for plan, partition in process_ahead(lake, source, wanted, now):
            done += 1
            try:
                there = state.parts.get(plan.month)
                manifest, evaluated = publish(
                    lake, plan, source, partition, platform.evaluator, run, accept, past, there
                )
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
                + (f" ({wanted.index(plan) + 1} of {len(wanted)} months)" if len(wanted) > 1 else "")
            )
            for line in partition.off_levels:
                progress(f"factory {plan.factory_id}, {plan.feed} {plan.month}: taken out, {line}")
            for line in partition.register_sums:
                progress(f"factory {plan.factory_id}, {plan.feed} {plan.month}: {line}")
            if manifest.empty and len(partition.quarantine):
                tally.unusable.append(_unusable(plan, partition, source))
        state.look_again(lake, now, [plan.month for plan in wanted])
    # what another partition's late rows mended is no failure any more
    still = {plan.fingerprint for plan in pending}
    tally.failed = {key: error for key, error in tally.failed.items() if key in still}
    if _take_back_orphans(lake, state, accept, now, tally, progress):
        state.look_again(lake, now)
    if last is not None:
        write_docs(lake, *last, run)
    prune(lake, source.feed, source.factory_id, now.date())


def _unusable(plan: PartitionPlan, partition: Partition, source: FactoryFeed) -> QualityFailed:
    return QualityFailed(
        f"factory {plan.factory_id}, {plan.feed} {plan.month}: no row could be used, nothing is published. "
        + why_unusable(partition, source)
    )


def _take_back_orphans(
    lake: Lake, state: FeedState, accept: bool, now: datetime, tally: _Tally, progress: Progress
) -> bool:
    """Take back the months whose raw objects are gone; one that has tables only on a person's word.

    A month of the future, or from before the plant, never had any that were good.

    Returns:
        Whether any was.
    """
    orphans = state.orphans()
    if orphans and state.list_again(lake, orphans):
        orphans = state.orphans()
    source, taken = state.source, False
    feed, factory_id = source.feed, source.factory_id
    months = source.since.isoformat()[:7], last_day(source, now).isoformat()[:7]
    for month, published in lake.readable(feed, factory_id, orphans).items():
        possible = months[0] <= month <= months[1]
        lost = [] if accept or not possible else losses(published, None)
        if lost:
            lost.append("for its raw objects are gone")
            error = question(factory_id, feed, month, lost, [])
            tally.unusable.append(error)
            progress(str(error))
            continue
        lake.take_back(feed, factory_id, month)
        taken = True
        tally.done.append(f"{feed} {month}")
        progress(f"factory {factory_id}, {feed} {month}: taken back, its raw objects are gone")
    return taken


def _published(
    platform: Platform, factory_id: str, states: Mapping[Feed, FeedState]
) -> dict[Feed, Mapping[str, PublishedMonth]]:
    """Return what is published of each feed: as it was just looked at, or of one without news, as its index says."""
    published: dict[Feed, Mapping[str, PublishedMonth]] = {
        feed: state.months for feed, state in states.items()
    }
    for feed in platform.plant.feeds(factory_id):
        index = None if feed in states else platform.lake.indexes.read(feed, factory_id)
        if index is not None:
            published[feed] = index.months
    return published


@timed
def ingest_factory(
    platform: Platform,
    factory_id: str,
    progress: Progress = log.info,
    run: str = "by hand",
    accept: bool = False,
    now: datetime | None = None,
    everything: bool = True,
    most_months: int | None = None,
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
        everything: whether to list everything, or only what can have changed (see `fems.flows.lookout`).
        most_months: the newest so many stale months of each feed are rebuilt, the others left; all if not given.

    Raises:
        QualityFailed: one or more partitions were not published, or no row of one could be used.
        NeedsAcceptance: one has less than the published month, or another level, and nobody accepted that.
    """
    failed: list[QualityFailed] = []
    at = now or datetime.now(UTC)
    lookout = Lookout.from_lake(platform.lake, platform.settings, at)
    tally = _Tally([], RowCounts(), {}, [])
    states: dict[Feed, FeedState] = {}
    for feed in platform.plant.feeds(factory_id):
        source = platform.source(factory_id, feed)
        if not everything and not has_news(platform.lake, source, lookout):
            continue
        state = look(platform.lake, source, lookout, everything=everything)
        tally.failed = {}
        _ingest_feed(platform, state, run, accept, at, tally, progress, most_months)
        failed += tally.failed.values()
        states[feed] = state
    if states:
        write_package(platform, factory_id, None if everything else _published(platform, factory_id, states))
    for state in states.values():  # last: what dies before leaves the index as it was, and the manifests tell
        keep_index(platform.lake, state)
    failed += tally.unusable
    if failed:
        more = f" (and {len(failed) - 1} partitions more)" if len(failed) > 1 else ""
        raise type(failed[0])(f"{failed[0]}{more}")
    if not tally.done:
        progress(f"factory {factory_id}: nothing new")
    if tally.left:
        progress(f"factory {factory_id}: {len(tally.left)} older months are left for a backfill")
    return IngestOutcome(
        factory_id=factory_id,
        partitions=len(tally.done),
        rows=tally.rows,
        months=tuple(tally.done),
        left=len(tally.left),
    )
