"""Retention: what may go after a time. Raw files never do; published tables and forecasts do not either."""

from dataclasses import dataclass
from datetime import date

from fems.flows.platform import Platform


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be: objects, and their bytes."""

    objects: int
    size: int


def prune_quarantine(platform: Platform, before: date, dry_run: bool = False) -> Pruned:
    """Remove the quarantined rows of days before one, of every factory and feed.

    The counts in the manifests stay, so rows read go on being rows published, quarantined and duplicate; the rows
    themselves are in the raw files, and a month that is built again has its quarantine again.

    Args:
        platform: where it lies; its key must be one that may delete there.
        before: the first day that is kept.
        dry_run: only count.
    """
    objects = size = 0
    for factory_id in platform.plant.factories:
        for feed in platform.plant.feeds(factory_id):
            old = list(platform.lake.quarantine_before(feed, factory_id, before))
            objects, size = objects + len(old), size + sum(item.size for item in old)
            if not dry_run:
                platform.lake.remove_quarantine(old)
    return Pruned(objects, size)
