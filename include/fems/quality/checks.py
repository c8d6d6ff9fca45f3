"""What a published table must keep, as plain functions: a table in, the rows that break it out.

Nothing here loops over rows, and where everything is in order a check is one or two passes over a column.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from fems.contracts.manifest import FLAGS
from fems.quality.layout import grid_times, position
from fems.quality.table import CheckResult, seconds, sensor_codes, value_columns

ESTIMATED = ("replaced", "filled", "missing")
"""Flags of a row of which something is not as the meter said it."""

Limits = tuple[float | None, float | None]


def typed(table: pd.DataFrame, columns: Mapping[str, str]) -> CheckResult:
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
    return CheckResult(len(columns), absent=tuple(wrong))


def within(table: pd.DataFrame, limits: Mapping[str, Mapping[str, Limits]]) -> CheckResult:
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
    return CheckResult(len(table), np.flatnonzero(wrong))


def flagged(table: pd.DataFrame, required: str) -> CheckResult:
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
    return CheckResult(len(table), np.flatnonzero(wrong))


def covered(table: pd.DataFrame, required: str, min_coverage_pct: float) -> CheckResult:
    """Find hours or days that have a value though too little of them was covered, or none though enough was."""
    there = ~np.isnan(table[required].to_numpy(np.float64))
    # a coverage that is exactly the least one counts as enough; the last bit of a percentage may not say so
    enough = table["coverage_pct"].to_numpy(np.float64) >= min_coverage_pct - 1e-9
    return CheckResult(len(table), np.flatnonzero(there != enough))


def there(table: pd.DataFrame, column: str) -> CheckResult:
    """Find rows without a value in a column, up to the last time at which any sensor has one.

    What comes after it in the last day has not been measured yet.
    """
    empty, times = np.isnan(table[column].to_numpy(np.float64)), seconds(table)
    due = np.ones(len(table), bool) if empty.all() else times <= times[~empty].max()
    return CheckResult(int(due.sum()), np.flatnonzero(empty & due))


def measured(table: pd.DataFrame, max_share_pct: float) -> CheckResult:
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
    return CheckResult(len(names), absent=lines)


def agrees(
    table: pd.DataFrame, native: pd.DataFrame, grid: Mapping[str, Any], sums: Mapping[str, str]
) -> CheckResult:
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
    at = position(seconds(table), starts)
    wrong = np.zeros(len(table), bool)
    for column, source in sums.items():
        energy = native[source].to_numpy(np.float64)
        some = kept & ~np.isnan(energy)
        total = np.bincount(cell[some], weights=energy[some], minlength=len(names) * len(starts))
        expected = total[np.maximum(codes, 0) * len(starts) + np.maximum(at, 0)]
        values = table[column].to_numpy(np.float64)
        with np.errstate(invalid="ignore"):
            wrong |= (np.abs(values - expected) > 1e-9 * np.maximum(np.abs(expected), 1.0)) & (at >= 0)
    return CheckResult(len(table), np.flatnonzero(wrong))


def adds_up(table: pd.DataFrame, column: str, main: str, tolerance_pct: float) -> CheckResult:
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
        return CheckResult(0)
    whole = wide.dropna()
    total = whole.drop(columns=main).sum(axis=1)
    off = (total - whole[main]).abs() > tolerance_pct / 100 * whole[main].abs()
    lines = tuple(
        f"{when:%Y-%m-%d %H:%M}: machines {machines:.1f}, {main} {said:.1f}"
        for when, machines, said in zip(
            pd.DatetimeIndex(off.index)[off], total[off], whole.loc[off, main], strict=True
        )
    )
    return CheckResult(len(whole), absent=lines)


def lawful(
    table: pd.DataFrame, laws: Mapping[str, Mapping[str, Any]], except_for: Iterable[Iterable[str]]
) -> CheckResult:
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
    return CheckResult(len(table), np.flatnonzero(wrong))


def _usual(energy: np.ndarray) -> float:
    known = energy[np.isfinite(energy)]
    return float(np.quantile(known, 0.99)) if len(known) else np.inf


def heard(table: pd.DataFrame, column: str, max_silence_hours: float) -> CheckResult:
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
    return CheckResult(len(names), absent=lines)


def varying(table: pd.DataFrame, column: str, min_days: float) -> CheckResult:
    """Find sensors that say one and the same from the first row to the last, over at least so many days."""
    codes, names = sensor_codes(table)
    times, values = seconds(table), table[column].to_numpy(np.float64)
    lines = []
    if len(times) and times.max() - times.min() >= 86_400 * min_days:
        for i, name in enumerate(names):
            own = values[(codes == i) & ~np.isnan(values)]
            if len(own) > 1 and own.min() == own.max():
                lines.append(f"{name}: always {own[0]:g}")
    return CheckResult(len(names), absent=tuple(lines))


def in_order(table: pd.DataFrame, columns: Sequence[str]) -> CheckResult:
    """Find rows of which a column is above the next one, or has no value."""
    values = [table[column].to_numpy(np.float64) for column in columns]
    wrong = np.zeros(len(table), bool)
    for low, high in pairwise(values):
        wrong |= ~(low <= high)
    return CheckResult(len(table), np.flatnonzero(wrong))


def equals_sum(table: pd.DataFrame, whole: pd.DataFrame, column: str) -> CheckResult:
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
    return CheckResult(len(total), absent=lines)


def near(
    table: pd.DataFrame, column: str, usual_per_hour: float, hours: float, max_times: float
) -> CheckResult:
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
        return CheckResult(1)
    return CheckResult(1, absent=(f"{now:.4g} an hour, of late {usual_per_hour:.4g}",))
