"""Simulated raw files, written once and kept until the simulator, the registry or the arguments change."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import fems.simulate
from fems.registry.plant import Plant
from fems.simulate import simulate


def simulated(
    bench: Path, name: str, plant: Plant, *, factories: Sequence[str], start: date, months: int, seed: int
) -> Path:
    """Return a folder with the raw files of some months and the truth behind them, at the default fault rates.

    Args:
        bench: where such folders are kept; one of the same name that is out of date is removed.
        name: what the files are for.
        plant: the registry.
        factories: whose files.
        start: first local day.
        months: how many from there.
        seed: of everything random.
    """
    code = [path.read_text() for path in sorted(Path(fems.simulate.__file__).parent.glob("*.py"))]
    content = [code, plant.model_dump(mode="json"), list(factories), start.isoformat(), months, seed]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    folder = bench / f"data-{name}-{digest}"
    if folder.is_dir():
        return folder
    for outdated in bench.glob(f"data-{name}-*"):
        shutil.rmtree(outdated)
    bench.mkdir(parents=True, exist_ok=True)
    # Written aside: a run that was stopped half-way leaves no folder that looks whole.
    aside = Path(tempfile.mkdtemp(prefix="writing-", dir=bench))
    try:
        simulate(plant, aside, start=start, months=months, seed=seed, factories=factories)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def first_months(folder: Path, months: int, into: Path) -> Path:
    """Lay the raw files of the first months of simulated data into another folder, as hard links; return it."""
    days = sorted(folder.glob("raw/*/factory=*/date=*"))
    chosen = sorted({day.name[:12] for day in days})[:months]
    for day in days:
        if day.name[:12] in chosen:
            shutil.copytree(day, into / day.relative_to(folder), copy_function=os.link)
    return into
