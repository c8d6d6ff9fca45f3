"""What files come in: gzip opened; Excel workbooks and Parquet files into columns of text."""

import datetime as dt
import io
import re
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from fems.errors import UndecodableObject

LARGEST = 1 << 30
"""Bytes to which an object may unfold."""
_RATIO, _ALWAYS_ALLOWED = 200, 64 << 20  # a small file of one repeated line is no bomb
_CELLS = 20_000_000  # the workbook reader holds a sheet's whole rectangle, the empty cells too
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_VALUE_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*(?<!/)>')


@dataclass(frozen=True)
class Cells:
    """A table as it stood in its container.

    Attributes:
        header: as written.
        columns: text or dictionary-encoded text, one for each header, n rows.
        lines: int32, n: the row in the file, counted from 1.
    """

    header: list[str]
    columns: list[pa.ChunkedArray]
    lines: np.ndarray


def _allowed(packed: int) -> int:
    return min(LARGEST, max(_ALWAYS_ALLOWED, _RATIO * packed))


def _refuse_bomb(what: str, unpacked: int, packed: int) -> None:
    if unpacked > _allowed(packed):
        raise UndecodableObject(
            f"{what} of {packed:,} bytes unfolds to more than {_allowed(packed):,} bytes: refused"
        )


def unzipped(data: bytes) -> bytes:
    """Open a gzip-compressed object, of one or several members; return anything else as it is.

    Raises:
        UndecodableObject: broken, cut short, gzip within gzip, or unfolding to more than is sound.
    """
    if not data.startswith(_GZIP):
        return data
    parts: list[bytes] = []
    size, rest = 0, data
    while rest.startswith(_GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, _allowed(len(data)) - size + 1)
        except zlib.error as error:
            raise UndecodableObject(f"the gzip object is broken: {error}") from error
        size += len(part)
        _refuse_bomb("the gzip object", size, len(data))
        if not member.eof:
            raise UndecodableObject("the gzip object is cut short")
        parts.append(part)
        rest = member.unused_data.lstrip(b"\0")
    if rest:
        raise UndecodableObject("the gzip object has other bytes behind its end")
    unfolded = parts[0] if len(parts) == 1 else b"".join(parts)
    if unfolded.startswith(_GZIP):
        raise UndecodableObject("the object is gzip within gzip")
    return unfolded


def is_container(data: bytes) -> bool:
    """Whether these are the bytes of an Excel workbook or a Parquet file."""
    return data.startswith((_ZIP, _PARQUET))


def read_container(data: bytes, skip_lines: int) -> Cells | None:
    """Read an Excel workbook or a Parquet file; None for any other kind of object.

    Args:
        data: the object.
        skip_lines: workbooks only: rows of title above the header.

    Raises:
        UndecodableObject: a ZIP that is no .xlsx, broken, without a table, nested, or too large.
    """
    if data.startswith(_ZIP):
        return _read_workbook(data, skip_lines)
    return _read_parquet(data) if data.startswith(_PARQUET) else None


def _read_workbook(data: bytes, skip_lines: int) -> Cells:
    _check_workbook(data)
    try:
        with CalamineWorkbook.from_object(io.BytesIO(data)) as book:
            for about in book.sheets_metadata:
                if about.typ == SheetTypeEnum.WorkSheet and about.visible == SheetVisibleEnum.Visible:
                    cells = _cells_of(book.get_sheet_by_name(about.name), skip_lines)
                    if cells is not None:
                        return cells
    except (KeyboardInterrupt, SystemExit):
        raise
    except (
        BaseException
    ) as error:  # a panic of the reader is no Exception, and one object's fault all the same
        raise UndecodableObject(f"the Excel workbook cannot be read: {error}") from error
    raise UndecodableObject("the Excel workbook has no sheet with a header of two columns or more")


def _check_workbook(data: bytes) -> None:
    """Refuse what is no .xlsx, and what would need too much memory, before the reader sees it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
            if "xl/workbook.bin" in names:
                raise UndecodableObject("the object is a binary Excel workbook (.xlsb): save it as .xlsx")
            if "xl/workbook.xml" not in names:
                raise UndecodableObject("the object is a ZIP archive, not an Excel workbook (.xlsx)")
            _refuse_bomb("the Excel workbook", sum(member.file_size for member in members), len(data))
            for member in members:
                if member.filename.startswith("xl/worksheets/"):
                    _check_extent(archive.read(member))
    except UndecodableObject:
        raise
    except Exception as error:  # zipfile answers broken bytes with a dozen types
        raise UndecodableObject(
            f"the object is a ZIP archive that is broken or cut short: {error}"
        ) from error


def _check_extent(sheet: bytes) -> None:
    columns, rows = set(), set()
    for column, row in _VALUE_CELL.findall(sheet):
        columns.add(column)
        rows.add(row)
    places = [sum((byte - 64) * 26**i for i, byte in enumerate(reversed(name))) for name in columns]
    heights = [int(row) for row in rows]
    if places and (max(places) - min(places) + 1) * (max(heights) - min(heights) + 1) > _CELLS:
        raise UndecodableObject(f"a sheet of the Excel workbook spans more than {_CELLS:,} cells")


def _cells_of(sheet: CalamineSheet, skip_lines: int) -> Cells | None:
    """Take a sheet apart; None if its first row that is not empty names no two columns."""
    header: list[str] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, row in enumerate(sheet.iter_rows(), start=1):
        if line <= skip_lines or all(value == "" for value in row):
            continue
        texts = [_cell_text(value) for value in row]
        if header:
            lines.append(line)
            rows.append(texts)
        elif sum(text.strip() != "" for text in texts) < 2:
            return None
        else:
            header = texts
    columns = [pa.chunked_array([pa.array(column, pa.string())]) for column in zip(*rows, strict=True)]
    return Cells(header, columns, np.array(lines, np.int32)) if header else None


def _cell_text(value: object) -> str:
    """Write a cell without loss: whole numbers without a point, times as ISO 8601."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(value // dt.timedelta(seconds=1), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return str(value)


def _read_parquet(data: bytes) -> Cells:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        about, schema = file.metadata, file.schema_arrow
        unfolded = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        # pages say little of the size of what they repeat, so the cells count as well
        unfolded = max(unfolded, about.num_rows * len(schema) * 8)
        if unfolded > LARGEST:
            raise UndecodableObject(f"the Parquet file unfolds to more than {LARGEST:,} bytes: refused")
        nested = next((field for field in schema if pa.types.is_nested(field.type)), None)
        if nested is not None:
            raise UndecodableObject(
                f"the column {nested.name!r} of the Parquet file is nested ({nested.type})"
            )
        table = file.read(use_threads=False)
        columns = [_column_text(column) for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise UndecodableObject(f"the Parquet file cannot be read: {error}") from error
    return Cells(list(table.column_names), columns, np.arange(2, table.num_rows + 2, dtype=np.int32))


def _column_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        return _column_text(column).dictionary_encode()
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    elif pa.types.is_timestamp(kind):
        if kind.tz is not None:
            column = column.cast(pa.timestamp(kind.unit, "UTC"))  # written with Z
        with suppress(pa.ArrowInvalid):  # raised where it holds fractions of a second: then they are written
            column = column.cast(pa.timestamp("s", column.type.tz))
    elif pa.types.is_null(kind):
        return pa.chunked_array([pa.repeat(pa.scalar(""), len(column))])
    return pc.fill_null(column.cast(pa.string()), "")
