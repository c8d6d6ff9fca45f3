"""What a published table must keep, as plain functions: a table in, the rows that break it out.

A table is a pandas frame with `timestamp` (tz-aware), `factory_id`, `sensor_id` and columns of values, as published.
Nothing here loops over rows, and where everything is in order a check is one or two passes over a column.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from fems.process.flags import FLAGS

ESTIMATED = ("replaced", "filled", "missing")
"""Flags of a row of which something is not as the meter said it."""

EXAMPLES = 3
"""How many examples of a fault are told."""

Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Found:
    """What breaks an expectation.

    Attributes:
        rows: int64, positions of the rows at fault.
        absent: what should be there and is not, or what is said of a sensor and no row: a line each.
        of: how many there were to look at.
        more: how many are at fault beside those that are told.
    """

    of: int
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    absent: tuple[str, ...] = ()
    more: int = 0

    @property
    def count(self) -> int:
        """How many are at fault."""
        return len(self.rows) + len(self.absent) + self.more


def seconds(table: pd.DataFrame) -> np.ndarray:
    """Return each row's time as int64 UTC seconds; the smallest of all int64 where there is none.

    Raises:
        TypeError: the column holds no times with a time zone.
    """
    column = table["timestamp"]
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        raise TypeError(f"timestamp holds {column.dtype}, not times with a time zone")
    nanoseconds = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[s]")
    return nanoseconds.view(np.int64)


def sensor_codes(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return each row's sensor as a position, -1 where there is none, and the sensors' IDs."""
    column = table["sensor_id"]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(np.int64), [str(name) for name in column.cat.categories]
    codes, names = pd.factorize(column)
    return codes.astype(np.int64), [str(name) for name in names]


def place(table: pd.DataFrame, row: int) -> str:
    """Say where a row stands: sensor and time, as far as it has them."""
    found = [
        str(table[name].iloc[row])
        for name in ("sensor_id", "timestamp")
        if name in table and len(table) > row
    ]
    return " ".join(found)


