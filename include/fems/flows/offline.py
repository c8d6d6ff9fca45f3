"""Processing a folder of files with no service: the same flow, on a folder with the bucket's keys."""

import tempfile
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from fems.errors import ConfigError, QualityFailed
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_file
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.serialize import to_json
from fems.lake.store import FolderStore
from fems.registry.plant import Feed
from fems.views.status import ingested

ROOMS = ("processed", "quarantine", "quality")
WRITTEN = ".fems-written"
"""Names every file that the command wrote into the folder, one a line."""


class OutputFolder(FolderStore):
    """A folder that knows which of its files it wrote itself, in this run or an earlier one."""

    def __init__(self, root: Path, raw: Path) -> None:
        super().__init__(root, raw)
        self._mark, self._lock = root / WRITTEN, threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        """Write a file; its name is noted first, so that a run that is cut short leaves nothing unknown."""
        if not key.startswith("raw/"):
            with self._lock:
                self.root.mkdir(parents=True, exist_ok=True)
                with self._mark.open("a", encoding="utf-8") as file:
                    file.write(key + "\n")
        super().put(key, data)

    def clear(self) -> None:
        """Remove what earlier runs wrote.

        Raises:
            ConfigError: the folder holds something else where the results belong. Nothing was removed.
        """
        written = set(self._mark.read_text("utf-8").splitlines()) if self._mark.is_file() else set()
        there = [
            path for room in ROOMS for path in sorted((self.root / room).rglob("*")) if not path.is_dir()
        ]
        ours = [
            path for path in there if path.relative_to(self.root).as_posix().removesuffix(".part") in written
        ]
        for path in there:
            if path not in ours:
                raise ConfigError(
                    f"{path}: was not written by this command, which makes {', '.join(ROOMS)} in --out anew: "
                    "name another folder, or move it away"
                )
        for path in ours:
            path.unlink()
        for room in ROOMS:
            folders = [
                path for path in (self.root / room).rglob("*") if path.is_dir() and not path.is_symlink()
            ]
            for folder in sorted(folders, reverse=True):
                folder.rmdir()
        self._mark.unlink(missing_ok=True)


def process_folder(
    directory: Path, factory_id: str, out: Path, feed: Feed, progress: Callable[[str], None]
) -> dict[str, Any]:
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
        lake = Lake(store)
        platform = Platform.from_environment(lake)
        platform.plant.factory(factory_id)
        if not landed:
            book = platform.book(feed)
            for path in sorted(p for p in directory.iterdir() if p.is_file()):
                received = date.fromtimestamp(path.stat().st_mtime)  # noqa: DTZ012 - only names a folder
                land_file(lake, platform.plant, book, factory_id, path, received)
        if not any(lake.raw_objects(each, factory_id) for each in platform.plant.feeds(factory_id)):
            raise ConfigError(f"{directory}: has no files of factory {factory_id}")
        store.clear()
        failure: QualityFailed | None = None
        try:
            ingest_factory(platform, factory_id, progress)
        except QualityFailed as error:  # what passed is handed over all the same
            failure = error
        days = {
            each: {
                day: counts
                for m in lake.manifests(each, factory_id).values()
                for day, counts in m["days"].items()
            }
            for each in platform.plant.feeds(factory_id)
        }
        summary = {"factory_id": factory_id, **ingested(platform, factory_id), "days": days}
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").write_bytes(to_json(summary))
        if failure is not None:
            raise failure
        return summary
