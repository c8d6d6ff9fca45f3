"""A raw object's bytes into tables of text, whatever it comes in: text, workbook, Parquet, or a named format."""

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa

from fems.errors import UndecodableObject
from fems.raw import encodings, formats, nem12
from fems.raw.child import read_apart
from fems.raw.containers import Cells
from fems.raw.header import MOST_TITLE_ROWS, Fits, any_header, distinct_names, tidied, units_of_cells
from fems.raw.text import BadLine, TextTable, read_delimited
from fems.registry.mapping import FileMapping

_LONGEST_TEXT = 2_000
"""Characters of a row that quarantine keeps."""


def read_tables(
    data: bytes, mapping: FileMapping, coded: Collection[str] = (), fits: Fits = any_header
) -> list[TextTable]:
    """Read an object, gzip-compressed or not: one table, or one for each sheet of a workbook that fits.

    What stands in a sheet that is not read is among the bad lines of the first table.

    Args:
        data: the object.
        mapping: how its collector writes.
        coded: headers (in any case) of columns with few distinct texts, to be dictionary-encoded.
        fits: whether a row is the header.

    Raises:
        UndecodableObject: no table can be made of it.
    """
    data = formats.unzipped(data)
    if mapping.format == "green_button":
        [cells] = read_apart(encodings.to_utf8(data, mapping.encodings), "the Green Button file")
        return [_table_of(cells, tidied(cells.header or []), 0)]
    if formats.is_container(data):
        if mapping.format != "table":
            raise UndecodableObject(
                f"the object is a workbook or a Parquet file, and no {mapping.format} file"
            )
        what = "the Excel workbook" if data.startswith(formats.ZIP) else "the Parquet file"
        return _of_sheets(read_apart(data, what), mapping, fits)
    body = encodings.to_utf8(data, mapping.encodings)
    if mapping.format == "nem12":
        return [nem12.read(body)]
    return [read_delimited(body, mapping, coded, fits)]


def _of_sheets(sheets: list[Cells], mapping: FileMapping, fits: Fits) -> list[TextTable]:
    """Return the tables of the sheets that are named, or else of the visible ones that fit."""
    names = [cells.name for cells in sheets]
    gone = next((name for name in mapping.sheets or () if name not in names), None)
    if gone is not None:
        raise UndecodableObject(f"the workbook has no sheet {gone!r} (it has: {', '.join(names)})")
    tables: list[TextTable] = []
    unread: list[BadLine] = []
    for cells in sheets:
        wanted = cells.name in mapping.sheets if mapping.sheets else cells.visible and _named(cells, mapping)
        table = _fitting(cells, mapping, fits) if wanted else None
        if table is None and wanted and mapping.sheets:
            table = _likely(cells, mapping)
            if table is None:
                raise UndecodableObject(f"the sheet {cells.name!r} has no header of two columns or more")
        if table is not None:
            tables.append(table)
        elif not mapping.sheets:
            unread += _unread(cells)
    if not tables:
        likely = [_likely(cells, mapping) for cells in sheets if cells.visible]
        tables = [table for table in likely if table is not None][:1]
        if not tables:
            raise UndecodableObject("the Excel workbook has no sheet with a header of two columns or more")
        return tables
    if not any(len(table.lines) for table in tables):
        raise UndecodableObject("the object has a header and no row")
    tables[0].bad.extend(unread)
    return tables


def _named(cells: Cells, mapping: FileMapping) -> bool:
    return mapping.facts_of_sheet(cells.name) is not None


def _headers(cells: Cells, mapping: FileMapping) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a sheet that may be its header: how many rows there are up to it, and its names."""
    if cells.header is not None:
        yield 0, tidied(cells.header)
        return
    if mapping.header is not None:
        yield 0, tidied(mapping.header)
        return
    rows = np.flatnonzero(cells.lines > (mapping.skip_lines or 0))
    for row in rows[: MOST_TITLE_ROWS if mapping.skip_lines is None else 1].tolist():
        names = [column[row].as_py() or "" for column in cells.columns]
        if sum(name.strip() != "" for name in names) >= 2:
            yield row + 1, tidied(names)


def _fitting(cells: Cells, mapping: FileMapping, fits: Fits) -> TextTable | None:
    return next(
        (_table_of(cells, header, first) for first, header in _headers(cells, mapping) if fits(header)), None
    )


def _likely(cells: Cells, mapping: FileMapping) -> TextTable | None:
    """Return the table under the first row that could be a header: who matches it tells what it lacks."""
    rows = list(_headers(cells, mapping))
    if not rows:
        return None
    first, header = max(rows, key=lambda row: sum(map(bool, row[1])))
    return _table_of(cells, header, first)


def _table_of(cells: Cells, header: list[str], first: int) -> TextTable:
    if cells.header is not None and not len(cells.lines):
        raise UndecodableObject("the object has a header and no row")
    below = {}
    if cells.header is None and first < len(cells.lines):
        below = units_of_cells(header, [column[first].as_py() or "" for column in cells.columns])
        first += bool(below) and first + 1 < len(cells.lines)
    named = [(name, i) for i, name in enumerate(distinct_names(header)) if name and i < len(cells.columns)]
    return TextTable(
        {name: cells.columns[i].slice(first) for name, i in named},
        cells.lines[first:],
        [],
        header=tuple(header),
        typed={name: cells.typed[i][first:] for name, i in named if cells.typed[i][first:].any()},
        units=below,
        sheet=cells.name or None,
    )


def _unread(cells: Cells) -> Iterator[BadLine]:
    """Yield the rows of a sheet that is not read."""
    why = "it has no header with our columns, or another name" if cells.visible else "it is hidden"
    reason = f"the sheet {cells.name!r} is not read: {why} (the mapping's `sheets` names those to read)"
    for row, line in enumerate(cells.lines.tolist()):
        yield BadLine(line, reason, row_text(cells.columns, row))


def row_text(columns: Collection[pa.ChunkedArray], row: int, separator: str = ",") -> str:
    """Return what stood in a row, cut where it is long."""
    text = separator.join(column[row].as_py() or "" for column in columns)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
