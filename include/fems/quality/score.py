"""How good a month's data is, in figures that a person can follow.

The score of a day, a column or a sensor is the share of its values that stand as the meter measured them (measured, or
retyped: the same number, written better), in %.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems.contracts.evaluation import Scored, Scores
from fems.contracts.manifest import FLAGS, CellCounts, Manifest

K = TypeVar("K")


def score(counts: CellCounts) -> float | None:
    """Return the share of values that stand as measured, in %; None where there is no value at all."""
    good = counts.cells_measured + counts.cells_retyped
    return round(100 * good / counts.cells, 3) if counts.cells else None


def column_counts(native: pa.Table) -> dict[str, CellCounts]:
    """Count each column's values by flag, of the columns that have any value.

    Args:
        native: the published native table.
    """
    details = pc.value_counts(native["flag_columns"].combine_chunks()).to_pylist()
    columns = [field.name for field in native.schema if pa.types.is_floating(field.type)]
    by_column = {}
    for column in columns:
        if native[column].null_count == len(native):
            continue
        counts = dict.fromkeys((f"cells_{flag}" for flag in FLAGS), 0)
        for each in details:
            flags = dict(part.split("=") for part in (each["values"] or "").split(";") if part)
            counts[f"cells_{flags.get(column, FLAGS[0])}"] += each["counts"]
        by_column[column] = CellCounts(**counts)
    return by_column


def scores(manifest: Manifest, native: pa.Table) -> Scores:
    """Return a month's scores.

    Args:
        manifest: of the partition.
        native: its native table.
    """
    return Scores(
        score=score(manifest.cells),
        days=_scored(manifest.days),
        columns=_scored(column_counts(native)),
        sensors=_scored(manifest.sensors),
    )


def _scored(counts: Mapping[K, CellCounts]) -> dict[K, Scored]:
    return {name: Scored(score=score(each), **dict(each.shares())) for name, each in counts.items()}


def trend(values: list[float | None]) -> float | None:
    """Return by how much the last value is above the median of up to six before it; None with fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return round(known[-1] - float(np.median(known[-7:-1])), 3)
