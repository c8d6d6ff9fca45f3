"""A folder that somebody names for results: only what was written there before is ever removed from it."""

import threading
from pathlib import Path

from fems.errors import ConfigError
from fems.lake.store import FolderStore

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
        ours = {
            path for path in there if path.relative_to(self.root).as_posix().removesuffix(".part") in written
        }
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
