"""The bytes of a collector's files: headers, time labels, registers, delimiter and encoding of a mapping."""

import codecs
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fems.errors import ConfigError
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant
from fems.registry.sensors import Feed
from fems.simulate.streams import Floats

FEED_COLUMNS: dict[Feed, tuple[str, ...]] = {
    "meter": ("used_kwh", "power_factor_pct", "current_a", "active_kwh", "reactive_kvarh"),
    "steam_trap": ("temperature_c",),
    "production_plan": ("planned_qty",),
    "planned_stop": ("stop_min",),
    "weather_forecast": ("temperature_c", "humidity_pct"),
}
"""The value columns of each feed, in the order of its files."""


@dataclass(frozen=True)
class Lines:
    """Rows as text, each with its line break in front, in one block of UTF-8 bytes.

    Attributes:
        text: the block.
        offsets: where each row begins, and the end; one more than there are rows.
    """

    text: memoryview
    offsets: NDArray[np.int32]

    def rows(self, begin: int, end: int) -> memoryview:
        """Return the bytes of the rows begin..end-1."""
        return self.text[self.offsets[begin] : self.offsets[end]]


@dataclass(frozen=True)
class Sheet:
    """How the files of one feed of one factory are written.

    Attributes:
        mapping: what factories.yaml says of the collector.
        columns: our names of the value columns, in the order of the file.
        decimals: of each value column.
        ids: what stands between the time and the values, for each sensor, delimiters included.
        header: the first line.
        encoding: name of the codec.
        zone: of the written times.
        grain: length of an interval in minutes.
    """

    mapping: FileMapping
    columns: tuple[str, ...]
    decimals: tuple[int, ...]
    ids: tuple[str, ...]
    header: str
    encoding: str
    zone: str
    grain: int

    def encode(self, pieces: list[bytes | memoryview]) -> bytes:
        """Return a whole file from rows as UTF-8: header, rows, and a last line break."""
        data = b"".join([self.header.encode(), *pieces, b"\n"])
        return data if self.encoding == "utf-8" else data.decode().encode(self.encoding)

    def can_write(self, text: str) -> bool:
        """Tell whether the file's encoding has all characters of a text."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


def quoted(field: str, delimiter: str) -> str:
    """Return a CSV field, in quotes where it needs them (RFC 4180)."""
    if delimiter in field or '"' in field or "\n" in field:
        return '"' + field.replace('"', '""') + '"'
    return field


def value_decimals(column: str, grain: int) -> int:
    """Return how many decimals a collector writes: energies of a minute are small and need three."""
    if column == "temperature_c":
        return 1
    if column == "current_a":
        return 2 if grain < 15 else 1
    if column == "power_factor_pct":
        return 2
    return 3 if grain < 15 else 2


def sheet_of(plant: Plant, factory_id: str, feed: Feed) -> Sheet:
    """Return how a factory's feed is written.

    Raises:
        ConfigError: the mapping is one that cannot be simulated (wide layout, unknown encoding, one
            constant sensor ID for several sensors).
    """
    mapping = plant.mapping(factory_id, feed)
    what = f"factories.yaml: mappings.{plant.factory(factory_id).mapping_names(feed)[0]}"
    sensors = [sensor.sensor_id for sensor in plant.sensors(factory_id, feed)]
    if not mapping.is_plain or mapping.units or mapping.factors or mapping.sensors:
        raise ConfigError(
            f"{what}: only the layout `long` can be simulated, with a header a column and the book's own units"
        )
    if "sensor_id" in mapping.constants and len(sensors) > 1:
        raise ConfigError(
            f"{what}: one constant sensor_id, but factory {factory_id} has {len(sensors)} sensors"
        )
    columns = FEED_COLUMNS[feed]
    ids = {"factory_id": [factory_id] * len(sensors), "sensor_id": sensors}
    carried = [name for name in ids if name not in mapping.constants]
    d = mapping.separator
    header = d.join(
        quoted(str(mapping.columns.get(name, name)), d) for name in ("timestamp", *carried, *columns)
    )
    grain = plant.grain_minutes(factory_id, feed)
    try:
        encoding = codecs.lookup(mapping.encodings[0]).name.removesuffix("-sig")
        header.encode(encoding)
    except LookupError as error:
        raise ConfigError(f"{what}: encoding {mapping.encodings[0]!r} is not known") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what}: the headers cannot be written in {mapping.encodings[0]}") from error
    return Sheet(
        mapping=mapping,
        columns=columns,
        decimals=tuple(value_decimals(name, grain) for name in columns),
        ids=tuple("".join(d + quoted(ids[name][i], d) for name in carried) + d for i in range(len(sensors))),
        header=header,
        encoding=encoding,
        zone=mapping.timezone or plant.factory(factory_id).timezone,
        grain=grain,
    )


def time_labels(sheet: Sheet, starts: pd.DatetimeIndex) -> list[str]:
    """Return the time text of intervals that start at `starts` (tz-aware)."""
    marks = starts
    if sheet.mapping.time_marks == "end":
        marks = starts + timedelta(minutes=sheet.grain)
    marks = marks.tz_convert(sheet.zone)
    if sheet.mapping.time_marks == "end" and sheet.mapping.midnight == "same_day":
        marks = marks.where((marks.hour != 0) | (marks.minute != 0), marks - timedelta(days=1))
    form = next(iter(sheet.mapping.time_formats), None)
    if form is None:
        texts = marks.map(pd.Timestamp.isoformat)
    elif "%z" in form or "%Z" in form:
        texts = marks.strftime(form)
    else:
        texts = marks.tz_localize(None).strftime(form)  # without a zone to name, pandas is much faster
    return [quoted(str(text), sheet.mapping.separator) for text in texts]


class Registers:
    """The running registers of a feed's sensors; they go on from month to month.

    Readings are kept as whole numbers of the last written digit, so that differences of readings are exact.
    """

    def __init__(self, sheet: Sheet, first: Floats) -> None:
        """Start every sensor's registers at `first`, shares of the roll-over value, shape (sensors,)."""
        self._columns = {
            sheet.columns.index(name): (10 ** sheet.decimals[sheet.columns.index(name)], modulus)
            for name, modulus in sheet.mapping.cumulative.items()
            if name in sheet.columns
        }
        self._state = {
            i: np.floor(first * modulus * scale).astype(np.int64)
            for i, (scale, modulus) in self._columns.items()
        }

    def read(self, values: Floats) -> Floats:
        """Return the values as written, shape (steps, sensors, columns).

        Register columns hold the reading at the end of each interval; the others stay as they are.
        """
        if not self._columns:
            return values
        out = values.copy()
        for i, (scale, modulus) in self._columns.items():
            steps = np.rint(values[:, :, i] * scale).astype(np.int64)
            reading = (self._state[i] + np.cumsum(steps, axis=0)) % round(modulus * scale)
            self._state[i] = reading[-1]
            out[:, :, i] = reading / scale
        return out


def write_lines(sheet: Sheet, labels: list[str], written: Floats) -> Lines:
    """Return the rows of a stretch of time, ordered by time and then sensor.

    Args:
        sheet: how the file is written.
        labels: the time text of each step.
        written: rounded values, shape (steps, sensors, columns).
    """
    steps, sensors, _ = written.shape
    times = pa.array(["\n" + label for label in labels], pa.string()).take(
        pa.array(np.repeat(np.arange(steps, dtype=np.int32), sensors))
    )
    ids = pa.array(sheet.ids, pa.string()).take(pa.array(np.tile(np.arange(sensors, dtype=np.int32), steps)))
    flat = written.reshape(steps * sensors, -1)
    numbers = [pc.cast(pa.array(np.ascontiguousarray(flat[:, i])), pa.string()) for i in range(flat.shape[1])]
    starts = pc.binary_join_element_wise(ids, numbers[0], "")
    first = pc.binary_join_element_wise(times, starts, "")
    rows = pc.binary_join_element_wise(first, *numbers[1:], sheet.mapping.separator) if numbers[1:] else first
    _, offsets, text = rows.buffers()
    return Lines(memoryview(text), np.frombuffer(offsets, np.int32)[: len(rows) + 1])
