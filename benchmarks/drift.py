"""How often the monitor's drift test is wrong on an undamaged simulated plant, and what it sees on a damaged one.

`python -m benchmarks.drift [SEED ...]`; a seed takes about four minutes on one core. Simulated data, grain 1h, fourteen
months. A model trained up to the 1st of each of the last nine months is supposed; a factory-month counts as an alarm if
there is one on any later day of the month. Damage is done to the last 14 of the month's first 28 days.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from fems.flows.history import as_history, published_hours
from fems.flows.ingest import ingest_factory
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.model.history import History
from fems.monitor import drift
from fems.simulate import simulate

MONTHS = pd.date_range("2025-06-01", "2026-02-01", freq="MS", tz="Asia/Seoul")
DAMAGE = {
    "all energy x 1.2": ("all", 1.2),
    "all energy x 1.3": ("all", 1.3),
    "all energy x 1.5": ("all", 1.5),
    "all energy x 0.6": ("all", 0.6),
    "the biggest machine x 2": ("biggest", 2.0),
    "the biggest machine off": ("biggest", 0.02),
}


def histories(seed: int, folder: Path) -> Iterator[tuple[str, History]]:
    """Yield each simulated factory's published hours."""
    found = Platform.from_environment(Lake(FolderStore(folder)))
    factories = [key for key, factory in found.plant.factories.items() if factory.simulated]
    platform = replace(found, plant=found.plant.with_grains(dict.fromkeys(factories, "1h")))
    simulate(
        platform.plant, folder, start=date(2025, 1, 1), months=14, seed=seed, factories=factories, workers=1
    )
    for path in folder.glob("raw/steam_trap/**/*.csv"):
        path.unlink()
    for factory_id in factories:
        ingest_factory(platform, factory_id)
        yield factory_id, as_history(platform, factory_id, published_hours(platform, factory_id))


def damaged(history: History, which: str, factor: float, since: pd.Timestamp) -> History:
    """Multiply the energy of all machines, or of the biggest, from an instant on."""
    biggest = int(np.nanargmax(np.nanmean(history.used_kwh, axis=0)))
    used = history.used_kwh.copy()
    used[history.hours >= since, slice(None) if which == "all" else biggest] *= factor
    total = history.inputs["used_kwh"] + (used - history.used_kwh).sum(axis=1)
    return replace(history, used_kwh=used, inputs=history.inputs.assign(used_kwh=total))


def main(seeds: list[int]) -> None:
    """Print a line a damage."""
    plant = Platform.from_environment(Lake(FolderStore(Path()))).plant
    rules = plant.monitoring
    given = (rules.drift_days, rules.drift_margin, rules.drift_least_pct)
    alarms: Counter[str] = Counter()
    count = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            for factory_id, history in histories(seed, Path(folder)):
                for month in MONTHS:
                    count += 1
                    ends = [
                        month + pd.Timedelta(days=d) for d in range(rules.drift_days, month.days_in_month + 1)
                    ]
                    found = [
                        drift.moved(history.until(end), month, *given) for end in ends if end <= history.end
                    ]
                    if any(found):
                        alarms["nothing"] += 1
                        print(f"seed {seed} {factory_id} {month:%Y-%m}: {max(found, key=len)[0]}", flush=True)
                    known = history.until(month + pd.Timedelta(days=28))
                    for name, (which, factor) in DAMAGE.items():
                        hit = damaged(known, which, factor, known.end - pd.Timedelta(days=14))
                        alarms[name] += bool(drift.moved(hit, month, *given))
    for name in ("nothing", *DAMAGE):
        print(f"{name:<24} {alarms[name]:>3} of {count} factory-months ({100 * alarms[name] / count:.0f} %)")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1, 2])
