"""Land: put files of collectors under raw/, each in the folder of its factory and day; nothing there is changed."""

import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fems.calendar import day_of
from fems.errors import ConfigError, DataError
from fems.lake.keys import delivered_key, raw_key
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.raw.split import split
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant

log = logging.getLogger(__name__)

QUIET_S = 2.0
"""A file that did not change for so long is whole."""
_PATIENCE_S = 60.0
_AHEAD = timedelta(days=1)
"""What a clock on the other side of the date line may be ahead."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


@dataclass(frozen=True)
class Landed:
    """What landing did: objects put, and objects that were there already with the same bytes."""

    put: int
    kept: int


def land_tree(lake: Lake, folder: Path, progress: Callable[[str], None] = log.info) -> Landed:
    """Land a folder that holds raw/<feed>/factory=.../date=.../ as `fems simulate` writes it.

    Symbolic links are not followed.

    Raises:
        ConfigError: the folder holds no such files.
        DataError: an object of that name is there with other content, and does not continue it.
    """
    local = FolderStore(folder)
    stored = {item.key: item.etag for item in lake.store.list("raw/")}
    new, kept = [], 0
    for item in local.list("raw/"):
        if _is_linked(folder, item.key):
            progress(f"{folder / item.key}: is a symbolic link, passed over")
            continue
        # an ETag is no MD5 where the store took the object in parts: then the bytes decide
        if stored.get(item.key) == item.etag:
            kept += 1
        elif item.key not in stored or not _is_same(lake, item.key, local.get(item.key)):
            new.append(item.key)
        else:
            kept += 1
    if not new and not kept:
        raise ConfigError(f"{folder}: has no files under raw/<feed>/factory=<id>/date=<day>/")
    for done, _ in enumerate(lake.put_many((key, (folder / key).read_bytes) for key in new), start=1):
        if done % 1000 == 0:
            progress(f"landed {done} of {len(new)} files")
    progress(f"landed {len(new)} files, {kept} were there already")
    return Landed(len(new), kept)


def _is_linked(folder: Path, key: str) -> bool:
    path = folder
    for part in key.split("/"):
        path = path / part
        if path.is_symlink():
            return True
    return False


def _is_same(lake: Lake, key: str, data: bytes) -> bool:
    """Whether an object is there with these bytes; if it is only their beginning, they may take its place.

    Raises:
        DataError: it is another one.
    """
    stored = lake.store.get(key)
    if stored == data:
        return True
    if stored and data.startswith(stored):
        return False
    raise DataError(f"{key}: raw objects are never changed; land a correction under another name")


def land_file(
    lake: Lake,
    plant: Plant,
    book: Book,
    factory_id: str,
    path: Path,
    received: date,
    *,
    name: str | None = None,
    today: date | None = None,
    quiet_s: float = 0.0,
) -> Landed:
    """Land one file of any length as a raw object a day.

    Each day's object gets the header and the rows whose time falls in that day, as they stand in the file. A row whose
    time cannot be read stays with the row before it, so that ingest can say what is wrong with it; so does a row of a
    day that cannot be, before the factory's `since` or after today. A file that cannot be read at all lands whole under
    the day it was received. A file that was cut other than between lines is kept whole as well, under delivered/.

    Args:
        lake: where to.
        plant: the registry; the factory's mapping says how to read the times.
        book: the feed's definition book.
        factory_id: whose file it is.
        path: the file.
        received: the day for what bears no time of its own.
        name: what to call it, with a folder; the file's own name if not given.
        today: no row can be of a later day; `received` if not given.
        quiet_s: wait until the file has not changed for so long.

    Raises:
        ConfigError: the file or the factory does not exist, or it is a symbolic link.
        DataError: an object of that name is there with other content, or the file does not stop changing.
    """
    source = FactoryFeed.of(plant, book, factory_id)
    data = _whole(path, quiet_s)
    first, last = plant.factory(factory_id).since, (today or received) + _AHEAD
    parts: dict[str, bytes] = {}
    cut = False
    for part in split(data, _printable(name or path.name), source, first, last):
        day = received if part.day is None else day_of(part.day)
        parts[raw_key(book.feed, factory_id, day, part.name)] = part.data
        cut = cut or part.cut
    folder = f"raw/{book.feed}/factory={factory_id}/"
    stored = set(lake.store.keys(folder))
    # all are compared before one is put
    new = [key for key, part in parts.items() if key not in stored or not _is_same(lake, key, part)]
    if cut:
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()[:12]
        delivered = delivered_key(book.feed, factory_id, digest, _printable(path.name))
        if delivered not in stored:
            lake.store.put(delivered, data)
    for key in new:
        lake.store.put(key, parts[key])
    return Landed(len(new), len(parts) - len(new))


def _printable(name: str) -> str:
    """Return a name as a key can hold it: no line breaks, no bytes that are no text."""
    return _UNPRINTABLE.sub(
        lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape")), name
    )


def _whole(path: Path, quiet_s: float) -> bytes:
    """Read a file once it is quiet.

    Raises:
        ConfigError: it cannot be read.
        DataError: it does not stop changing.
    """
    shown = ascii(str(path))[1:-1] if _UNPRINTABLE.search(str(path)) else str(path)
    if path.is_symlink():
        raise ConfigError(f"{shown}: is a symbolic link, and those are not followed; land the file itself")
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while True:
            before = path.stat()
            quiet = time.time() - before.st_mtime >= quiet_s
            if quiet or quiet_s == 0:
                data = path.read_bytes()
                after = path.stat()
                if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                    return data
            if time.monotonic() > deadline:
                raise DataError(f"{shown}: is still being written; land it when it is whole")
            time.sleep(min(quiet_s, 0.5))
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read ({error.strerror})") from error
