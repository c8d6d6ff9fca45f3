"""Bytes of a raw object into a table of text columns, with the line number of every row."""

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from fems.errors import UndecodableObject
from fems.raw import encodings, formats
from fems.registry.plant import FileMapping

_DELIMITERS = (",", ";", "\t", "|")
_CODED = pa.dictionary(pa.int32(), pa.string())
# First bytes with which a line of white space alone can begin, in UTF-8.
_BLANK_STARTS = np.isin(np.arange(256), [*range(9, 14), *range(28, 33), 0xC2, 0xE1, 0xE2, 0xE3])


@dataclass(frozen=True)
class BadLine:
    """A line that has no place in the table; `owner` is its file's position where several were read together."""

    line: int
    reason: str
    text: str
    owner: int = 0


@dataclass(frozen=True)
class TextTable:
    """Columns of text as they stood in the file.

    Attributes:
        columns: header (as written, trimmed) -> n rows of type string or dictionary<int32, string>, no nulls;
            columns without a header are left out.
        lines: int32, n: the line in the file, counted from 1.
        bad: lines that cannot be told apart into the header's fields.
        decimal: the decimal mark of its numbers.
    """

    columns: dict[str, pa.ChunkedArray]
    lines: np.ndarray
    bad: list[BadLine]
    decimal: str = "."


