"""Wide files, a column a sensor, into the long form that everything else expects."""

import numpy as np
import pyarrow as pa

from fems.errors import UndecodableObject
from fems.plant import FileMapping
from fems.raw.text import TextTable


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
    shared = {name: c for name, c in table.columns.items() if name not in mapping.wide}
    n, times = len(table.lines), len(by_sensor)
    columns = {name: pa.chunked_array(column.chunks * times, pa.string()) for name, column in shared.items()}
    columns["sensor_id"] = pa.chunked_array([pa.array(np.repeat(list(by_sensor), n).tolist(), pa.string())])
    nothing = pa.chunked_array([pa.array([""] * n, pa.string())])
    for name in dict.fromkeys(column for headers in by_sensor.values() for column in headers):
        parts = [table.columns[h[name]] if name in h else nothing for h in by_sensor.values()]
        columns[name] = pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())
    return TextTable(columns, np.tile(table.lines, times), table.bad)
