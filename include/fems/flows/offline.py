"""Processing a folder of files with no service: the same flow, on a folder with the bucket's keys."""

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from fems.contracts import record
from fems.contracts.status import ProcessSummary
from fems.errors import ConfigError, QualityFailed
from fems.flows.ingest import ingest_factory
from fems.flows.ingest_status import ingest_status
from fems.flows.land import land_file
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.output import OutputFolder
from fems.registry.sensors import Feed


def process_folder(
    directory: Path, factory_id: str, out: Path, feed: Feed, progress: Callable[[str], None]
) -> ProcessSummary:
    """Process one factory's files.

    Args:
        directory: either holds raw/<feed>/factory=<id>/date=<day>/, or is a folder of the factory's own files.
        factory_id: whose.
        out: gets processed/, quarantine/ and quality/ with the same keys and bytes as the bucket would, and
            summary.json with the row counts, per day as well.
        feed: of a folder of plain files.
        progress: is told a line a partition.

    Raises:
        ConfigError: nothing to read.
        QualityFailed: a partition was not published.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: is not a folder")
    with tempfile.TemporaryDirectory(prefix="fems-") as scratch:
        landed = (directory / "raw").is_dir()
        store = OutputFolder(out, raw=directory if landed else Path(scratch))
        lake = Lake(store, indexed=False)
        platform = Platform.from_environment(lake)
        platform.plant.factory(factory_id)
        if not landed:
            book = platform.book(feed)
            today = date.today()  # noqa: DTZ011 - with a day to spare
            for path in sorted(p for p in directory.rglob("*") if p.is_file()):
                if path.is_symlink():
                    progress(f"{str(path)!a}: is a symbolic link, passed over")
                    continue
                received = min(today, date.fromtimestamp(path.stat().st_mtime))  # noqa: DTZ012 - names a folder
                name = path.relative_to(directory).as_posix()
                land_file(lake, platform.plant, book, factory_id, path, received, name=name, today=today)
        if not any(lake.raw_objects(each, factory_id) for each in platform.plant.feeds(factory_id)):
            raise ConfigError(f"{directory}: has no files of factory {factory_id}")
        store.clear()
        failure: QualityFailed | None = None
        try:
            ingest_factory(platform, factory_id, progress)
        except QualityFailed as error:  # what passed is handed over all the same
            failure = error
        status = ingest_status(platform, factory_id)
        days = {
            each: {day: n for m in lake.manifests(each, factory_id).values() for day, n in m.days.items()}
            for each in platform.plant.feeds(factory_id)
        }
        summary = ProcessSummary(factory_id=factory_id, **dict(status), days=days)
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").write_bytes(record.write(summary))
        if failure is not None:
            raise failure
        return summary
