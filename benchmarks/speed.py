"""Raw CSV bytes to native, hour and day Parquet files: ours beside the peers, in one run."""

import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from benchmarks import agreement, data, engine, pandas_peer, polars_peer
from benchmarks.job import Job
from benchmarks.measurement import Measurement, seconds
from benchmarks.registry import FACTORY, START, bench_plant, raw_files
from fems.book import load_book
from fems.settings import Settings


def beside_peers(bench: Path, settings: Settings, months: int = 12, n: int = 3) -> list[Measurement]:
    """Process some months of eight meters, rows a second, beside pandas and polars.

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
        took: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
        for turn in range(n + 1):
            out = Path(scratch) / f"ours-{turn}"
            took["ours"].append(seconds(lambda out=out: engine.ours(folder, out, plant, book, FACTORY)))
            for name, peer in peers.items():
                took[name].append(seconds(lambda peer=peer: peer.run(job)))
                if turn == 0:
                    agreement.require(out, job.out, simulated, name)
            shutil.rmtree(out)
        rows = _rows(job.files)
    ours, *theirs = (median(times[1:]) for times in took.values())
    return [
        Measurement(
            f"process {rows / 1e6:.1f}M rows vs {name.split()[0]}",
            round(rows / ours),
            name,
            round(rows / theirs_took),
            round(theirs_took / ours, 2),
            "rows/s",
            n,
        )
        for name, theirs_took in zip(peers, theirs, strict=True)
    ]


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
