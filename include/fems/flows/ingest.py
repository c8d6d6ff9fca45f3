"""Ingest: rebuild the partitions whose raw objects changed, until none is stale."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from fems.contracts.manifest import RowCounts
from fems.contracts.outcomes import IngestOutcome
from fems.errors import QualityFailed
from fems.flows.evaluate import Evaluated, prune, write_docs
from fems.flows.partitions import PartitionPlan, process_ahead, stale
from fems.flows.platform import Platform, timed
from fems.flows.publish import publish, write_package
from fems.registry.feed import FactoryFeed

log = logging.getLogger(__name__)
Progress = Callable[[str], None]


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
    rows: RowCounts
    failed: dict[str, str]


def _ingest_feed(
    platform: Platform, source: FactoryFeed, run: str, tally: _Tally, progress: Progress
) -> None:
    """Rebuild a feed's stale partitions, until none is: a partition may find late rows of the one before it."""
    last: tuple[PartitionPlan, Evaluated] | None = None
    while wanted := [j for j in stale(platform.lake, source) if j.fingerprint not in tally.failed]:
        for plan, partition in process_ahead(platform.lake, source, wanted):
            try:
                manifest, evaluated = publish(platform.lake, plan, source, partition, platform.evaluator, run)
            except QualityFailed as error:
                tally.failed[plan.fingerprint] = str(error)
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
    if last is not None:
        write_docs(platform.lake, *last, run)
    prune(platform.lake, source.feed, source.factory_id, datetime.now(UTC).date())


@timed
def ingest_factory(
    platform: Platform, factory_id: str, progress: Progress = log.info, run: str = "by hand"
) -> IngestOutcome:
    """Bring every stale partition of a factory up to date.

    A partition that fails its evaluation does not stop the others; it is raised at the end.

    Args:
        platform: the outside world.
        factory_id: the factory.
        progress: called with a line for each partition.
        run: which run does it, for the record of the evaluations.

    Raises:
        QualityFailed: one or more partitions were not published.
    """
    tally = _Tally([], RowCounts(), {})
    for feed in platform.plant.feeds(factory_id):
        _ingest_feed(platform, platform.source(factory_id, feed), run, tally, progress)
    write_package(platform, factory_id)
    if tally.failed:
        messages = list(tally.failed.values())
        more = f" (and {len(messages) - 1} partitions more)" if len(messages) > 1 else ""
        raise QualityFailed(messages[0] + more)
    if not tally.done:
        progress(f"factory {factory_id}: nothing new")
    return IngestOutcome(
        factory_id=factory_id, partitions=len(tally.done), rows=tally.rows, months=tuple(tally.done)
    )
