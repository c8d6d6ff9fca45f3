"""Tables as they stand in files into the long form: a row a sensor and interval, its time in one column."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fems.errors import UndecodableObject
from fems.raw import day_columns
from fems.raw.labels import NO_TIME, read_labels
from fems.raw.text import TextTable, distinct
from fems.registry import units
from fems.registry.feed import FactoryFeed

_TIME, _HEAD, _SENSOR, _VALUE = "\0time", "\0header", "\0sensor", "\0value"
"""Columns that are made here; no file has such a header."""
_NOTHING, _ZERO = "\0nothing", "\0zero"
_LITERALS = {_NOTHING: "", _ZERO: "0"}
"""What stands in a cell that takes no column of the file."""
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?$")
_DAY_OF_EXCEL = re.compile(r"^(?:1899-12-3[01]|1900-01-0[01]) (?=\d)")
_SHARE_OF_A_DAY = re.compile(r"0(?:\.\d+)?|0?\.\d+")
_EIGHT_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)")
_DAY_S = 86_400


@dataclass(frozen=True)
class Arranged:
    """A table in the long form.

    Attributes:
        table: its rows; a row of a wide file became several, all with its line.
        headers: our column -> the headers whose sum it is, mostly one.
        units: our column -> the unit that the headers name.
        unit_column: header of the column that names each row's unit; None where there is none, or no need.
    """

    table: TextTable
    headers: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]
    unit_column: str | None = None


def arranged(
    table: TextTable, headers: Mapping[str, tuple[str, ...]], source: FactoryFeed, facts: Mapping[str, str]
) -> Arranged:
    """Bring a table into the long form.

    Args:
        table: as read.
        headers: our column -> the file's headers, see `header.matched`.
        source: whose it is.
        facts: what the file's name tells.

    Raises:
        UndecodableObject: the headers of one column name different units.
    """
    mapping = source.mapping
    by_column: dict[str, list[str]] = {name: list(parts) for name, parts in headers.items()}
    if mapping.layout == "wide":
        for header, target in mapping.wide.items():
            by_column.setdefault(target.split("/")[1], []).append(header)
    named = _units(by_column, table, source)
    if mapping.times_are_headers or mapping.row_per_day is not None:
        table, headers = _rows_of_days(table, headers, source)
    elif mapping.layout == "wide":
        table, headers = _sensors_below(table, headers, source)
    if mapping.interval_number is not None:
        table, headers = _with_time(table, headers, _of_numbers(table, headers, source))
    elif len(headers["timestamp"]) > 1 or "date" in facts:
        table, headers = _with_time(table, headers, _of_parts(table, headers, facts))
    if len(headers.get("sensor_id", ())) > 1:
        table, headers = _with_sensor(table, headers)
    in_rows = next((name for name in table.columns if name.casefold() in units.IN_COLUMNS), None)
    return Arranged(table, headers, named, in_rows)


def _units(by_column: Mapping[str, list[str]], table: TextTable, source: FactoryFeed) -> dict[str, str]:
    given = {**source.mapping.units, **source.mapping.factors}
    named: dict[str, str] = {}
    for ours, headers in by_column.items():
        if ours in ("timestamp", "sensor_id", "factory_id"):
            continue
        times = next((name for name in headers if units.is_multiplied(name)), None)
        if times is not None and ours not in given:
            raise UndecodableObject(
                f"the header {times!r} names a unit and a number: say in the mapping what a value is worth, by `units` "
                "or `factors`"
            )
        several = {
            unit for name in headers if (unit := table.units.get(name) or units.in_header(name)) is not None
        }
        if len(several) > 1:
            raise UndecodableObject(
                f"the headers of {ours} name different units: {', '.join(sorted(several))}"
            )
        if several:
            named[ours] = several.pop()
    return named


def _with_time(
    table: TextTable, headers: Mapping[str, tuple[str, ...]], times: pa.ChunkedArray
) -> tuple[TextTable, Mapping[str, tuple[str, ...]]]:
    columns = {**table.columns, _TIME: times}
    return (
        replace(table, columns=columns, derived=table.derived | {_TIME}),
        {**headers, "timestamp": (_TIME,)},
    )


def _with_sensor(
    table: TextTable, headers: Mapping[str, tuple[str, ...]]
) -> tuple[TextTable, Mapping[str, tuple[str, ...]]]:
    """Join the parts of a sensor's name by hyphens."""

    def joined(ones: list[str], others: list[str]) -> list[str]:
        return [f"{one.strip()}-{other.strip()}" for one, other in zip(ones, others, strict=True)]

    first, *others = (table.columns[name] for name in headers["sensor_id"])
    for other in others:
        first = _of_pairs(first, other, joined)
    columns = {**table.columns, _SENSOR: first}
    return (
        replace(table, columns=columns, derived=table.derived | {_SENSOR}),
        {**headers, "sensor_id": (_SENSOR,)},
    )


