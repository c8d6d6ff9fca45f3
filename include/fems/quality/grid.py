"""Whether a table has one row per sensor and interval, in order, and no other row."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import changes_by_half_an_hour, local_hour_starts, shift_starts
from fems.quality.table import EXAMPLES, CheckResult, TableView


@dataclass(frozen=True)
class Grid:
    """The intervals that a table has.

    Attributes:
        begin: the first start, ISO 8601.
        end: the end of the last interval.
        minutes: length of an interval; what is longer than an hour keeps the local clock, also where it changes.
        timezone: IANA name.
        day_begins: of shifts and days: minutes after midnight at which a day's first interval begins.
    """

    begin: str
    end: str
    minutes: int
    timezone: str
    day_begins: int = 0

    @property
    def starts(self) -> NDArray[np.int64]:
        """The starts of the intervals, UTC seconds; days are local ones."""
        return _starts(self)


@lru_cache(maxsize=16)
def _starts(grid: Grid) -> NDArray[np.int64]:
    first, last = (pd.Timestamp(each).tz_convert(grid.timezone) for each in (grid.begin, grid.end))
    if grid.minutes > 60:
        days = pd.date_range(first.date(), last.date(), freq="D").to_numpy().astype("datetime64[D]")
        starts = shift_starts(days, grid.minutes, grid.day_begins, grid.timezone)
        starts = starts[(starts >= first.timestamp()) & (starts < last.timestamp())]
        starts.flags.writeable = False
        return starts
    if grid.minutes == 60 and changes_by_half_an_hour(grid.timezone):
        starts = local_hour_starts(int(first.timestamp()), int(last.timestamp()), grid.timezone)
        starts.flags.writeable = False
        return starts
    times = pd.date_range(first, last, freq=f"{grid.minutes}min", inclusive="left")
    starts = times.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").view(np.int64)
    starts.flags.writeable = False
    return starts


def position(times: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each time's place among the starts, which rise, -1 where it is none of them."""
    if not len(starts):
        return np.full(len(times), -1)
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    if starts[-1] - starts[0] == step * (len(starts) - 1):  # regular: no search
        at = np.clip((times - starts[0]) // step, 0, len(starts) - 1)
    else:
        at = np.minimum(np.searchsorted(starts, times), len(starts) - 1)
    return np.where(starts[at] == times, at, -1)


def misplaced_rows(table: TableView, factory_id: str, sensors: list[str], grid: Grid) -> CheckResult:
    """Find what keeps a table from being one row per registered sensor and interval, by sensor and then by time.

    That is: rows of another factory or of an unknown sensor, times that are no interval's start, rows that repeat
    another one's sensor and time, rows out of order, and intervals without a row.

    Args:
        table: the table.
        factory_id: the factory.
        sensors: those of the registry.
        grid: the intervals of the table.
    """
    starts = grid.starts
    own_factory = _of_factory(table, factory_id)
    if own_factory.all() and _is_whole(table, sensors, starts):
        return CheckResult(len(table))
    index = {name: i for i, name in enumerate(sensors)}
    sensor = np.array([*(index.get(name, -1) for name in table.sensor_names), -1])[table.sensor_codes]
    at = position(table.seconds, starts)
    cell = sensor * len(starts) + at
    foreign = (sensor < 0) | ~own_factory
    off = ~foreign & (at < 0)
    placed = ~foreign & ~off
    repeated = placed.copy()
    repeated[placed] = pd.Series(cell[placed]).duplicated().to_numpy()
    out_of_order = _out_of_order(table.sensor_codes, at) & placed & ~repeated
    filled = np.zeros(len(sensors) * len(starts), bool)
    filled[cell[placed]] = True
    factories, name = table.frame["factory_id"], table.describe_row
    messages = [
        *(f"{factories.iloc[i]} {name(i)} is not registered" for i in _first(foreign)),
        *(f"{name(i)} is no interval's start here" for i in _first(off)),
        *(f"{name(i)} stands twice" for i in _first(repeated)),
        *(f"{name(i)} is out of order" for i in _first(out_of_order)),
        *(
            f"{sensors[i // len(starts)]} {_local(starts[i % len(starts)], grid.timezone)} has no row"
            for i in _first(~filled)
        ),
    ]
    count = sum(int(each.sum()) for each in (foreign, off, repeated, out_of_order, ~filled))
    return CheckResult(len(filled), messages=tuple(messages), unlisted=count - len(messages))


def _is_whole(table: TableView, sensors: list[str], starts: NDArray[np.int64]) -> bool:
    """Tell whether the table is one block a registered sensor with all the times: the case of nearly every table."""
    blocks = table.block_sensors
    if blocks is None or len(table) != len(sensors) * len(starts):
        return False
    names = {table.sensor_names[i] for i in blocks.tolist()}
    return names == set(sensors) and np.array_equal(table.seconds[: len(starts)], starts)


def _first(faults: NDArray[np.bool_]) -> list[int]:
    """Return the first few positions: enough for examples of each kind."""
    return [int(i) for i in np.flatnonzero(faults)[:EXAMPLES]]


def _local(second: int, timezone: str) -> pd.Timestamp:
    return pd.Timestamp(int(second), unit="s", tz="UTC").tz_convert(timezone)


def _of_factory(table: TableView, factory_id: str) -> NDArray[np.bool_]:
    column = table.frame["factory_id"]
    if isinstance(column.dtype, pd.CategoricalDtype):
        same = np.array([*(str(name) == factory_id for name in column.cat.categories), False])
        return same[column.cat.codes.to_numpy(np.int64)]
    return np.asarray(column.astype(str) == factory_id, bool)


def _out_of_order(codes: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which rows stand before their predecessor in time, or take a sensor up again."""
    wrong = np.zeros(len(codes), bool)
    same = codes[1:] == codes[:-1]
    wrong[1:] = same & (at[1:] < at[:-1])
    begins = np.flatnonzero(np.append(True, ~same)) if len(codes) else np.zeros(0, np.int64)
    wrong[begins[pd.Series(codes[begins]).duplicated().to_numpy()]] = True
    return wrong
