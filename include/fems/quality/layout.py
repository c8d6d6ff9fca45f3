"""Whether a table is what it should be before its values are looked at: one row per sensor and interval, in order."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fems.quality.table import EXAMPLES, CheckResult, place, seconds, sensor_codes


def grid_times(begin: str, end: str, minutes: int, timezone: str) -> np.ndarray:
    """Return the starts of a partition's intervals, int64 UTC seconds; days are local ones.

    Args:
        begin: the first start, ISO 8601.
        end: the end of the last interval.
        minutes: length of an interval; 1440 means local days, also where the clocks change.
        timezone: IANA name.
    """
    first, last = (pd.Timestamp(each).tz_convert(timezone) for each in (begin, end))
    step = "D" if minutes == 1440 else f"{minutes}min"
    times = pd.date_range(first, last, freq=step, inclusive="left")
    return times.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").view(np.int64)


def position(times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return each time's place among the starts, which rise, -1 where it is none of them."""
    if not len(starts):
        return np.full(len(times), -1)
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    if starts[-1] - starts[0] == step * (len(starts) - 1):  # regular: no search
        at = np.clip((times - starts[0]) // step, 0, len(starts) - 1)
    else:
        at = np.minimum(np.searchsorted(starts, times), len(starts) - 1)
    return np.where(starts[at] == times, at, -1)


def one_row_each(
    table: pd.DataFrame, factory_id: str, sensors: list[str], grid: Mapping[str, Any]
) -> CheckResult:
    """Find what keeps a table from being one row per registered sensor and interval, by sensor and then by time.

    That is: rows of another factory or of an unknown sensor, times that are no interval's start, rows that say again
    what another one said, rows out of order, and intervals without a row.

    Args:
        table: the table.
        factory_id: the factory.
        sensors: those of the registry.
        grid: see `grid_times`.
    """
    starts = grid_times(**grid)
    codes, names = sensor_codes(table)
    index = {name: i for i, name in enumerate(sensors)}
    sensor = np.array([*(index.get(name, -1) for name in names), -1])[codes]
    at = position(seconds(table), starts)
    cell = sensor * len(starts) + at
    foreign = (sensor < 0) | ~_is_factory(table, factory_id)
    if _in_blocks(cell, len(sensors), len(starts)) and not foreign.any():
        return CheckResult(len(table))
    off = ~foreign & (at < 0)
    placed = ~foreign & ~off
    again = placed.copy()
    again[placed] = pd.Series(cell[placed]).duplicated().to_numpy()
    out_of_order = _out_of_order(codes, at) & placed & ~again
    there = np.zeros(len(sensors) * len(starts), bool)
    there[cell[placed]] = True
    lines = [
        *(f"{_factory_of(table, i)} {place(table, i)} is not registered" for i in _some(foreign)),
        *(f"{place(table, i)} is no interval's start here" for i in _some(off)),
        *(f"{place(table, i)} is there twice" for i in _some(again)),
        *(f"{place(table, i)} is out of order" for i in _some(out_of_order)),
        *(
            f"{sensors[i // len(starts)]} {_local(starts[i % len(starts)], grid['timezone'])} has no row"
            for i in _some(~there)
        ),
    ]
    count = sum(int(each.sum()) for each in (foreign, off, again, out_of_order, ~there))
    return CheckResult(len(there), absent=tuple(lines), more=count - len(lines))


def _in_blocks(cell: np.ndarray, sensors: int, steps: int) -> bool:
    """Tell whether the cells are those of every sensor, one after the other: the case of nearly every table."""
    if not len(cell) or len(cell) != sensors * steps:
        return False
    blocks = cell.reshape(sensors, steps)
    return bool(
        (np.diff(blocks, axis=1) == 1).all()
        and (blocks[:, 0] % steps == 0).all()
        and len(np.unique(blocks[:, 0])) == sensors
    )


def _some(which: np.ndarray) -> list[int]:
    """Return the first few positions: enough for examples of each kind."""
    return [int(i) for i in np.flatnonzero(which)[:EXAMPLES]]


def _local(second: int, timezone: str) -> pd.Timestamp:
    return pd.Timestamp(int(second), unit="s", tz="UTC").tz_convert(timezone)


def _is_factory(table: pd.DataFrame, factory_id: str) -> np.ndarray:
    column = table["factory_id"]
    if isinstance(column.dtype, pd.CategoricalDtype):
        same = np.array([*(str(name) == factory_id for name in column.cat.categories), False])
        return same[column.cat.codes.to_numpy(np.int64)]
    return (column.astype(str) == factory_id).to_numpy()


def _factory_of(table: pd.DataFrame, row: int) -> str:
    return str(table["factory_id"].iloc[row])


def _out_of_order(codes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Tell which rows stand before their predecessor in time, or take a sensor up again."""
    found = np.zeros(len(codes), bool)
    same = codes[1:] == codes[:-1]
    found[1:] = same & (at[1:] < at[:-1])
    begins = np.flatnonzero(np.append(True, ~same)) if len(codes) else np.zeros(0, np.int64)
    found[begins[pd.Series(codes[begins]).duplicated().to_numpy()]] = True
    return found
