"""Excel workbooks and Parquet files into columns of text. Runs in a process of its own, see `fems.raw.child`."""

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from fems.errors import UndecodableObject
from fems.raw import formats

MOST_COLUMNS = 10_000
LONGEST_CELL = 32_767
"""Characters of a cell, at most: Excel's own limit."""
_CELLS = 20_000_000  # the workbook reader holds a sheet's whole rectangle, the empty cells too
_VALUE_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*(?<!/)>')
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Cells:
    """A table as it stood in its container.

    Attributes:
        name: of the sheet; empty in a Parquet file.
        visible: whether the sheet is.
        header: the names of the columns; None for a sheet, whose header is one of its rows.
        columns: text or dictionary-encoded text, n rows each, no nulls.
        typed: bool, n each: the cell was a number, not a text.
        lines: int32, n: the row in the file, counted from 1.
    """

    name: str
    visible: bool
    header: list[str] | None
    columns: list[pa.ChunkedArray]
    typed: list[np.ndarray]
    lines: np.ndarray


def read_container(data: bytes) -> list[Cells]:
    """Read a workbook, all its sheets, a Parquet file, or else a Green Button file.

    Raises:
        UndecodableObject: a ZIP that is no .xlsx or .ods, broken, without a table, nested, or too large.
    """
    if data.startswith(formats.PARQUET):
        return [_read_parquet(data)]
    if data.startswith(formats.ZIP):
        return list(_read_workbook(data))
    from fems.raw import green_button

    return [green_button.read(data)]


def _read_workbook(data: bytes) -> Iterator[Cells]:
    _check_workbook(data)
    try:
        with CalamineWorkbook.from_object(io.BytesIO(data)) as book:
            for about in book.sheets_metadata:
                if about.typ == SheetTypeEnum.WorkSheet:
                    sheet = book.get_sheet_by_name(about.name)
                    yield _cells_of(sheet, about.name, about.visible == SheetVisibleEnum.Visible)
    except (KeyboardInterrupt, SystemExit, GeneratorExit, UndecodableObject):
        raise
    except (
        BaseException
    ) as error:  # a panic of the reader is no Exception, and one object's fault all the same
        raise UndecodableObject(f"the Excel workbook cannot be read: {error}") from error


def _check_workbook(data: bytes) -> None:
    """Refuse what is no .xlsx or .ods, and what would need too much memory, before the reader sees it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
            if "xl/workbook.bin" in names:
                raise UndecodableObject("the object is a binary Excel workbook (.xlsb): save it as .xlsx")
            formats.refuse_bomb("the Excel workbook", sum(m.file_size for m in members), len(data))
            if "content.xml" in names and _is_open_document(archive):
                return
            if "xl/workbook.xml" not in names:
                raise UndecodableObject("the object is a ZIP archive, not an Excel workbook (.xlsx)")
            for member in members:
                if member.filename.startswith("xl/worksheets/"):
                    _check_extent(archive.read(member))
                elif member.filename == "xl/sharedStrings.xml":
                    _check_strings(archive.read(member))
    except UndecodableObject:
        raise
    except MemoryError:
        raise
    except Exception as error:  # zipfile answers broken bytes with a dozen types
        raise UndecodableObject(
            f"the object is a ZIP archive that is broken or cut short: {error}"
        ) from error


def _is_open_document(archive: zipfile.ZipFile) -> bool:
    """Whether it is a spreadsheet of LibreOffice; what its rows repeat is held to the child's limits alone."""
    return "mimetype" in archive.namelist() and archive.read("mimetype").strip() == _OPEN_DOCUMENT


def _check_strings(shared: bytes) -> None:
    """Refuse a text that no cell of Excel holds: it may stand in a million cells."""
    begins = np.array([match.start() for match in re.finditer(rb"<(?:\w+:)?si\b", shared)] + [len(shared)])
    if (np.diff(begins) > 16 * LONGEST_CELL).any():  # markup and characters of several bytes
        raise UndecodableObject(f"a cell of the Excel workbook has more than {LONGEST_CELL:,} characters")


def _check_extent(sheet: bytes) -> None:
    columns, rows = set(), set()
    for column, row in _VALUE_CELL.findall(sheet):
        columns.add(column)
        rows.add(row)
    places = [sum((byte - 64) * 26**i for i, byte in enumerate(reversed(name))) for name in columns]
    heights = [int(row) for row in rows]
    if places and (max(places) - min(places) + 1) * (max(heights) - min(heights) + 1) > _CELLS:
        raise UndecodableObject(f"a sheet of the Excel workbook spans more than {_CELLS:,} cells")


