"""Land: put files of collectors under raw/, each in the folder of its factory and day; nothing there is changed."""

import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from fems.calendar import day_of
from fems.errors import ConfigError, DataError
from fems.lake import keys
from fems.lake.lake import Lake
from fems.raw.split import split
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)

QUIET_S = 2.0
"""A file that did not change for so long is whole."""
_PATIENCE_S = 60.0
_AHEAD = timedelta(days=1)
"""What a clock on the other side of the date line may be ahead."""
UNMARKED = timedelta(days=2)
"""What is younger is listed by every night."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


@dataclass(frozen=True)
class Landed:
    """What landing did: objects put, and objects that were there already with the same bytes."""

    put: int
    kept: int


@dataclass(frozen=True)
class Days:
    """The days whose files are landed: from `first` on, before `end`; None sets no bound."""

    first: date | None = None
    end: date | None = None

    def __contains__(self, day: date) -> bool:
        return (self.first is None or day >= self.first) and (self.end is None or day < self.end)


EVERY_DAY = Days()


def land_tree(
    lake: Lake, folder: Path, progress: Callable[[str], None] = log.info, days: Days = EVERY_DAY
) -> Landed:
    """Land a folder that holds raw/<feed>/factory=.../date=.../ as `fems simulate` writes it.

    Symbolic links are not followed.

    Args:
        lake: where to.
        folder: which.
        progress: called with a line now and then.
        days: land the files of these days alone.

    Raises:
        ConfigError: the folder holds no such files.
        DataError: an object of that name is there with other content, and does not continue it.
    """
    known = lake.raw_etags()
    new: dict[str, Path] = {}
    kept = 0
    for name in Lake.in_folder(folder).raw_keys():
        path, key = folder / name, _printable(name)
        match = keys.RAW_KEY.match(key)
        if match and days != EVERY_DAY and date.fromisoformat(match["date"]) not in days:
            continue
        if _is_linked(folder, name):
            progress(f"{name!a}: is a symbolic link, passed over")
        elif key in known and lake.check_raw(key, _read_plain(path), known):
            kept += 1
        else:
            new[key] = path
    if not new and not kept and days == EVERY_DAY:
        raise ConfigError(f"{folder}: has no files under raw/<feed>/factory=<id>/date=<day>/")
    _mark(lake, new)
    puts = ((key, partial(_read_plain, path)) for key, path in new.items())
    for done, _ in enumerate(lake.put_many(puts), start=1):
        if done % 1000 == 0:
            progress(f"landed {done} of {len(new)} files")
    progress(f"landed {len(new)} files, {kept} were there already")
    return Landed(len(new), kept)


def _mark(lake: Lake, keys_to_come: Iterable[str]) -> None:
    """Mark the months of what is about to be put, where a night would not list its day by itself.

    Before it is put: what comes after a crash is never without its mark.
    """
    now = datetime.now(UTC)
    listed_from = (now - UNMARKED).date()
    months: dict[tuple[Feed, str], set[str]] = {}
    for key in keys_to_come:
        match = keys.RAW_KEY.match(key)
        if match and match["date"] < listed_from.isoformat():
            months.setdefault((match["feed"], match["factory"]), set()).add(match["date"][:7])
    for (feed, factory_id), own in months.items():
        lake.indexes.mark(feed, factory_id, own, now)


def _is_linked(folder: Path, key: str) -> bool:
    path = folder
    for part in key.split("/"):
        path = path / part
        if path.is_symlink():
            return True
    return False


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
    days: Days = EVERY_DAY,
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
        days: land the rows of these days alone.

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
        if day not in days:
            continue
        parts[keys.raw_key(book.feed, factory_id, day, part.name)] = part.data
        cut = cut or part.cut
    known = lake.raw_etags(keys.raw_prefix(book.feed, factory_id))
    for key in parts.keys() & known.keys():  # all are compared before one is put
        lake.check_raw(key, parts[key], known)
    if cut:
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()[:12]
        whole = keys.delivered_key(book.feed, factory_id, digest, _printable(path.name))
        lake.add_raw(whole, data, known)
    _mark(lake, parts)
    put = sum(lake.add_raw(key, part, known) for key, part in parts.items())
    return Landed(put, len(parts) - put)


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
                data = _read_plain(path)
                after = path.stat()
                if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                    return data
            if time.monotonic() > deadline:
                raise DataError(f"{shown}: is still being written; land it when it is whole")
            time.sleep(min(quiet_s, 0.5))
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read ({error.strerror})") from error


def _read_plain(path: Path) -> bytes:
    """Read a file that is one: a pipe or a device would be read for ever, a link leads elsewhere.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is something else.
    """
    # Without O_NONBLOCK the opening of a pipe waits for its writer.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ConfigError(f"{str(path)!a}: is no plain file; land a file")
        return file.read()
