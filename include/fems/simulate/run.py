"""The simulation as a whole: every factory on its own, files under a folder that mirrors the object store."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fems.calendar import holiday_dates
from fems.errors import ConfigError
from fems.registry.plant import Plant
from fems.registry.sensors import Feed
from fems.simulate import collector, faults
from fems.simulate.calendar import Grid
from fems.simulate.faults import FAULT_KINDS, FaultRates
from fems.simulate.plans import PLAN_FEEDS, plan_files
from fems.simulate.streams import Floats, month_name, stream
from fems.simulate.truth import MonthTruth, month_truth, months_of
from fems.simulate.truth_tables import event_table, fault_table, value_table


@dataclass(frozen=True)
class FactoryReport:
    """What was written for one factory.

    Attributes:
        files: raw files, late ones included.
        rows: data rows in them, repeated and broken ones included.
        bytes: their size.
        faults: how many faults of each kind are on record.
        seconds: time that it took.
    """

    files: int
    rows: int
    bytes: int
    faults: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class SimulationReport:
    """What `simulate` wrote, per factory in the order of the registry."""

    factories: Mapping[str, FactoryReport]


@dataclass(frozen=True)
class _Job:
    plant: Plant
    factory_id: str
    out: Path
    start: date
    months: int
    seed: int
    rates: FaultRates


@dataclass
class _Tally:
    files: int = 0
    rows: int = 0
    bytes: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def simulate(
    plant: Plant,
    out: Path,
    *,
    start: date,
    months: int,
    seed: int,
    factories: Sequence[str] | None = None,
    faults: FaultRates = FaultRates(),  # noqa: B008 - frozen
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
) -> SimulationReport:
    """Write raw files, their truth and the record of their faults for some months of the plant.

    Under `out`, keys as in the object store:
        raw/<feed>/factory=<id>/date=<day>/<feed>_<YYYYMMDD>.csv, a file per local day
        truth/<feed>/factory=<id>/month=<YYYY-MM>.parquet, the clean values
        truth/faults/<feed>/factory=<id>/month=<YYYY-MM>.parquet, each injected fault
        truth/events/steam_trap/factory=<id>/month=<YYYY-MM>.parquet, what happened to the traps
    Plans (production_plan, planned_stop, weather_forecast) lie under the day on which each was known.

    The same arguments give the same bytes. A month depends on the seed, the registry and the calendar alone,
    not on the start, the number of months, the other factories or the workers (but for running registers,
    which count from the start).

    Args:
        plant: the registry.
        out: folder to write to; made if it is not there.
        start: first local day.
        months: how many months from there.
        seed: of everything random, 0 or above.
        factories: IDs; all with `simulated: true` if None.
        faults: how often things go wrong in the files.
        workers: processes; 1 runs in this one.
        progress: is given a line for every factory that is done.

    Raises:
        ConfigError: an unknown or not simulated factory, a mapping that cannot be simulated, or an argument
            out of range.
    """
    if months < 1:
        raise ConfigError(f"months: must be 1 or more, not {months}")
    if seed < 0:
        raise ConfigError(f"seed: must be 0 or more, not {seed}")
    if workers < 1:
        raise ConfigError(f"workers: must be 1 or more, not {workers}")
    say = progress or (lambda line: None)
    wanted = _checked(plant, factories, start)
    jobs = [_Job(plant, factory_id, out, start, months, seed, faults) for factory_id in wanted]
    # The longest first, so that the workers end together.
    jobs.sort(key=lambda job: -_rows_a_day(plant, job.factory_id))
    done: dict[str, FactoryReport] = {}

    def finish(factory_id: str, report: FactoryReport) -> None:
        done[factory_id] = report
        say(
            f"{factory_id}: {report.rows:,} rows in {report.files:,} files, {report.bytes / 1e6:,.0f} MB, "
            f"{sum(report.faults.values()):,} faults, {report.seconds:.0f} s ({len(done)} of {len(jobs)})"
        )

    if min(workers, len(jobs)) == 1:
        for job in jobs:
            finish(job.factory_id, _factory(job))
    else:
        # Spawned, not forked: the caller may hold threads (Airflow, MLflow) that do not survive a fork.
        with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
            running = {pool.submit(_factory, job): job.factory_id for job in jobs}
            for future in as_completed(running):
                finish(running[future], future.result())
    return SimulationReport({factory_id: done[factory_id] for factory_id in wanted})


def _checked(plant: Plant, factories: Sequence[str] | None, start: date) -> list[str]:
    """Return the factories in the registry's order, without asking a worker for what cannot be."""
    asked = (
        [key for key, factory in plant.factories.items() if factory.simulated]
        if factories is None
        else factories
    )
    for factory_id in asked:
        if not plant.factory(factory_id).simulated:
            raise ConfigError(f"factory {factory_id!r} has `simulated: false` in factories.yaml")
        holiday_dates(plant.factory(factory_id).country, start.year)
        for feed in _feeds(plant, factory_id):
            collector.sheet_of(plant, factory_id, feed)
    if not asked:
        raise ConfigError("no factory to simulate: none in factories.yaml has `simulated: true`")
    return [key for key in plant.factories if key in asked]


