"""A cache of what was read of a large YAML file, as JSON, for the next process that reads the same file.

Every task and every reading of a Dag file reads factories.yaml: 2 ms a factory from YAML, 0.1 ms from what is kept.
"""

import hashlib
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
log = logging.getLogger(__name__)

LARGE = 200_000
"""Bytes from which on a file is worth it: some 150 factories."""
_DAYS = 30


def folder() -> Path:
    """Return where such files lie: a folder for this user alone, `fems` in XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fems"


def key_of(path: Path) -> str | None:
    """Return what names a file's content and the code that reads it; None where the file is small, or not there."""
    try:
        if path.stat().st_size < LARGE:
            return None
        parts = [path, *sorted(Path(__file__).parent.glob("*.py"))]
        contents = [part.read_bytes() for part in parts]
    except OSError:
        return None
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]


def read(key: str, model: type[M]) -> M | None:
    """Return what is kept under a key, checked as the file itself is; None where nothing fit to read is."""
    try:
        return model.model_validate_json((folder() / f"{key}.json").read_bytes())
    except (OSError, RuntimeError, ValidationError):
        return None


def write(key: str, content: BaseModel) -> None:
    """Keep what was read, if it comes back the same; where nothing can be written, nothing is kept."""
    text = content.model_dump_json(exclude_unset=True)
    if type(content).model_validate_json(text) != content:
        log.warning("factories.yaml is read anew each time: as JSON it would be another")
        return
    try:
        into = folder()
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in into.glob("*.json"):
            if time.time() - old.stat().st_mtime > _DAYS * 86_400:
                old.unlink(missing_ok=True)
        number, aside = tempfile.mkstemp(dir=into, suffix=".part")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(aside).replace(into / f"{key}.json")
    except (OSError, RuntimeError) as error:
        log.debug("what was read is not kept: %s", error)
