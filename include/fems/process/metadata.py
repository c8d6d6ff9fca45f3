"""What a partition says of itself: the metadata in its manifest, in its Parquet files and on a person's screen."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems.process.flags import FLAGS
from fems.process.partition import Partition, row_totals
from fems.registry.feed import FactoryFeed


def shares(counts: dict[str, int]) -> dict[str, float | None]:
    """Return the shares that a person asks for, in % of the cells; None where there is no cell.

    Args:
        counts: `cells_<flag>` -> number of cells.
    """
    cells = sum(counts.get(f"cells_{flag}", 0) for flag in FLAGS)

    def share(*of: str) -> float | None:
        return round(100 * sum(counts.get(f"cells_{flag}", 0) for flag in of) / cells, 4) if cells else None

    return {
        "coverage_pct": share("measured", "retyped", "replaced", "filled"),
        "retyped_pct": share("retyped"),
        "replaced_pct": share("replaced"),
        "filled_pct": share("filled"),
    }


def added(counts: list[dict[str, int]]) -> dict[str, int]:
    """Return some counts by flag, added up."""
    return {f"cells_{flag}": sum(each.get(f"cells_{flag}", 0) for each in counts) for flag in FLAGS}


def describe(partition: Partition, source: FactoryFeed) -> dict[str, Any]:
    """Return a partition's own figures: it holds no clock, so that rebuilding gives the same bytes.

    Returns:
        rows: counts. days: the same per day, with cells by flag. cells, shares: over all. sensors: per sensor.
        laws_not_applied: laws between columns that a sensor does not keep at all. off_levels: levels that are off by
        the factor of a unit. causes: how many values were taken
        out, by rule. columns: unit, Korean name, range and sum of each. time_range: first interval's start and last
        interval's end, UTC. empty: whether no row could be used.
    """
    native, book = partition.tables["native"], source.book
    cells = added(list(partition.days.values()))
    why = partition.originals["cause"].combine_chunks().value_counts().to_pylist()
    return {
        "rows": row_totals(partition.days),
        "empty": not any(day["published"] for day in partition.days.values()),
        "days": {day.isoformat(): counts for day, counts in sorted(partition.days.items())},
        "cells": cells,
        "shares": shares(cells),
        "sensors": {sensor: counts | shares(counts) for sensor, counts in partition.sensors.items()},
        "laws_not_applied": [{"law": law, "sensor": sensor} for law, sensor in partition.suspended],
        "off_levels": partition.off_levels,
        "causes": {each["values"]: each["counts"] for each in why if each["values"]},
        "columns": {
            name: {"name_ko": column.name_ko, "unit": column.unit, **_range(native[name])}
            for name, column in book.columns.items()
        },
        "time_range": _time_range(native, source.grain_minutes),
    }


def _range(column: pa.ChunkedArray) -> dict[str, float | None]:
    found = pc.min_max(column).as_py()
    return {"min": found["min"], "max": found["max"], "sum": pc.sum(column).as_py()}


def _time_range(native: pa.Table, grain_minutes: int) -> dict[str, str] | None:
    times = native["timestamp"].cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()).to_numpy()
    if not len(times):
        return None
    bounds = int(np.min(times)), int(np.max(times)) + 60 * grain_minutes
    begin, end = (datetime.fromtimestamp(second, UTC).isoformat() for second in bounds)
    return {"start": begin, "end": end}
