"""One partition: the decoded objects of a factory's month into native, hour and day tables, every row accounted for."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from fems.book import Book
from fems.errors import LostRows
from fems.process import abnormal, aggregate, flags, grid, missing, register
from fems.raw.decode import DecodedObject, Source, quarantine_frame

GRAINS = ("native", "hour", "day")
LONGEST_SPREAD_MINUTES = 24 * 60
ROW_COUNTS = ("read", "published", "quarantined", "duplicate")


@dataclass(frozen=True)
class Partition:
    """A processed month, not yet published.

    Attributes:
        tables: grain -> table (see design: columns).
        quarantine: rows that cannot be used: object, etag, day, line, reason, text.
        days: local day -> counts: read, published, quarantined, duplicate, and grid cells by flag.
    """

    tables: dict[str, pa.Table]
    quarantine: pd.DataFrame
    days: dict[date, dict[str, int]]


def process(objects: list[DecodedObject], source: Source, first: date, last: date) -> Partition:
    """Process the days from `first` to `last` (both in), looking back as many days as the book says.

    Args:
        objects: the decoded raw objects of these days and of the lookback, ordered by key.
        source: the factory's feed: registry and book.
        first: first local day that is published.
        last: last local day.

    Raises:
        LostRows: rows read are not rows published, quarantined and dropped. A bug; nothing may be published.
    """
    book = source.book
    begin = max(min([first, *(d.raw.day for d in objects)]), first - timedelta(days=book.lookback_days))
    objects = [d for d in objects if begin <= d.raw.day <= last]
    starts, day = grid.grid_axis(begin, last, source.zone, source.grain_minutes)
    placed_grid, placed = grid.place(objects, starts, day, len(source.sensors), len(book.columns))
    values, original = _judge_and_fill(placed_grid, source)

    objects_out, days = _account(objects, placed, first, last)
    window = slice(int(np.searchsorted(day, (first - begin).days)), len(starts))
    marks = flags.cell_flags(placed_grid.states, original, values)[:, window]
    _count_flags(days, marks[:, :, placed_grid.supplied], day[window], first)
    tables = _tables(values[:, window], marks, starts[window], day[window], placed_grid.supplied, source)
    return Partition(tables, quarantine_frame(objects_out), days)


def _judge_and_fill(placed: grid.Grid, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Apply the book column by column; return the values and which of them are still as read."""
    values = placed.values
    original = ~np.isnan(values)
    rated = np.array([np.nan if s.rated_kw is None else s.rated_kw for s in source.sensors])
    cumulative = source.plant.mapping(source.factory_id, source.feed).cumulative
    for j, (name, column) in enumerate(source.book.columns.items()):
        series = np.ascontiguousarray(values[:, :, j])
        upper = abnormal.upper_limits(column, rated, source.grain_minutes)
        if name in cumulative:
            modulus = cumulative[name]
            for s in range(len(series)):
                limit = upper[s] if np.isfinite(upper[s]) else modulus / 2
                series[s], spread, dropped = register.energy_from_register(
                    series[s], modulus, limit, LONGEST_SPREAD_MINUTES // source.grain_minutes
                )
                original[s, :, j] &= ~spread & ~dropped & ~np.isnan(series[s])
        usual = abnormal.usual_levels(series)
        bad = abnormal.outside_limits(series, column, upper, usual)
        bad |= abnormal.stuck(np.where(bad, np.nan, series), column, usual, source.grain_minutes)
        series[bad] = np.nan
        original[:, :, j] &= ~bad
        missing.fill_gaps(series, placed.day, column.fill, source.grain_minutes)
        values[:, :, j] = series
    return values, original


def _account(
    objects: list[DecodedObject], placed: grid.Placed, first: date, last: date
) -> tuple[list[DecodedObject], dict[date, dict[str, int]]]:
    """Count what became of every row of the published days, and check that none is lost."""
    mine: list[DecodedObject] = []
    days = {first + timedelta(days=i): dict.fromkeys(ROW_COUNTS, 0) for i in range((last - first).days + 1)}
    for i, decoded in enumerate(objects):
        if not first <= decoded.raw.day <= last:
            continue
        bad = sorted([*decoded.quarantined, *placed.conflicting.get(i, [])], key=lambda b: b.line)
        mine.append(replace(decoded, quarantined=bad))
        quarantined = 0 if decoded.undecodable else len(bad)
        accounted = int(placed.published[i]) + int(placed.duplicate[i]) + quarantined
        if accounted != decoded.read:
            raise LostRows(
                f"{decoded.raw.key}: {decoded.read} rows read, {accounted} accounted for; nothing is published"
            )
        count = days[decoded.raw.day]
        count["read"] += decoded.read
        count["published"] += int(placed.published[i])
        count["duplicate"] += int(placed.duplicate[i])
        count["quarantined"] += quarantined
    return mine, days


