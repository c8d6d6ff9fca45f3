"""What a simulation and a quality evaluation cost: one simulated month of a factory with a row a minute, no faults."""

import tempfile
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks import engine
from benchmarks.measurement import Measurement, alone, seconds
from fems.flows.evaluate import Evaluated, write_docs
from fems.flows.partitions import PartitionPlan
from fems.flows.publish import manifest_of, publish, write
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.quality.evaluate import Evaluator
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.settings import Settings
from fems.simulate import FaultRates, simulate

FACTORY = "1100"
FIRST = date(2025, 3, 1)


def simulated(plant: Plant, n: int = 9) -> Measurement:
    """Write the month's raw files in one process: rows a second, of meters and steam traps.

    The tables of the truth, which a simulation writes as well, count in the time and not in the rows.
    """
    with tempfile.TemporaryDirectory(prefix="fems-bench-") as folder:
        write = partial(_months, plant, Path(folder), 1)
        rows = write()  # not timed: imports
        took = median(seconds(write) for _ in range(n))
    return alone(f"simulate, factory {FACTORY}, a month", round(rows / took), "rows/s", n)


def _months(plant: Plant, folder: Path, months: int) -> int:
    report = simulate(
        plant,
        folder,
        start=FIRST,
        months=months,
        seed=1,
        workers=1,
        factories=[FACTORY],
        faults=FaultRates.none(),
    )
    return report.factories[FACTORY].rows


def quality(plant: Plant, settings: Settings, n: int = 5) -> list[Measurement]:
    """Ingest three months of meters with and without their evaluation, in turn.

    What evaluating costs is the difference: pandas frames, Great Expectations, the comparison with earlier months,
    scores, records and Data Docs. Importing and setting up Great Expectations, once a process, is not in it.

    Returns:
        Its share of the whole ingest (listing, reading, decoding, processing, evaluating, writing), in %, by the clock
        and of the processor's time, which a busy machine changes less; and how many native rows a second it evaluates,
        hours and days with them.
    """
    source = FactoryFeed.of(plant, load_book(settings.definitions_dir, "meter"), FACTORY)
    evaluator = Evaluator(settings.expectations_dir)
    rows = 0

    def ingest(raw: Path, evaluated: bool) -> tuple[float, float]:
        """Return its seconds by the clock and of the processor."""
        nonlocal rows
        with tempfile.TemporaryDirectory(prefix="fems-bench-") as out:
            lake = Lake(FolderStore(Path(out), raw=raw))

            def work() -> None:
                nonlocal rows
                rows = 0
                last: tuple[PartitionPlan, Evaluated | None] | None = None
                for job, partition in engine.partitions(lake, source):
                    rows += len(partition.tables["native"])
                    if evaluated:
                        last = (job, publish(lake, job, source, partition, evaluator)[1])
                    else:
                        write(lake, job, partition, manifest_of(job, source, partition))
                if last is not None and last[1] is not None:
                    write_docs(lake, last[0], last[1], "bench")

            begun = process_time()
            took = seconds(work)
            return took, process_time() - begun

    with tempfile.TemporaryDirectory(prefix="fems-bench-") as folder:
        _months(plant, Path(folder), 3)
        ingest(Path(folder), evaluated=True)  # not timed: the suites are read
        pairs = [
            (*ingest(Path(folder), evaluated=True), *ingest(Path(folder), evaluated=False)) for _ in range(n)
        ]
    whole, whole_cpu, bare, bare_cpu = (median(each) for each in zip(*pairs, strict=True))
    what = f"factory {FACTORY}, three months"
    return [
        alone(f"quality evaluation, share of an ingest, {what}", round(100 * (1 - bare / whole), 1), "%", n),
        alone(
            f"quality evaluation, share of an ingest's processor time, {what}",
            round(100 * (1 - bare_cpu / whole_cpu), 1),
            "%",
            n,
        ),
        alone(f"quality evaluation, {what}", round(rows / max(whole - bare, 1e-9)), "rows/s", n),
    ]
