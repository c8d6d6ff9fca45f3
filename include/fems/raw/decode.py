"""One raw object into typed rows and quarantined rows; the two together are all its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fems.book import TABLE_COLUMNS, Book, RuleGroup, rule_groups
from fems.errors import ConfigError, UndecodableObject
from fems.lake import RawObject
from fems.plant import Feed, FileMapping, Plant, Sensor
from fems.raw import clock, numbers, text, together, wide


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

    @cached_property
    def mapping(self) -> FileMapping:
        """How the factory's collectors write this feed."""
        return self.plant.mapping(self.factory_id, self.feed)

    @cached_property
    def version(self) -> str:
        """Fingerprint of the book's rules as they stand for these sensors."""
        return self.book.version_for(self.factory_id, [s.sensor_id for s in self.sensors])

    @cached_property
    def rules(self) -> list[RuleGroup]:
        """The book's rules as they stand for each of the sensors."""
        return rule_groups(self.book, self.factory_id, [s.sensor_id for s in self.sensors])

    @cached_property
    def rest_country(self) -> str | None:
        """Whose public holidays are days of rest here; None where the factory works through them."""
        factory = self.plant.factory(self.factory_id)
        return factory.country if factory.holidays_off else None

    @cached_property
    def coded_headers(self) -> frozenset[str]:
        """Headers under which times and IDs may stand: few distinct texts in many rows."""
        book, named = self.book, self.mapping.columns
        aliases = {
            "timestamp": book.time_aliases,
            "factory_id": book.factory_aliases,
            "sensor_id": book.sensor_aliases,
        }
        ours = {name: (named[name],) if name in named else (name, *aliases[name]) for name in aliases}
        return frozenset(header.casefold() for headers in ours.values() for header in headers)


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
class OddCells:
    """What stood in the cells that are not plain numbers, so that the original of each can be found again.

    Attributes:
        rows: int64, m: the cell's row in the object.
        columns: int8, m: its column in the book.
        texts: object (str), m: what stood there.
    """

    rows: np.ndarray
    columns: np.ndarray
    texts: np.ndarray

    def between(self, begin: int, end: int) -> "OddCells":
        """Return those of the rows begin..end-1, counted from there."""
        if not len(self.rows):
            return self
        inside = (self.rows >= begin) & (self.rows < end)
        return OddCells(self.rows[inside] - begin, self.columns[inside], self.texts[inside])


NO_ODD_CELLS = OddCells(np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, object))


@dataclass(frozen=True)
class DecodedObject:
    """What a raw object holds.

    Attributes:
        raw: the object.
        read: rows in it, the bad ones included.
        starts: int64, n: UTC seconds of the interval's start.
        days: int32, n: local day of the interval's start, days since 1970.
        sensors: int16, n: position in the source's sensors.
        lines: int32, n: line in the file.
        values: float64, (columns, n): NaN where there is none.
        states: uint8, (columns, n): see `fems.raw.numbers`.
        odd: the texts of the cells that are not plain numbers.
        supplied: bool, columns: whether the file carries the column at all.
        quarantined: line, reason and text of each row that cannot be used; line 0 is the whole object.
    """

    raw: RawObject
    read: int
    starts: np.ndarray
    days: np.ndarray
    sensors: np.ndarray
    lines: np.ndarray
    values: np.ndarray
    states: np.ndarray
    odd: OddCells
    supplied: np.ndarray
    quarantined: list[text.BadLine]

    @property
    def undecodable(self) -> bool:
        """Whether the object went to quarantine whole."""
        return self.read == 0


def _refused(raw: RawObject, source: Source, reason: str) -> DecodedObject:
    width = len(source.book.columns)
    return DecodedObject(
        raw=raw,
        read=0,
        starts=np.empty(0, np.int64),
        days=np.empty(0, np.int32),
        sensors=np.empty(0, np.int16),
        lines=np.empty(0, np.int32),
        values=np.empty((width, 0)),
        states=np.empty((width, 0), np.uint8),
        odd=NO_ODD_CELLS,
        supplied=np.zeros(width, bool),
        quarantined=[text.BadLine(0, reason, "")],
    )


def find_headers(table: text.TextTable, source: Source) -> dict[str, str]:
    """Match the file's headers to our columns: by the mapping first, then by the book's aliases.

    Raises:
        UndecodableObject: a column without which nothing can be done is not there.
    """
    mapping, book = source.mapping, source.book
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


