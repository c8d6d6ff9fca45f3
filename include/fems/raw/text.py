"""Delimited text into a table of text columns, with the line number of every row."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from fems.errors import UndecodableObject
from fems.raw import quoted
from fems.raw.header import (
    DELIMITERS,
    MOST_TITLE_ROWS,
    Fits,
    any_header,
    distinct_names,
    header_of,
    tidied,
    units_below,
    with_trailing_delimiter,
)
from fems.registry.mapping import FileMapping

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
            columns without a header, or with one that stands twice, are left out.
        lines: int32, n: the line in the file, counted from 1.
        bad: lines that cannot be told apart into the header's fields.
        header: all of it, with the columns that are left out.
        delimiter: what stood between the fields; None where it is no text.
        typed: header -> bool, n: the cell was a number by its type, not a text.
        derived: columns that are made of others, and do not stand in the file.
        units: header -> the unit that a second line of the header names below it.
        sheet: its name in a workbook of several.
    """

    columns: dict[str, pa.ChunkedArray]
    lines: np.ndarray
    bad: list[BadLine]
    header: tuple[str, ...] = ()
    delimiter: str | None = None
    typed: Mapping[str, np.ndarray] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()
    units: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None


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


def read_delimited(
    body: bytes, mapping: FileMapping, coded: Collection[str] = (), fits: Fits = any_header
) -> TextTable:
    """Read delimited text.

    Blank lines and comments count as lines and not as rows, and so does what stands above the header.

    Args:
        body: the text in UTF-8, see `encodings.to_utf8`.
        mapping: how its collector writes.
        coded: headers (in any case) of columns with few distinct texts, to be dictionary-encoded.
        fits: whether a line is the header.

    Raises:
        UndecodableObject: no table can be made of it.
    """
    records = quoted.spans(body, mapping.delimiter or "".join(DELIMITERS)) if b'"' in body else []
    lines = _Lines(body, mapping, records)
    if not len(lines.numbers):
        raise UndecodableObject("the object is empty")
    first, header, delimiter = _find_header(lines, mapping, fits)
    numbers = lines.numbers[first:]
    if records and len(numbers):  # now that it is known what stands between how many fields
        names = with_trailing_delimiter(header, delimiter, lines.text(numbers[0]))
        lines = _Lines(body, mapping, lines.records(records, first, delimiter, len(names)))
        numbers = lines.numbers[first:]
    if not len(numbers):
        raise UndecodableObject("the object has a header and no row")
    below = units_below(header, delimiter, lines.text(numbers[0]))
    if below and len(numbers) > 1:
        numbers = numbers[1:]
    names = with_trailing_delimiter(header, delimiter, lines.text(numbers[0]))
    form = _Form(distinct_names(names), delimiter, b'"' in body, {name.casefold() for name in coded})
    rows, places = lines.rows(numbers), lines.origin[numbers - 1]
    try:
        table = _parse(rows, form, places)
    except UndecodableObject:
        if not form.quotes:
            raise
        table = _parse_closed(bytes(rows), form, places)
    return replace(table, header=tuple(names), delimiter=delimiter, units=below)


class _Lines:
    """The lines of a text, records of several put on one: where each begins and ends, and which of them are rows.

    Attributes:
        numbers: of the rows, from 1.
        origin: the line of the file on which each of the lines began, from 1.
    """

    def __init__(self, body: bytes, mapping: FileMapping, records: list[quoted.Span]) -> None:
        self.file = body
        if records:
            body, self.origin = quoted.unfolded(body, records)
        self.body = body
        raw = np.frombuffer(body, np.uint8)
        ends = np.flatnonzero(raw == ord("\n"))
        if body and not body.endswith(b"\n"):
            ends = np.append(ends, len(body))
        self.ends, self.starts = ends, np.concatenate([[0], ends[:-1] + 1])
        filled = np.ones(len(ends), bool)
        for i in np.flatnonzero(_BLANK_STARTS[raw[self.starts]]) if len(ends) else ():
            filled[i] = body[self.starts[i] : ends[i] + 1].decode().strip() != ""
        if not records:
            self.origin = np.arange(1, len(ends) + 1, dtype=np.int32)
        filled[self.origin <= (mapping.skip_lines or 0)] = False
        if mapping.comment:
            sign = mapping.comment.encode()
            for row in np.flatnonzero(filled & (raw[self.starts] == sign[0])).tolist():
                filled[row] = not body.startswith(sign, int(self.starts[row]))
        self.numbers = (np.flatnonzero(filled) + 1).astype(np.int32)

    def text(self, number: int) -> str:
        """Return a line without its end."""
        return self.body[self.starts[number - 1] : self.ends[number - 1]].decode().rstrip("\r")

    def records(self, found: list[quoted.Span], first: int, delimiter: str, fields: int) -> list[quoted.Span]:
        """Return which of the records stand: those above the rows, and those with their fields."""
        above = int(self.origin[self.numbers[first - 1] - 1]) if first else 0
        lines = self.file.split(b"\n")
        return [
            (begin, end)
            for begin, end in found
            if begin < above
            or quoted.one_record(b"\n".join(lines[begin : end + 1]), delimiter.encode(), fields)
        ]

    def rows(self, numbers: np.ndarray) -> memoryview:
        """Return some of the last lines, one after the other."""
        if len(numbers) < len(self.ends) - numbers[0] + 1:
            return memoryview(b"\n".join([self.body[self.starts[n - 1] : self.ends[n - 1]] for n in numbers]))
        return memoryview(self.body)[self.starts[numbers[0] - 1] :]


def _find_header(lines: _Lines, mapping: FileMapping, fits: Fits) -> tuple[int, list[str], str]:
    """Return how many of the lines are not rows, the header and the delimiter."""
    if mapping.header is not None:
        return 0, tidied(mapping.header), header_of(lines.text(lines.numbers[0]), mapping)[1]
    candidates = lines.numbers[: MOST_TITLE_ROWS if mapping.skip_lines is None else 1].tolist()
    likely: tuple[int, list[str], str] | None = None
    for i, (header, delimiter) in _headers([lines.text(number) for number in candidates], mapping):
        if fits(header):
            return i + 1, header, delimiter
        if likely is None or sum(map(bool, header)) > sum(map(bool, likely[1])):
            likely = i + 1, header, delimiter
    # none: what the likeliest one lacks is told by who matches it, or else what is wrong with the first
    return likely or (1, *header_of(lines.text(candidates[0]), mapping))


def _headers(texts: list[str], mapping: FileMapping) -> Iterator[tuple[int, tuple[list[str], str]]]:
    for i, text in enumerate(texts):
        try:
            yield i, header_of(text, mapping)
        except UndecodableObject:
            continue


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
