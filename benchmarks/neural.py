"""The month-ahead model beside neuralforecast's LSTM: seconds and accuracy on the same windows, one after the other.

`make neural` installs the peer, `make bench BENCH="--only neural"` measures. Each has the machine for itself.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from benchmarks import model
from benchmarks.measurement import Measurement
from fems.contracts.horizon import HORIZON_MINUTES
from fems.errors import ConfigError
from fems.model import backtest
from fems.model.history import Floats, History
from fems.model.month_ahead.train import train_month_ahead
from fems.model.runtime import prepare
from fems.registry.plant import load_plant
from fems.settings import settings

INTERPRETER = Path(".venv/neural/bin/python")
HOURS = HORIZON_MINUTES // 60
FACTORY = "1100"
_THREADS = 2


def rows(windows: int = 1) -> list[Measurement]:
    """Forecast the last windows of steel, where it is there, and of a simulated factory of five machines.

    Raises:
        ConfigError: the peer's environment is not there.
    """
    if not INTERPRETER.exists():
        raise ConfigError(
            "neuralforecast is not installed: run `make neural`, or leave `neural` out of --only"
        )
    prepare(0, _THREADS)
    histories = {f"{FACTORY} (simulated)": model.simulated(load_plant(settings().factories_file), FACTORY)}
    if model.STEEL.exists():
        histories["steel"] = model.steel(model.STEEL)
    return [line for name, history in histories.items() for line in _lines(name, history, windows)]


def _lines(name: str, history: History, windows: int) -> list[Measurement]:
    ours, theirs = [], []
    for origin in backtest.origins(history, windows, HOURS):
        known = history.until(origin)
        truth = history.factory_kwh[len(known.hours) :][:HOURS]
        span = backtest.training_span(known.factory_kwh)
        ours.append(_scored(truth, span, *_ours(known, origin)))
        theirs.append(_scored(truth, span, *_theirs(known)))
    (accuracy, seconds), (peer_accuracy, peer_seconds) = np.mean(ours, axis=0), np.mean(theirs, axis=0)
    peer, what = "neuralforecast LSTM", f"month-ahead, {name}"
    error_ratio = (100 - peer_accuracy) / (100 - accuracy)
    return [
        Measurement(f"training and forecast, {what}", *_pair(seconds, peer, peer_seconds), "s", windows),
        Measurement(
            f"accuracy, {what}",
            round(float(accuracy), 2),
            peer,
            round(float(peer_accuracy), 2),
            round(float(error_ratio), 2),
            "%",
            windows,
        ),
    ]


def _pair(ours: float, peer: str, theirs: float) -> tuple[float, str, float, float]:
    return round(float(ours), 1), peer, round(float(theirs), 1), round(float(theirs / ours), 2)


def _scored(truth: Floats, span: float, kwh: Floats, seconds: float) -> tuple[float, float]:
    rmse = float(np.sqrt(np.nanmean((truth - kwh) ** 2))) / span
    return 100 * (1 - rmse), seconds


def _ours(known: History, origin: pd.Timestamp) -> tuple[Floats, float]:
    started = perf_counter()
    trained = train_month_ahead(known, threads=_THREADS)
    kwh = trained.predict(known, origin, HOURS).to_numpy().sum(axis=1)
    return kwh, perf_counter() - started


def _theirs(known: History) -> tuple[Floats, float]:
    """The factory's sum, which is what it is scored on; gaps filled by the mean of their neighbours."""
    series = pd.DataFrame({"ds": known.hours.tz_convert("UTC").tz_localize(None), "y": known.factory_kwh})
    with tempfile.TemporaryDirectory(prefix="fems-neural-") as folder:
        table, out = Path(folder) / "series.parquet", Path(folder) / "out.json"
        series.interpolate().bfill().to_parquet(table)
        peer = Path(__file__).with_name("neural_peer.py")
        subprocess.run([INTERPRETER, peer, table, str(HOURS), out], check=True, capture_output=True)
        said = json.loads(out.read_text(encoding="utf-8"))
    return np.maximum(np.asarray(said["kwh"], dtype=np.float64), 0.0), float(said["seconds"])
