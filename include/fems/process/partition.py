"""One partition: the decoded objects of a factory's month into native, hour and day tables, every row accounted for."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from fems.calendar import day_number, day_of
from fems.contracts.grains import ID_COLUMNS, SHARE_COLUMNS
from fems.contracts.manifest import FLAGS, ROW_COUNTS
from fems.errors import LostRows
from fems.process import aggregate, flags, grid, judge, words
from fems.process.originals import originals
from fems.process.period import without_impossible
from fems.raw.decoded import DecodedObject, quarantine_frame
from fems.raw.numbers import ABSENT, EMPTY
from fems.raw.one_meter import without_mixed_meters
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed


@dataclass(frozen=True)
class Partition:
    """A processed month, not yet published.

    Attributes:
        tables: grain -> table (see design: columns).
        originals: every value that was read and is published otherwise (see `fems.process.originals`).
        quarantine: rows that cannot be used: object, etag, day, line, reason, text.
        days: local day -> counts: read, published, quarantined, duplicate, and grid cells by flag. A row counts on
            the day of its interval; one without a usable time on its object's day.
        sensors: sensor -> grid cells by flag, of all columns.
        late: object key -> local days of which it holds rows besides its own: those before this partition's first, of
            rows that came late, and of a plan those ahead.
        suspended: law between columns and sensor, where the sensor does not keep the law at all.
        read_values: sensor and column -> values that something was written for.
        off_levels: what is off by the factor of a unit, and registers that the mapping does not name or wrongly names,
            in words; their values were taken out.
        register_sums: what registers say over gaps of more than a day, or from before the first one, in words.
        future_from: the first time of the rows that have not come yet; None where there are none.
    """

    tables: dict[str, pa.Table]
    originals: pa.Table
    quarantine: pd.DataFrame
    days: dict[date, dict[str, int]]
    sensors: dict[str, dict[str, int]]
    late: dict[str, list[date]]
    suspended: list[tuple[str, str]]
    read_values: dict[tuple[str, str], int]
    off_levels: list[str]
    register_sums: list[str]
    future_from: datetime | None


def process(
    objects: list[DecodedObject],
    source: FactoryFeed,
    first: date,
    last: date,
    now: datetime | None = None,
) -> Partition:
    """Process the days from `first` to `last` (both in), looking back as many days as the book says.

    Args:
        objects: the decoded raw objects of these days, of the lookback, and of later days that hold late rows of
            these, ordered by key.
        source: the factory's feed: registry and book.
        first: first local day that is published.
        last: last local day.
        now: the time, by which rows of the future are told; None where there are none.

    Raises:
        LostRows: rows read are not rows published, quarantined and dropped. A bug; nothing may be published.
    """
    book = source.book
    objects, future_from = without_impossible(without_mixed_meters(objects, source), source, now)
    begin = max(min([first, *(d.raw.day for d in objects)]), first - timedelta(days=book.lookback_days))
    axis = grid.time_axis(begin, last, source.zone, source.grain_minutes, source.day_begins)
    placed_grid, placed = grid.place(
        objects, axis, len(source.sensors), len(book.columns), newest_counts=book.ahead_days > 0
    )
    since = int(axis.bounds[(first - begin).days])
    window = slice(since, len(axis.starts))
    standing = placed_grid.row[:, window]
    account = _Account(objects, placed, first, last)
    account.check(int((standing >= 0).sum()))

    judged = judge.judge(placed_grid, source)
    values = np.ascontiguousarray(judged.values[:, :, window])
    states = np.ascontiguousarray(placed_grid.states[:, :, window])
    marks = flags.cell_flags(states, np.ascontiguousarray(judged.estimated[:, :, window]), values)
    supplied = placed_grid.supplied
    begins = axis.bounds[(first - begin).days : -1] - since
    _count_flags(account.days, marks[supplied], begins, first)
    starts = axis.starts[window]
    changed = originals(marks, judged.cause[:, :, window], states, values, standing, starts, placed, source)
    groups = {
        "hour": (axis.hours(since), book.min_coverage.hour),
        "day": (begins, book.min_coverage.day),
    }
    made = judged.estimated[:, :, window] & ~judged.known[:, :, window] & ~np.isnan(values)
    known = aggregate.without_mostly_made(values, made, begins)
    tables = _tables(values, known, marks, starts, groups, supplied, source)
    per_sensor = {
        sensor.sensor_id: _flag_counts(marks[supplied, s]) for s, sensor in enumerate(source.sensors)
    }
    quarantine = quarantine_frame(account.quarantined)
    return Partition(
        tables, changed, quarantine, account.days, per_sensor, account.late, judged.suspended,
        _read_values(states, source), words.off_levels(judged, axis.days, first),
        words.register_sums(judged, axis, since, source), future_from,
    )  # fmt: skip


def _read_values(states: np.ndarray, source: FactoryFeed) -> dict[tuple[str, str], int]:
    """Count, by sensor and column, the cells in which something was written; `states`: (C, S, T)."""
    counts = np.count_nonzero((states != ABSENT) & (states != EMPTY), axis=2).tolist()
    return {
        (sensor.sensor_id, name): count
        for name, column in zip(source.book.columns, counts, strict=True)
        for sensor, count in zip(source.sensors, column, strict=True)
    }


def row_totals(days: dict[date, dict[str, int]]) -> dict[str, int]:
    """Return the row counts of some days, added up."""
    return {name: sum(day[name] for day in days.values()) for name in ROW_COUNTS}


class _Account:
    """What became of every row of the published days."""

    def __init__(self, objects: list[DecodedObject], placed: grid.Placed, first: date, last: date) -> None:
        rows = placed.rows
        low, high = day_number(first), day_number(last)
        self.first, self.last = first, last
        day = rows.days - low
        mine = (day >= 0) & (day <= high - low)
        repeated = ~placed.stands & ~placed.conflicting
        width = high - low + 1
        published, duplicate, conflicting = (
            np.bincount(day[mine & which], minlength=width)
            for which in (placed.stands, repeated, placed.conflicting)
        )
        own = [first <= d.raw.day <= last for d in objects]
        bad = np.zeros(width, np.int64)
        for d, is_own in zip(objects, own, strict=True):
            if is_own and not d.undecodable:
                bad[(d.raw.day - first).days] += len(d.quarantined)
        quarantined = conflicting + bad
        read = published + duplicate + quarantined
        counts = zip(read.tolist(), published.tolist(), quarantined.tolist(), duplicate.tolist(), strict=True)
        self.days: dict[date, dict[str, int]] = {
            first + timedelta(days=i): dict(zip(ROW_COUNTS, each, strict=True))
            for i, each in enumerate(counts)
        }
        self.late = {
            d.raw.key: [day_of(n) for n in elsewhere.tolist()]
            for d, is_own in zip(objects, own, strict=True)
            if is_own and len(elsewhere := _days_elsewhere(d, low))
        }
        inside = [int(((d.days >= low) & (d.days <= high)).sum()) for d in objects]
        self._in_objects = sum(
            d.read - len(d.days) + count if is_own else count
            for d, count, is_own in zip(objects, inside, own, strict=True)
        )
        self.quarantined = [d for d, is_own in zip(objects, own, strict=True) if is_own]
        self._add_conflicts(objects, placed, np.flatnonzero(mine & placed.conflicting))

    def _add_conflicts(self, objects: list[DecodedObject], placed: grid.Placed, rows: np.ndarray) -> None:
        """Put the conflicting rows into quarantine on their own day, each day's as an object's share."""
        by_day: dict[tuple[int, int], list[int]] = {}
        for row in rows.tolist():
            by_day.setdefault((int(placed.rows.owner[row]), int(placed.rows.days[row])), []).append(row)
        for (owner, day), some in by_day.items():
            raw = replace(objects[owner].raw, day=day_of(day))
            self.quarantined.append(
                replace(objects[owner], raw=raw, quarantined=[placed.conflict(row) for row in some])
            )

    def check(self, on_grid: int) -> None:
        """Compare the counts with the objects and with the grid itself.

        Raises:
            LostRows: they differ.
        """
        counted = row_totals(self.days)
        if counted["read"] != self._in_objects or counted["published"] != on_grid:
            raise LostRows(
                f"{self.first} to {self.last}: {self._in_objects} rows read, {counted['read']} accounted for; "
                f"{counted['published']} counted as published, {on_grid} on the grid; nothing is published"
            )


def _days_elsewhere(decoded: DecodedObject, low: int) -> np.ndarray:
    """Return the days of which an object holds rows before a partition's first one, or ahead of its own."""
    days = decoded.days
    return np.unique(days[(days < low) | (days > day_number(decoded.raw.day))])


