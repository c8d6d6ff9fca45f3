"""Raw CSV bytes to native, hour and day Parquet files: ours beside the peers, in one run."""

import shutil
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks import agreement, data, engine, pandas_peer, polars_peer
from benchmarks.job import Job
from benchmarks.measurement import Measurement, seconds
from benchmarks.registry import FACTORY, START, bench_plant, raw_files
from fems.registry.book import load_book
from fems.settings import Settings


def beside_peers(bench: Path, settings: Settings, months: int = 12, n: int = 3) -> list[Measurement]:
    """Process some months of eight meters, rows a second and processor time, beside pandas and polars.

    The first run of each is not timed: it shows that they agree. Then they take turns. Ours does all that an ingest
    does but for the quality evaluation, which the peers have nothing like; finding the files is in it.

    Raises:
        DataError: they do not agree.
    """
    plant = bench_plant()
    book = load_book(settings.definitions_dir, "meter")
    simulated = raw_files(bench)
    with tempfile.TemporaryDirectory(prefix="run-", dir=bench) as scratch:
        folder = data.first_months(simulated, months, Path(scratch) / "in")
        job = _job(folder, Path(scratch) / "peer")
        peers = {peer.NAME: peer for peer in (pandas_peer, polars_peer)}
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in ("ours", *peers)}
        for turn in range(n + 1):
            out = Path(scratch) / f"ours-{turn}"
            took["ours"].append(_took(partial(engine.ours, folder, out, plant, book, FACTORY)))
            for name, peer in peers.items():
                took[name].append(_took(partial(peer.run, job)))
                if turn == 0:
                    agreement.require(out, job.out, simulated, name)
            shutil.rmtree(out)
        rows = _rows(job.files)
    (ours, our_work), *theirs = (tuple(map(median, zip(*turns[1:], strict=True))) for turns in took.values())
    found = []
    for name, (wall, work) in zip(peers, theirs, strict=True):
        what = f"process {rows / 1e6:.1f}M rows vs {name.split()[0]}"
        speed, their_speed = round(rows / ours), round(rows / wall)
        found.append(Measurement(what, speed, name, their_speed, round(wall / ours, 2), "rows/s", n))
        each, their_each = (round(1e6 * spent / rows, 2) for spent in (our_work, work))
        unit = "processor s per 1M rows"
        found.append(Measurement(what, each, name, their_each, round(work / our_work, 2), unit, n))
    return found


def _took(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long it takes, and how long processors work on it: what else a machine does changes that little."""
    begun = process_time()
    took = seconds(work)
    return took, process_time() - begun


def _job(folder: Path, out: Path) -> Job:
    out.mkdir(parents=True)
    plant = bench_plant()
    files = sorted(folder.glob("raw/meter/factory=*/date=*/*.csv"))
    last = date.fromisoformat(files[-1].parent.name.removeprefix("date="))
    return Job(
        files=files,
        out=out,
        rated_kw={s.sensor_id: s.rated_kw or float("inf") for s in plant.sensors(FACTORY, "meter")},
        zone=plant.factory(FACTORY).timezone,
        first=START,
        end=last + timedelta(days=1),
    )


def _rows(files: list[Path]) -> int:
    """Count the rows, headers left out."""
    return sum(file.read_bytes().count(b"\n") - 1 for file in files)