def _count_flags(days: dict[date, dict[str, int]], marks: np.ndarray, day: np.ndarray, first: date) -> None:
    """Add to each day how many of its cells bear each flag."""
    begin = np.flatnonzero(np.diff(day, prepend=day[0] - 1)) if len(day) else np.empty(0, np.int64)
    for position, name in enumerate(flags.FLAGS):
        hits = (marks == position).sum(axis=(0, 2))
        for i, total in enumerate(np.add.reduceat(hits, begin)):
            days[first + timedelta(days=i)][f"cells_{name}"] = int(total)


def _tables(
    values: np.ndarray,
    marks: np.ndarray,
    starts: np.ndarray,
    day: np.ndarray,
    supplied: np.ndarray,
    source: Source,
) -> dict[str, pa.Table]:
    """Lay out the three tables, ordered by sensor and time."""
    book = source.book
    sensors, steps, _ = values.shape
    names = list(book.columns)
    used = [name for name, there in zip(names, supplied, strict=True) if there]
    flag, detail = flags.flag_columns(marks[:, :, supplied].reshape(sensors * steps, -1), used)
    columns = {name: values[:, :, j].reshape(-1) for j, name in enumerate(names)}
    native = _layout(starts, columns, source, {"flag": flag, "flag_columns": detail})
    estimated = (marks[:, :, 0] >= 2) & ~np.isnan(values[:, :, 0])
    tables = {"native": native}
    hour = _local_hours(starts, source.zone)
    for grain, group in (("hour", hour), ("day", day)):
        summed = aggregate.aggregate(values, estimated, starts, group, book)
        shares = {"coverage_pct": summed.coverage_pct, "estimated_pct": summed.estimated_pct}
        flat = {name: array.reshape(-1) for name, array in (summed.columns | shares).items()}
        tables[grain] = _layout(summed.starts, flat, source, {})
    return tables


def _local_hours(starts: np.ndarray, zone: str) -> np.ndarray:
    """Number the local hours of the axis, rising; an hour that the clocks repeat counts twice."""
    local = pd.DatetimeIndex(starts.astype("datetime64[s]"), tz="UTC").tz_convert(zone)
    hour = local.hour.to_numpy()
    offset = local.tz_localize(None).as_unit("s").asi8 - starts
    return np.cumsum(np.diff(hour, prepend=hour[:1]) != 0) + np.cumsum(
        np.diff(offset, prepend=offset[:1]) != 0
    )


def _layout(
    starts: np.ndarray, columns: dict[str, np.ndarray], source: Source, extra: dict[str, pa.Array]
) -> pa.Table:
    sensors, steps = len(source.sensors), len(starts)
    times = np.tile(starts * 1_000_000, sensors)
    sensor = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(sensors, dtype=np.int16), steps)), [s.sensor_id for s in source.sensors]
    )
    factory = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(sensors * steps, np.int8)), [source.factory_id]
    )
    arrays: dict[str, pa.Array] = {
        "timestamp": pa.array(times).cast(pa.timestamp("us", tz=source.zone)),
        "factory_id": factory,
        "sensor_id": sensor,
        **{name: pa.array(array, from_pandas=True) for name, array in columns.items()},
        **extra,
    }
    return pa.table(arrays, schema=_schema(source.book, arrays))


def _schema(book: Book, arrays: dict[str, pa.Array]) -> pa.Schema:
    """Describe each column in the Parquet schema itself: unit and meaning."""
    meaning = {
        "timestamp": ("start of the interval", ""),
        "coverage_pct": ("share of the interval that has a value", "%"),
        "estimated_pct": ("share of the interval whose value was replaced or filled", "%"),
        "flag": ("what became of the row: " + ", ".join(flags.FLAGS), ""),
        "flag_columns": ("the columns that the flag concerns", ""),
    }
    for column in book.columns.values():
        for target in column.aggregate:
            meaning[target] = (column.description, column.unit)
    fields = []
    for name, array in arrays.items():
        text, unit = meaning.get(name, ("", ""))
        fields.append(pa.field(name, array.type, metadata={"description": text, "unit": unit}))
    return pa.schema(fields)
