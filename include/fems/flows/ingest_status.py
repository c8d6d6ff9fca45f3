"""The counts over everything that was ingested of a factory."""

from fems.contracts.status import IngestStatus
from fems.flows.platform import Platform


def ingest_status(platform: Platform, factory_id: str) -> IngestStatus:
    """Return the counts over every published partition of a factory, all feeds together and each by itself.

    Raises:
        UnknownFormat, DataError: a partition's metadata cannot be read; says what to run.
    """
    feeds, lake = platform.plant.feeds(factory_id), platform.lake
    return IngestStatus.of(
        {feed: lake.manifests(feed, factory_id) for feed in feeds},
        [e for feed in feeds for e in lake.evaluations.by_month(feed, factory_id).values()],
    )