def _of_pairs(
    one: pa.ChunkedArray, other: pa.ChunkedArray, make: Callable[[list[str], list[str]], list[str]]
) -> pa.ChunkedArray:
    """Return a column that is made of two, row by row, but only once for rows with the same two texts."""
    (first, texts), (second, others) = distinct(one), distinct(other)
    pairs, codes = np.unique(first.astype(np.int64) * max(len(others), 1) + second, return_inverse=True)
    left, right = np.divmod(pairs, max(len(others), 1))
    made = make([texts[i] for i in left.tolist()], [others[i] for i in right.tolist()])
    coded = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(made, pa.string()))
    return pa.chunked_array([coded])


def _of_parts(
    table: TextTable, headers: Mapping[str, tuple[str, ...]], facts: Mapping[str, str]
) -> pa.ChunkedArray:
    """Join the parts of a time: the date that the file's name tells, then its columns, a space between them."""
    columns = [table.columns[name] for name in headers["timestamp"]]
    if "date" in facts:
        day = _EIGHT_DIGITS.fullmatch(facts["date"])
        text = "-".join(day.groups()) if day else facts["date"]
        columns.insert(0, pa.chunked_array([pa.repeat(pa.scalar(text), len(table.lines))]))

    def joined(dates: list[str], times: list[str]) -> list[str]:
        # 0 is midnight among shares of a day, and an hour among hours
        shares = any("." in time and _SHARE_OF_A_DAY.fullmatch(time.strip()) for time in times)
        return [
            f"{_MIDNIGHT.sub('', date.strip())} {_time_of_day(time.strip(), shares)}".strip()
            for date, time in zip(dates, times, strict=True)
        ]

    whole = columns[0]
    for column in columns[1:]:
        whole = _of_pairs(whole, column, joined)
    return whole


