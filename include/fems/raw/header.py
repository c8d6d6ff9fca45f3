"""The header of a table: where it stands, what it names, and which of its names are our columns."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from fems.errors import UndecodableObject
from fems.raw import day_columns
from fems.raw.numbers import RETYPED, parse_number
from fems.raw.zones import local_names, zone_names
from fems.registry import units
from fems.registry.feed import FactoryFeed
from fems.registry.mapping import FileMapping
from fems.registry.names import one_line

UNNAMED = "(no header)"
"""What a first column without a header is called: many programs leave it out above their times."""
MOST_COLUMNS = 10_000
MOST_TITLE_ROWS = 100
"""Lines above a header, at most, where the mapping does not count them."""

_ZONE = re.compile(
    r"(?:[(\[/]|_|\bin )\s*(UTC|GMT|zulu|KST|JST|CET|CEST|MEZ|MESZ|EET|EEST|WET|WEST|BST|EST|EDT|CST|CDT|MST|MDT|PST|"
    r"PDT|AEST|AEDT|IST|HKT|SGT)\s*(?=[)\]/]|$)",
    re.IGNORECASE,
)

Fits = Callable[[Sequence[str]], bool]
"""Whether a row is the header that is looked for."""

DELIMITERS = (",", ";", "\t", "|")


def any_header(header: Sequence[str]) -> bool:
    """Take the first row that names a column."""
    return any(header)


def fits(source: FactoryFeed, facts: Mapping[str, str]) -> Fits:
    """Return the test whether a row is the header of a feed's file.

    Args:
        source: whose file it is.
        facts: what is known of all its rows, see `matched`.
    """

    def test(header: Sequence[str]) -> bool:
        try:
            matched(header, source, facts)
        except UndecodableObject:
            return False
        return True

    return test


def header_of(line: str, mapping: FileMapping) -> tuple[list[str], str]:
    """Return the headers that a line of text names, trimmed, and what stands between them.

    Raises:
        UndecodableObject: it cannot be read, names none, or far too many.
    """
    bare = re.sub('"[^"]*"', "", line)
    delimiter = mapping.delimiter or max(DELIMITERS, key=bare.count)
    if bare.count(delimiter) >= MOST_COLUMNS:
        raise UndecodableObject(f"the header names more than {MOST_COLUMNS:,} columns")
    try:
        written = next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise UndecodableObject(f"the header cannot be read: {error}") from error
    return tidied(written), delimiter


def tidied(written: Sequence[str]) -> list[str]:
    """Trim headers; a first column without one gets a name.

    Raises:
        UndecodableObject: there is none, or there are far too many.
    """
    header = [one_line(name).strip('"').strip() for name in written]
    if not any(header):
        raise UndecodableObject("the header names no column")
    if len(header) > MOST_COLUMNS:
        raise UndecodableObject(f"the header names more than {MOST_COLUMNS:,} columns")
    return [header[0] or UNNAMED, *header[1:]]


def with_trailing_delimiter(header: list[str], delimiter: str, first_row: str) -> list[str]:
    """Return the header for rows that end in a delimiter where it does not, or the other way round."""
    fields = re.sub('"[^"]*"', "", first_row).count(delimiter) + 1
    if fields == len(header) + 1 and first_row.rstrip(" \r").endswith(delimiter):
        return [*header, ""]
    if fields == len(header) - 1 and header[-1] == "":
        return header[:-1]
    return header


def units_below(header: Sequence[str], delimiter: str, line: str) -> dict[str, str]:
    """Return the units that the line below the header names, by header; empty where it is a row.

    Such a line holds a unit that is known, and no number.
    """
    if line[:1].isdigit():  # nearly all rows
        return {}
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return {}
    return units_of_cells(header, cells)


def units_of_cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Return the same of a row's cells."""
    if any(parse_number(cell)[1] <= RETYPED for cell in cells):
        return {}
    named = {name: units.in_cell(cell) for name, cell in zip(header, cells, strict=False) if name}
    # where each row names its unit, a row without a number is a row
    return {
        name: unit
        for name, unit in named.items()
        if unit is not None and name.casefold() not in units.IN_COLUMNS
    }


def in_zone_of_header(source: FactoryFeed, columns: Mapping[str, tuple[str, ...]]) -> FactoryFeed:
    """Return the feed with the time zone that the header of the times names: `Time (UTC)`, `timestamp_utc`.

    Args:
        source: whose file it is; a zone of its mapping comes first.
        columns: see `matched`.

    Raises:
        UndecodableObject: it names a zone that the place's clocks keep only half the year, or one that is not known.
    """
    if source.mapping.timezone is not None:
        return source
    own = zone_names(source.zone)
    words = [word.upper() for name in columns.get("timestamp", ()) for word in _ZONE.findall(name)]
    if not words or len(set(words)) > 1:  # CET/CEST is the clock on the wall
        return source
    word = words[0]
    if source.zone in ("UTC", "Etc/UTC") or (word in own and own[word] == _steady_offset(source.zone)):
        return source
    if word in ("UTC", "GMT", "ZULU") and word not in local_names(source.zone):
        return replace(source, chosen=source.mapping.model_copy(update={"timezone": "UTC"}))
    raise UndecodableObject(
        f"the header of the times names the zone {word}: say in the mapping which clock that is, by `timezone` (the "
        f"factory's is {source.zone})"
    )


