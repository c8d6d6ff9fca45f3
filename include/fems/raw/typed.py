"""Rows whose cells are typed and whose places are not known yet; and how a table of texts becomes them."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems.errors import UndecodableObject
from fems.raw import marks, numbers, text
from fems.raw.arrange import Arranged
from fems.raw.decoded import NO_ODD_CELLS, OddCells
from fems.raw.interval_labels import read_times
from fems.registry.feed import FactoryFeed

Parsed = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Values, states and odd rows of a column, see `numbers.to_numbers`."""


@dataclass(frozen=True)
class Coded:
    """A column by its distinct texts.

    Attributes:
        codes: int32, n: each row's place among the texts.
        texts: string; some may have no row.
    """

    codes: np.ndarray
    texts: pa.Array


@dataclass(frozen=True)
class TypedRows:
    """The rows of some objects, one object after the other.

    Attributes:
        owner: int, n, rising: position of each row's object.
        lines: int32, n: line in the object, counted from 1.
        bad: lines that have no place among the rows.
        times: as written.
        seconds: int64, a time text each: seconds since 1970 as it writes them, NO_TIME where unreadable.
        ahead: int64, a time text each: seconds that its clock is ahead of UTC, NO_TIME where it does not say.
        sensors: the sensor IDs.
        factories: the factory IDs.
        values: float64, (columns, n): NaN where there is none.
        states: uint8, (columns, n): see `fems.raw.numbers`.
        odd: what stood in the cells that are not plain numbers.
        supplied: bool, columns: whether the objects carry the column at all.
        fields: returns what stood in a row, field by field.
        sheet: its name in a workbook of several.
        timezone: of its times, where the header names it.
        left: objects that are left to the readers of text, by position.
    """

    owner: np.ndarray
    lines: np.ndarray
    bad: list[text.BadLine]
    times: Coded
    seconds: np.ndarray
    ahead: np.ndarray
    sensors: Coded
    factories: Coded
    values: np.ndarray
    states: np.ndarray
    odd: OddCells
    supplied: np.ndarray
    fields: Callable[[int], list[str]]
    sheet: str | None = None
    timezone: str | None = None
    left: frozenset[int] = frozenset()


def constant(name: str, n: int) -> Coded:
    """Return an ID that all rows have."""
    return Coded(np.zeros(n, np.int32), pa.array([name], pa.string()))


def coded_constants(
    source: FactoryFeed, headers: Mapping[str, Any], facts: Mapping[str, str], n: int
) -> dict[str, Coded]:
    """Return the ID columns that are the same in all rows: the mapping or the file's name says so, or no header is.

    Args:
        source: whose rows.
        headers: our columns that the file has.
        facts: what the file's name tells.
        n: rows.
    """
    constants: Mapping[Any, str] = {**source.mapping.constants, **facts}
    names = {name: constants[name] for name in ("sensor_id", "factory_id") if name in constants}
    if "factory_id" not in headers:
        names.setdefault("factory_id", source.factory_id)
    return {name: constant(value, n) for name, value in names.items()}


def scales(source: FactoryFeed, units: Mapping[str, str]) -> dict[str, Fraction]:
    """Return what the values of each column of ours are multiplied by.

    Args:
        source: whose files.
        units: our column -> the unit that its headers name.

    Raises:
        UndecodableObject: a header names a unit that does not measure what the column does.
    """
    made = {}
    for name in source.book.columns:
        try:
            made[name] = source.scale(source.mapping, name, units.get(name))
        except ValueError as error:
            raise UndecodableObject(
                f"the header of {name} names another unit: {error}; the mapping's `units` can say which it is"
            ) from error
    return made


def unit_of_cells(source: FactoryFeed, units: Mapping[str, str], name: str) -> str | None:
    """Return the unit that may stand behind a column's numbers; None: those in which columns are kept."""
    return source.mapping.units.get(name) or units.get(name)


