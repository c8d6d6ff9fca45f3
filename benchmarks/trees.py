"""XGBoost beside LightGBM, alone and in the month-ahead model: `PYTHONPATH=.venv/bench python -m benchmarks.trees`.

Arguments: windows to skip (4 unless given: the ones that choices are made on), series (`others` for those of
`benchmarks.others`). LightGBM's wheel needs libgomp.so.1 of the system.
"""

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks import model, others
from benchmarks.measurement import peak_mb
from fems.contracts.horizon import HORIZON_MINUTES
from fems.model import backtest
from fems.model.history import Floats, History
from fems.model.month_ahead import shares, trees
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.train import train_month_ahead

WINDOWS, HOURS = 4, HORIZON_MINUTES // 60


@dataclass(frozen=True)
class LightGbm:
    """LightGBM's trees, with as many leaves and rounds as ours; called as `BoostedTrees` is."""

    booster: object

    def __call__(self, table: Floats) -> Floats:
        """Return (R,) for a table (R, columns)."""
        return np.asarray(self.booster.predict(table))  # type: ignore[attr-defined]

    def save(self, path: Path) -> None:
        """Write its own text format, the only one it has."""
        self.booster.save_model(str(path))  # type: ignore[attr-defined]


def fit_lightgbm(known: History, *, seed: int = 0, threads: int = 1) -> LightGbm | None:
    """Fit with LightGBM's own defaults, repeatable; as `trees.fit`."""
    import lightgbm

    table, target = trees.training_table(known)
    settings = {
        "objective": "regression",
        "learning_rate": trees.LEARNING_RATE,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    return LightGbm(lightgbm.train(settings, lightgbm.Dataset(table, target), trees.ROUNDS))


FITS: dict[str, Callable[..., object]] = {"xgboost": trees.fit, "lightgbm": fit_lightgbm}


def alone(series: str, skip: int) -> list[dict[str, object]]:
    """Score each library's trees on the windows of a series; a row a window and library."""
    history, rows = model.history_of(series), []
    for origin in backtest.origins(history, WINDOWS, HOURS, skip=skip):
        known = history.until(origin)
        for name, fit in FITS.items():
            begun = process_time()
            fitted = fit(known)
            seconds = process_time() - begun
            begun = process_time()
            kwh = trees.predict(fitted, known, origin, HOURS)  # type: ignore[arg-type]
            rows.append(
                {
                    "series": series,
                    "library": name,
                    "accuracy": _accuracy(history, known, kwh),
                    "fit_cpu_s": seconds,
                    "predict_cpu_s": process_time() - begun,
                    "stored_kb": _stored(fitted) / 1e3,
                }
            )
    return rows


def in_the_model(series: str, skip: int) -> list[dict[str, object]]:
    """Score the month-ahead model with each library's trees; the rest of it is trained once a window."""
    history, rows = model.history_of(series), []
    for origin in backtest.origins(history, WINDOWS, HOURS, skip=skip):
        known = history.until(origin)
        trained = train_month_ahead(known)
        for name, fit in FITS.items():
            kwh = _with(trained, known, fit).predict(known, origin, HOURS).to_numpy().sum(axis=1)
            rows.append({"series": series, "library": name, "accuracy": _accuracy(history, known, kwh)})
    return rows


def memory(name: str) -> float:
    """Return the MB that importing a library and one fit add to a process; call it in a fresh one."""
    history = model.history_of("1100")
    trees.training_table(history)
    before = peak_mb()
    FITS[name](history)
    return peak_mb() - before


def _with(trained: MonthAheadModel, known: History, fit: Callable[..., object]) -> MonthAheadModel:
    experts_only = replace(trained, shares=shares.NONE, network=None, trust=0.0)

    def experts(before: History, origin: pd.Timestamp, hours: int) -> Floats:
        return experts_only.predict(before, origin, hours).to_numpy().sum(axis=1)

    with mock.patch.object(trees, "fit", fit):
        return replace(trained, trees=trees.fit(known), shares=shares.fit(known, experts, trained.floor))


def _accuracy(history: History, known: History, kwh: Floats) -> float:
    truth = history.factory_kwh[len(known.hours) :][:HOURS]
    return 100 * (
        1 - float(np.sqrt(np.nanmean((kwh - truth) ** 2))) / backtest.training_span(known.factory_kwh)
    )


def _stored(fitted: object) -> int:
    with tempfile.TemporaryDirectory(prefix="fems-trees-") as folder:
        path = Path(folder) / "trees.npz"
        fitted.save(path)  # type: ignore[attr-defined]
        return path.stat().st_size


def main() -> None:
    """Print the means of all series, and the accuracy of each."""
    skip = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    series = sys.argv[2:] or model.reported_series()
    series = list(others.NAMES) if series == ["others"] else series
    print(
        f"month-ahead, {WINDOWS} windows, the last {skip} left out; all but steel is simulated, or SimBench's"
    )
    trees_alone = pd.DataFrame([row for name in series for row in alone(name, skip)])
    print("\ntrees alone\n", trees_alone.groupby("library").mean(numeric_only=True).round(3).to_string())
    for name in FITS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            print(
                f"memory that {name} adds, its import and one fit: {pool.submit(memory, name).result():.0f} MB"
            )
    whole = pd.DataFrame([row for name in series for row in in_the_model(name, skip)])
    for title, frame in (("alone", trees_alone), ("in the model", whole)):
        table = frame.pivot_table(index="series", columns="library", values="accuracy", margins=True)
        print(f"\naccuracy, trees {title}\n{table.round(2).to_string()}")


if __name__ == "__main__":
    main()
