"""One raw object into typed rows and quarantined rows; the two together are all its rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fems.book import TABLE_COLUMNS, Book
from fems.errors import ConfigError, UndecodableObject
from fems.lake import RawObject
from fems.plant import Feed, Plant, Sensor
from fems.raw import clock, numbers, text, wide


@dataclass(frozen=True)
class Source:
    """Whose files are read, and by which rules: what decoding an object needs beside its bytes."""

    factory_id: str
    feed: Feed
    zone: str
    grain_minutes: int
    sensors: tuple[Sensor, ...]
    plant: Plant
    book: Book

    @classmethod
    def of(cls, plant: Plant, book: Book, factory_id: str) -> "Source":
        """Gather what the registry and the book say of a factory's feed.

        Raises:
            ConfigError: the mapping names a column or a sensor that there is not.
        """
        factory = plant.factory(factory_id)
        _check_mapping(plant, book, factory_id)
        return cls(
            factory_id,
            book.feed,
            factory.timezone,
            plant.grain_minutes(factory_id, book.feed),
            tuple(plant.sensors(factory_id, book.feed)),
            plant,
            book,
        )


def _check_mapping(plant: Plant, book: Book, factory_id: str) -> None:
    """Refuse a mapping with a name that nothing would ever match: a column would be missing without a word."""
    mapping = plant.mapping(factory_id, book.feed)
    name = plant.factory(factory_id).mapping[book.feed]
    known = {*TABLE_COLUMNS, *book.columns}
    targets = [target.split("/") for target in mapping.wide.values()]
    for column in (*mapping.columns, *mapping.cumulative, *(column for _, column in targets)):
        if column not in known:
            raise ConfigError(
                f"factories.yaml: mappings.{name}: {column!r} is no column of feed {book.feed} "
                f"({', '.join(sorted(known))})"
            )
    sensors = {sensor.sensor_id for sensor in plant.sensors(factory_id, book.feed)}
    for sensor in (*(sensor for sensor, _ in targets), *filter(None, [mapping.constants.get("sensor_id")])):
        if sensor not in sensors:
            raise ConfigError(
                f"factories.yaml: mappings.{name}: factory {factory_id} has no sensor {sensor!r}"
            )


@dataclass(frozen=True)
class DecodedObject:
    """What a raw object holds.

    Attributes:
        raw: the object.
        read: rows in it, the bad ones included.
        starts: int64, n: UTC seconds of the interval's start.
        sensors: int16, n: position in the source's sensors.
        lines: int32, n: line in the file.
        values: float64, (n, columns): NaN where there is none.
        states: uint8, (n, columns): see `fems.raw.numbers`.
        supplied: bool, columns: whether the file carries the column at all.
        quarantined: line, reason and text of each row that cannot be used; line 0 is the whole object.
    """

    raw: RawObject
    read: int
    starts: np.ndarray
    sensors: np.ndarray
    lines: np.ndarray
    values: np.ndarray
    states: np.ndarray
    supplied: np.ndarray
    quarantined: list[text.BadLine]

    @property
    def undecodable(self) -> bool:
        """Whether the object went to quarantine whole."""
        return self.read == 0


def _refused(raw: RawObject, source: Source, reason: str) -> DecodedObject:
    width = len(source.book.columns)
    return DecodedObject(
        raw,
        0,
        np.empty(0, np.int64),
        np.empty(0, np.int16),
        np.empty(0, np.int32),
        np.empty((0, width)),
        np.empty((0, width), np.uint8),
        np.zeros(width, bool),
        [text.BadLine(0, reason, "")],
    )


def find_headers(table: text.TextTable, source: Source) -> dict[str, str]:
    """Match the file's headers to our columns: by the mapping first, then by the book's aliases.

    Raises:
        UndecodableObject: a column without which nothing can be done is not there.
    """
    mapping = source.plant.mapping(source.factory_id, source.feed)
    book = source.book
    aliases: dict[str, tuple[str, ...]] = {
        "timestamp": book.time_aliases,
        "factory_id": book.factory_aliases,
        "sensor_id": book.sensor_aliases,
        **{name: column.aliases for name, column in book.columns.items()},
    }
    folded = {header.casefold(): header for header in table.columns}
    found: dict[str, str] = {}
    for ours, names in aliases.items():
        wanted = (mapping.columns[ours],) if ours in mapping.columns else (ours, *names)
        header = next((folded[name.casefold()] for name in wanted if name.casefold() in folded), None)
        if header is not None:
            found[ours] = header
    required = ["timestamp", *(name for name, column in book.columns.items() if column.required)]
    if "sensor_id" not in mapping.constants:
        required.append("sensor_id")
    for ours in required:
        if ours not in found:
            has = ", ".join(list(table.columns)[:12])
            looked = mapping.columns.get(ours) or ", ".join((ours, *aliases[ours]))
            raise UndecodableObject(
                f"the header has no column for {ours} (looked for: {looked}; it has: {has})"
            )
    return found


def _positions(column: pa.ChunkedArray | None, source: Source, n: int) -> tuple[np.ndarray, pa.Array]:
    """Give each row its sensor's position in the registry, -1 for an unknown one; and the IDs as written."""
    constant = source.plant.mapping(source.factory_id, source.feed).constants.get("sensor_id")
    if column is None or constant is not None:
        column = pa.chunked_array([pa.array([constant] * n, pa.string())])
    coded = column.combine_chunks().dictionary_encode()
    place = {sensor.sensor_id: i for i, sensor in enumerate(source.sensors)}
    by_code = np.array(
        [place.get((name or "").strip(), -1) for name in coded.dictionary.to_pylist()], np.int16
    )
    return by_code[coded.indices.to_numpy()], coded