def _steady_offset(zone: str) -> int | None:
    """Return seconds ahead of UTC of a zone whose clocks never change; None for another."""
    offsets = {datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7)}
    offset = offsets.pop()
    return int(offset.total_seconds()) if offset is not None and not offsets else None


def distinct_names(header: Sequence[str]) -> list[str]:
    """Return the header with no name for columns that have none of their own."""
    twice = (
        {name for name in header if list(header).count(name) > 1} if len(set(header)) < len(header) else set()
    )
    return ["" if name in twice else name for name in header]


def matched(
    header: Sequence[str], source: FactoryFeed, facts: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Match a file's headers to our columns: by the mapping first, then by the book's aliases.

    Args:
        header: the names, repeated ones too.
        source: whose file it is.
        facts: what is known of all its rows, such as the sensor ID that stands in the file's name.

    Returns:
        Our column -> the file's header; several where the mapping puts it together.

    Raises:
        UndecodableObject: a column without which nothing can be done is not there, or two are one column of ours.
    """
    names: dict[str, list[str]] = {}
    for name in filter(None, header):
        names.setdefault(name.casefold(), []).append(name)
    columns: dict[str, tuple[str, ...]] = {}
    for ours, wanted in source.headers.items():
        hits = dict.fromkeys(name.casefold() or UNNAMED for name in wanted)
        hits = dict.fromkeys(key for key in hits if key in names)
        if len(hits) > 1:
            both = " and ".join(repr(names[key][0]) for key in hits)
            raise UndecodableObject(
                f"{both} both name {ours}: say in the mapping's `columns` which one it is"
            )
        if hits:
            columns[ours] = (_only(names[next(iter(hits))], ours),)
    for ours, written in source.parts.items():
        # a minus is no part of a value column's header: what stands there is taken off
        parts = [part.removeprefix("-") if ours in source.book.columns else part for part in written]
        there = [part for part in parts if part.casefold() in names]
        if (there and len(there) < len(parts)) or (not there and ours in ("timestamp", "sensor_id")):
            gone = next(part for part in parts if part not in there)
            raise UndecodableObject(f"the header has no column {gone!r}, a part of {ours}{_it_has(header)}")
        if there:
            columns[ours] = tuple(_only(names[part.casefold()], ours) for part in parts)
    if "timestamp" not in columns and "timestamp" not in source.mapping.columns and header[0] == UNNAMED:
        columns["timestamp"] = (UNNAMED,)
    _check(columns, header, source, facts or {})
    return columns


def _only(names: list[str], ours: str) -> str:
    if len(names) > 1:
        raise UndecodableObject(f"the header has the column {names[0]!r} twice, which is {ours}")
    return names[0]


def _check(
    columns: Mapping[str, tuple[str, ...]],
    header: Sequence[str],
    source: FactoryFeed,
    facts: Mapping[str, str],
) -> None:
    mapping, book = source.mapping, source.book
    given = {*mapping.constants, *facts}
    if mapping.layout == "wide":
        given |= {"sensor_id", *(target.split("/")[1] for target in mapping.wide.values())}
        gone = next((name for name in mapping.wide if name not in header), None)
        if gone is not None:
            raise UndecodableObject(f"the header has no column {gone!r}, which the mapping names")
        for name in mapping.wide:
            _only([each for each in header if each == name], mapping.wide[name])
    if mapping.row_per_day is not None:
        given.add(mapping.row_per_day.column)
        day_columns.intervals(list(header), mapping)
    number = mapping.interval_number
    if number is not None:
        counting = [name for name in header if name.casefold() == number.column.casefold()]
        if not counting:
            raise UndecodableObject(f"the header has no column {number.column!r}, the number of the interval")
        _only(counting, "the number of the interval")
    required = ["timestamp", *(name for name, column in book.columns.items() if column.required), "sensor_id"]
    for ours in required:
        if ours not in columns and ours not in given:
            looked = ", ".join(source.headers.get(ours, source.parts.get(ours, ())))
            raise UndecodableObject(
                f"the header has no column for {ours} (looked for: {looked}; it has: {', '.join(list(header)[:12])})"
            )


def _it_has(header: Sequence[str]) -> str:
    return f" (it has: {', '.join(list(header)[:12])})"
