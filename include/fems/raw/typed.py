"""Rows whose cells are typed and whose places are not known yet; and how a table of texts becomes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fems.raw import labels, numbers, text
from fems.raw.decoded import NO_ODD_CELLS, OddCells
from fems.registry.feed import FactoryFeed


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


def constant(name: str, n: int) -> Coded:
    """Return an ID that all rows have."""
    return Coded(np.zeros(n, np.int32), pa.array([name], pa.string()))


def coded_constants(source: FactoryFeed, headers: Mapping[str, str], n: int) -> dict[str, Coded]:
    """Return the ID columns that are the same in all rows: the mapping says so, or no header is there to tell.

    Args:
        source: whose rows.
        headers: our column -> the file's header.
        n: rows.
    """
    constants: Mapping[Any, str] = source.mapping.constants
    names = {name: constants[name] for name in ("sensor_id", "factory_id") if name in constants}
    if "factory_id" not in headers:
        names["factory_id"] = source.factory_id
    return {name: constant(value, n) for name, value in names.items()}


def typed(table: text.TextTable, headers: Mapping[str, str], source: FactoryFeed) -> TypedRows:
    """Type an object's rows.

    Args:
        table: its cells as text.
        headers: our column -> the file's header.
        source: whose it is.
    """
    n = len(table.lines)
    coded = coded_constants(source, headers, n)
    for name in ("timestamp", "sensor_id", "factory_id"):
        if name not in coded:
            codes, texts = text.distinct(table.columns[headers[name]])
            coded[name] = Coded(codes, pa.array(texts, pa.string()))
    seconds, ahead = labels.read_labels(coded["timestamp"].texts.to_pylist(), source.mapping.time_formats)
    values, states, odd, supplied = _numbers_of(table, headers, source)

    def fields(row: int) -> list[str]:
        return [column[row].as_py() or "" for column in table.columns.values()]

    return TypedRows(
        np.zeros(n, np.intp), table.lines, table.bad, coded["timestamp"], seconds, ahead, coded["sensor_id"],
        coded["factory_id"], values, states, odd, supplied, fields,
    )  # fmt: skip


def _numbers_of(
    table: text.TextTable, headers: Mapping[str, str], source: FactoryFeed
) -> tuple[np.ndarray, np.ndarray, OddCells, np.ndarray]:
    """Type the value columns: values and states (columns, n), odd cells, and which columns the file carries."""
    n, width = len(table.lines), len(source.book.columns)
    values = np.full((width, n), np.nan)
    states = np.full((width, n), numbers.EMPTY, np.uint8)
    supplied = np.zeros(width, bool)
    rows, columns, texts = [], [], []
    for j, name in enumerate(source.book.columns):
        if name not in headers:
            continue
        supplied[j] = True
        column = table.columns[headers[name]]
        values[j], states[j], odd = numbers.to_numbers(column, table.decimal)
        if len(odd):
            rows.append(odd)
            columns.append(np.full(len(odd), j, np.int8))
            texts.append(column.take(pa.array(odd)).to_pandas().to_numpy(object))
    if not rows:
        return values, states, NO_ODD_CELLS, supplied
    odd_cells = OddCells(np.concatenate(rows), np.concatenate(columns), np.concatenate(texts))
    return values, states, odd_cells, supplied
