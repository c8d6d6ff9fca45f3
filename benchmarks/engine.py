"""Our side of the comparison: the one place that knows how the engine is called."""

from collections.abc import Iterator
from pathlib import Path

from fems.flows.feed_state import stale
from fems.flows.ingest import ingest_factory
from fems.flows.partitions import PartitionPlan, process_ahead
from fems.flows.platform import Platform
from fems.flows.publish import manifest_of, write
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.process.partition import Partition
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.settings import Settings


def partitions(lake: Lake, source: FactoryFeed) -> Iterator[tuple[PartitionPlan, Partition]]:
    """Return every month that the raw files of a lake make, in order, processed and not yet published."""
    return process_ahead(lake, source, stale(lake, source))


def ours(folder: Path, out: Path, plant: Plant, book: Book, factory_id: str) -> int:
    """Publish the tables of a factory's raw files, with quarantine, originals and metadata.

    What is left out of an ingest is the quality evaluation, which the peers do not have.

    Args:
        folder: holds raw/<feed>/factory=<id>/date=<day>/.
        out: an empty folder; gets processed/ and quarantine/.
        plant: the registry.
        book: of the feed.
        factory_id: whose files.

    Returns:
        The rows read.
    """
    lake, source = Lake(FolderStore(out, raw=folder)), FactoryFeed.of(plant, book, factory_id)
    rows = 0
    for job, partition in partitions(lake, source):
        manifest = manifest_of(job, source, partition)
        write(lake, job, partition, manifest)
        rows += manifest.rows.read
    return rows


def ingested(folder: Path, out: Path, plant: Plant, settings: Settings, factory_id: str) -> int:
    """Ingest a factory's raw files as the flow does, quality evaluation included; return the rows read.

    Args:
        folder: holds raw/<feed>/factory=<id>/date=<day>/.
        out: an empty folder.
        plant: the registry.
        settings: where the definition book and the expectations are.
        factory_id: whose files.
    """
    platform = Platform(Lake(FolderStore(out, raw=folder)), plant, settings)
    return ingest_factory(platform, factory_id, lambda line: None).rows.read
