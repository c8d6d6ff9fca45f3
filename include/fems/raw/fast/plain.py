"""Plain text files under the same header, read as one by the compiled reader.

Plain is a file that has no quotes, in whatever encoding. What the compiled reader leaves, odd numbers and times in
another form, is read here by the functions that read any other file's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa

from fems.contracts.raw_object import RawObject
from fems.errors import UndecodableObject
from fems.raw import encodings, formats, header, marks, numbers
from fems.raw.decoded import OddCells
from fems.raw.fast import buffers
from fems.raw.fast.machine import reader
from fems.raw.interval_labels import may_be_intervals, read_times
from fems.raw.labels import NO_TIME, layout_of_format
from fems.raw.text import BadLine
from fems.raw.typed import Coded, TypedRows, coded_constants, scaled, scales, unit_of_cells
from fems.registry.feed import FactoryFeed
from fems.registry.mapping import FileMapping
from fems.registry.units import IN_COLUMNS, in_header, is_multiplied

_MOST_BYTES = 8 << 20
_CODED = ("timestamp", "sensor_id", "factory_id")
_COUNTS = [buffers.ROWS, buffers.ODD_CELLS, buffers.BAD, buffers.LEFT]
_PARTS = {name: i for i, name in enumerate("YmdHMS")}


@dataclass(frozen=True)
class Batch:
    """Some plain files with the same header, whose names tell the same.

    Attributes:
        source: whose they are, with the mapping that is for them.
        facts: what their names tell.
        header: its names.
        columns: our column -> the files' header.
        delimiter: what stands between them.
        raws: the objects.
        bodies: their texts in UTF-8, each ended by a newline.
        begins: where the second line of each begins.
    """

    source: FactoryFeed
    facts: Mapping[str, str]
    header: list[str]
    columns: Mapping[str, str]
    delimiter: str
    raws: list[RawObject]
    bodies: list[bytes]
    begins: list[int]


def batches(objects: list[tuple[RawObject, bytes]], source: FactoryFeed) -> Iterator[Batch]:
    """Put neighbouring plain files with the same header together; all other objects are left out.

    One after the other they come to some megabytes: much of the cost of a small file is not in its rows.
    """
    batch: Batch | None = None
    line, size = b"", 0
    for raw, data in objects:
        name = raw.key.split("/", 4)[-1]
        feed = source.for_file(name)
        body = None if feed is None else _plain(data, feed.mapping)
        if feed is None or body is None:
            continue
        facts = feed.mapping.facts_of(name) or {}
        begin = body.index(b"\n") + 1
        own = body[:begin].rstrip(b"\r\n")
        alike = batch is not None and own == line and batch.source is feed and batch.facts == facts
        if not alike or size + len(body) > _MOST_BYTES:
            if batch is not None and batch.raws:
                yield batch
            batch, line, size = _begun(own, feed, facts), own, 0
        if batch is None:
            continue
        first = body[begin : body.find(b"\n", begin)]
        plain_rows = first.count(batch.delimiter.encode()) == len(batch.header) - 1
        if plain_rows and not header.units_below(batch.header, batch.delimiter, first.decode()):
            batch.raws.append(raw)
            batch.bodies.append(body)
            batch.begins.append(begin)
            size += len(body)
    if batch is not None and batch.raws:
        yield batch


def _begun(line: bytes, source: FactoryFeed, facts: Mapping[str, str]) -> Batch | None:
    """Return an empty batch under a header; None where it has no header with our columns."""
    try:
        names, delimiter = header.header_of(line.decode(), source.mapping)
        matched = header.matched(names, source, facts)
        columns = {ours: parts[0] for ours, parts in matched.items()}
        if header.in_zone_of_header(source, matched) is not source:
            return None
    except UndecodableObject:
        return None
    if any(name.casefold() in IN_COLUMNS for name in names):
        return None  # each row names its unit
    return Batch(source, facts, names, columns, delimiter, [], [], [])


def _plain(data: bytes, mapping: FileMapping) -> bytes | None:
    """Return the text of a plain file, None for any other object."""
    if not mapping.is_plain:
        return None
    try:
        data = formats.unzipped(data)
        if formats.is_container(data):
            return None
        body = encodings.to_utf8(data, mapping.encodings)
    except UndecodableObject:
        return None
    body = body if body.endswith(b"\n") else body + b"\n"
    return None if b'"' in body or not body[: body.index(b"\n")].decode().strip() else body


def read(batch: Batch) -> TypedRows | None:
    """Read the rows of some files; None if the compiled reader cannot. A file that it leaves has no row."""
    read_file, source, columns = reader(), batch.source, batch.columns
    mark = source.mapping.decimal or marks.POINT
    wanted = list(columns.values())
    if read_file is None or len(set(wanted)) < len(wanted) or batch.delimiter in f"-0123456789{mark}":
        return None
    try:
        units = {
            n: unit for n, head in columns.items() if n in source.book.columns and (unit := in_header(head))
        }
        if any(n in source.book.columns and is_multiplied(head) for n, head in columns.items()):
            return None
        scale = scales(source, units)
    except UndecodableObject:
        return None
    names = list(source.book.columns)
    # many times as fast as bytes.count for something that is everywhere
    most = sum(int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord("\n"))) for body in batch.bodies)
    filled = _form(buffers.empty_buffers(len(names), most, sum(map(len, batch.bodies))), batch, mark)
    rows, bad = [0], [0]
    for body, begin in zip(batch.bodies, batch.begins, strict=True):
        so_far = filled.n.copy()
        read_file(body, begin, filled)
        if filled.n[buffers.LEFT]:
            filled.n[_COUNTS] = so_far[_COUNTS]
        rows.append(int(filled.n[buffers.ROWS]))
        bad.append(int(filled.n[buffers.BAD]))
    n = rows[-1]
    owner = np.repeat(np.arange(len(batch.raws)), np.diff(rows))
    coded = coded_constants(source, columns, batch.facts, n)
    for k, name in enumerate(_CODED):
        if name not in coded:
            count = int(filled.n[buffers.TEXTS + k])
            coded[name] = Coded(filled.codes[k, :n], _texts(filled.places[k], filled.letters[k], count))
    seconds, ahead, either = _times(filled, coded["timestamp"].texts, source)
    left = _undecided(filled, owner, source.mapping, batch.delimiter)  # as written, before units
    if either.any():
        left |= frozenset(owner[either[coded["timestamp"].codes]].tolist())
    values, states, odd, supplied = _numbers(filled, batch, mark, units, scale)

    def fields(row: int) -> list[str]:
        body, begin = batch.bodies[owner[row]], int(filled.begins[row])
        written = body[begin : body.index(b"\n", begin)].removesuffix(b"\r").decode().split(batch.delimiter)
        named = header.distinct_names(batch.header)
        return [field for name, field in zip(named, written, strict=True) if name]

    return TypedRows(
        owner, filled.lines[:n], _bad_lines(filled, batch, bad), coded["timestamp"], seconds, ahead,
        coded["sensor_id"], coded["factory_id"], values, states, odd, supplied, fields,
        left=left,
    )  # fmt: skip


def _undecided(
    filled: buffers.ReaderBuffers, owner: np.ndarray, mapping: FileMapping, delimiter: str
) -> frozenset[int]:
    """Return the files with a comma in a number and no mark in the mapping: their whole columns must be seen."""
    count = int(filled.n[buffers.ODD_CELLS])
    if mapping.decimal is not None:
        return frozenset()
    grouped = _grouped(filled, owner, delimiter)
    if not count:
        return grouped
    places = filled.odd_places[: count + 1]
    commas = np.flatnonzero(filled.odd_letters[: places[-1]] == ord(","))
    cells = np.unique(np.searchsorted(places, commas, side="right") - 1)
    return grouped | frozenset(owner[filled.odd_rows[cells]].tolist())


def _grouped(filled: buffers.ReaderBuffers, owner: np.ndarray, delimiter: str) -> frozenset[int]:
    """Return the files in which points may part thousands: 987 beside 1.002. One parted by commas is none."""
    if delimiter == marks.COMMA or not len(owner):
        return frozenset()
    left = set()
    edges = np.searchsorted(owner, np.arange(int(owner[-1]) + 2))
    for i, (begin, end) in enumerate(pairwise(edges.tolist())):
        for column in filled.values[:, begin:end]:
            known = column[~np.isnan(column)]
            whole = known == np.floor(known)
            below = known[whole & (known > 0) & (known < 1000)]
            parts = known[~whole] * 1000
            in_thousandths = np.abs(parts - np.round(parts)) < 1e-6
            # a last digit of three is seldom 0; the text tells what it is
            shorter = np.abs(parts / 10 - np.round(parts / 10)) < 1e-6
            if (
                len(np.unique(below)) >= marks.SOME_WHOLE
                and len(parts)
                and in_thousandths.all()
                and shorter.mean() < 0.5
            ):
                left.add(i)
    return frozenset(left)


def _form(blank: buffers.ReaderBuffers, batch: Batch, mark: str) -> buffers.ReaderBuffers:
    """Write into the buffers how the lines are to be read."""
    source, columns = batch.source, batch.columns
    role = {columns[name]: j for j, name in enumerate(source.book.columns) if name in columns}
    given = {*source.mapping.constants, *batch.facts}
    role |= {columns[n]: -2 - k for k, n in enumerate(_CODED) if n in columns and n not in given}
    layout = next(map(layout_of_format, source.mapping.time_formats), None)
    sample = (
        layout.sample if layout and layout.sample.isascii() and layout.fields.keys() <= set(_PARTS) else ""
    )
    parts = np.full(len(sample), -1, np.int8)
    for name, place in layout.fields.items() if layout and sample else ():
        parts[place] = _PARTS[name]
    blank.n[[buffers.DELIMITER, buffers.MARK]] = ord(batch.delimiter), ord(mark)
    blank.n[[buffers.FIELDS, buffers.WIDTH]] = len(batch.header), len(sample)
    return blank._replace(
        roles=np.array([role.get(name, buffers.SKIPPED) for name in batch.header], np.int8),
        parts=parts,
        sample=np.frombuffer(sample.encode(), np.uint8),
    )


def _texts(places: np.ndarray, letters: np.ndarray, count: int) -> pa.Array:
    """Return texts that are laid out as Arrow does; they share its memory."""
    buffers = [None, pa.py_buffer(places[: count + 1]), pa.py_buffer(letters[: places[count]])]
    return pa.Array.from_buffers(pa.string(), count, buffers)


def _times(
    filled: buffers.ReaderBuffers, texts: pa.Array, source: FactoryFeed
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the seconds of each time text and those that its clock is ahead; and whether its whole file must be seen.

    As `read_times` does.
    """
    seconds = filled.moments[: len(texts)].copy()
    ahead = np.full(len(texts), NO_TIME, np.int64)
    either = np.zeros(len(texts), bool)
    left = np.flatnonzero(seconds == buffers.UNREAD)
    if len(left):
        zone = source.mapping.timezone or source.zone
        written = texts.take(pa.array(left)).to_pylist()
        seconds[left], ahead[left] = read_times(written, source.mapping, source.grain_minutes, zone)
        either[left] = may_be_intervals(written, source.mapping)
    return seconds, ahead, either


