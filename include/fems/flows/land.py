"""Land: put files of collectors under raw/, each in the folder of its factory and day; nothing there is changed."""

import codecs
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from fems.calendar import day_of
from fems.errors import ConfigError, DataError, UndecodableObject
from fems.lake.keys import raw_key
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.raw import clock, encodings, formats
from fems.raw.decode import read_rows
from fems.raw.text import TextTable, read_table
from fems.raw.verdict import times_of
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant

log = logging.getLogger(__name__)
_MARK = codecs.BOM_UTF8


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
    for done, _ in enumerate(lake.put_many((key, (folder / key).read_bytes) for key in new), start=1):
        if done % 1000 == 0:
            progress(f"landed {done} of {len(new)} files")
    progress(f"landed {len(new)} files, {kept} were there already")
    return Landed(len(new), kept)


def land_file(lake: Lake, plant: Plant, book: Book, factory_id: str, path: Path, received: date) -> Landed:
    """Land one file of any length as a raw object a day.

    Each day's object gets the header and the lines whose time falls in that day, as they stand in the file; a line
    whose time cannot be read stays with the line before it, so that ingest can say what is wrong with it. A file that
    cannot be read at all lands whole under the day it was received; ingest quarantines it.

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
    source = FactoryFeed.of(plant, book, factory_id)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    put = kept = 0
    folder = f"raw/{book.feed}/factory={factory_id}/"
    there = {item.key: item.etag for item in lake.store.list(folder)}
    for day, name, part in _split(data, path.name, source, received):
        key = raw_key(book.feed, factory_id, day, name)
        if key in there:
            if lake.store.get(key) != part:
                raise DataError(f"{key}: raw objects are never changed; land a correction under another name")
            kept += 1
            continue
        lake.store.put(key, part)
        put += 1
    return Landed(put, kept)


def _split(data: bytes, name: str, source: FactoryFeed, received: date) -> Iterator[tuple[date, str, bytes]]:
    """Yield a day, the name and the bytes of its part of a file.

    A file whose rows are all of one day stays as it is, whatever its form. A longer text is cut between its lines,
    whose bytes stay the file's own (UTF-16 and compressed text become UTF-8); a longer workbook or Parquet file
    becomes a CSV file a day with the same texts in its cells.
    """
    try:
        table, headers = read_rows(data, source)
    except UndecodableObject:
        yield received, name, data
        return
    codes, _, times = times_of(table, headers, source)
    days = times.day[codes]
    found = np.unique(days[days != clock.NO_TIME]).tolist()
    if len(found) <= 1:
        yield (day_of(found[0]) if found else received), name, data
        return
    plain, mapping = formats.unzipped(data), source.mapping
    day_of_line = np.full(int(table.lines.max()) + 1, clock.NO_TIME, np.int64)
    day_of_line[table.lines] = days
    if formats.is_container(plain):
        parts = _by_row(read_table(plain, mapping), day_of_line, mapping)
        name += ".csv"
    else:
        text = plain if b"\0" not in plain else _MARK + encodings.to_utf8(plain, mapping.encodings)
        parts = _by_line(text, day_of_line[1:], mapping.skip_lines)
        name = name.removesuffix(".gz") if plain is not data else name
    for day, part in parts:
        yield day_of(day), name, part


def _carried(days: np.ndarray) -> np.ndarray:
    """Give rows without a time the day of the row before; at the top, of the first that has one."""
    known = days != clock.NO_TIME
    last = np.maximum.accumulate(np.where(known, np.arange(len(days)), -1))
    return days[np.where(last >= 0, last, np.argmax(known))]


def _by_line(data: bytes, known: np.ndarray, skipped: int) -> Iterator[tuple[int, bytes]]:
    """Yield a day and the header with the lines of that day, as they stand in the file."""
    lines = data.split(b"\n")
    ended = not lines[-1]
    if ended:
        lines.pop()
    days = np.full(len(lines), clock.NO_TIME, np.int64)
    days[: len(known)] = known
    header = next(i for i, line in enumerate(lines) if i >= skipped and line.strip(_MARK + b" \r\t"))
    days, body = _carried(days[header + 1 :]), lines[header + 1 :]
    for day in np.unique(days).tolist():
        places = np.flatnonzero(days == day)
        part = [*lines[: header + 1], *(body[i] for i in places)]
        complete = ended or int(places[-1]) != len(body) - 1
        yield day, b"\n".join(part) + (b"\n" if complete else b"")


def _by_row(table: TextTable, day_of_line: np.ndarray, mapping: FileMapping) -> Iterator[tuple[int, bytes]]:
    """Yield a day and the rows of that day as a CSV file that the same mapping reads."""
    cells = pa.table({name: column.cast(pa.string()) for name, column in table.columns.items()})
    days = _carried(day_of_line[table.lines])
    options = pacsv.WriteOptions(delimiter=mapping.separator)
    for day in np.unique(days).tolist():
        sink = pa.BufferOutputStream()
        pacsv.write_csv(cells.filter(pa.array(days == day)), sink, options)
        yield day, _MARK + b"\n" * mapping.skip_lines + sink.getvalue().to_pybytes()
