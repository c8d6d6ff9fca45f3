"""How good a month's data is, in figures that a person can follow.

The score of a day, a column or a sensor is the share of its values that stand as the meter measured them (measured, or
retyped: the same number, written better), in %.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems.process.flags import FLAGS
from fems.process.metadata import added, shares

AS_MEASURED = ("measured", "retyped")


def score(counts: dict[str, int]) -> float | None:
    """Return the share of values that stand as measured, in %; None where there is no value at all.

    Args:
        counts: `cells_<flag>` -> number of values.
    """
    cells = sum(counts.get(f"cells_{flag}", 0) for flag in FLAGS)
    good = sum(counts.get(f"cells_{flag}", 0) for flag in AS_MEASURED)
    return round(100 * good / cells, 3) if cells else None


def column_counts(native: pa.Table) -> dict[str, dict[str, int]]:
    """Count each column's values by flag, of the columns that have any value.

    Args:
        native: the published native table.
    """
    texts = pc.value_counts(native["flag_columns"].combine_chunks()).to_pylist()
    columns = [field.name for field in native.schema if pa.types.is_floating(field.type)]
    by_column = {}
    for column in columns:
        if native[column].null_count == len(native):
            continue
        counts = dict.fromkeys((f"cells_{flag}" for flag in FLAGS), 0)
        for each in texts:
            flags = dict(part.split("=") for part in (each["values"] or "").split(";") if part)
            counts[f"cells_{flags.get(column, FLAGS[0])}"] += each["counts"]
        by_column[column] = counts
    return by_column


def scores(manifest: dict[str, Any], native: pa.Table) -> dict[str, Any]:
    """Return a month's scores.

    Args:
        manifest: of the partition.
        native: its native table.

    Returns:
        score; days, columns and sensors: name -> score and shares in %.
    """

    def table(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, Any]]:
        return {name: {"score": score(each), **shares(each)} for name, each in counts.items()}

    return {
        "score": score(added(list(manifest["days"].values()))),
        "days": table(manifest["days"]),
        "columns": table(column_counts(native)),
        "sensors": table(manifest["sensors"]),
    }


def trend(values: list[float | None]) -> float | None:
    """Return by how much the last value is above the median of up to six before it; None with fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return round(known[-1] - float(np.median(known[-7:-1])), 3)
