"""What a simulation and a quality evaluation cost: one simulated month of a factory with a row a minute, no faults."""

import tempfile
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pandas as pd

from benchmarks import engine
from benchmarks.measurement import Measurement, alone, seconds
from fems.book import load_book
from fems.flows.publish import publish
from fems.lake import Lake
from fems.plant import Plant
from fems.quality.evaluate import Evaluation, Evaluator
from fems.raw.source import Source
from fems.settings import Settings
from fems.simulate import FaultRates, simulate
from fems.store import FolderStore

FACTORY = "1100"
FIRST = date(2025, 3, 1)


def simulated(plant: Plant, n: int = 9) -> Measurement:
    """Write the month's raw files in one process: rows a second, of meters and steam traps.

    The tables of the truth, which a simulation writes as well, count in the time and not in the rows.
    """
    with tempfile.TemporaryDirectory(prefix="fems-bench-") as folder:
        write = partial(_month, plant, Path(folder))
        rows = write()  # not timed: imports
        took = median(seconds(write) for _ in range(n))
    return alone(f"simulate, factory {FACTORY}, a month", round(rows / took), "rows/s", n)


def _month(plant: Plant, folder: Path) -> int:
    report = simulate(
        plant,
        folder,
        start=FIRST,
        months=1,
        seed=1,
        workers=1,
        factories=[FACTORY],
        faults=FaultRates.none(),
    )
    return report.factories[FACTORY].rows


class _TimedEvaluator(Evaluator):
    """Adds up how long it evaluates."""

    seconds = 0.0

    def evaluate(self, table: pd.DataFrame, suite: str, *more: Any) -> Evaluation:
        begun = perf_counter()
        evaluation = super().evaluate(table, suite, *more)
        self.seconds += perf_counter() - begun
        return evaluation


def quality_share(plant: Plant, settings: Settings, n: int = 5) -> Measurement:
    """Ingest the month's meters: Great Expectations' share of the time, in %.

    The ingest is the whole of it: listing, reading, decoding, processing, evaluating, writing. Importing and setting up
    Great Expectations, once a process, is not in it.
    """
    source = Source.of(plant, load_book(settings.definitions_dir, "meter"), FACTORY)
    evaluator = _TimedEvaluator(settings.expectations_dir)

    def ingest(raw: Path) -> float:
        with tempfile.TemporaryDirectory(prefix="fems-bench-") as out:
            lake = Lake(FolderStore(Path(out), raw=raw))

            def work() -> None:
                for job, partition in engine.partitions(lake, source):
                    publish(lake, job, source, partition, evaluator)

            evaluator.seconds = 0.0
            total = seconds(work)
        return 100 * evaluator.seconds / total

    with tempfile.TemporaryDirectory(prefix="fems-bench-") as folder:
        _month(plant, Path(folder))
        ingest(Path(folder))  # not timed: the suites are read
        middle = median(ingest(Path(folder)) for _ in range(n))
    return alone(f"quality share of an ingest, factory {FACTORY}, a month", round(middle, 1), "%", n)
