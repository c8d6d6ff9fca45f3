"""Raw objects into typed rows and quarantined rows; the two together are all their rows."""

import numpy as np
import pyarrow as pa

from fems.book import Book
from fems.calendar import day_number
from fems.errors import UndecodableObject
from fems.lake import RawObject
from fems.raw import numbers, text, together, wide
from fems.raw.decoded import NO_ODD_CELLS, DecodedObject, OddCells, refused
from fems.raw.source import Source
from fems.raw.verdict import Verdict


def find_headers(table: text.TextTable, source: Source) -> dict[str, str]:
    """Match the file's headers to our columns: by the mapping first, then by the book's aliases.

    Raises:
        UndecodableObject: a column without which nothing can be done is not there.
    """
    mapping, book = source.mapping, source.book
    folded = {header.casefold(): header for header in table.columns}
    found: dict[str, str] = {}
    for ours, wanted in source.headers.items():
        header = next((folded[name.casefold()] for name in wanted if name.casefold() in folded), None)
        if header is not None:
            found[ours] = header
    required = ["timestamp", *(name for name, column in book.columns.items() if column.required)]
    if "sensor_id" not in mapping.constants:
        required.append("sensor_id")
    for ours in required:
        if ours not in found:
            has = ", ".join(list(table.columns)[:12])
            looked = ", ".join(source.headers[ours])
            raise UndecodableObject(
                f"the header has no column for {ours} (looked for: {looked}; it has: {has})"
            )
    return found


def read_rows(data: bytes, source: Source) -> tuple[text.TextTable, dict[str, str]]:
    """Read an object's rows and find our columns among its headers.

    Raises:
        UndecodableObject: no reader understands it, or a needed column is not there.
    """
    mapping = source.mapping
    table = text.read_table(data, mapping, source.coded_headers)
    if mapping.layout == "wide":
        table = wide.to_long(table, mapping)
    return table, find_headers(table, source)


def _numbers_of(
    table: text.TextTable, headers: dict[str, str], book: Book
) -> tuple[np.ndarray, np.ndarray, OddCells, np.ndarray]:
    """Type the value columns: values and states (columns, n), odd cells, and which columns the file carries."""
    n, width = len(table.lines), len(book.columns)
    values = np.full((width, n), np.nan)
    states = np.full((width, n), numbers.EMPTY, np.uint8)
    supplied = np.zeros(width, bool)
    rows, columns, texts = [], [], []
    for j, name in enumerate(book.columns):
        if name not in headers:
            continue
        supplied[j] = True
        column = table.columns[headers[name]]
        values[j], states[j], odd = numbers.to_numbers(column, table.decimal)
        if len(odd):
            rows.append(odd)
            columns.append(np.full(len(odd), j, np.int8))
            texts.append(column.take(pa.array(odd)).to_pandas().to_numpy(object))
    if not rows:
        return values, states, NO_ODD_CELLS, supplied
    odd_cells = OddCells(np.concatenate(rows), np.concatenate(columns), np.concatenate(texts))
    return values, states, odd_cells, supplied


def decode(raw: RawObject, data: bytes, source: Source) -> DecodedObject:
    """Decode a raw object.

    Nothing raises: an object that no reader understands comes back with no row and one quarantine record.

    Args:
        raw: the object's key, ETag and day.
        data: its bytes.
        source: whose it is.

    Returns:
        Its rows; `read` = rows + quarantined rows.
    """
    try:
        table, headers = read_rows(data, source)
    except UndecodableObject as error:
        return refused(raw, source, str(error))
    [decoded] = _decode_table(table, headers, [raw], np.zeros(len(table.lines), np.intp), source)
    return decoded


def decode_all(objects: list[tuple[RawObject, bytes]], source: Source) -> list[DecodedObject]:
    """Decode some raw objects; each comes out as it would by itself.

    Plain text files under the same header are read as one: much of the cost of a small file is not in its rows.
    """
    found: dict[RawObject, DecodedObject] = {}
    for batch in together.batches(objects, source.mapping):
        try:
            table, headers = read_rows(batch.data, source)
        except UndecodableObject:  # then each tells for itself what is wrong
            found.update((raw, decode(raw, data, source)) for raw, data in batch.objects)
            continue
        owner, table = batch.apart(table)
        raws = [raw for raw, _ in batch.objects]
        found.update(zip(raws, _decode_table(table, headers, raws, owner, source), strict=True))
        # a header and no row: nothing of it is in the batch, and by itself it is refused
        found.update((raw, decode(raw, data, source)) for raw, data in batch.objects if not found[raw].read)
    return [found[raw] for raw, _ in objects]


def _decode_table(
    table: text.TextTable, headers: dict[str, str], raws: list[RawObject], owner: np.ndarray, source: Source
) -> list[DecodedObject]:
    """Type and place the rows of some objects.

    Args:
        table: their rows, object by object; `bad` lines name their object by position as well.
        headers: our column -> the file's header.
        raws: the objects.
        owner: int, n, rising: position of each row's object.
        source: whose they are.
    """
    day = np.array([day_number(raw.day) for raw in raws], np.int32)
    verdict = Verdict(table, headers, source, day[owner])
    values, states, odd, supplied = _numbers_of(table, headers, source.book)
    starts, days, sensors, lines = verdict.starts, verdict.days, verdict.sensors, table.lines
    quarantined: list[list[text.BadLine]] = [[] for _ in raws]
    for line in table.bad:
        quarantined[line.owner].append(line)
    bad = verdict.bad_rows()
    if len(bad):
        keep = np.ones(len(owner), bool)
        keep[bad] = False
        for row in bad.tolist():
            fields = (column[row].as_py() or "" for column in table.columns.values())
            reason, written = verdict.reason(row), source.mapping.separator.join(fields)
            quarantined[owner[row]].append(text.BadLine(int(lines[row]), reason, written))
        starts, days, sensors, lines = starts[keep], days[keep], sensors[keep], lines[keep]
        values, states, odd = values[:, keep], states[:, keep], _without(odd, keep)
        owner = owner[keep]
    edges = np.searchsorted(owner, np.arange(len(raws) + 1)).tolist()
    return [
        DecodedObject(
            raw=raw,
            read=end - begin + len(refused),
            starts=starts[begin:end],
            days=days[begin:end],
            sensors=sensors[begin:end],
            lines=lines[begin:end],
            values=values[:, begin:end],
            states=states[:, begin:end],
            odd=odd.between(begin, end),
            supplied=supplied,
            quarantined=sorted(refused, key=lambda b: b.line),
        )
        for raw, refused, begin, end in zip(raws, quarantined, edges, edges[1:], strict=False)
    ]


def _without(odd: OddCells, keep: np.ndarray) -> OddCells:
    """Return the odd cells of the rows that are kept, in their new places."""
    stays = keep[odd.rows]
    place = np.cumsum(keep) - 1
    return OddCells(place[odd.rows[stays]], odd.columns[stays], odd.texts[stays])