def _time_of_day(text: str, shares: bool) -> str:
    """Write a time of day that a workbook holds as a date of 1900 or, `shares`, as a share of the day."""
    if shares and _SHARE_OF_A_DAY.fullmatch(text):
        minutes, seconds = divmod(round(float(text) * _DAY_S), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return _DAY_OF_EXCEL.sub("", text)


def _of_numbers(
    table: TextTable, headers: Mapping[str, tuple[str, ...]], source: FactoryFeed
) -> pa.ChunkedArray:
    """Make times of a date and the number of the interval beside it."""
    number = source.mapping.interval_number
    if number is None:
        raise ValueError("the mapping has no interval_number")
    name = next(name for name in table.columns if name.casefold() == number.column.casefold())
    if len(headers["timestamp"]) > 1:
        table, headers = _with_time(table, headers, _of_parts(table, headers, {}))
    dates = table.columns[headers["timestamp"][0]]

    def made(days: list[str], numbers: list[str]) -> list[str]:
        digits = [re.fullmatch(r"\D*(\d{1,3})(?:[.,]0+)?\D*", text.strip()) for text in numbers]
        places = np.array([int(match[1]) - number.first if match else -1 for match in digits], np.int64)
        return _times(days, places, [f"{day} {n}" for day, n in zip(days, numbers, strict=True)], source)

    return _of_pairs(dates, table.columns[name], made)


def _days(dates: list[str], source: FactoryFeed) -> np.ndarray:
    """Read dates: int64, seconds of their midnights, NO_TIME where unreadable."""
    mapping = source.mapping
    seconds, _ = read_labels(dates, mapping.time_formats, mapping.timezone or source.zone)
    return np.where(seconds == NO_TIME, NO_TIME, seconds // _DAY_S * _DAY_S)


def _times(dates: list[str], places: np.ndarray, written: list[str], source: FactoryFeed) -> list[str]:
    """Return times of dates and places within them; where there is none, what was written, as no time."""
    mapping = source.mapping
    labels = day_columns.labels_of_numbers(
        _days(dates, source),
        places,
        source.grain_minutes,
        mapping.timezone or source.zone,
        mapping.time_marks == "end",
    )
    return [text if label is None else label for label, text in zip(labels, written, strict=True)]


def _sensors_below(
    table: TextTable, headers: Mapping[str, tuple[str, ...]], source: FactoryFeed
) -> tuple[TextTable, Mapping[str, tuple[str, ...]]]:
    """Turn a row a time into a row a time and sensor; each becomes as many rows as `wide` names sensors."""
    by_sensor: dict[str, dict[str, list[str]]] = {}
    for header, target in source.mapping.wide.items():
        sensor, column = target.split("/")
        by_sensor.setdefault(sensor, {}).setdefault(column, []).append(header)
    n = len(table.lines)
    most = {
        name: max(len(each.get(name, ())) for each in by_sensor.values())
        for name in dict.fromkeys(name for each in by_sensor.values() for name in each)
    }
    own = {
        name: tuple(f"{name} {i + 1}" if i else name for i in range(count)) for name, count in most.items()
    }
    blocks = [
        {
            part: (heads[i] if i < len(heads) else _ZERO if heads else _NOTHING)
            for name, parts in own.items()
            for heads in [each.get(name, [])]
            for i, part in enumerate(parts)
        }
        for each in by_sensor.values()
    ]
    long = _stacked(table, blocks, set(source.mapping.wide))
    codes = pa.array(np.repeat(np.arange(len(by_sensor), dtype=np.int32), n))
    ids = pa.DictionaryArray.from_arrays(codes, pa.array(list(by_sensor), pa.string()))
    columns = {**long.columns, "sensor_id": pa.chunked_array([ids])}
    long = replace(long, columns=columns, derived=long.derived | {"sensor_id"})
    return long, {**headers, "sensor_id": ("sensor_id",), **own}


def _stacked(table: TextTable, blocks: list[dict[str, str]], gone: set[str]) -> TextTable:
    """Put copies of a table below each other.

    Args:
        table: n rows.
        blocks: for each copy, new column -> the header that it takes, or one of `_LITERALS`.
        gone: headers that none of the copies keeps.
    """
    n, times = len(table.lines), len(blocks)
    columns = {
        name: pa.chunked_array(column.chunks * times, column.type)
        for name, column in table.columns.items()
        if name not in gone
    }
    typed = {name: np.tile(mask, times) for name, mask in table.typed.items() if name not in gone}
    for name in dict.fromkeys(name for block in blocks for name in block):
        heads = [block[name] for block in blocks]
        parts = [
            pa.chunked_array([pa.repeat(pa.scalar(_LITERALS[head]), n)])
            if head in _LITERALS
            else table.columns[head]
            for head in heads
        ]
        chunks = [chunk for part in parts for chunk in part.cast(pa.string()).chunks]
        columns[name] = pa.chunked_array(chunks, pa.string())
        masks = [table.typed.get(head, np.zeros(n, bool)) for head in heads]
        typed[name] = np.concatenate(masks) if masks else np.zeros(0, bool)
    derived = frozenset(name for block in blocks for name in block)
    return replace(table, columns=columns, lines=np.tile(table.lines, times), typed=typed, derived=derived)


def _rows_of_days(
    table: TextTable, headers: Mapping[str, tuple[str, ...]], source: FactoryFeed
) -> tuple[TextTable, Mapping[str, tuple[str, ...]]]:
    """Turn a row a day into a row an interval; a cell with nothing in it becomes none."""
    mapping = source.mapping
    places = day_columns.intervals(table.header, mapping)
    if mapping.row_per_day is not None:
        value, sensors = mapping.row_per_day.column, [""] * len(places)
    else:
        targets = [mapping.wide[name].split("/") for name in places]
        value, sensors = targets[0][1], [sensor for sensor, _ in targets]
        if len({column for _, column in targets}) > 1:
            raise UndecodableObject("a row a day can hold one column of ours alone")
    n = len(table.lines)
    long = _stacked(table, [{_VALUE: name} for name in places], set(places))
    names = np.repeat(np.arange(len(places), dtype=np.int32), n)
    filled = np.flatnonzero(
        pc.not_equal(pc.utf8_trim_whitespace(long.columns[_VALUE]), "").to_numpy(zero_copy_only=False)
    )
    heads = pa.DictionaryArray.from_arrays(pa.array(names), pa.array(list(places), pa.string()))
    ids = pa.DictionaryArray.from_arrays(pa.array(names), pa.array(sensors, pa.string()))
    columns = {**long.columns, _HEAD: pa.chunked_array([heads]), _SENSOR: pa.chunked_array([ids])}
    columns = {name: column.take(pa.array(filled)) for name, column in columns.items()}
    typed = {name: mask[filled] for name, mask in long.typed.items()}
    derived = long.derived | {_HEAD, _SENSOR}
    long = replace(long, columns=columns, lines=long.lines[filled], typed=typed, derived=derived)
    least = min(place for _, place in places.values())

    def made(dates: list[str], of: list[str]) -> list[str]:
        days, written = _days(dates, source), [f"{date} {head}" for date, head in zip(dates, of, strict=True)]
        kinds = [places[head] for head in of]
        if kinds and kinds[0][0] == "number":
            return _times(dates, np.array([n - least for _, n in kinds], np.int64), written, source)
        return [
            text if day == NO_TIME else str(np.datetime64(int(day) + minutes * 60, "s"))
            for day, (_, minutes), text in zip(days.tolist(), kinds, written, strict=True)
        ]

    if len(headers["timestamp"]) > 1:
        long, headers = _with_time(long, headers, _of_parts(long, headers, {}))
    times = _of_pairs(long.columns[headers["timestamp"][0]], long.columns[_HEAD], made)
    long, headers = _with_time(long, headers, times)
    headers = {**headers, value: (_VALUE,)}
    if mapping.row_per_day is None:
        headers["sensor_id"] = (_SENSOR,)
    return long, headers
