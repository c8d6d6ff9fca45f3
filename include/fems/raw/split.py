"""A file of many days into one of each day, with what was delivered: lines as they stand, cells of their own type."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from fems.calendar import day_number
from fems.errors import UndecodableObject
from fems.raw import clock, encodings, formats, split_containers
from fems.raw.decode import in_zone, read_rows
from fems.raw.named_formats import in_format
from fems.raw.typed import TypedRows
from fems.registry.feed import FactoryFeed

_MARK = codecs.BOM_UTF8
_NEM12_COMMON = (b"100,", b"200,", b"900")


@dataclass(frozen=True)
class Part:
    """The part of a file that is of one day.

    Attributes:
        day: days since 1970; None for a file without a time that can be.
        name: what to call it.
        data: its bytes.
        cut: whether they are not the file's own bytes, or lines of it.
    """

    day: int | None
    name: str
    data: bytes
    cut: bool = False


def split(data: bytes, name: str, source: FactoryFeed, first: date, last: date) -> Iterator[Part]:
    """Yield the parts of a file, a day each.

    A row of a day that cannot be (before `first`, after `last`) stays with the row before it, as one without a time.

    A file whose rows are all of one day stays as it is, and so does one that cannot be read. A longer text is cut
    between its lines, whose bytes stay the file's own (UTF-16 and compressed text become UTF-8). A workbook, a Parquet
    or an XML file becomes one of the same kind with the rows of the day, in their own rows and of their own types.
    """
    try:
        sheets = read_rows(data, name, source)
    except UndecodableObject:
        yield Part(None, name, data)
        return
    feed = source.for_file(name) or source
    mapping = in_format(feed.mapping)
    days_of = [_days_of_lines(rows, in_zone(replace(feed, chosen=mapping), rows)) for rows in sheets]
    for known in days_of:
        known[(known < day_number(first)) | (known > day_number(last))] = clock.NO_TIME
    days = np.unique(np.concatenate([days[days != clock.NO_TIME] for days in days_of])).tolist()
    if len(days) <= 1:
        yield Part(days[0] if days else None, name, data)
        return
    plain = formats.unzipped(data)
    bare = name.removesuffix(".gz") if plain is not data else name
    if mapping.format == "green_button":
        body = encodings.to_utf8(plain, mapping.encodings)
        for day, part in split_containers.of_green_button(body, feed.zone, days):
            yield Part(day, bare, part, cut=True)
    elif plain.startswith(formats.PARQUET):
        for day, part in split_containers.of_parquet(plain, _carried(days_of[0][2:])):
            yield Part(day, bare, part, cut=True)
    elif plain.startswith(formats.ZIP):
        by_sheet = {rows.sheet or "": known for rows, known in zip(sheets, days_of, strict=True)}
        begins = {rows.sheet or "": int(rows.lines.min(initial=2**31 - 1)) for rows in sheets}
        for day, part in split_containers.of_workbook(plain, by_sheet, begins, days):
            yield Part(day, bare, part, cut=True)
    else:
        text = plain if b"\0" not in plain else _MARK + encodings.to_utf8(plain, mapping.encodings)
        common = _NEM12_COMMON if mapping.format == "nem12" else ()
        for day, part in _by_line(text, days_of[0][1:], _first_row(sheets[0]) - 1, common):
            yield Part(day, bare, part)


def _first_row(rows: TypedRows) -> int:
    """Return the line of a text's first row, counted from 1; what stands above it is the header."""
    return min([int(rows.lines.min(initial=2**31 - 1)), *(bad.line for bad in rows.bad)])


def _days_of_lines(rows: TypedRows, source: FactoryFeed) -> np.ndarray:
    """Return the day of each line, by its number; of a line that became several rows, the last of their days."""
    times = clock.placed_times(
        rows.seconds, rows.ahead, in_format(source.mapping), source.grain_minutes, source.zone
    )
    # a time that a change of the clocks repeats has a day all the same
    local = np.where(times.wall == clock.NO_TIME, clock.NO_TIME, times.wall // 86_400)
    days = np.where(times.day == clock.NO_TIME, np.where(times.near_change, local, clock.NO_TIME), times.day)
    known = np.full(int(rows.lines.max(initial=0)) + 1, clock.NO_TIME, np.int64)
    np.maximum.at(known, rows.lines, days[rows.times.codes])
    return known


def _carried(days: np.ndarray) -> np.ndarray:
    """Give rows without a time the day of the row before; at the top, of the first that has one."""
    known = days != clock.NO_TIME
    last = np.maximum.accumulate(np.where(known, np.arange(len(days)), -1))
    return days[np.where(last >= 0, last, np.argmax(known))]


def _by_line(
    data: bytes, known: np.ndarray, above: int, common: tuple[bytes, ...]
) -> Iterator[tuple[int, bytes]]:
    """Yield a day and the lines of that day, as they stand in the file, with those that all days have.

    Args:
        data: the text.
        known: int64: day of each line, NO_TIME for lines without one; it may end before they do.
        above: lines above the first row; all days have them.
        common: what other lines begin with that all days have.
    """
    lines = data.split(b"\n")
    ended = not lines[-1]
    if ended:
        lines.pop()
    days = np.full(len(lines), clock.NO_TIME, np.int64)
    days[: len(known)] = known[: len(lines)]
    shared = np.zeros(len(lines), bool)
    shared[:above] = True
    if common:
        shared |= np.array([line.startswith(common) for line in lines])
    own = np.flatnonzero(~shared)
    days[own] = _carried(days[own])
    for day in np.unique(days[own]).tolist():
        places = np.flatnonzero(shared | (days == day))
        complete = ended or int(places[-1]) != len(lines) - 1
        yield day, b"\n".join([lines[i] for i in places]) + (b"\n" if complete else b"")
