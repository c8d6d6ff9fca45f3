"""Workbooks, Parquet and Green Button files of many days into files of the same kind, a day each.

They are cut only after the child process has read them within its limits.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from fems.calendar import day_number
from fems.raw.labels import NO_TIME

_NO_CLOCK = datetime(1980, 1, 1, tzinfo=UTC)
"""When parts say that they were made: the same file gives the same bytes."""


def of_parquet(data: bytes, days: np.ndarray) -> Iterator[tuple[int, bytes]]:
    """Yield a day and its rows, their columns as they were.

    Args:
        data: the file.
        days: int64, n: the day of each row.
    """
    schema = pq.read_schema(pa.BufferReader(data))
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    table = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts).read(use_threads=False)
    for day in np.unique(days).tolist():
        out = io.BytesIO()
        pq.write_table(table.filter(pa.array(days == day)).cast(schema), out)
        yield day, out.getvalue()


def of_workbook(
    data: bytes, days: Mapping[str, np.ndarray], first: Mapping[str, int], wanted: list[int]
) -> Iterator[tuple[int, bytes]]:
    """Yield a day and a workbook with the same sheets, in which the rows of the day stand where they stood.

    A sheet that is not read goes whole into the first day's.

    Args:
        data: the workbook.
        days: sheet that is read -> the day of each of its lines, by number, NO_TIME where there is none.
        first: sheet -> its first row; what stands above it is in every day's.
        wanted: the days.
    """
    with CalamineWorkbook.from_object(io.BytesIO(data)) as book:
        sheets = [
            (about.name, about.visible, list(book.get_sheet_by_name(about.name).iter_rows()))
            for about in book.sheets_metadata
            if about.typ == SheetTypeEnum.WorkSheet
        ]
    only = next(iter(days.values())) if len(days) == 1 and "" in days else None
    for day in wanted:
        parts = []
        for name, visible, rows in sheets:
            known = only if only is not None else days.get(name)
            keep = _lines_of(rows, known, first.get(name, first.get("", 1)), day, wanted[0])
            parts.append((name, visible, [(line, rows[line - 1]) for line in keep]))
        yield day, _workbook(parts)


def _lines_of(rows: list[Any], known: np.ndarray | None, first: int, day: int, earliest: int) -> list[int]:
    """Return the lines of a sheet that a day's workbook has; a line without a day is of the one before it."""
    filled = [line for line, row in enumerate(rows, start=1) if any(value != "" for value in row)]
    if known is None:
        return filled if day == earliest else []
    keep, current = [], earliest
    for line in filled:
        if line < first:
            keep.append(line)
            continue
        if line < len(known) and known[line] != NO_TIME:
            current = int(known[line])
        if current == day:
            keep.append(line)
    return keep


def _workbook(sheets: list[tuple[str, Any, list[tuple[int, list[Any]]]]]) -> bytes:
    """Write a workbook whose bytes depend on its cells alone; a text that begins with = stays a text."""
    import openpyxl
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, visible, rows in sheets:
        sheet = book.create_sheet(name)
        sheet.sheet_state = "visible" if visible == SheetVisibleEnum.Visible else "hidden"
        for line, row in rows:
            for place, value in enumerate(row, start=1):
                if value == "":
                    continue
                cell = sheet.cell(line, place)
                if isinstance(value, str):
                    cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)
                    cell.data_type = "s"
                else:
                    cell.value = value
    if not any(sheet.sheet_state == "visible" for sheet in book.worksheets):
        book.worksheets[0].sheet_state = "visible"
    book.properties.created = book.properties.modified = _NO_CLOCK.replace(tzinfo=None)
    out = io.BytesIO()
    book.save(out)
    return _without_clock(out.getvalue())


def _without_clock(archive: bytes) -> bytes:
    """Write a ZIP archive anew with the same moment on all its members."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                begin, end = content.find(b"<dcterms:modified"), content.find(b"</cp:coreProperties>")
                content = content[:begin] + content[end:] if 0 <= begin < end else content
            new.writestr(zipfile.ZipInfo(name, _NO_CLOCK.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def of_green_button(data: bytes, zone: str, wanted: list[int]) -> Iterator[tuple[int, bytes]]:
    """Yield a day and the feed with the readings of that day alone.

    Args:
        data: the XML.
        zone: of the factory, whose days these are.
        wanted: the days; a reading of another one goes into the first day's.
    """
    from xml.etree.ElementTree import tostring

    from defusedxml.ElementTree import fromstring

    espi = "{http://naesb.org/espi}"
    for day in wanted:
        root = fromstring(data, forbid_dtd=True)
        for block in root.iter(f"{espi}IntervalBlock"):
            for reading in list(block.findall(f"{espi}IntervalReading")):
                start = reading.findtext(f"{espi}timePeriod/{espi}start") or ""
                own = day_number(datetime.fromtimestamp(int(start), ZoneInfo(zone)).date())
                if (own if own in wanted else wanted[0]) != day:
                    block.remove(reading)
        yield day, tostring(root, encoding="utf-8", xml_declaration=True)
