"""A partition's own figures: what became of its rows and values, and what is published of each column."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems.contracts.manifest import (
    CellCounts,
    ColumnRange,
    DayCounts,
    LawNotApplied,
    PartitionFigures,
    RowCounts,
    SensorCounts,
    TimeRange,
)
from fems.process.partition import Partition
from fems.registry.feed import FactoryFeed


def figures(partition: Partition, source: FactoryFeed) -> PartitionFigures:
    """Return a partition's own figures: they hold no clock, so that rebuilding gives the same bytes."""
    native, book = partition.tables["native"], source.book
    days = {day: DayCounts(**counts) for day, counts in sorted(partition.days.items())}
    cells = CellCounts.total(days.values())
    rows = RowCounts.total(days.values())
    why = partition.originals["cause"].combine_chunks().value_counts().to_pylist()
    return PartitionFigures(
        rows=rows,
        empty=rows.published == 0,
        days=days,
        cells=cells,
        shares=cells.shares(),
        sensors={
            sensor: SensorCounts(**counts, **dict(CellCounts(**counts).shares()))
            for sensor, counts in partition.sensors.items()
        },
        laws_not_applied=tuple(LawNotApplied(law=law, sensor=sensor) for law, sensor in partition.suspended),
        off_levels=tuple(partition.off_levels),
        register_sums=tuple(partition.register_sums),
        causes={each["values"]: each["counts"] for each in why if each["values"]},
        columns={
            name: _range(native[name], column.name_ko, column.unit) for name, column in book.columns.items()
        },
        time_range=_time_range(native, source.grain_minutes),
    )


def _range(column: pa.ChunkedArray, name_ko: str, unit: str) -> ColumnRange:
    bounds = pc.min_max(column).as_py()
    return ColumnRange(
        name_ko=name_ko, unit=unit, min=bounds["min"], max=bounds["max"], sum=pc.sum(column).as_py()
    )


def _time_range(native: pa.Table, grain_minutes: int) -> TimeRange | None:
    times = native["timestamp"].cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()).to_numpy()
    if not len(times):
        return None
    bounds = int(np.min(times)), int(np.max(times)) + 60 * grain_minutes
    begin, end = (datetime.fromtimestamp(second, UTC) for second in bounds)
    return TimeRange(start=begin, end=end)
