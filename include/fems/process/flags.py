"""What became of each value, as text that a table can carry."""

import numpy as np
import pyarrow as pa

from fems.contracts.manifest import FLAGS
from fems.raw.numbers import ABSENT, EMPTY, RETYPED

_MEASURED, _RETYPED, _REPLACED, _FILLED, _MISSING = range(5)


def cell_flags(states: np.ndarray, estimated: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Flag each cell.

    Args:
        states: uint8, any shape, what decoding made of the cell.
        estimated: bool, same shape, the value is not the one that was read.
        values: float64, same shape, after processing.

    Returns:
        uint8, same shape, positions in FLAGS.
    """
    flags = np.zeros(states.shape, np.uint8)
    flags[states == RETYPED] = _RETYPED
    cells = np.flatnonzero(estimated)
    if len(cells):
        state = states.reshape(-1)[cells]
        nothing_written = (state == EMPTY) | (state == ABSENT)
        changed = np.where(nothing_written, _FILLED, _REPLACED)
        flags.reshape(-1)[cells] = np.where(np.isnan(values.reshape(-1)[cells]), _MISSING, changed)
    return flags


def flag_columns(flags: np.ndarray, names: list[str]) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    """Return each row's flag, and which columns are concerned and how ("used_kwh=filled;current_a=filled").

    Args:
        flags: uint8, (columns, rows), of the supplied columns only.
        names: their names.
    """
    rows = flags.shape[1]
    row = flags.max(axis=0) if len(names) else np.zeros(rows, np.uint8)
    odd = np.flatnonzero(row)
    weight = len(FLAGS) ** np.arange(len(names))
    codes = (flags[:, odd].T.astype(np.int64) * weight).sum(axis=1)
    distinct, inverse = np.unique(codes, return_inverse=True)
    texts = [""]
    for value in distinct:
        parts = [(int(value) // len(FLAGS) ** j) % len(FLAGS) for j in range(len(names))]
        texts.append(";".join(f"{n}={FLAGS[p]}" for n, p in zip(names, parts, strict=True) if p))
    detail = np.zeros(rows, np.int16)
    detail[odd] = inverse + 1
    return (
        pa.DictionaryArray.from_arrays(pa.array(row.astype(np.int8)), list(FLAGS)),
        pa.DictionaryArray.from_arrays(pa.array(detail), texts),
    )