def distinct(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Return a column by its distinct texts.

    Args:
        column: n values, string or dictionary<int32, string>; null counts as the empty text.

    Returns:
        int32, n: each row's place among the texts; and the texts (some may have no row).
    """
    if column.null_count:
        column = column.cast(pa.string()).fill_null("")
    coded = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if not len(column):
        return np.empty(0, np.int32), []
    codes = [chunk.indices.to_numpy() for chunk in coded.chunks]
    return np.concatenate(codes).astype(np.int32, copy=False), coded.chunk(0).dictionary.to_pylist()


def read_table(data: bytes, mapping: FileMapping, coded: Collection[str] = ()) -> TextTable:
    """Read a delimited text, an Excel workbook or a Parquet file, any of them gzip-compressed or not.

    Blank lines count as lines and not as rows.

    Args:
        data: the object.
        mapping: how its collector writes.
        coded: headers (in any case) of columns with few distinct texts, to be dictionary-encoded.

    Raises:
        UndecodableObject: no table can be made of it.
    """
    data = formats.unzipped(data)
    cells = formats.read_container(data, mapping.skip_lines)
    folded = {header.casefold() for header in coded}
    if cells is None:
        return _read_delimited(encodings.to_utf8(data, mapping.encodings), mapping, folded)
    header = _checked_header(cells.header)
    if not len(cells.lines):
        raise UndecodableObject("the object has a header and no row")
    named = zip(header, cells.columns, strict=True)
    return TextTable({name: column for name, column in named if name}, cells.lines, [])


def _read_delimited(body: bytes, mapping: FileMapping, coded: set[str]) -> TextTable:
    raw = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if body and not body.endswith(b"\n"):
        ends = np.append(ends, len(body))
    starts = np.concatenate([[0], ends[:-1] + 1])
    filled = np.ones(len(ends), bool)
    for i in np.flatnonzero(_BLANK_STARTS[raw[starts]]) if len(ends) else ():
        filled[i] = body[starts[i] : ends[i] + 1].decode().strip() != ""
    filled[: mapping.skip_lines] = False
    numbers = (np.flatnonzero(filled) + 1).astype(np.int32)
    if not len(numbers):
        raise UndecodableObject("the object is empty")
    first = numbers[0] - 1
    header, delimiter = header_of(body[starts[first] : ends[first]].decode().rstrip("\r"), mapping)
    if len(numbers) == 1:
        raise UndecodableObject("the object has a header and no row")
    if len(numbers) < len(ends) - first:
        rows = memoryview(b"\n".join([body[starts[n - 1] : ends[n - 1]] for n in numbers[1:]]))
    else:
        rows = memoryview(body)[ends[first] + 1 :]
    form = _Form(header, delimiter, b'"' in body, coded)
    try:
        table = _parse(rows, form, numbers[1:])
    except UndecodableObject:
        if not form.quotes:
            raise
        table = _parse_closed(bytes(rows), form, numbers[1:])
    return replace(table, decimal=mapping.decimal)


def header_of(line: str, mapping: FileMapping) -> tuple[list[str], str]:
    """Return the headers that a line names, trimmed, and what stands between them.

    Raises:
        UndecodableObject: it cannot be read, names none, or names one twice.
    """
    bare = re.sub('"[^"]*"', "", line)
    delimiter = mapping.delimiter or max(_DELIMITERS, key=bare.count)
    return _checked_header(_fields(line, delimiter)), delimiter


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise UndecodableObject(f"the header cannot be read: {error}") from error


def _checked_header(written: list[str]) -> list[str]:
    """Trim the headers.

    Raises:
        UndecodableObject: two are the same.
    """
    header = [name.strip().strip('"').strip() for name in written]
    named = [name for name in header if name]
    if len(set(named)) != len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise UndecodableObject(f"the header has the column {twice!r} twice")
    if not named:
        raise UndecodableObject("the header names no column")
    return header


@dataclass(frozen=True)
class _Form:
    """What the header says of the lines below it: headers, delimiter, whether quotes occur, coded headers."""

    header: list[str]
    delimiter: str
    quotes: bool
    coded: set[str]


def _parse(rows: bytes | memoryview, form: _Form, numbers: np.ndarray) -> TextTable:
    """Parse the lines below the header; `numbers` are their places in the file."""
    bad: list[tuple[int, BadLine]] = []

    def note(row: pacsv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        place = min(row.number, len(numbers)) - 1
        bad.append((place, BadLine(int(numbers[place]), reason, row.text)))
        return "skip"

    named = [name for name in form.header if name]
    types = {name: _CODED if name.casefold() in form.coded else pa.string() for name in named}
    try:
        table = pacsv.read_csv(
            pa.py_buffer(rows),
            # one thread: only then does the reader know the number of a bad row
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=[name or f"\0{i}" for i, name in enumerate(form.header)]
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=form.delimiter,
                quote_char='"' if form.quotes else False,  # without quotes the reader is a tenth faster
                invalid_row_handler=note,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=named, strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise UndecodableObject(f"the object is not a table: {error}") from error
    lines = np.delete(numbers, [place for place, _ in bad]) if bad else numbers
    if len(lines) != table.num_rows:
        raise UndecodableObject("a quoted field runs over lines; the rows cannot be told apart")
    return TextTable({name: table[name] for name in named}, lines, [line for _, line in bad])


def _parse_closed(rows: bytes, form: _Form, numbers: np.ndarray) -> TextTable:
    """Set the lines aside that hold one half of a pair of quotes, and parse the others."""
    d = re.escape(form.delimiter.encode())
    field = rb'(?>"(?:[^"]|"")*+"[^%b]*+|(?!")[^%b]*+)' % (d, d)
    whole = re.compile(rb"%b(?:%b%b)*+" % (field, d, field))
    lines = rows.removesuffix(b"\n").split(b"\n")
    # an odd number: the line may be the end of a field that began in an earlier one
    closed = np.array([line.count(b'"') % 2 == 0 and bool(whole.fullmatch(line)) for line in lines])
    if closed.all() or not closed.any():
        raise UndecodableObject("a quoted field runs over lines; the rows cannot be told apart")
    rest = b"\n".join([line for line, good in zip(lines, closed, strict=True) if good])
    table = _parse(rest, form, numbers[closed])
    opened = [
        BadLine(int(numbers[i]), "a quote has no other half in the line", lines[i].decode())
        for i in np.flatnonzero(~closed)
    ]
    return TextTable(table.columns, table.lines, sorted(table.bad + opened, key=lambda b: b.line))
