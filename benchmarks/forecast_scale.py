"""How long a forecast takes, and what a hundred take: `python -m benchmarks.forecast_scale [COUNT]`.

One process forecasts one factory after another as the flow does, each of eight machines with fourteen months of
published data: model loaded from its bundle, tables evaluated, report drawn, all written. Simulated data. Not in it:
the download of the model from MLflow, and MinIO, for which a folder stands.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from unittest.mock import patch

from benchmarks import model
from benchmarks.measurement import Measurement, alone, peak_mb
from embedded.config import Config
from fems import __version__
from fems.errors import DataError
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.registry.plant import load_plant
from fems.settings import settings

SAMPLE = "2140"
COUNT = 100


class _Copies(FolderStore):
    """Every factory's published data is the sample's."""

    def _path(self, key: str) -> Path:
        if key.startswith("processed/"):
            parts = [f"factory={SAMPLE}" if part.startswith("factory=") else part for part in key.split("/")]
            key = "/".join(parts)
        return super()._path(key)


def rows(count: int = COUNT) -> list[Measurement]:
    """Forecast `count` factories in a process of its own.

    Returns:
        Seconds of the first, imports included but for what this file imports itself; of each later one, and the peak
        memory, at a quarter, a half and all.

    Raises:
        DataError: the process failed.
    """
    from fems.model import bundle

    # Named by what wrote it, so that a newer version makes its own.
    made_by = f"forecast-{__version__}-{bundle.FORMAT}"
    bench = Config.from_environment().state / "bench" / made_by
    prepared(bench)
    command = [sys.executable, "-m", "benchmarks.forecast_scale", str(count), str(bench)]
    begun = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DataError(f"benchmark: {' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    lines = [alone("forecast of 8 machines, first, imports included", found[0]["seconds"], "s", 1)]
    for mark in found[1:]:
        name = f"forecast, {mark['count']} factories"
        lines.append(
            alone(f"{name}: time each", round(mark["seconds"] / mark["count"], 2), "s", mark["count"])
        )
        lines.append(alone(f"{name}: peak memory", round(mark["peak_mb"]), "MB", 1))
    print(f"{perf_counter() - begun:.0f} s in all", file=sys.stderr)
    return lines


def prepared(bench: Path) -> None:
    """Make the sample's published tables and its model, once."""
    from fems.flows.history import as_history, published_hours
    from fems.flows.offline import process_folder
    from fems.flows.platform import Platform
    from fems.model import bundle
    from fems.model.month_ahead.train import train_month_ahead
    from fems.simulate import simulate

    if (bench / "model" / "bundle.json").exists():
        return
    plant = load_plant(settings().factories_file)
    with tempfile.TemporaryDirectory() as raw:
        simulate(
            plant,
            Path(raw),
            start=model.START,
            months=model.MONTHS,
            seed=model.SEED,
            factories=[SAMPLE],
            workers=1,
        )
        process_folder(Path(raw), SAMPLE, bench / "lake", "meter", print)
    platform = Platform.from_environment(Lake(FolderStore(bench / "lake")))
    history = as_history(platform, SAMPLE, published_hours(platform, SAMPLE))
    trained = train_month_ahead(history)
    made = bundle.Bundle(SAMPLE, trained, None, history.country, history.holidays_off, history.shifts)
    bundle.save(made, bench / "model")


def main(count: int, bench: Path) -> None:
    """Forecast, and print seconds and peak memory on the way."""
    begun = perf_counter()
    from fems.flows.forecast import forecast_factory
    from fems.flows.platform import Platform
    from fems.model import bundle
    from fems.tracking import Tracking

    def loaded(_: Tracking, factory_id: str) -> SimpleNamespace:
        found = bundle.load(bench / "model", one_step=False)  # as the flow does
        until = found.month_ahead.trained_until.isoformat()
        return SimpleNamespace(bundle=found, version="1", tags={"trained_until": until}, notice=None)

    plant = load_plant(settings().factories_file)
    copies = {f"F{i:03d}": plant.factory(SAMPLE) for i in range(count)}
    with tempfile.TemporaryDirectory() as out, patch.object(Tracking, "load_champion", loaded):
        (Path(out) / "processed").symlink_to(bench.resolve() / "lake" / "processed")
        store = _Copies(Path(out))
        platform = Platform(Lake(store), plant.model_copy(update={"factories": copies}), settings())
        marks = {1, 1 + count // 4, 1 + count // 2, count}
        after_first = 0.0
        for i, factory_id in enumerate(copies, 1):
            forecast_factory(platform, factory_id)
            if i == 1:
                after_first = perf_counter()
            if i in marks:
                seconds = perf_counter() - (begun if i == 1 else after_first)
                told = {"count": i if i == 1 else i - 1, "seconds": round(seconds, 2), "peak_mb": peak_mb()}
                print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(int(sys.argv[1]), Path(sys.argv[2]))
    else:
        for line in rows(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT):
            print(f"{line.name}: {line.ours} {line.unit}")