def scaled(values: np.ndarray, scale: Fraction) -> np.ndarray:
    """Multiply values by a share; by 1 they stay the same to the last digit, and by 1/1000 they are divided."""
    if scale == 1:
        return values
    if abs(scale.numerator) == 1:
        return values / (scale.denominator * scale.numerator)
    return values * (scale.numerator / scale.denominator)


def typed(arranged: Arranged, source: FactoryFeed, facts: Mapping[str, str]) -> TypedRows:
    """Type an object's rows.

    Args:
        arranged: its cells as text, in the long form.
        source: whose it is.
        facts: what the file's name tells.

    Raises:
        UndecodableObject: a header names a unit that cannot be.
    """
    table, headers = arranged.table, arranged.headers
    n = len(table.lines)
    coded = coded_constants(source, headers, facts, n)
    for name in ("timestamp", "sensor_id", "factory_id"):
        if name not in coded:
            codes, texts = text.distinct(table.columns[headers[name][0]])
            coded[name] = Coded(codes, pa.array(texts, pa.string()))
    zone = source.mapping.timezone or source.zone
    seconds, ahead = read_times(
        coded["timestamp"].texts.to_pylist(), source.mapping, source.grain_minutes, zone
    )
    values, states, odd, supplied = _numbers_of(arranged, source)

    def fields(row: int) -> list[str]:
        return [
            column[row].as_py() or "" for name, column in table.columns.items() if name not in table.derived
        ]

    return TypedRows(
        np.zeros(n, np.intp), table.lines, table.bad, coded["timestamp"], seconds, ahead, coded["sensor_id"],
        coded["factory_id"], values, states, odd, supplied, fields, table.sheet,
    )  # fmt: skip


def _numbers_of(
    arranged: Arranged, source: FactoryFeed
) -> tuple[np.ndarray, np.ndarray, OddCells, np.ndarray]:
    """Type the value columns: values and states (columns, n), odd cells, and which columns the file carries."""
    table, headers = arranged.table, arranged.headers
    n, width = len(table.lines), len(source.book.columns)
    values = np.full((width, n), np.nan)
    states = np.full((width, n), numbers.EMPTY, np.uint8)
    supplied = np.zeros(width, bool)
    scale = scales(source, arranged.units)
    decimals = _marks(arranged, source)
    by_row = _scales_of_rows(arranged, source)
    rows, columns, texts = [], [], []
    for j, name in enumerate(source.book.columns):
        if name not in headers:
            continue
        supplied[j] = True
        unit = unit_of_cells(source, arranged.units, name)
        parts = [_read(table, header, decimals[header], unit) for header in headers[name]]
        if source.mapping.decimal is None:
            parts = [
                _retyped(table.columns[header], part) if decimals[header] == marks.COMMA else part
                for header, part in zip(headers[name], parts, strict=True)
            ]
        parts = [
            (read * sign, state, odd)
            for (read, state, odd), sign in zip(parts, _signs(source, name, parts), strict=True)
        ]
        total, states[j], odd = _sum(parts)
        values[j] = scaled(total, scale[name])
        if by_row is not None and name in by_row:
            values[j], states[j], odd = _scaled_by_row(total, states[j], odd, by_row[name])
        if len(odd):
            rows.append(odd)
            columns.append(np.full(len(odd), j, np.int8))
            written = [
                table.columns[header].take(pa.array(odd)).to_pandas().to_numpy(object)
                for header in headers[name]
            ]
            texts.append(np.array([" + ".join(cell) for cell in zip(*written, strict=True)], object))
    if not rows:
        return values, states, NO_ODD_CELLS, supplied
    odd_cells = OddCells(np.concatenate(rows), np.concatenate(columns), np.concatenate(texts))
    return values, states, odd_cells, supplied