def _cells_of(sheet: CalamineSheet, name: str, visible: bool) -> Cells:
    """Take a sheet apart; rows without a value are left out."""
    lines: list[int] = []
    rows: list[Sequence[object]] = []
    chunks: list[list[pa.Array]] = []
    masks: list[list[np.ndarray]] = []
    width = 0

    def pack() -> None:
        cells = list(zip(*rows, strict=True))
        chunks.append([pa.array([_cell_text(value) for value in column], pa.string()) for column in cells])
        masks.append([np.array([_is_number(value) for value in column], bool) for column in cells])
        rows.clear()

    for line, row in enumerate(sheet.iter_rows(), start=1):
        width = max(width, len(row))
        if width > MOST_COLUMNS:
            raise UndecodableObject(f"a sheet of the Excel workbook has more than {MOST_COLUMNS:,} columns")
        if all(value == "" for value in row):
            continue
        lines.append(line)
        rows.append(row)
        if len(rows) == _ROWS_AT_ONCE:
            pack()
    if rows:
        pack()
    columns = [pa.chunked_array(list(parts), pa.string()) for parts in zip(*chunks, strict=True)]
    typed = [np.concatenate(parts) for parts in zip(*masks, strict=True)]
    return Cells(name, visible, None, columns, typed, np.array(lines, np.int32))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    text = str(value)
    if len(text) > LONGEST_CELL:
        raise UndecodableObject(f"a cell of the Excel workbook has more than {LONGEST_CELL:,} characters")
    return text


def _read_parquet(data: bytes) -> Cells:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        about, schema = file.metadata, file.schema_arrow
        if len(schema) > MOST_COLUMNS:
            raise UndecodableObject(f"the Parquet file has more than {MOST_COLUMNS:,} columns")
        unfolded = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        # pages say little of the size of what they repeat, so the cells count as well
        unfolded = max(unfolded, about.num_rows * len(schema) * 8)
        if unfolded > formats.LARGEST:
            raise UndecodableObject(
                f"the Parquet file unfolds to more than {formats.LARGEST:,} bytes: refused"
            )
        nested = next((field for field in schema if pa.types.is_nested(field.type)), None)
        if nested is not None:
            raise UndecodableObject(
                f"the column {nested.name!r} of the Parquet file is nested ({nested.type})"
            )
        texts = [f.name for f in schema if _is_text(f.type)]
        # a text that is repeated is held once
        table = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts).read(use_threads=False)
        for column in table.columns:
            _check_texts(column)
        columns = [_column_text(column) for column in table.columns]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UndecodableObject(f"the Parquet file cannot be read: {error}") from error
    n = table.num_rows
    typed = [
        np.full(n, pa.types.is_integer(f.type) or pa.types.is_floating(f.type) or pa.types.is_decimal(f.type))
        for f in schema
    ]
    return Cells("", True, list(table.column_names), columns, typed, np.arange(2, n + 2, dtype=np.int32))


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _check_texts(column: pa.ChunkedArray) -> None:
    """Refuse a column of texts that are long, or come to too much when each is written out."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return
    unfolded = 0
    for chunk in column.chunks:
        if not len(chunk.dictionary):
            continue
        chunk.dictionary.cast(pa.binary()).cast(pa.string())  # raises where the bytes are no text
        lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0).to_numpy(zero_copy_only=False)
        if lengths.max(initial=0) > 4 * LONGEST_CELL:
            raise UndecodableObject(f"a cell of the Parquet file has more than {LONGEST_CELL:,} characters")
        unfolded += int(lengths[chunk.indices.drop_null().to_numpy()].sum())
    if unfolded > formats.LARGEST:
        raise UndecodableObject(f"the Parquet file unfolds to more than {formats.LARGEST:,} bytes: refused")


def _column_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return _column_text(column.cast(kind.value_type))
        return (
            column.cast(pa.dictionary(pa.int32(), pa.string())) if not column.null_count else _filled(column)
        )
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


def _filled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a dictionary-encoded column with the empty text for what is not there."""
    return pc.fill_null(column.cast(pa.string()), "").dictionary_encode()
