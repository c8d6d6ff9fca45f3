"""The measurements. Each is of one simulated month, without faults, of a factory with a row a minute."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd

from benchmarks import pandas_peer
from fems.errors import DataError
from fems.flows.ingest import jobs, publish
from fems.flows.platform import Platform
from fems.process.partition import GRAINS, Partition, process
from fems.quality.evaluate import Evaluation, Evaluator
from fems.raw.decode import Source, decode
from fems.simulate import FaultRates, simulate

FACTORY = "1100"
FIRST, LAST = date(2025, 3, 1), date(2025, 3, 31)


@dataclass(frozen=True)
class Measurement:
    """A line of results.json: medians of `n` repeats. A ratio over 1 is in our favour; without a peer there is none."""

    name: str
    ours: float
    peer: str
    peer_value: float | None
    ratio: float | None
    unit: str
    n: int


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begun = perf_counter()
    work()
    return perf_counter() - begun


def simulated(platform: Platform, folder: Path, n: int = 9) -> Measurement:
    """Write the month's raw files under `folder`, in one process: rows a second, of meters and steam traps.

    The tables of the truth, which a simulation writes as well, count in the time and not in the rows.
    """
    month = partial(simulate, platform.plant, folder, start=FIRST, months=1, seed=1, workers=1)
    write = partial(month, factories=[FACTORY], faults=FaultRates.none())
    rows = write().factories[FACTORY].rows  # not timed: imports
    took = median(_seconds(write) for _ in range(n))
    return Measurement("simulate", round(rows / took), "-", None, None, "rows/s", n)


def processed(platform: Platform, folder: Path, n: int = 15) -> Measurement:
    """Make native, hour and day tables of the month's meter files: rows a second, beside plain pandas for the same.

    Both read the files from `folder`. Listing, Great Expectations and writing are not in it. The first run of each is
    not timed: it shows that the two agree. Then they take turns.

    Raises:
        DataError: they do not agree.
    """
    source = Source.of(platform.plant, platform.book("meter"), FACTORY)
    raw = platform.lake.raw_objects("meter", FACTORY)
    files = [folder / o.key for o in raw]
    rated_kw = {s.sensor_id: s.rated_kw or np.inf for s in source.sensors}

    def ours() -> Partition:
        decoded = [decode(o, path.read_bytes(), source) for o, path in zip(raw, files, strict=True)]
        return process(decoded, source, FIRST, LAST)

    def peer() -> dict[str, pd.DataFrame]:
        return pandas_peer.tables(files, rated_kw, source.zone, FIRST, LAST)

    partition, made = ours(), peer()
    for grain in GRAINS:
        _require_equal(grain, partition.tables[grain].to_pandas(), made[grain])
    rows = sum(day["read"] for day in partition.days.values())
    turns = [(_seconds(ours), _seconds(peer)) for _ in range(n)]
    took, peer_took = (median(times) for times in zip(*turns, strict=True))
    speeds = round(rows / took), f"pandas {pd.__version__}", round(rows / peer_took)
    return Measurement("process", *speeds, round(peer_took / took, 2), "rows/s", n)


def _require_equal(grain: str, ours: pd.DataFrame, peer: pd.DataFrame) -> None:
    """Refuse tables with other rows, or values that differ by more than the order of a sum explains."""
    columns = pandas_peer.VALUES
    same = (
        len(ours) == len(peer)
        and (ours["timestamp"] == peer["timestamp"]).all()
        and (ours["sensor_id"].astype(str) == peer["sensor_id"]).all()
        and np.allclose(ours[columns], peer[columns], rtol=1e-12, atol=0)  # NaN is not equal
    )
    if not same:
        raise DataError(f"benchmark process: the peer's {grain} table is not ours; nothing was timed")


class _TimedEvaluator(Evaluator):
    """Adds up how long it evaluates."""

    seconds = 0.0

    def evaluate(self, table: pd.DataFrame, suite: str) -> Evaluation:
        begun = perf_counter()
        evaluation = super().evaluate(table, suite)
        self.seconds += perf_counter() - begun
        return evaluation


def quality_share(platform: Platform, n: int = 5) -> Measurement:
    """Ingest the month's meters from the lake's folder into it: Great Expectations' share of the time, in %.

    The ingest is the whole of it: listing, reading, decoding, processing, evaluating, writing. Importing and setting up
    Great Expectations, once a process, is not in it.
    """
    lake, book = platform.lake, platform.book("meter")
    source = Source.of(platform.plant, book, FACTORY)
    evaluator = _TimedEvaluator(platform.settings.expectations_dir)

    def ingest() -> None:
        for job in jobs(platform.plant, book, FACTORY, lake.raw_objects("meter", FACTORY)):
            data = lake.get_many([o.key for o in job.sources])
            decoded = [decode(o, d, source) for o, d in zip(job.sources, data, strict=True)]
            partition = process(decoded, source, job.first, job.last)
            publish(lake, job, book, source, partition, evaluator)

    def share() -> float:
        evaluator.seconds = 0.0
        total = _seconds(ingest)
        return 100 * evaluator.seconds / total

    ingest()  # not timed: the suites are read
    middle = median(share() for _ in range(n))
    return Measurement("quality share of an ingest", round(middle, 1), "-", None, None, "%", n)
