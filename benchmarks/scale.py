"""Whether time grows with the rows and memory does not: ours alone, each amount of data in a process of its own.

`python -m benchmarks.scale MODE RAW OUT` is such a process.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Literal

from benchmarks import data, engine
from benchmarks.measurement import Measurement, alone, peak_mb
from benchmarks.registry import FACTORY, bench_plant, raw_files
from fems.errors import DataError
from fems.registry.book import load_book
from fems.settings import settings

MONTHS = (3, 6, 12, 24)
Mode = Literal["process", "ingest"]


def growing(bench: Path) -> list[Measurement]:
    """Process 1, 2, 4 and 8 million rows, once each; then ingest one year and two, quality evaluation included.

    Returns:
        Seconds a million rows and peak memory of each.

    Raises:
        DataError: a process failed.
    """
    simulated = raw_files(bench)
    found = []
    asked: tuple[tuple[Mode, tuple[int, ...]], ...] = (("process", MONTHS), ("ingest", (12, 24)))
    for mode, spans in asked:
        for months in spans:
            with tempfile.TemporaryDirectory(prefix="run-", dir=bench) as scratch:
                folder = data.first_months(simulated, months, Path(scratch) / "in")
                result = _in_process(mode, folder, Path(scratch) / "out")
            millions = result["rows"] / 1e6
            name = f"{mode} {months} months, {millions:.1f}M rows"
            found.append(alone(f"{name}: time", round(result["seconds"] / millions, 2), "s per 1M rows", 1))
            found.append(alone(f"{name}: peak memory", round(result["peak_mb"]), "MB", 1))
    return found


def _in_process(mode: Mode, folder: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scale", mode, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DataError(f"benchmark: {' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(mode: Mode, folder: Path, out: Path) -> None:
    """Do it once; print rows, seconds without imports, and the peak."""
    plant, configured = bench_plant(), settings()
    begun = perf_counter()
    if mode == "process":
        rows = engine.ours(folder, out, plant, load_book(configured.definitions_dir, "meter"), FACTORY)
    else:
        rows = engine.ingested(folder, out, plant, configured, FACTORY)
    print(json.dumps({"rows": rows, "seconds": perf_counter() - begun, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))  # type: ignore[arg-type]
