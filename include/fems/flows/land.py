"""Land: put files of collectors under raw/, each in the folder of its factory and day; nothing there is changed."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from fems.book import Book
from fems.errors import ConfigError, DataError, UndecodableObject
from fems.lake import FolderStore, Lake, raw_key
from fems.plant import Plant
from fems.raw import clock
from fems.raw.decode import Source, read_rows, times_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Landed:
    """What landing did: objects put, and objects that were there already with the same bytes."""

    put: int
    kept: int


def land_tree(lake: Lake, folder: Path, progress: Callable[[str], None] = log.info) -> Landed:
    """Land a folder that holds raw/<feed>/factory=.../date=.../ as `fems simulate` writes it.

    Raises:
        ConfigError: the folder holds no such files.
    """
    local = FolderStore(folder)
    there = {item.key: item.etag for item in lake.store.list("raw/")}
    new, kept = [], 0
    for item in local.list("raw/"):
        # an ETag is no MD5 where the store took the object in parts: then the bytes decide
        if item.key in there and (
            there[item.key] == item.etag or lake.store.get(item.key) == local.get(item.key)
        ):
            kept += 1
        elif item.key in there:
            raise DataError(
                f"{item.key}: raw objects are never changed; land a correction under another name"
            )
        else:
            new.append(item.key)
    if not new and not kept:
        raise ConfigError(f"{folder}: has no files under raw/<feed>/factory=<id>/date=<day>/")
    for done, _ in enumerate(lake.put_many((key, folder / key) for key in new), start=1):
        if done % 1000 == 0:
            progress(f"landed {done} of {len(new)} files")
    progress(f"landed {len(new)} files, {kept} were there already")
    return Landed(len(new), kept)


def land_file(lake: Lake, plant: Plant, book: Book, factory_id: str, path: Path, received: date) -> Landed:
    """Land one file of any length as a raw object a day, its lines as they stand.

    Each day's object gets the header and the lines whose time falls in that day; a line whose time cannot be read
    stays with the line before it, so that ingest can say what is wrong with it. A file that cannot be read at all
    lands whole under the day it was received; ingest quarantines it.

    Args:
        lake: where to.
        plant: the registry; the factory's mapping says how to read the times.
        book: the feed's definition book.
        factory_id: whose file it is.
        path: the file.
        received: the day for what bears no time of its own.

    Raises:
        ConfigError: the file or the factory does not exist.
        DataError: an object of that name is there with other content.
    """
    source = Source.of(plant, book, factory_id)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    put = kept = 0
    folder = f"raw/{book.feed}/factory={factory_id}/"
    there = {item.key: item.etag for item in lake.store.list(folder)}
    for day, part in _split(data, source, received):
        key = raw_key(book.feed, factory_id, day, path.name)
        if key in there:
            if lake.store.get(key) != part:
                raise DataError(f"{key}: raw objects are never changed; land a correction under another name")
            kept += 1
            continue
        lake.store.put(key, part)
        put += 1
    return Landed(put, kept)


def _split(data: bytes, source: Source, received: date) -> Iterator[tuple[date, bytes]]:
    """Yield a day and its part of the file; the bytes of every line are the file's own."""
    try:
        table, headers = read_rows(data, source)
    except UndecodableObject:
        yield received, data
        return
    _, _, starts = times_of(table, headers, source)
    lines = data.split(b"\n")
    ended = not lines[-1]
    if ended:
        lines.pop()
    day_of_line = np.full(len(lines) + 1, -1, np.int64)
    known = starts != clock.NO_TIME
    day_of_line[table.lines[known]] = clock.local_days(starts, source.zone)[known]
    header = next(i for i, line in enumerate(lines) if line.strip(b"\xef\xbb\xbf \r\t"))
    days = day_of_line[header + 2 :]
    if not (days >= 0).any():
        yield received, data
        return
    first = days[np.argmax(days >= 0)]
    carried = np.where(days >= 0, np.arange(len(days)), -1)
    last_known = np.maximum.accumulate(carried)
    days = np.where(last_known >= 0, days[np.maximum(last_known, 0)], first)
    body = lines[header + 1 :]
    order = np.argsort(days, kind="stable")
    bounds = np.flatnonzero(np.diff(days[order], prepend=days[order][0] - 1))
    for begin, end in zip(bounds, [*bounds[1:], len(order)], strict=True):
        day = (np.datetime64(0, "s") + np.timedelta64(int(days[order[begin]]) * 86_400, "s")).astype(
            "datetime64[D]"
        )
        part = [lines[header], *(body[i] for i in order[begin:end])]
        complete = ended or int(order[end - 1]) != len(body) - 1
        yield day.item(), b"\n".join(part) + (b"\n" if complete else b"")
