"""Plain text files under the same header, read as one by the compiled reader.

Plain is a file that has no quotes, in whatever encoding. What the compiled reader leaves, odd numbers and times in
another form, is read here by the functions that read any other file's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fems.contracts.raw_object import RawObject
from fems.errors import UndecodableObject
from fems.raw import encodings, formats, numbers, text
from fems.raw.decoded import OddCells
from fems.raw.fast import buffers as sheet
from fems.raw.fast.machine import reader
from fems.raw.labels import NO_TIME, layout_of_format, read_labels
from fems.raw.text import BadLine
from fems.raw.typed import Coded, TypedRows, coded_constants
from fems.registry.feed import FactoryFeed
from fems.registry.plant import FileMapping

_MOST_BYTES = 8 << 20
_CODED = ("timestamp", "sensor_id", "factory_id")
_COUNTS = [sheet.ROWS, sheet.ODD_CELLS, sheet.BAD, sheet.LEFT]
_PARTS = {name: i for i, name in enumerate("YmdHMS")}


@dataclass(frozen=True)
class Batch:
    """Some plain files with the same header.

    Attributes:
        header: its names.
        delimiter: what stands between them.
        raws: the objects.
        bodies: their texts in UTF-8, each ended by a newline.
        begins: where the second line of each begins.
    """

    header: list[str]
    delimiter: str
    raws: list[RawObject]
    bodies: list[bytes]
    begins: list[int]


def batches(objects: list[tuple[RawObject, bytes]], mapping: FileMapping) -> Iterator[Batch]:
    """Put neighbouring plain files with the same header together; all other objects are left out.

    One after the other they come to some megabytes: much of the cost of a small file is not in its rows.
    """
    batch, line, size = None, b"", 0
    for raw, data in objects:
        body = _plain(data, mapping)
        if body is None:
            continue
        begin = body.index(b"\n") + 1
        own = body[:begin].rstrip(b"\r\n")
        if batch is None or own != line or size + len(body) > _MOST_BYTES:
            if batch is not None:
                yield batch
                batch = None
            try:
                header, delimiter = text.header_of(own.decode(), mapping)
            except UndecodableObject:
                continue
            batch, line, size = Batch(header, delimiter, [], [], []), own, 0
        batch.raws.append(raw)
        batch.bodies.append(body)
        batch.begins.append(begin)
        size += len(body)
    if batch is not None:
        yield batch


def _plain(data: bytes, mapping: FileMapping) -> bytes | None:
    """Return the text of a plain file, None for any other object."""
    if mapping.skip_lines or mapping.layout != "long":
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


def read(batch: Batch, headers: Mapping[str, str], source: FactoryFeed) -> TypedRows | None:
    """Read the rows of some files; None if the compiled reader cannot. A file that it leaves has no row.

    Args:
        batch: the files.
        headers: our column -> the files' header.
        source: whose they are.
    """
    read_file, mapping = reader(), source.mapping
    wanted = list(headers.values())
    if (
        read_file is None
        or len(set(wanted)) < len(wanted)
        or batch.delimiter in f"-0123456789{mapping.decimal}"
    ):
        return None
    names = list(source.book.columns)
    # many times as fast as bytes.count for something that is everywhere
    most = sum(int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord("\n"))) for body in batch.bodies)
    filled = _form(sheet.blank_sheet(len(names), most, sum(map(len, batch.bodies))), batch, headers, source)
    rows, bad = [0], [0]
    for body, begin in zip(batch.bodies, batch.begins, strict=True):
        so_far = filled.n.copy()
        read_file(body, begin, filled)
        if filled.n[sheet.LEFT]:
            filled.n[_COUNTS] = so_far[_COUNTS]
        rows.append(int(filled.n[sheet.ROWS]))
        bad.append(int(filled.n[sheet.BAD]))
    n = rows[-1]
    owner = np.repeat(np.arange(len(batch.raws)), np.diff(rows))
    coded = coded_constants(source, headers, n)
    for k, name in enumerate(_CODED):
        if name not in coded:
            count = int(filled.n[sheet.TEXTS + k])
            coded[name] = Coded(filled.codes[k, :n], _texts(filled.places[k], filled.letters[k], count))
    seconds, ahead = _times(filled, coded["timestamp"].texts, mapping)
    values, states, odd, supplied = _numbers(filled, headers, names, mapping)

    def fields(row: int) -> list[str]:
        body, begin = batch.bodies[owner[row]], int(filled.begins[row])
        written = body[begin : body.index(b"\n", begin)].removesuffix(b"\r").decode().split(batch.delimiter)
        return [field for name, field in zip(batch.header, written, strict=True) if name]

    return TypedRows(
        owner, filled.lines[:n], _bad_lines(filled, batch, bad), coded["timestamp"], seconds, ahead,
        coded["sensor_id"], coded["factory_id"], values, states, odd, supplied, fields,
    )  # fmt: skip


def _form(blank: sheet.Sheet, batch: Batch, headers: Mapping[str, str], source: FactoryFeed) -> sheet.Sheet:
    """Write into a sheet how the lines are to be read."""
    role = {headers[name]: j for j, name in enumerate(source.book.columns) if name in headers}
    constants = source.mapping.constants
    role |= {headers[n]: -2 - k for k, n in enumerate(_CODED) if n in headers and n not in constants}
    layout = next(map(layout_of_format, source.mapping.time_formats), None)
    sample = (
        layout.sample if layout and layout.sample.isascii() and layout.fields.keys() <= set(_PARTS) else ""
    )
    parts = np.full(len(sample), -1, np.int8)
    for name, place in layout.fields.items() if layout and sample else ():
        parts[place] = _PARTS[name]
    blank.n[[sheet.DELIMITER, sheet.MARK]] = ord(batch.delimiter), ord(source.mapping.decimal)
    blank.n[[sheet.FIELDS, sheet.WIDTH]] = len(batch.header), len(sample)
    return blank._replace(
        roles=np.array([role.get(name, sheet.SKIPPED) for name in batch.header], np.int8),
        parts=parts,
        sample=np.frombuffer(sample.encode(), np.uint8),
    )


def _texts(places: np.ndarray, letters: np.ndarray, count: int) -> pa.Array:
    """Return texts that are laid out as Arrow does; they share its memory."""
    buffers = [None, pa.py_buffer(places[: count + 1]), pa.py_buffer(letters[: places[count]])]
    return pa.Array.from_buffers(pa.string(), count, buffers)


def _times(filled: sheet.Sheet, texts: pa.Array, mapping: FileMapping) -> tuple[np.ndarray, np.ndarray]:
    """Return the seconds of each time text and those that its clock is ahead, as `read_labels` does."""
    seconds = filled.moments[: len(texts)].copy()
    ahead = np.full(len(texts), NO_TIME, np.int64)
    left = np.flatnonzero(seconds == sheet.UNREAD)
    if len(left):
        seconds[left], ahead[left] = read_labels(texts.take(pa.array(left)).to_pylist(), mapping.time_formats)
    return seconds, ahead


def _numbers(
    filled: sheet.Sheet, headers: Mapping[str, str], names: list[str], mapping: FileMapping
) -> tuple[np.ndarray, np.ndarray, OddCells, np.ndarray]:
    """Return values, states, odd cells and which columns there are; the cells that were left are read now."""
    n, count = int(filled.n[sheet.ROWS]), int(filled.n[sheet.ODD_CELLS])
    values, states = filled.values[:, :n], filled.states[:, :n]
    supplied = np.array([name in headers for name in names])
    values[~supplied], states[~supplied] = np.nan, numbers.EMPTY
    texts = _texts(filled.odd_places, filled.odd_letters, count)
    rows, columns = filled.odd_rows[:count], filled.odd_columns[:count]
    values[columns, rows], states[columns, rows], said = numbers.to_numbers(
        pa.chunked_array([texts]), mapping.decimal
    )
    odd = OddCells(rows[said], columns[said], texts.take(pa.array(said)).to_pandas().to_numpy(object))
    return values, states, odd, supplied


def _bad_lines(filled: sheet.Sheet, batch: Batch, edges: list[int]) -> list[BadLine]:
    """Return the lines with too few or too many fields; `edges`: where those of each file begin, and the end."""
    found = []
    for owner, body in enumerate(batch.bodies):
        for line, begin, end, fields in filled.bad[edges[owner] : edges[owner + 1]].tolist():
            reason = f"{fields} fields where the header has {len(batch.header)}"
            found.append(BadLine(line, reason, body[begin:end].decode(), owner))
    return found