def value_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of numbers."""
    return [str(name) for name in table.columns if types.is_float_dtype(table[name].dtype)]


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


def _position(times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return each time's place among the starts, which rise, -1 where it is none of them."""
    if not len(starts):
        return np.full(len(times), -1)
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    if starts[-1] - starts[0] == step * (len(starts) - 1):  # regular: no search
        at = np.clip((times - starts[0]) // step, 0, len(starts) - 1)
    else:
        at = np.minimum(np.searchsorted(starts, times), len(starts) - 1)
    return np.where(starts[at] == times, at, -1)


def one_row_each(table: pd.DataFrame, factory_id: str, sensors: list[str], grid: Mapping[str, Any]) -> Found:
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
    at = _position(seconds(table), starts)
    cell = sensor * len(starts) + at
    foreign = (sensor < 0) | ~_is_factory(table, factory_id)
    if _in_blocks(cell, len(sensors), len(starts)) and not foreign.any():
        return Found(len(table))
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
    return Found(len(there), absent=tuple(lines), more=count - len(lines))


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


def typed(table: pd.DataFrame, columns: Mapping[str, str]) -> Found:
    """Find columns that are not of their type: `time`, `text` or `number`."""
    kinds = {
        "time": lambda dtype: isinstance(dtype, pd.DatetimeTZDtype),
        "number": lambda dtype: dtype == np.float64,
        "text": lambda dtype: isinstance(dtype, pd.CategoricalDtype) or types.is_string_dtype(dtype),
    }
    wrong = [
        f"{name} is {table[name].dtype}, not {kind}"
        for name, kind in columns.items()
        if name in table and not kinds[kind](table[name].dtype)
    ]
    return Found(len(columns), absent=tuple(wrong))


def within(table: pd.DataFrame, limits: Mapping[str, Mapping[str, Limits]]) -> Found:
    """Find rows of which a value is outside the limits of its sensor.

    Args:
        table: the table.
        limits: sensor -> column -> least and most, None where there is none. The sensor "*" stands for every sensor
            that is not named.
    """
    codes, names = sensor_codes(table)
    columns = sorted({column for each in limits.values() for column in each} & set(table.columns))
    wrong = np.zeros(len(table), bool)
    for column in columns:
        rules = [limits.get(name, limits.get("*", {})).get(column, (None, None)) for name in names]
        low = np.array([*(-np.inf if least is None else least for least, _ in rules), -np.inf])
        high = np.array([*(np.inf if most is None else most for _, most in rules), np.inf])
        values = table[column].to_numpy(np.float64, na_value=np.nan)
        if not len(values) or (np.fmin.reduce(values) >= low.max() and np.fmax.reduce(values) <= high.min()):
            continue
        # what is not finite is no quantity, whatever the limits
        with np.errstate(invalid="ignore"):
            wrong |= (values < low[codes]) | (values > high[codes]) | np.isinf(values)
    return Found(len(table), np.flatnonzero(wrong))


def flagged(table: pd.DataFrame, required: str) -> Found:
    """Find rows whose flag is none that there is, and rows of which a value is missing while the flag denies it.

    The other way round counts, too. A column that has no value at all is one that the factory's files don't carry,
    unless it is the required one.
    """
    flag = table["flag"].astype("category")
    known = np.array([*(str(name) in FLAGS for name in flag.cat.categories), False])
    wrong = ~known[flag.cat.codes.to_numpy(np.int64)]
    detail = table["flag_columns"].astype("category")
    texts = [str(text) for text in detail.cat.categories]
    codes = detail.cat.codes.to_numpy(np.int64)
    for column in value_columns(table):
        empty = np.isnan(table[column].to_numpy(np.float64))
        if column != required and empty.all():
            continue
        says = np.array([*(f"{column}=missing" in text.split(";") for text in texts), False])
        if empty.any() or says.any():
            wrong |= empty != says[codes]
    return Found(len(table), np.flatnonzero(wrong))


def covered(table: pd.DataFrame, required: str, min_coverage_pct: float) -> Found:
    """Find hours or days that have a value though too little of them was covered, or none though enough was."""
    there = ~np.isnan(table[required].to_numpy(np.float64))
    # a coverage that is exactly the least one counts as enough; the last bit of a percentage may not say so
    enough = table["coverage_pct"].to_numpy(np.float64) >= min_coverage_pct - 1e-9
    return Found(len(table), np.flatnonzero(there != enough))


def there(table: pd.DataFrame, column: str) -> Found:
    """Find rows without a value in a column."""
    return Found(len(table), np.flatnonzero(np.isnan(table[column].to_numpy(np.float64))))


def measured(table: pd.DataFrame, max_share_pct: float) -> Found:
    """Find sensors of which more than a share of the rows is not as measured.

    Native rows count by their flag; hours and days by the share of them that was estimated or has no value.
    """
    codes, names = sensor_codes(table)
    if "flag" in table:
        flag = table["flag"].astype("category")
        bad = np.array([*(str(name) in ESTIMATED for name in flag.cat.categories), True])
        share = 100.0 * bad[flag.cat.codes.to_numpy(np.int64)]
    else:
        share = (
            table["estimated_pct"].to_numpy(np.float64) + 100.0 - table["coverage_pct"].to_numpy(np.float64)
        )
    rows = np.bincount(codes + 1, minlength=len(names) + 1)[1:]
    total = np.bincount(codes + 1, weights=share, minlength=len(names) + 1)[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(rows > 0, total / rows, 0.0)
    lines = tuple(
        f"{names[i]}: {mean[i]:.1f} % not as measured" for i in np.flatnonzero(mean > max_share_pct).tolist()
    )
    return Found(len(names), absent=lines)


def agrees(
    table: pd.DataFrame, native: pd.DataFrame, grid: Mapping[str, Any], sums: Mapping[str, str]
) -> Found:
    """Find hours or days whose energy is not that of their native intervals.

    Args:
        table: hours or days.
        native: the native rows of the same partition.
        grid: of the hours or days.
        sums: column of the table -> the native column that it is the sum of.
    """
    starts = grid_times(**grid)
    codes, names = sensor_codes(table)
    fine_codes, fine_names = sensor_codes(native)
    index = {name: i for i, name in enumerate(names)}
    own = np.array([*(index.get(name, -1) for name in fine_names), -1])[fine_codes]
    group = np.searchsorted(starts, seconds(native), side="right") - 1
    kept = (own >= 0) & (group >= 0)
    cell = own * len(starts) + group
    at = _position(seconds(table), starts)
    wrong = np.zeros(len(table), bool)
    for column, source in sums.items():
        energy = native[source].to_numpy(np.float64)
        some = kept & ~np.isnan(energy)
        total = np.bincount(cell[some], weights=energy[some], minlength=len(names) * len(starts))
        expected = total[np.maximum(codes, 0) * len(starts) + np.maximum(at, 0)]
        values = table[column].to_numpy(np.float64)
        with np.errstate(invalid="ignore"):
            wrong |= (np.abs(values - expected) > 1e-9 * np.maximum(np.abs(expected), 1.0)) & (at >= 0)
    return Found(len(table), np.flatnonzero(wrong))


def adds_up(table: pd.DataFrame, column: str, main: str, tolerance_pct: float) -> Found:
    """Find times at which the machines' energy is not the main meter's.

    Args:
        table: hours or days.
        column: of the energy.
        main: the main meter's sensor ID.
        tolerance_pct: how far the sum may be off, in % of the main meter's.
    """
    wide = table.pivot_table(
        index="timestamp", columns="sensor_id", values=column, observed=True, dropna=False
    )
    if main not in wide:
        return Found(0)
    whole = wide.dropna()
    total = whole.drop(columns=main).sum(axis=1)
    off = (total - whole[main]).abs() > tolerance_pct / 100 * whole[main].abs()
    lines = tuple(
        f"{when:%Y-%m-%d %H:%M}: machines {machines:.1f}, {main} {said:.1f}"
        for when, machines, said in zip(
            pd.DatetimeIndex(off.index)[off], total[off], whole.loc[off, main], strict=True
        )
    )
    return Found(len(whole), absent=lines)


def lawful(
    table: pd.DataFrame, laws: Mapping[str, Mapping[str, Any]], except_for: Iterable[Iterable[str]]
) -> Found:
    """Find rows that break a law between columns by more than twice the book's tolerance.

    Twice, because a value that was filled in one column and measured in another keeps the law less closely.

    Args:
        table: native rows.
        laws: name -> law (`equal` or `power_factor`), columns, tolerance, above_of_usual, as in the definition book.
        except_for: law and sensor of those that do not keep it at all, as processing found.
    """
    codes, names = sensor_codes(table)
    exempt = {tuple(each) for each in except_for}
    wrong = np.zeros(len(table), bool)
    for law, rule in laws.items():
        values = [table[name].to_numpy(np.float64) for name in rule["columns"]]
        with np.errstate(invalid="ignore", divide="ignore"):
            if rule["law"] == "equal":
                energy = np.maximum(np.abs(values[0]), np.abs(values[1]))
                off = np.abs(values[0] - values[1]) / energy
            elif rule["law"] == "power_factor":
                energy = np.hypot(values[1], values[2])
                off = np.abs(values[0] / 100 - values[1] / energy)
            else:
                continue
            broken = off > 2 * rule["tolerance"]
        if not broken.any():
            continue
        judged = np.array([*((law, name) not in exempt for name in names), False])[codes]
        usual = np.array([_usual(energy[codes == i]) for i in range(len(names))] + [np.inf])[codes]
        wrong |= broken & judged & (energy > rule["above_of_usual"] * usual)
    return Found(len(table), np.flatnonzero(wrong))


def _usual(energy: np.ndarray) -> float:
    known = energy[np.isfinite(energy)]
    return float(np.quantile(known, 0.99)) if len(known) else np.inf


def heard(table: pd.DataFrame, column: str, max_silence_hours: float) -> Found:
    """Find sensors without a value in the last hours of the partition."""
    codes, names = sensor_codes(table)
    times = seconds(table)
    last = np.full(len(names), np.iinfo(np.int64).min)
    some = ~np.isnan(table[column].to_numpy(np.float64)) & (codes >= 0)
    np.maximum.at(last, codes[some], times[some])
    silent = np.flatnonzero(last < times.max(initial=0) - 3600 * max_silence_hours)
    lines = tuple(
        f"{names[i]}: "
        + ("no value at all" if last[i] < 0 else f"last heard {pd.Timestamp(last[i], unit='s', tz='UTC')}")
        for i in silent.tolist()
    )
    return Found(len(names), absent=lines)


def varying(table: pd.DataFrame, column: str, min_days: float) -> Found:
    """Find sensors that say one and the same from the first row to the last, over at least so many days."""
    codes, names = sensor_codes(table)
    times, values = seconds(table), table[column].to_numpy(np.float64)
    lines = []
    if len(times) and times.max() - times.min() >= 86_400 * min_days:
        for i, name in enumerate(names):
            own = values[(codes == i) & ~np.isnan(values)]
            if len(own) > 1 and own.min() == own.max():
                lines.append(f"{name}: always {own[0]:g}")
    return Found(len(names), absent=tuple(lines))


def in_order(table: pd.DataFrame, columns: Sequence[str]) -> Found:
    """Find rows of which a column is above the next one, or has no value."""
    values = [table[column].to_numpy(np.float64) for column in columns]
    wrong = np.zeros(len(table), bool)
    for low, high in pairwise(values):
        wrong |= ~(low <= high)
    return Found(len(table), np.flatnonzero(wrong))


def equals_sum(table: pd.DataFrame, whole: pd.DataFrame, column: str) -> Found:
    """Find times at which the sensors do not add up to the whole.

    Args:
        table: a row a sensor and time.
        whole: a row a time.
        column: of the energy.
    """
    total = table.groupby("timestamp", observed=True)[column].sum()
    said = whole.set_index("timestamp")[column].reindex(total.index)
    off = ~((total - said).abs() <= 1e-9 * np.maximum(said.abs(), 1.0))
    lines = tuple(
        f"{time:%Y-%m-%d %H:%M}: sensors {total[time]:.6g}, whole {said[time]:.6g}" for time in off.index[off]
    )
    return Found(len(total), absent=lines)


def near(table: pd.DataFrame, column: str, usual_per_hour: float, hours: float, max_times: float) -> Found:
    """Find a total that is far from what is usual.

    Args:
        table: a row a sensor and time.
        column: of the energy.
        usual_per_hour: of all sensors together.
        hours: that the table covers.
        max_times: how many times more, or less, is far.
    """
    now = float(np.nansum(table[column].to_numpy(np.float64))) / hours
    if usual_per_hour <= 0 or usual_per_hour / max_times <= now <= usual_per_hour * max_times:
        return Found(1)
    return Found(1, absent=(f"{now:.4g} an hour, of late {usual_per_hour:.4g}",))