def _foreign_rows(table: text.TextTable, headers: dict[str, str], source: Source) -> dict[int, str]:
    """Find rows that say they are of another factory: row -> reason."""
    if (
        "factory_id" not in headers
        or "factory_id" in source.plant.mapping(source.factory_id, source.feed).constants
    ):
        return {}
    column = pc.utf8_trim_whitespace(table.columns[headers["factory_id"]])
    other = np.flatnonzero(pc.not_equal(column, source.factory_id).to_numpy(zero_copy_only=False))
    names = column.take(pa.array(other)).to_pylist()
    return {
        int(i): f"the row is of factory {name!r} and lies in the folder of factory {source.factory_id}"
        for i, name in zip(other, names, strict=True)
    }


def read_rows(data: bytes, source: Source) -> tuple[text.TextTable, dict[str, str]]:
    """Read an object's rows and find our columns among its headers.

    Raises:
        UndecodableObject: no reader understands it, or a needed column is not there.
    """
    mapping = source.plant.mapping(source.factory_id, source.feed)
    table = text.read_table(data, mapping)
    if mapping.layout == "wide":
        table = wide.to_long(table, mapping)
    return table, find_headers(table, source)


def times_of(
    table: text.TextTable, headers: dict[str, str], source: Source
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the file's times mean, stage by stage, int64, n each, NO_TIME where a stage failed.

    Returns:
        Wall-clock seconds as written; the same on the grid; UTC seconds of the interval starts.
    """
    mapping = source.plant.mapping(source.factory_id, source.feed)
    zone = mapping.timezone or source.zone
    local = clock.read_local_times(table.columns[headers["timestamp"]], mapping, zone)
    wall = clock.on_grid(local, mapping, source.grain_minutes)
    return local, wall, clock.interval_starts(wall, mapping, source.grain_minutes, zone)


def _reasons(
    table: text.TextTable, headers: dict[str, str], source: Source, raw: RawObject
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Place each row in time and at a sensor, and say of the others why they have no place."""
    n = len(table.lines)
    written = table.columns[headers["timestamp"]]
    local, starts, utc = times_of(table, headers, source)
    places, sensor_ids = _positions(table.columns.get(headers.get("sensor_id", "")), source, n)
    day = int(np.datetime64(raw.day, "D").astype(np.int64))

    reasons = _foreign_rows(table, headers, source)
    bad = (utc == clock.NO_TIME) | (clock.local_days(utc, source.zone) != day) | (places < 0)
    for i in np.flatnonzero(bad):
        row = int(i)
        if row in reasons:
            continue
        if local[row] == clock.NO_TIME:
            reason = f"the time {written[row].as_py()!r} cannot be read"
        elif starts[row] == clock.NO_TIME:
            reason = f"the time {written[row].as_py()!r} is not on the {source.grain_minutes}-minute grid"
        elif utc[row] == clock.NO_TIME:
            reason = f"the time {written[row].as_py()!r} is skipped or repeated by a change of the clocks"
        elif places[row] < 0:
            reason = (
                f"the sensor {sensor_ids[row].as_py()!r} is not registered for factory {source.factory_id}, "
                f"feed {source.feed}: add it to factories.yaml and run ingest again"
            )
        else:
            reason = f"the time {written[row].as_py()!r} is outside the object's day {raw.day}"
        reasons[row] = reason
    return utc, places, reasons


def decode(raw: RawObject, data: bytes, source: Source) -> DecodedObject:
    """Decode a raw object.

    Nothing raises: an object that no reader understands comes back with no row and one quarantine record.

    Args:
        raw: the object's key, ETag and day.
        data: its bytes.
        source: whose it is.

    Returns:
        Its rows; `read` = rows + quarantined rows.
    """
    mapping = source.plant.mapping(source.factory_id, source.feed)
    try:
        table, headers = read_rows(data, source)
    except UndecodableObject as error:
        return _refused(raw, source, str(error))

    utc, places, reasons = _reasons(table, headers, source, raw)
    n, width = len(table.lines), len(source.book.columns)
    values = np.full((n, width), np.nan)
    states = np.full((n, width), numbers.EMPTY, np.uint8)
    supplied = np.zeros(width, bool)
    for j, name in enumerate(source.book.columns):
        if name in headers:
            supplied[j] = True
            values[:, j], states[:, j] = numbers.to_numbers(table.columns[headers[name]])

    quarantined = list(table.bad)
    keep = np.ones(n, bool)
    for row, reason in reasons.items():
        keep[row] = False
        fields = (column[row].as_py() or "" for column in table.columns.values())
        quarantined.append(text.BadLine(int(table.lines[row]), reason, mapping.delimiter.join(fields)))
    quarantined.sort(key=lambda b: b.line)
    return DecodedObject(
        raw,
        n + len(table.bad),
        utc[keep],
        places[keep],
        table.lines[keep],
        values[keep],
        states[keep],
        supplied,
        quarantined,
    )


def quarantine_frame(objects: list[DecodedObject]) -> pd.DataFrame:
    """Return the quarantined rows of some objects: source object, its ETag, line, reason and text."""
    return pd.DataFrame(
        [
            {
                "object": d.raw.key,
                "etag": d.raw.etag,
                "day": d.raw.day,
                "line": b.line,
                "reason": b.reason,
                "text": b.text,
            }
            for d in objects
            for b in d.quarantined
        ],
        columns=["object", "etag", "day", "line", "reason", "text"],
    )