def _numbers(
    filled: buffers.ReaderBuffers,
    batch: Batch,
    mark: str,
    units: Mapping[str, str],
    scale: Mapping[str, Fraction],
) -> tuple[np.ndarray, np.ndarray, OddCells, np.ndarray]:
    """Return values, states, odd cells and which columns there are; the cells that were left are read now."""
    source = batch.source
    n, count = int(filled.n[buffers.ROWS]), int(filled.n[buffers.ODD_CELLS])
    values, states = filled.values[:, :n], filled.states[:, :n]
    supplied = np.array([name in batch.columns for name in source.book.columns])
    values[~supplied], states[~supplied] = np.nan, numbers.EMPTY
    texts = _texts(filled.odd_places, filled.odd_letters, count)
    rows, columns = filled.odd_rows[:count], filled.odd_columns[:count]
    telling = []
    for unit, some in _by_unit(columns, source, units):
        values[columns[some], rows[some]], states[columns[some], rows[some]], odd = numbers.to_numbers(
            pa.chunked_array([texts.take(pa.array(some))]), mark, unit
        )
        telling.append(some[odd])
    odd_rows = np.sort(np.concatenate(telling)) if telling else np.empty(0, np.int64)
    for j, name in enumerate(source.book.columns):
        if scale[name] != 1:
            values[j] = scaled(values[j], scale[name])
    odd_cells = OddCells(
        rows[odd_rows], columns[odd_rows], texts.take(pa.array(odd_rows)).to_pandas().to_numpy(object)
    )
    return values, states, odd_cells, supplied


def _by_unit(
    columns: np.ndarray, source: FactoryFeed, units: Mapping[str, str]
) -> Iterator[tuple[str | None, np.ndarray]]:
    """Yield the odd cells by the unit that may stand behind their numbers."""
    by_column = [unit_of_cells(source, units, name) for name in source.book.columns]
    for unit in dict.fromkeys(by_column):
        alike = np.array([own == unit for own in by_column])
        some = np.flatnonzero(alike[columns])
        if len(some):
            yield unit, some


def _bad_lines(filled: buffers.ReaderBuffers, batch: Batch, edges: list[int]) -> list[BadLine]:
    """Return the lines with too few or too many fields; `edges`: where those of each file begin, and the end."""
    bad = []
    for owner, body in enumerate(batch.bodies):
        for line, begin, end, fields in filled.bad[edges[owner] : edges[owner + 1]].tolist():
            reason = f"{fields} fields where the header has {len(batch.header)}"
            bad.append(BadLine(line, reason, body[begin:end].decode(), owner))
    return bad