def _feeds(plant: Plant, factory_id: str) -> list[Feed]:
    """Return the feeds of a factory that are simulated."""
    return [
        feed
        for feed in plant.feeds(factory_id)
        if feed in collector.FEED_COLUMNS and plant.sensors(factory_id, feed)
    ]


def _rows_a_day(plant: Plant, factory_id: str) -> float:
    return sum(
        len(plant.sensors(factory_id, feed)) * 1440 / plant.grain_minutes(factory_id, feed)
        for feed in _feeds(plant, factory_id)
    )


def _factory(job: _Job) -> FactoryReport:
    begun = time.perf_counter()
    tally = _Tally(faults=Counter(dict.fromkeys(FAULT_KINDS, 0)))
    for feed in _feeds(job.plant, job.factory_id):
        if feed in PLAN_FEEDS:
            _write_plans(job, feed, tally)
        else:
            _Feed(job, feed, tally).run()
    return FactoryReport(
        tally.files, tally.rows, tally.bytes, dict(tally.faults), round(time.perf_counter() - begun, 3)
    )


def _write_plans(job: _Job, feed: Feed, tally: _Tally) -> None:
    """Write the files of a feed of plans, each under the day on which it was known; nothing is wrong in them."""
    end, _ = months_of(job.start, job.months)
    for day, data in plan_files(job.plant, job.factory_id, feed, job.seed, job.start, end):
        folder = f"raw/{feed}/factory={job.factory_id}/date={day.isoformat()}"
        _write(job.out / folder / f"{feed}_{day:%Y%m%d}.csv", data)
        tally.files += 1
        tally.bytes += len(data)
        tally.rows += data.count(b"\n") - 1