def read_rows(data: bytes, source: Source) -> tuple[text.TextTable, dict[str, str]]:
    """Read an object's rows and find our columns among its headers.

    Raises:
        UndecodableObject: no reader understands it, or a needed column is not there.
    """
    mapping = source.mapping
    table = text.read_table(data, mapping, source.coded_headers)
    if mapping.layout == "wide":
        table = wide.to_long(table, mapping)
    return table, find_headers(table, source)


def times_of(
    table: text.TextTable, headers: dict[str, str], source: Source
) -> tuple[np.ndarray, list[str], clock.LabelTimes]:
    """Return the code of each row's written time, the distinct written times, and what each of them means."""
    codes, labels = text.distinct(table.columns[headers["timestamp"]])
    return codes, labels, clock.label_times(labels, source.mapping, source.grain_minutes, source.zone)


class _Verdict:
    """Where each row belongs; and of those without a place, why."""

    def __init__(
        self, table: text.TextTable, headers: dict[str, str], source: Source, object_day: np.ndarray
    ) -> None:
        self.source, self.object_day = source, object_day
        n = len(table.lines)
        self.time_codes, self.labels, self.times = times_of(table, headers, source)
        constants = source.mapping.constants
        self.sensor_codes, self.sensor_names = _coded(table, headers, "sensor_id", constants, n)
        self.factory_codes: np.ndarray
        self.factory_codes, self.factory_names = (
            (np.zeros(n, np.int32), [source.factory_id])
            if "factory_id" not in headers
            else _coded(table, headers, "factory_id", constants, n)
        )
        place = {sensor.sensor_id: i for i, sensor in enumerate(source.sensors)}
        self.places = np.array([place.get(name.strip(), -1) for name in self.sensor_names], np.int16)
        own = source.factory_id
        self.foreign = np.array([name.strip() != own for name in self.factory_names], bool)
        self.starts = self.times.utc[self.time_codes]
        self.days = self.times.day.astype(np.int32)[self.time_codes]
        self.sensors = self.places[self.sensor_codes]

    def bad_rows(self) -> np.ndarray:
        """Return the rows without a place, int64, rising."""
        early = self.object_day - self.days
        bad = (early < 0) | (early > self.source.book.late_days)
        if (self.times.utc == clock.NO_TIME).any():
            bad |= self.starts == clock.NO_TIME
        if (self.places < 0).any():
            bad |= self.sensors < 0
        if self.foreign.any():
            bad |= self.foreign[self.factory_codes]
        return np.flatnonzero(bad)

    def reason(self, row: int) -> str:
        """Say why a row has no place."""
        source = self.source
        label = int(self.time_codes[row])
        written, times = repr(self.labels[label]), self.times
        if self.foreign[self.factory_codes[row]]:
            name = self.factory_names[self.factory_codes[row]].strip()
            return f"the row is of factory {name!r} and lies in the folder of factory {source.factory_id}"
        if times.local[label] == clock.NO_TIME:
            return f"the time {written} cannot be read"
        if times.wall[label] == clock.NO_TIME:
            return f"the time {written} is not on the {source.grain_minutes}-minute grid"
        if times.utc[label] == clock.NO_TIME:
            return f"the time {written} is skipped or repeated by a change of the clocks"
        if self.places[self.sensor_codes[row]] < 0:
            name = self.sensor_names[self.sensor_codes[row]]
            return (
                f"the sensor {name!r} is not registered for factory {source.factory_id}, feed {source.feed}: "
                "add it to factories.yaml and run ingest again"
            )
        day = np.datetime64(int(self.object_day[row]), "D")
        late = source.book.late_days
        return f"the time {written} is outside the object's day {day} and the {late} days before it"


def _coded(
    table: text.TextTable, headers: dict[str, str], name: str, constants: Mapping[Any, str], n: int
) -> tuple[np.ndarray, list[str]]:
    """Return each row's code of an ID column and the distinct IDs; a constant of the mapping counts for all."""
    if name in constants:
        return np.zeros(n, np.int32), [constants[name]]
    return text.distinct(table.columns[headers[name]])


