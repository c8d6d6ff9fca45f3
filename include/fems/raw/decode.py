"""Raw objects into typed rows and quarantined rows; the two together are all their rows."""

from dataclasses import replace

import numpy as np

from fems.calendar import day_number
from fems.contracts.raw_object import RawObject
from fems.errors import UndecodableObject
from fems.raw import header, tables, text
from fems.raw.arrange import arranged
from fems.raw.decoded import DecodedObject, joined, refused
from fems.raw.fast import plain
from fems.raw.named_formats import in_format
from fems.raw.placement import Placement
from fems.raw.typed import TypedRows, typed
from fems.registry.feed import FactoryFeed


def read_rows(data: bytes, name: str, source: FactoryFeed) -> list[TypedRows]:
    """Read an object's rows; those of each sheet of a workbook by themselves.

    Args:
        data: the object.
        name: what it is called, with its folder below the day.
        source: whose it is.

    Raises:
        UndecodableObject: no reader understands it, or a needed column is not there.
    """
    feed = source.for_file(name)
    if feed is None:
        raise UndecodableObject(no_mapping(name, source))
    facts = feed.mapping.facts_of(name) or {}
    mapping = in_format(feed.mapping)
    if mapping is not feed.mapping:
        feed = replace(feed, chosen=mapping)
    test = header.fits(feed, {**dict.fromkeys(mapping.facts_of_sheets, ""), **facts})
    rows = []
    for table in tables.read_tables(data, mapping, feed.coded_headers, test):
        known = {**facts, **(mapping.facts_of_sheet(table.sheet or "") or {})}
        columns = header.matched(table.header, feed, known)
        own = header.in_zone_of_header(feed, columns)
        rows.append(
            replace(typed(arranged(table, columns, own, known), own, known), timezone=own.mapping.timezone)
        )
    return rows


def in_zone(source: FactoryFeed, rows: TypedRows) -> FactoryFeed:
    """Return the feed with the zone that the header of some rows names."""
    if rows.timezone == source.mapping.timezone:
        return source
    return replace(source, chosen=source.mapping.model_copy(update={"timezone": rows.timezone}))


def no_mapping(name: str, source: FactoryFeed) -> str:
    """Say that none of a feed's mappings is for files of that name."""
    patterns = ", ".join(str(mapping.file_name) for mapping in source.mappings)
    return (
        f"no mapping of factory {source.factory_id}, feed {source.feed}, is for a file of this name ({name!r}; the "
        f"patterns are {patterns})"
    )


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
        sheets = read_rows(data, name_below_day(raw), source)
    except UndecodableObject as error:
        return refused(raw, source, str(error))
    feed = source.for_file(name_below_day(raw)) or source
    feed = replace(feed, chosen=in_format(feed.mapping))
    placed = [_placed(rows, [raw], in_zone(feed, rows))[0] for rows in sheets]
    if len(sheets) > 1:
        placed = [
            replace(one, quarantined=_of_sheet(one.quarantined, rows.sheet))
            for one, rows in zip(placed, sheets, strict=True)
        ]
    return joined(placed)


def name_below_day(raw: RawObject) -> str:
    """Return what a raw object is called, with its folder below the day."""
    return raw.key.split("/", 4)[-1]


def _of_sheet(lines: list[text.BadLine], sheet: str | None) -> list[text.BadLine]:
    return [replace(line, reason=f"sheet {sheet!r}: {line.reason}") for line in lines]


def decode_all(objects: list[tuple[RawObject, bytes]], source: FactoryFeed) -> list[DecodedObject]:
    """Decode some raw objects; each comes out as it would by itself.

    Plain text files are read together by the compiled reader.
    """
    decoded: dict[RawObject, DecodedObject] = {}
    for batch in plain.batches(objects, source):
        rows = plain.read(batch)
        if rows is not None:
            for i, one in enumerate(_placed(rows, batch.raws, batch.source)):
                if one.read and i not in rows.left:
                    decoded[one.raw] = one
    # also what has a header and no row: by itself it is refused
    return [decoded[raw] if raw in decoded else decode(raw, data, source) for raw, data in objects]


def _placed(rows: TypedRows, raws: list[RawObject], source: FactoryFeed) -> list[DecodedObject]:
    """Place the rows of some objects in time and plant; those without a place are quarantined."""
    day = np.array([day_number(raw.day) for raw in raws], np.int32)
    owner, lines, values, states, odd = rows.owner, rows.lines, rows.values, rows.states, rows.odd
    placement = Placement(rows, source, day[owner])
    starts, days, sensors = placement.starts, placement.days, placement.sensors
    quarantined: list[list[text.BadLine]] = [[] for _ in raws]
    for line in rows.bad:
        quarantined[line.owner].append(line)
    bad = placement.bad_rows()
    if len(bad):
        for row in bad.tolist():
            reason, written = placement.reason(row), source.mapping.separator.join(rows.fields(row))
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
