"""What a published table must keep, as plain functions: a table in, what breaks the rule out.

Nothing here loops over rows, and where everything is in order a check is one or two passes over a column.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from fems.contracts.manifest import FLAGS
from fems.quality.grid import Grid, position
from fems.quality.table import CheckResult, TableView, value_columns
from fems.registry.book import ColumnType
from fems.registry.laws import check_laws, usual_levels
from fems.registry.rules import Consistency

ESTIMATED = ("replaced", "filled", "missing")
"""Flags of a row of which something is not as the meter measured it."""

LAW_SLACK = 2.0
"""How many times the book's tolerance a published row may be off.

A value that was filled in one column and measured in another keeps a law less closely.
"""

Limits = tuple[float | None, float | None]


def wrong_types(table: TableView, columns: Mapping[str, ColumnType]) -> CheckResult:
    """Find columns that are not of their type."""

    def fits(column: "pd.Series[Any]", kind: ColumnType) -> bool:
        if kind == "time":
            return isinstance(column.dtype, pd.DatetimeTZDtype)
        if kind == "number":
            return bool(column.dtype == np.float64)
        return isinstance(column.dtype, pd.CategoricalDtype) or types.is_string_dtype(column.dtype)

    wrong = [
        f"{name} is {table.frame[name].dtype}, not {kind}"
        for name, kind in columns.items()
        if name in table and not fits(table.frame[name], kind)
    ]
    return CheckResult(len(columns), messages=tuple(wrong))


def outside_limits(table: TableView, limits: Mapping[str, Mapping[str, Limits]]) -> CheckResult:
    """Find rows of which a value is outside the limits of its sensor.

    Args:
        table: the table.
        limits: sensor -> column -> least and most, None where there is none. The sensor "*" stands for every sensor
            that is not named.
    """
    codes, names, blocks = table.sensor_codes, table.sensor_names, table.block_sensors
    columns = sorted({column for each in limits.values() for column in each} & set(table.frame.columns))
    wrong = np.zeros(len(table), bool)
    for column in columns:
        rules = [limits.get(name, limits.get("*", {})).get(column, (None, None)) for name in names]
        low = np.array([*(-np.inf if least is None else least for least, _ in rules), -np.inf])
        high = np.array([*(np.inf if most is None else most for _, most in rules), np.inf])
        values = table.values(column)
        if blocks is not None:
            by_sensor = values.reshape(len(blocks), -1)
            least, most = np.fmin.reduce(by_sensor, axis=1), np.fmax.reduce(by_sensor, axis=1)
            finite = ~(np.isinf(least) | np.isinf(most))
            if (finite & ~(least < low[blocks]) & ~(most > high[blocks])).all():
                continue
        # what is not finite is no quantity, whatever the limits
        with np.errstate(invalid="ignore"):
            wrong |= (values < low[codes]) | (values > high[codes]) | np.isinf(values)
    return CheckResult(len(table), np.flatnonzero(wrong))


def wrong_flags(table: TableView, main_column: str) -> CheckResult:
    """Find rows with an unknown flag, and rows whose flag and values disagree on what is missing.

    A column that has no value at all is one that the factory's files don't carry, unless it is the main one.
    """
    flag = table.frame["flag"].astype("category")
    known = np.array([*(str(name) in FLAGS for name in flag.cat.categories), False])
    wrong = ~known[flag.cat.codes.to_numpy(np.int64)]
    detail = table.frame["flag_columns"].astype("category")
    texts = [str(text) for text in detail.cat.categories]
    codes = detail.cat.codes.to_numpy(np.int64)
    for column in value_columns(table.frame):
        empty = np.isnan(table.values(column))
        if column != main_column and empty.all():
            continue
        flagged = np.array([*(f"{column}=missing" in text.split(";") for text in texts), False])
        if empty.any() or flagged.any():
            wrong |= empty != flagged[codes]
    return CheckResult(len(table), np.flatnonzero(wrong))


def wrong_coverage(table: TableView, main_column: str, min_coverage_pct: float) -> CheckResult:
    """Find hours or days that have a value though too little of them was covered, or none though enough was."""
    present = ~np.isnan(table.values(main_column))
    # a coverage that is exactly the least one counts as enough; the last bit of a percentage may not say so
    enough = table.values("coverage_pct") >= min_coverage_pct - 1e-9
    return CheckResult(len(table), np.flatnonzero(present != enough))


def missing_values(table: TableView, column: str) -> CheckResult:
    """Find rows without a value in a column, up to the last time at which any sensor has one.

    What comes after it in the last day has not been measured yet.
    """
    empty, times = np.isnan(table.values(column)), table.seconds
    due = np.ones(len(table), bool) if empty.all() else times <= times[~empty].max()
    return CheckResult(int(due.sum()), np.flatnonzero(empty & due))


def estimated_sensors(table: TableView, max_share_pct: float) -> CheckResult:
    """Find sensors of which more than a share of the rows is not as measured.

    Native rows count by their flag; hours and days by the share of them that was estimated or has no value.
    """
    codes, names = table.sensor_codes, table.sensor_names
    if "flag" in table:
        flag = table.frame["flag"].astype("category")
        estimated = np.array([*(str(name) in ESTIMATED for name in flag.cat.categories), True])
        share = 100.0 * estimated[flag.cat.codes.to_numpy(np.int64)]
    else:
        share = table.values("estimated_pct") + 100.0 - table.values("coverage_pct")
    rows = np.bincount(codes + 1, minlength=len(names) + 1)[1:]
    total = np.bincount(codes + 1, weights=share, minlength=len(names) + 1)[1:]
    mean = np.divide(total, rows, out=np.zeros(len(names)), where=rows > 0)
    messages = tuple(
        f"{names[i]}: {mean[i]:.1f} % not as measured" for i in np.flatnonzero(mean > max_share_pct).tolist()
    )
    return CheckResult(len(names), messages=messages)


def wrong_sums(table: TableView, native: TableView, grid: Grid, sums: Mapping[str, str]) -> CheckResult:
    """Find hours or days whose quantity is not the sum of their native intervals.

    Args:
        table: hours or days.
        native: the native rows of the same partition.
        grid: of the hours or days.
        sums: column of the table -> the native column that it is the sum of.
    """
    starts = grid.starts
    codes, at = table.sensor_codes, position(table.seconds, starts)
    wrong = np.zeros(len(table), bool)
    if not len(starts):
        return CheckResult(len(table))
    for column, source in sums.items():
        expected = _sums(native, table.sensor_names, starts, source)[np.maximum(codes, 0), np.maximum(at, 0)]
        values = table.values(column)
        with np.errstate(invalid="ignore"):
            off = np.abs(values - expected) > 1e-9 * np.maximum(np.abs(expected), 1.0)
        wrong |= off & (at >= 0)
    return CheckResult(len(table), np.flatnonzero(wrong))


def _sums(
    native: TableView, names: Sequence[str], starts: NDArray[np.int64], column: str
) -> NDArray[np.float64]:
    """Return the sum of each sensor's native values from one start to the next, (sensors, starts)."""
    own = {name: i for i, name in enumerate(native.sensor_names)}
    energy = np.nan_to_num(native.values(column), copy=True, nan=0.0, posinf=np.inf, neginf=-np.inf)
    blocks = native.block_sensors
    if blocks is not None:  # all sensors have the same times: no row needs to be looked up
        times = native.seconds[: len(native) // len(blocks)]
        bounds = np.searchsorted(times, starts)
        if (np.diff(times) > 0).all() and (np.diff(bounds) > 0).all() and bounds[-1] < len(times):
            total = np.add.reduceat(energy.reshape(len(blocks), -1), bounds, axis=1)
            place = {int(sensor): i for i, sensor in enumerate(blocks)}
            rows = [place.get(own.get(name, -1), -1) for name in names]
            return np.vstack([total, np.zeros((1, len(starts)))])[rows]
    index = {name: i for i, name in enumerate(names)}
    sensor = np.array([*(index.get(name, -1) for name in native.sensor_names), -1])[native.sensor_codes]
    group = np.searchsorted(starts, native.seconds, side="right") - 1
    some = (sensor >= 0) & (group >= 0)
    cell = sensor[some] * len(starts) + group[some]
    flat: NDArray[np.float64] = np.bincount(
        cell, weights=energy[some], minlength=len(names) * len(starts)
    ).astype(np.float64)
    return flat.reshape(len(names), len(starts))


def negative_remainders(
    table: TableView, column: str, meter_tree: Mapping[str, Sequence[str]], tolerance_pct: float
) -> CheckResult:
    """Find times at which the meters behind another one measured more than it did.

    Args:
        table: hours or days.
        column: of the energy.
        meter_tree: meter -> those right behind it.
        tolerance_pct: by how much they may, in % of the meter's.
    """
    wide = table.frame.pivot_table(
        index="timestamp", columns="sensor_id", values=column, observed=True, dropna=False
    )
    compared, messages = 0, []
    for meter, behind in meter_tree.items():
        whole = wide.reindex(columns=[meter, *behind]).dropna()
        parts, own = whole[list(behind)].sum(axis=1), whole[meter]
        below = parts - own > tolerance_pct / 100 * own.abs()
        compared += len(whole)
        messages += [
            f"{when:%Y-%m-%d %H:%M}: {meter} {total:.1f}, behind it {part:.1f}"
            for when, part, total in zip(
                pd.DatetimeIndex(below.index)[below], parts[below], own[below], strict=True
            )
        ]
    return CheckResult(compared, messages=tuple(messages))


def main_meter_gaps(
    table: TableView, column: str, main_meter: str, parts: Sequence[str], tolerance_pct: float
) -> CheckResult:
    """Find times at which the machines' energy is not the main meter's.

    Args:
        table: hours or days.
        column: of the energy.
        main_meter: its sensor ID.
        parts: the meters right behind it; those behind them are in theirs.
        tolerance_pct: how far the sum may be off, in % of the main meter's.
    """
    wide = table.frame.pivot_table(
        index="timestamp", columns="sensor_id", values=column, observed=True, dropna=False
    )
    if main_meter not in wide:
        return CheckResult(0)
    whole = wide.reindex(columns=[main_meter, *parts]).dropna()
    machines, main = whole[list(parts)].sum(axis=1), whole[main_meter]
    off = (machines - main).abs() > tolerance_pct / 100 * main.abs()
    messages = tuple(
        f"{when:%Y-%m-%d %H:%M}: machines {part:.1f}, {main_meter} {total:.1f}"
        for when, part, total in zip(pd.DatetimeIndex(off.index)[off], machines[off], main[off], strict=True)
    )
    return CheckResult(len(whole), messages=messages)


def broken_laws(
    table: TableView, laws: Mapping[str, Consistency], not_applied: Iterable[tuple[str, str]]
) -> CheckResult:
    """Find rows that break a law between columns by more than `LAW_SLACK` times the book's tolerance.

    Args:
        table: native rows.
        laws: name -> law, as in the definition book.
        not_applied: law and sensor of those that do not keep it at all, as processing has it.
    """
    needed = {column for law in laws.values() for column in law.columns if column in table}
    values = {column: table.matrix(column) for column in needed}
    carried = {column: each for column, each in values.items() if not np.isnan(each).all()}
    usual = {column: usual_levels(each) for column, each in carried.items()}
    exempt = set(not_applied)
    wrong = np.zeros(len(table), bool)
    for name, check in check_laws(carried, laws, usual, LAW_SLACK).items():
        kept = [(name, sensor) not in exempt for sensor in table.sensor_names]
        broken = check.broken & np.array(kept, bool)[:, None]
        if broken.any():
            wrong[table.positions[broken]] = True
    return CheckResult(len(table), np.flatnonzero(wrong))


def silent_sensors(table: TableView, column: str, max_silence_hours: float) -> CheckResult:
    """Find sensors without a value in the last hours of the partition."""
    codes, names, times = table.sensor_codes, table.sensor_names, table.seconds
    last = np.full(len(names), np.iinfo(np.int64).min)
    some = ~np.isnan(table.values(column)) & (codes >= 0)
    np.maximum.at(last, codes[some], times[some])
    silent = np.flatnonzero(last < times.max(initial=0) - 3600 * max_silence_hours)
    messages = tuple(
        f"{names[i]}: "
        + ("no value at all" if last[i] < 0 else f"last value {pd.Timestamp(last[i], unit='s', tz='UTC')}")
        for i in silent.tolist()
    )
    return CheckResult(len(names), messages=messages)


def constant_sensors(table: TableView, column: str, min_days: float) -> CheckResult:
    """Find sensors that show one and the same value from the first row to the last, over at least so many days."""
    times, names = table.seconds, table.sensor_names
    messages = []
    if len(times) and times.max() - times.min() >= 86_400 * min_days:
        values = table.matrix(column)
        least, most = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
        many = np.count_nonzero(~np.isnan(values), axis=1) > 1
        messages = [
            f"{names[i]}: always {least[i]:g}" for i in np.flatnonzero((least == most) & many).tolist()
        ]
    return CheckResult(len(names), messages=tuple(messages))


def crossed_quantiles(table: TableView, columns: Sequence[str]) -> CheckResult:
    """Find rows of which a column is above the next one, or has no value."""
    wrong = np.zeros(len(table), bool)
    for low, high in pairwise(table.values(column) for column in columns):
        wrong |= ~(low <= high)
    return CheckResult(len(table), np.flatnonzero(wrong))


def wrong_totals(table: TableView, factory: pd.DataFrame, column: str) -> CheckResult:
    """Find times at which the sensors do not add up to the factory.

    Args:
        table: a row a sensor and time.
        factory: a row a time.
        column: of the energy.
    """
    total = table.frame.groupby("timestamp", observed=True)[column].sum()
    whole = factory.set_index("timestamp")[column].reindex(total.index)
    off = ~((total - whole).abs() <= 1e-9 * np.maximum(whole.abs(), 1.0))
    messages = tuple(
        f"{time:%Y-%m-%d %H:%M}: sensors {total[time]:.6g}, factory {whole[time]:.6g}"
        for time in off.index[off]
    )
    return CheckResult(len(total), messages=messages)


def unusual_total(
    table: TableView, column: str, usual_per_hour: float, hours: float, max_times: float
) -> CheckResult:
    """Find a total that is far from what is usual.

    Args:
        table: a row a sensor and time.
        column: of the energy.
        usual_per_hour: of all sensors together.
        hours: that the table covers.
        max_times: how many times more, or less, is far.
    """
    per_hour = float(np.nansum(table.values(column))) / hours
    if usual_per_hour <= 0 or usual_per_hour / max_times <= per_hour <= usual_per_hour * max_times:
        return CheckResult(1)
    return CheckResult(1, messages=(f"{per_hour:.4g} an hour, of late {usual_per_hour:.4g}",))
