"""What stood in the cells whose value is another one now, so that each can be found again."""

import numpy as np
import pyarrow as pa

from fems.contracts.manifest import FLAGS
from fems.process.grid import Placed
from fems.process.judge import CAUSES
from fems.raw.numbers import ABSENT, EMPTY, WRONG
from fems.registry.feed import FactoryFeed

SCHEMA = pa.schema(
    {
        "timestamp": pa.timestamp("us", tz="UTC"),
        "sensor_id": pa.string(),
        "column": pa.string(),
        "flag": pa.string(),
        "cause": pa.string(),
        "original": pa.string(),
        "value": pa.float64(),
        "object": pa.string(),
        "etag": pa.string(),
        "line": pa.int32(),
    }
)


def originals(
    marks: np.ndarray,
    cause: np.ndarray,
    states: np.ndarray,
    values: np.ndarray,
    standing: np.ndarray,
    starts: np.ndarray,
    placed: Placed,
    source: FactoryFeed,
) -> pa.Table:
    """List every value that was read and is published otherwise: retyped, replaced, or missing now.

    Args:
        marks: uint8, (C, S, T): flags.
        cause: uint8, (C, S, T): the rule that was broken.
        states: uint8, (C, S, T): what decoding made of the cell.
        values: float64, (C, S, T): as published.
        standing: int32, (S, T): the row that stands in each place.
        starts: int64, T: UTC seconds.
        placed: the rows.
        source: names of sensors and columns.

    Returns:
        One row a value, ordered by column, sensor and time (see SCHEMA).
    """
    written = (states != ABSENT) & (states != EMPTY)
    cells = np.flatnonzero((marks > 0) & written)
    if not len(cells):
        return SCHEMA.empty_table()
    column, sensor, step = np.unravel_index(cells, marks.shape)
    row = standing[sensor, step]
    rows = placed.rows
    texts = _odd_texts(placed, row, column)
    state, why = states.reshape(-1)[cells], cause.reshape(-1)[cells]
    numbers = rows.values[column, row]
    original = [
        odd if odd is not None else repr(number) for odd, number in zip(texts, numbers.tolist(), strict=True)
    ]
    reason = [
        "not a number" if s == WRONG else CAUSES[w] for s, w in zip(state.tolist(), why.tolist(), strict=True)
    ]
    names = [rows.objects[i].raw for i in rows.owner[row].tolist()]
    columns, sensors = list(source.book.columns), [s.sensor_id for s in source.sensors]
    data = {
        "timestamp": pa.array(starts[step] * 1_000_000).cast(SCHEMA.field("timestamp").type),
        "sensor_id": [sensors[i] for i in sensor],
        "column": [columns[i] for i in column],
        "flag": [FLAGS[i] for i in marks.reshape(-1)[cells]],
        "cause": reason,
        "original": original,
        "value": pa.array(values.reshape(-1)[cells], from_pandas=True),
        "object": [raw.key for raw in names],
        "etag": [raw.etag for raw in names],
        "line": rows.lines[row],
    }
    return pa.table(data, schema=SCHEMA)


def _odd_texts(placed: Placed, row: np.ndarray, column: np.ndarray) -> list[str | None]:
    """Return what stood in each of some cells if it was no plain number, None otherwise."""
    rows = placed.rows
    odd_texts: dict[tuple[int, int, int], str] = {}
    for i in np.unique(rows.owner[row]).tolist():
        odd = rows.objects[i].odd
        keys = zip([i] * len(odd.texts), odd.rows.tolist(), odd.columns.tolist(), strict=True)
        odd_texts.update(zip(keys, odd.texts, strict=True))
    wanted = zip(rows.owner[row].tolist(), rows.place[row].tolist(), column.tolist(), strict=True)
    return [odd_texts.get(key) for key in wanted]
