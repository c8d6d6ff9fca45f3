"""Bytes of a raw object into a table of text columns, with the line number of every row."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from fems.errors import UndecodableObject
from fems.plant import FileMapping

_SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "gzip-compressed",
    b"PAR1": "a Parquet file",
}


@dataclass(frozen=True)
class BadLine:
    """A line that has no place in the table."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class TextTable:
    """Columns of text as they stood in the file.

    Attributes:
        columns: header (as written, trimmed) -> text column, n rows.
        lines: int32, n: the line in the file, the header's being 1.
        bad: lines with another number of fields than the header.
    """

    columns: dict[str, pa.ChunkedArray]
    lines: np.ndarray
    bad: list[BadLine]


def decode_text(data: bytes, encodings: tuple[str, ...]) -> str:
    """Decode a raw object's bytes, trying the encodings in order.

    Raises:
        UndecodableObject: empty, binary, or in none of the encodings; says which.
    """
    if not data.strip():
        raise UndecodableObject("the object is empty")
    for signature, what in _SIGNATURES.items():
        if data.startswith(signature):
            raise UndecodableObject(f"the object is {what}, not a CSV file")
    if b"\x00" in data:
        raise UndecodableObject("the object is binary, not text")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UndecodableObject(f"the object is not text in any of: {', '.join(encodings)}")


def read_table(data: bytes, mapping: FileMapping) -> TextTable:
    """Read a delimited file.

    Blank lines count as lines and not as rows.

    Raises:
        UndecodableObject: no table can be made of it.
    """
    text = decode_text(data, mapping.encodings)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()  # a newline at the end begins no line
    if "" in lines or any(map(str.isspace, lines)):
        filled = np.flatnonzero(np.array([bool(line.strip()) for line in lines])) + 1
    else:
        filled = np.arange(1, len(lines) + 1)
    if not len(filled):
        raise UndecodableObject("the object is empty")
    header = [name.strip().strip('"').strip() for name in lines[filled[0] - 1].split(mapping.delimiter)]
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise UndecodableObject(f"the header has the column {twice!r} twice")
    if len(filled) == 1:
        raise UndecodableObject("the object has a header and no row")

    body, numbers = text, filled[1:]
    if len(filled) != len(lines):
        body = "\n".join(lines[i - 1] for i in filled)
    bad: list[BadLine] = []

    def note(row: pacsv.InvalidRow) -> str:
        # the reader counts the header as row 1 and knows no blank lines: they are gone from `body`
        line = int(filled[row.number - 1])
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        bad.append(BadLine(line, reason, row.text))
        return "skip"

    try:
        table = pacsv.read_csv(
            pa.py_buffer(body.encode()),
            read_options=pacsv.ReadOptions(use_threads=False, column_names=header, skip_rows=1),
            parse_options=pacsv.ParseOptions(
                delimiter=mapping.delimiter,
                invalid_row_handler=note,
                quote_char='"',
                newlines_in_values=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise UndecodableObject(f"the object is not a table: {error}") from error
    kept = np.setdiff1d(numbers, np.array([b.line for b in bad], dtype=np.int64), assume_unique=True)
    if len(kept) != table.num_rows:
        raise UndecodableObject("a quoted field runs over lines; the rows cannot be told apart")
    return TextTable({name: table[name] for name in header}, kept.astype(np.int32), bad)