def _numbers_of(
    table: text.TextTable, headers: dict[str, str], book: Book
) -> tuple[np.ndarray, np.ndarray, OddCells, np.ndarray]:
    """Type the value columns: values and states (columns, n), odd cells, and which columns the file carries."""
    n, width = len(table.lines), len(book.columns)
    values = np.full((width, n), np.nan)
    states = np.full((width, n), numbers.EMPTY, np.uint8)
    supplied = np.zeros(width, bool)
    rows, columns, texts = [], [], []
    for j, name in enumerate(book.columns):
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
    try:
        table, headers = read_rows(data, source)
    except UndecodableObject as error:
        return _refused(raw, source, str(error))
    [decoded] = _decode_table(table, headers, [raw], np.zeros(len(table.lines), np.intp), source)
    return decoded


def decode_all(objects: list[tuple[RawObject, bytes]], source: Source) -> list[DecodedObject]:
    """Decode some raw objects; each comes out as it would by itself.

    Plain text files under the same header are read as one: much of the cost of a small file is not in its rows.
    """
    found: dict[RawObject, DecodedObject] = {}
    for batch in together.batches(objects, source.mapping):
        try:
            table, headers = read_rows(batch.data, source)
        except UndecodableObject:  # then each tells for itself what is wrong
            found.update((raw, decode(raw, data, source)) for raw, data in batch.objects)
            continue
        owner, table = batch.apart(table)
        raws = [raw for raw, _ in batch.objects]
        found.update(zip(raws, _decode_table(table, headers, raws, owner, source), strict=True))
        # a header and no row: nothing of it is in the batch, and by itself it is refused
        found.update((raw, decode(raw, data, source)) for raw, data in batch.objects if not found[raw].read)
    return [found[raw] for raw, _ in objects]


def _decode_table(
    table: text.TextTable, headers: dict[str, str], raws: list[RawObject], owner: np.ndarray, source: Source
) -> list[DecodedObject]:
    """Type and place the rows of some objects.

    Args:
        table: their rows, object by object; `bad` lines name their object by position as well.
        headers: our column -> the file's header.
        raws: the objects.
        owner: int, n, rising: position of each row's object.
        source: whose they are.
    """
    day = np.array([np.datetime64(raw.day, "D").astype(np.int64) for raw in raws], np.int32)
    verdict = _Verdict(table, headers, source, day[owner])
    values, states, odd, supplied = _numbers_of(table, headers, source.book)
    starts, days, sensors, lines = verdict.starts, verdict.days, verdict.sensors, table.lines
    quarantined: list[list[text.BadLine]] = [[] for _ in raws]
    for line in table.bad:
        quarantined[line.owner].append(line)
    bad = verdict.bad_rows()
    if len(bad):
        keep = np.ones(len(owner), bool)
        keep[bad] = False
        for row in bad.tolist():
            fields = (column[row].as_py() or "" for column in table.columns.values())
            reason, written = verdict.reason(row), (source.mapping.delimiter or ",").join(fields)
            quarantined[owner[row]].append(text.BadLine(int(lines[row]), reason, written))
        starts, days, sensors, lines = starts[keep], days[keep], sensors[keep], lines[keep]
        values, states, odd = values[:, keep], states[:, keep], _without(odd, keep)
        owner = owner[keep]
    edges = np.searchsorted(owner, np.arange(len(raws) + 1)).tolist()
    return [
        DecodedObject(
            raw=raw,
            read=end - begin + len(refused),
            starts=starts[begin:end],
            days=days[begin:end],
            sensors=sensors[begin:end],
            lines=lines[begin:end],
            values=values[:, begin:end],
            states=states[:, begin:end],
            odd=odd.between(begin, end),
            supplied=supplied,
            quarantined=sorted(refused, key=lambda b: b.line),
        )
        for raw, refused, begin, end in zip(raws, quarantined, edges, edges[1:], strict=False)
    ]


def _without(odd: OddCells, keep: np.ndarray) -> OddCells:
    """Return the odd cells of the rows that are kept, in their new places."""
    stays = keep[odd.rows]
    place = np.cumsum(keep) - 1
    return OddCells(place[odd.rows[stays]], odd.columns[stays], odd.texts[stays])


def quarantine_frame(objects: list[DecodedObject]) -> pd.DataFrame:
    """Return the quarantined rows of some objects: source object, its ETag, line, reason and text."""
    found = pd.DataFrame(
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
    return found.sort_values(["object", "line", "text"], kind="stable", ignore_index=True)