def _signs(source: FactoryFeed, name: str, parts: list[Parsed]) -> tuple[int, ...]:
    signs = source.signs(name)
    return signs if len(signs) == len(parts) else (1,) * len(parts)


def _scales_of_rows(arranged: Arranged, source: FactoryFeed) -> dict[str, np.ndarray] | None:
    """Return what each row's value is multiplied by, as a column of the file names its unit; None where none does.

    Returns:
        Our column -> float64, n: NaN where the row's unit does not measure what the column does. Only columns of which
        neither the mapping nor a header names the unit, and that some row's unit measures.
    """
    if arranged.unit_column is None:
        return None
    codes, texts = text.distinct(arranged.table.columns[arranged.unit_column])
    made = {}
    for name in source.book.columns:
        if name not in arranged.headers or name in source.mapping.units or name in arranged.units:
            continue
        factors = np.full(len(texts), np.nan)
        for i, unit in enumerate(texts):
            with suppress(ValueError):
                factors[i] = float(source.scale(source.mapping, name, unit.strip() or None))
        if any(t.strip() and not np.isnan(f) for t, f in zip(texts, factors, strict=True)):
            made[name] = factors[codes]
    return made or None


def _scaled_by_row(
    values: np.ndarray, states: np.ndarray, odd: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multiply each value by its row's factor; one without is no number of this column."""
    foreign = np.isnan(factors) & ~np.isnan(values)
    states = np.where(foreign, numbers.WRONG, states).astype(np.uint8)
    return values * factors, states, np.union1d(odd, np.flatnonzero(foreign))


def _marks(arranged: Arranged, source: FactoryFeed) -> dict[str, str]:
    """Return the decimal mark of each column of numbers: what the mapping says, or what its texts prove."""
    table = arranged.table
    heads = [h for name in source.book.columns for h in arranged.headers.get(name, ())]
    if source.mapping.decimal is not None:
        return dict.fromkeys(heads, source.mapping.decimal)
    written = {
        head: table.columns[head].filter(pa.array(~table.typed[head]))
        if head in table.typed
        else table.columns[head]
        for head in heads
    }
    return marks.concluded(written, table.delimiter)


def _read(table: text.TextTable, header: str, mark: str, unit: str | None) -> Parsed:
    """Read a column; cells that were numbers by their type are what they are, whatever the decimal mark."""
    column, typed_cells = table.columns[header], table.typed.get(header)
    if typed_cells is None or mark == marks.POINT:
        return numbers.to_numbers(column, mark, unit)
    values, states = np.full(len(column), np.nan), np.zeros(len(column), np.uint8)
    odd = []
    for cells, own in ((typed_cells, marks.POINT), (~typed_cells, mark)):
        at = np.flatnonzero(cells)
        values[at], states[at], some = numbers.to_numbers(column.take(pa.array(at)), own, unit)
        odd.append(at[some])
    return values, states, np.sort(np.concatenate(odd))


def _retyped(column: pa.ChunkedArray, parsed: Parsed) -> Parsed:
    """Mark what was read by a mark that is concluded: the same number is the same in whatever file it comes."""
    values, states, odd = parsed
    commas = pc.fill_null(pc.match_substring(column.cast(pa.string()), ","), False).to_numpy()
    tidied = commas & (states == numbers.MEASURED)
    return (
        values,
        np.where(tidied, numbers.RETYPED, states).astype(np.uint8),
        np.union1d(odd, np.flatnonzero(tidied)),
    )


def _sum(parts: list[Parsed]) -> Parsed:
    """Add columns up; where one has no value, the sum has none."""
    values, states, odd = parts[0]
    for more, others, strange in parts[1:]:
        values = values + more
        worse = np.isin(others, (numbers.WRONG, numbers.EMPTY)) & (states != numbers.WRONG)
        states = np.where(worse, others, np.where(states == numbers.MEASURED, others, states)).astype(
            np.uint8
        )
        odd = np.union1d(odd, strange)
    return values, states, odd