class _Feed:
    """One feed of one factory, month after month."""

    def __init__(self, job: _Job, feed: Feed, tally: _Tally) -> None:
        self.job, self.feed, self.tally = job, feed, tally
        self.factory = job.plant.factory(job.factory_id)
        self.sheet = collector.sheet_of(job.plant, job.factory_id, feed)
        self.sensors = [sensor.sensor_id for sensor in job.plant.sensors(job.factory_id, feed)]
        first = stream(job.seed, job.factory_id, feed, "register").random(len(self.sensors))
        self.registers = collector.Registers(self.sheet, first)

    def run(self) -> None:
        end, months = months_of(self.job.start, self.job.months)
        for first, after in pairwise([*months, (months[-1] + timedelta(days=31)).replace(day=1)]):
            grid = Grid(self.factory.timezone, first, (after - first).days)
            truth = month_truth(
                self.job.factory_id,
                self.factory,
                self.feed,
                grid,
                grain=self.sheet.grain,
                seed=self.job.seed,
            )
            low, high = (max(self.job.start, first) - first).days, (min(end, after) - first).days
            self._month(truth, first, range(low, high))

    def _month(self, truth: MonthTruth, first: date, days: range) -> None:
        """Write the days of a month that are asked for."""
        edges = np.searchsorted(truth.day, [days.start, days.stop])
        part = slice(*edges.tolist())
        starts, day = truth.starts[part], truth.day[part]
        clean = np.stack(
            [np.round(truth.values[part, :, i], n) for i, n in enumerate(self.sheet.decimals)], axis=2
        )
        written = self.registers.read(clean)
        labels = collector.time_labels(self.sheet, starts)
        lines = collector.write_lines(self.sheet, labels, written)
        records: list[tuple[str, pd.Timestamp, str | None, str | None, str, str | None]] = []
        for number in days:
            steps = slice(*np.searchsorted(day, [number, number + 1]).tolist())
            local = first + timedelta(days=number)
            sheet_day = faults.Day(
                self.sheet,
                labels[steps],
                lines,
                steps.start * len(self.sensors),
                steps.stop * len(self.sensors),
                written[steps],
                clean[steps, :, 0],
            )
            for key, fault in self._day(sheet_day, local):
                step, sensor = divmod(fault.row, len(self.sensors))
                # A late file is the matter of all sensors.
                sensor_id = None if fault.kind == "late_file" else self.sensors[sensor]
                records.append(
                    (fault.kind, starts[steps.start + step], sensor_id, fault.column, key, fault.written)
                )
        self._write_truth(first, starts, clean)
        self._write_table("faults/" + self.feed, first, fault_table(records))
        if self.feed == "steam_trap":
            self._write_table("events/" + self.feed, first, event_table(truth, self.factory.timezone))

    def _day(self, day: faults.Day, local: date) -> list[tuple[str, faults.Fault]]:
        """Write one day's file, or two; return its faults, each with the key of the file that it is in."""
        rng = stream(self.job.seed, self.job.factory_id, self.feed, "faults", local.isoformat())
        broken = faults.inject(day, self.job.rates, rng)
        folder = f"raw/{self.feed}/factory={self.job.factory_id}/date={local.isoformat()}"
        key = f"{folder}/{self.feed}_{local:%Y%m%d}.csv"
        late_key = key.removesuffix(".csv") + "_late.csv"
        n = day.end - day.begin
        low, high = broken.late or (n, n)
        self._write_raw(key, [*broken.pieces(day, 0, low), *broken.pieces(day, high, n)])
        if broken.late:
            self._write_raw(late_key, list(broken.pieces(day, low, high)))
        else:
            (self.job.out / late_key).unlink(missing_ok=True)  # of an earlier run with another seed
        self.tally.faults.update(fault.kind for fault in broken.faults)
        return [
            (late_key if fault.kind == "late_file" or low <= fault.row < high else key, fault)
            for fault in sorted(broken.faults, key=lambda fault: fault.row)
        ]

    def _write_raw(self, key: str, pieces: list[bytes | memoryview]) -> None:
        data = self.sheet.encode(pieces)
        _write(self.job.out / key, data)
        self.tally.files += 1
        self.tally.bytes += len(data)
        self.tally.rows += sum(bytes(piece).count(b"\n") for piece in pieces)

    def _write_truth(self, first: date, starts: pd.DatetimeIndex, clean: Floats) -> None:
        table = value_table(
            clean, starts, self.job.factory_id, self.factory.timezone, self.sensors, self.sheet.columns
        )
        self._write_table(self.feed, first, table)

    def _write_table(self, table_name: str, first: date, table: pa.Table) -> None:
        folder = self.job.out / "truth" / table_name / f"factory={self.job.factory_id}"
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", use_dictionary=["factory_id", "sensor_id"])
        _write(folder / f"month={month_name(first)}.parquet", sink.getvalue())


def _write(path: Path, data: bytes | pa.Buffer) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(data)
    aside.replace(path)
