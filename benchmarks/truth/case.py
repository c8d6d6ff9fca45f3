"""A factory's feed as one block of cells: what was true, what was published, and what was done to the files."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import engine
from fems.contracts.manifest import FLAGS
from fems.errors import DataError
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.process.runs import longer_than
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.simulate import collector
from fems.simulate.streams import stream

MEASURED, RETYPED, REPLACED, FILLED, MISSING = range(len(FLAGS))
WHOLE_ROW = ("missing_row", "bad_time", "stuck")
CLOCKS_CHANGE = "skipped or repeated by a change of the clocks"
"""What the reason says of a row that is refused since it may be of either of two hours."""
ONE_CELL = ("wrong_type", "spike", "conflicting_row")


@dataclass(frozen=True)
class Case:
    """S sensors, T intervals, C columns.

    Attributes:
        factory_id: whose.
        sheet: how the files are written.
        sensors: S IDs.
        starts: T interval starts, UTC.
        truth: (S, T, C), rounded as written.
        readings: (S, T, C), the clean numbers as the files would hold them, registers included.
        published: (S, T, C), NaN where missing.
        flags: (S, T, C), positions in FLAGS.
        faults: kind, sensor and step (positions), column (position, -1 for the whole row), key, written.
        quarantined: text of each quarantined line, by object.
        stuck_minutes: for longer than this a reading must repeat to be called stuck, by the book.
        doubtful: (S, T), rows that a file holds and that were refused with their reason, since the clocks repeat their
            hour and the order of the rows does not tell which of the two they are of; both are named.
        standing: (S, T), readings of a sensor that stands still in the simulation, all but the first of each run.
        duplicates: local day -> rows dropped as duplicates.
        causes: sensor_id, timestamp, column -> the rule that a value broke.
    """

    factory_id: str
    sheet: collector.Sheet
    sensors: list[str]
    starts: pd.DatetimeIndex
    truth: NDArray[np.float64]
    readings: NDArray[np.float64]
    published: NDArray[np.float64]
    flags: NDArray[np.uint8]
    faults: pd.DataFrame
    quarantined: dict[str, list[str]]
    stuck_minutes: int
    doubtful: NDArray[np.bool_]
    standing: NDArray[np.bool_]
    duplicates: dict[date, int]
    causes: pd.Series

    @property
    def name(self) -> str:
        """Which column of the report the case counts in."""
        return "traps" if self.sheet.columns == collector.FEED_COLUMNS["steam_trap"] else self.factory_id

    @property
    def registers(self) -> list[int]:
        """Positions of the columns that are running registers."""
        return [i for i, name in enumerate(self.sheet.columns) if name in self.sheet.mapping.cumulative]

    def stuck_for_long(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which of the stuck rows are of stretches that are longer than `stuck_minutes`."""
        stuck = np.zeros(self.truth.shape[:2], bool)
        stuck[rows["sensor"], rows["step"]] = True
        long = np.zeros(stuck.size, bool)
        long[longer_than(stuck, self.stuck_minutes // self.sheet.grain)] = True
        result: NDArray[np.bool_] = long.reshape(stuck.shape)[rows["sensor"], rows["step"]]
        return result

    def _add_the_same_as_stuck(self, touched: NDArray[np.bool_]) -> None:
        """Add the values next to a stretch of stuck ones that are the same by chance: nothing tells where it begins."""
        stuck = np.zeros(touched.shape[:2], bool)
        rows = self.faults[self.faults["kind"] == "stuck"]
        stuck[rows["sensor"], rows["step"]] = True
        for sensor, begin in zip(*np.nonzero(stuck & ~np.roll(stuck, 1, axis=1)), strict=True):
            end = begin + int(np.argmin(np.append(stuck[sensor, begin:], False)))
            for column in range(touched.shape[2]):
                series = self.readings[sensor, :, column]
                held = series[max(begin - 1, 0)]  # the last reading that was not stuck
                before = np.append(series[begin - 1 :: -1] != held, True) if begin else np.array([True])
                after = np.append(series[end:] != held, True)
                touched[sensor, begin - int(np.argmax(before)) : end + int(np.argmax(after)), column] = True

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether the published value is the truth's, to half of the last written digit; (S, T, C)."""
        half = 0.5 * 10.0 ** -np.array(self.sheet.decimals) + 1e-9
        return np.abs(self.published - self.truth) <= half

    @cached_property
    def in_doubt(self) -> NDArray[np.bool_]:
        """Whether a cell is not there, and the run says why: its row is `doubtful`; (S, T, C)."""
        doubt = np.repeat(self.doubtful[:, :, None], self.truth.shape[2], axis=2)
        for i in self.registers:
            doubt[:, 1:, i] |= doubt[:, :-1, i]
        return doubt & (self.flags >= REPLACED)

    @cached_property
    def touched(self) -> NDArray[np.bool_]:
        """Whether a fault concerns the cell; (S, T, C).

        What an interval used is the difference of two readings of a register, so a broken one concerns two.
        Repeated rows and late files concern none: their values must come out as they are. A sensor that stands still
        reads what is not so.
        """
        touched = np.repeat(self.standing[:, :, None], self.truth.shape[2], axis=2)
        rows = self.faults[self.faults["kind"].isin(WHOLE_ROW)]
        touched[rows["sensor"], rows["step"]] = True
        self._add_the_same_as_stuck(touched)
        cells = self.faults[self.faults["kind"].isin(ONE_CELL)]
        touched[cells["sensor"], cells["step"], cells["column"]] = True
        for i in self.registers:
            touched[:, 1:, i] |= touched[:, :-1, i]
            touched[:, 0, i] = True  # nothing was read before it
        return touched


def load(folder: Path, plant: Plant, book: Book, factory_id: str, seed: int) -> Case:
    """Process a factory's simulated files and lay the result beside the truth.

    Args:
        folder: what `simulate` wrote to.
        plant: the registry that was simulated.
        book: of the feed.
        factory_id: whose files.
        seed: of the simulation.

    Raises:
        DataError: the published grid has other rows than the truth.
    """
    sheet = collector.sheet_of(plant, factory_id, book.feed)
    sensors = [sensor.sensor_id for sensor in plant.sensors(factory_id, book.feed)]
    starts, truth = _truth(folder / f"truth/{book.feed}/factory={factory_id}", sheet, len(sensors))
    first = stream(seed, factory_id, book.feed, "register").random(len(sensors))
    readings = collector.Registers(sheet, first).read(truth.transpose(1, 0, 2)).transpose(1, 0, 2)
    published, flags, times, causes = [], [], [], []
    lines: dict[str, list[str]] = {}
    doubted: list[str] = []
    duplicates: dict[date, int] = {}
    for _, partition in engine.partitions(Lake(FolderStore(folder)), FactoryFeed.of(plant, book, factory_id)):
        native = partition.tables["native"]
        shape = len(sensors), native.num_rows // len(sensors), -1
        times.append(_utc(native["timestamp"])[: shape[1]])
        published.append(_block(native, sheet.columns).reshape(shape))
        flags.append(_cell_flags(native["flag_columns"], sheet.columns).reshape(shape))
        for key, rows in partition.quarantine.groupby("object"):
            text = (folder / str(key)).read_bytes().decode(sheet.encoding).split("\n")
            whole = rows[rows["line"] > 0]
            written = [text[line - 1].rstrip("\r") for line in whole["line"]]
            lines.setdefault(str(key), []).extend(written)
            doubted += [
                line for line, why in zip(written, whole["reason"], strict=True) if CLOCKS_CHANGE in why
            ]
        causes.append(partition.originals.select(["sensor_id", "timestamp", "column", "cause"]).to_pandas())
        duplicates |= {day: counts["duplicate"] for day, counts in partition.days.items()}
    if not np.array_equal(np.concatenate(times), starts):
        raise DataError(f"factory {factory_id}, {book.feed}: the published grid is not the truth's")
    return Case(
        factory_id,
        sheet,
        sensors,
        pd.DatetimeIndex(starts, tz="UTC"),
        truth,
        readings,
        np.concatenate(published, axis=1),
        np.concatenate(flags, axis=1),
        _faults(folder / f"truth/faults/{book.feed}/factory={factory_id}", sensors, starts, sheet.columns),
        lines,
        _stuck_minutes(book, len(sheet.columns)),
        _doubtful(doubted, sheet, pd.DatetimeIndex(starts, tz="UTC")),
        _standing(folder / f"truth/events/{book.feed}/factory={factory_id}", sensors, starts, truth),
        duplicates,
        pd.concat(causes).set_index(["sensor_id", "timestamp", "column"])["cause"],
    )


def _stuck_minutes(book: Book, columns: int) -> int:
    """Return for how long a whole reading of so many columns must repeat; of one column, that one's own rule."""
    whole = book.stuck_reading
    if whole is not None and columns >= whole.columns:
        return whole.minutes
    return min(
        (column.stuck.minutes for column in book.columns.values() if column.stuck is not None), default=0
    )


def _doubtful(lines: list[str], sheet: collector.Sheet, starts: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """Lay refused rows of a repeated hour on the grid: each on both intervals that its label may be of."""
    doubtful = np.zeros((len(sheet.ids), len(starts)), bool)
    if not lines:
        return doubtful
    repeated = starts.tz_convert(sheet.zone).tz_localize(None).duplicated(keep=False)
    # labels may mark the end of the interval
    near = np.flatnonzero(repeated | np.roll(repeated, 1) | np.roll(repeated, -1))
    labels = collector.time_labels(sheet, starts[near])
    for step, label in zip(near.tolist(), labels, strict=True):
        for sensor, own in enumerate(sheet.ids):
            doubtful[sensor, step] = any(line.startswith(label + own) for line in lines)
    return doubtful


def _standing(
    folder: Path, sensors: list[str], starts: NDArray[np.datetime64], truth: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mark the readings of sensors that stand still, by the truth's events; no feed but steam traps has some."""
    standing = np.zeros(truth.shape[:2], bool)
    for path in sorted(folder.glob("*.parquet")):
        events = pq.read_table(path, filters=[("kind", "=", "sensor_stuck")])
        # events are kept to the minute: what stands still is what does not change from one interval to the next
        for name, begin, end in zip(
            events["sensor_id"].to_pylist(), _utc(events["start"]), _utc(events["end"]), strict=True
        ):
            sensor = sensors.index(name)
            still = np.diff(truth[sensor, :, 0], prepend=np.nan) == 0
            standing[sensor] |= still & (starts > begin) & (starts < end)
    return standing


def _utc(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    return column.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us")).to_numpy()


def _block(table: pa.Table, columns: tuple[str, ...]) -> NDArray[np.float64]:
    return np.stack([table[name].to_numpy() for name in columns], axis=-1)


def _truth(
    folder: Path, sheet: collector.Sheet, sensors: int
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Read the clean values, ordered by time and sensor in the files; return them by sensor, time, column."""
    table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
    values = _block(table, sheet.columns).reshape(-1, sensors, len(sheet.columns))
    return _utc(table["timestamp"])[::sensors], np.ascontiguousarray(values.transpose(1, 0, 2))


def _cell_flags(column: pa.ChunkedArray, columns: tuple[str, ...]) -> NDArray[np.uint8]:
    """Spread "used_kwh=filled;current_a=filled" over the columns; what is not named is measured."""
    coded = column.combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    known = np.zeros((len(coded.dictionary), len(columns)), np.uint8)
    for row, text in enumerate(coded.dictionary.to_pylist()):
        for name, flag in (part.split("=") for part in text.split(";") if part):
            known[row, columns.index(name)] = FLAGS.index(flag)
    return known[coded.indices.to_numpy()]


def _faults(
    folder: Path, sensors: list[str], starts: NDArray[np.datetime64], columns: tuple[str, ...]
) -> pd.DataFrame:
    table = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))], ignore_index=True)
    times = table["timestamp"].dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    place = {name: i for i, name in enumerate(columns)}
    return pd.DataFrame(
        {
            "kind": table["kind"],
            "sensor": table["sensor_id"]
            .map({name: i for i, name in enumerate(sensors)})
            .fillna(-1)
            .astype(int),
            "step": np.searchsorted(starts, times),
            "column": table["column"].map(place).fillna(-1).astype(int),
            "key": table["key"],
            "written": table["written"],
        }
    )
