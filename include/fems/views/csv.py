"""Tables as CSV for people's spreadsheets: no text of it is a formula."""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv


def to_csv(table: pa.Table) -> bytes:
    """Return a table as CSV.

    A spreadsheet takes a text that begins with =, +, -, @, a tab or a line break for a formula, which may call other
    programs; such a text gets an apostrophe before it, which a spreadsheet does not show. Numbers stay numbers.
    """
    columns = [_without_formulas(column) for column in table.columns]
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns, names=table.column_names), sink)
    return bytes(sink.getvalue().to_pybytes())


def _without_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    return pc.replace_substring_regex(column, pattern=r"\A([=+\-@\t\r\n])", replacement=r"'\1")