def _flag_counts(marks: np.ndarray) -> dict[str, int]:
    """Count cells by flag."""
    counts = np.bincount(marks.reshape(-1), minlength=len(FLAGS)).tolist()
    return {f"cells_{name}": count for name, count in zip(FLAGS, counts, strict=True)}


def _count_flags(
    days: dict[date, dict[str, int]], marks: np.ndarray, begins: np.ndarray, first: date
) -> None:
    """Add to each day how many of its cells bear each flag."""
    ends = [*begins[1:].tolist(), marks.shape[2]]
    for i, (begin, end) in enumerate(zip(begins.tolist(), ends, strict=True)):
        days[first + timedelta(days=i)] |= _flag_counts(marks[:, :, begin:end])


def _tables(
    values: np.ndarray,
    known: np.ndarray,
    marks: np.ndarray,
    starts: np.ndarray,
    groups: dict[str, tuple[np.ndarray, float]],
    supplied: np.ndarray,
    source: FactoryFeed,
) -> dict[str, pa.Table]:
    """Lay out the three tables, ordered by sensor and time.

    Args:
        values: float64, (C, S, T): of the native table.
        known: the same, as far as hours and days are summed up from it.
        marks: uint8, (C, S, T): flags.
        starts: int64, T: UTC seconds.
        groups: where each hour and day begins, and the least coverage of each.
        supplied: bool, C: whether the files carry the column.
        source: names of sensors and columns.
    """
    book = source.book
    used = [name for name, there in zip(book.columns, supplied, strict=True) if there]
    flag, detail = flags.flag_columns(marks.reshape(len(marks), -1)[supplied], used)
    native = {name: values[j].reshape(-1) for j, name in enumerate(book.columns)}
    tables = {"native": _layout(starts, native, source, {"flag": flag, "flag_columns": detail})}
    estimated = (marks[0] >= 2) & ~np.isnan(known[0])
    for grain, (begin, coverage) in groups.items():
        if not len(begin):  # the hours of shifts and days
            tables[grain] = _layout(begin, dict.fromkeys(_summed_columns(book), np.zeros(0)), source, {})
            continue
        summed = aggregate.aggregate(known, estimated, starts, begin, book, coverage)
        shares = {"coverage_pct": summed.coverage_pct, "estimated_pct": summed.estimated_pct}
        flat = {name: array.reshape(-1) for name, array in (summed.columns | shares).items()}
        tables[grain] = _layout(summed.starts, flat, source, {})
    return tables


def _summed_columns(book: Book) -> list[str]:
    """Return the columns of numbers of an hour's or a day's table, in order."""
    return [name for name, kind in book.table_columns("hour").items() if kind == "number"]


def _layout(
    starts: np.ndarray, columns: dict[str, np.ndarray], source: FactoryFeed, extra: dict[str, pa.Array]
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
        **{name: (text, "") for name, text in ID_COLUMNS.items()},
        **{name: (text, "%") for name, text in SHARE_COLUMNS.items()},
        "flag": ("what became of the row: " + ", ".join(FLAGS), ""),
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
