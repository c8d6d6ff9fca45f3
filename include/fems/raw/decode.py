"""Raw objects into typed rows and quarantined rows; the two together are all their rows."""

from collections.abc import Collection

import numpy as np

from fems.calendar import day_number
from fems.contracts.raw_object import RawObject
from fems.errors import UndecodableObject
from fems.raw import text, wide
from fems.raw.decoded import DecodedObject, refused
from fems.raw.fast import plain
from fems.raw.typed import TypedRows, typed
from fems.raw.verdict import Verdict
from fems.registry.feed import FactoryFeed


def find_headers(there: Collection[str], source: FactoryFeed) -> dict[str, str]:
    """Match the file's headers to our columns: by the mapping first, then by the book's aliases.

    Raises:
        UndecodableObject: a column without which nothing can be done is not there.
    """
    mapping, book = source.mapping, source.book
    folded = {header.casefold(): header for header in there}
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
            has = ", ".join(list(there)[:12])
            looked = ", ".join(source.headers[ours])
            raise UndecodableObject(
                f"the header has no column for {ours} (looked for: {looked}; it has: {has})"
            )
    return found


def read_rows(data: bytes, source: FactoryFeed) -> tuple[text.TextTable, dict[str, str]]:
    """Read an object's rows and find our columns among its headers.

    Raises:
        UndecodableObject: no reader understands it, or a needed column is not there.
    """
    mapping = source.mapping
    table = text.read_table(data, mapping, source.coded_headers)
    if mapping.layout == "wide":
        table = wide.to_long(table, mapping)
    return table, find_headers(table.columns, source)


def decode(raw: RawObject, data: bytes, source: FactoryFeed) -> DecodedObject:
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
    [decoded] = _placed(typed(table, headers, source), [raw], source)
    return decoded


def decode_all(objects: list[tuple[RawObject, bytes]], source: FactoryFeed) -> list[DecodedObject]:
    """Decode some raw objects; each comes out as it would by itself.

    Plain text files are read together by the compiled reader.
    """
    found: dict[RawObject, DecodedObject] = {}
    for batch in plain.batches(objects, source.mapping):
        try:
            rows = plain.read(batch, find_headers([name for name in batch.header if name], source), source)
        except UndecodableObject:  # then each tells for itself what is wrong
            continue
        if rows is not None:
            found.update(zip(batch.raws, _placed(rows, batch.raws, source), strict=True))
    # also what has a header and no row: by itself it is refused
    return [
        found[raw] if raw in found and found[raw].read else decode(raw, data, source) for raw, data in objects
    ]


def _placed(rows: TypedRows, raws: list[RawObject], source: FactoryFeed) -> list[DecodedObject]:
    """Place the rows of some objects in time and plant; those without a place are quarantined."""
    day = np.array([day_number(raw.day) for raw in raws], np.int32)
    owner, lines, values, states, odd = rows.owner, rows.lines, rows.values, rows.states, rows.odd
    verdict = Verdict(rows, source, day[owner])
    starts, days, sensors = verdict.starts, verdict.days, verdict.sensors
    quarantined: list[list[text.BadLine]] = [[] for _ in raws]
    for line in rows.bad:
        quarantined[line.owner].append(line)
    bad = verdict.bad_rows()
    if len(bad):
        for row in bad.tolist():
            reason, written = verdict.reason(row), source.mapping.separator.join(rows.fields(row))
            quarantined[owner[row]].append(text.BadLine(int(lines[row]), reason, written))
        starts, days, sensors, lines, owner, values, states = (
            _without(each, bad) for each in (starts, days, sensors, lines, owner, values, states)
        )
        odd = odd.without(bad)
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
            supplied=rows.supplied,
            quarantined=sorted(refused, key=lambda b: b.line),
        )
        for raw, refused, begin, end in zip(raws, quarantined, edges, edges[1:], strict=False)
    ]


def _without(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return an array, (..., n), without some rows, rising; they are few, so that the pieces between them are long."""
    pieces = zip([0, *(rows + 1).tolist()], [*rows.tolist(), array.shape[-1]], strict=True)
    return np.concatenate([array[..., begin:end] for begin, end in pieces], axis=-1)
