"""Wide files, a column a sensor, into the long form that everything else expects."""

import numpy as np
import pyarrow as pa

from fems.errors import UndecodableObject
from fems.raw.text import TextTable
from fems.registry.plant import FileMapping


def to_long(table: TextTable, mapping: FileMapping) -> TextTable:
    """Turn a row a time into a row a time and sensor.

    A row of the file becomes as many rows as `mapping.wide` names sensors, all with its line number.

    Raises:
        UndecodableObject: a header that the mapping names is not in the file.
    """
    by_sensor: dict[str, dict[str, str]] = {}
    for header, target in mapping.wide.items():
        if header not in table.columns:
            raise UndecodableObject(f"the header has no column {header!r}, which the mapping names")
        sensor, column = target.split("/")
        by_sensor.setdefault(sensor, {})[column] = header
    n, times = len(table.lines), len(by_sensor)
    columns = {
        name: pa.chunked_array(column.chunks * times, column.type)
        for name, column in table.columns.items()
        if name not in mapping.wide
    }
    codes = pa.array(np.repeat(np.arange(times, dtype=np.int32), n))
    ids = pa.DictionaryArray.from_arrays(codes, pa.array(list(by_sensor), pa.string()))
    columns["sensor_id"] = pa.chunked_array([ids])
    nothing = pa.chunked_array([pa.repeat(pa.scalar(""), n)])
    for name in dict.fromkeys(column for headers in by_sensor.values() for column in headers):
        parts = [table.columns[h[name]] if name in h else nothing for h in by_sensor.values()]
        chunks = [chunk for part in parts for chunk in part.cast(pa.string()).chunks]
        columns[name] = pa.chunked_array(chunks, pa.string())
    return TextTable(columns, np.tile(table.lines, times), table.bad, table.decimal)
