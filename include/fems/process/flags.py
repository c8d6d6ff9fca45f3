"""What became of each value, as text that a table can carry."""

import numpy as np
import pyarrow as pa

from fems.raw.numbers import ABSENT, EMPTY, MEASURED, RETYPED

FLAGS = ("measured", "retyped", "replaced", "filled", "missing")
"""Ordered by how far a value is from what the meter said; a row's flag is the furthest of its values'."""

_MEASURED, _RETYPED, _REPLACED, _FILLED, _MISSING = range(5)


def cell_flags(states: np.ndarray, original: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Flag each cell.

    Args:
        states: uint8, any shape, what decoding made of the cell.
        original: bool, same shape, the value is still the one that was read.
        values: float64, same shape, after processing.

    Returns:
        uint8, same shape, positions in FLAGS.
    """
    nothing_written = (states == EMPTY) | (states == ABSENT)
    changed = np.where(nothing_written, _FILLED, _REPLACED)
    read = np.where(states == RETYPED, _RETYPED, _MEASURED)
    flags = np.where(original & ((states == MEASURED) | (states == RETYPED)), read, changed)
    return np.where(np.isnan(values), _MISSING, flags).astype(np.uint8)


def flag_columns(flags: np.ndarray, names: list[str]) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    """Return each row's flag, and which columns are concerned and how ("used_kwh=filled;current_a=filled").

    Args:
        flags: uint8, (rows, columns), of the supplied columns only.
        names: their names.
    """
    row = flags.max(axis=1) if len(names) else np.zeros(len(flags), np.uint8)
    code = flags.astype(np.int64) @ (len(FLAGS) ** np.arange(len(names)))
    found, inverse = np.unique(code, return_inverse=True)
    texts = []
    for value in found:
        parts = [(int(value) // len(FLAGS) ** j) % len(FLAGS) for j in range(len(names))]
        texts.append(";".join(f"{n}={FLAGS[p]}" for n, p in zip(names, parts, strict=True) if p))
    return (
        pa.DictionaryArray.from_arrays(pa.array(row.astype(np.int8)), list(FLAGS)),
        pa.DictionaryArray.from_arrays(pa.array(inverse.astype(np.int16)), texts),
    )
