"""Backtests: every method on the same windows, refitted at each on what lies before it."""

import time
from typing import Any

import numpy as np
import pandas as pd

from fems.errors import TooLittleHistory
from fems.model import scores
from fems.model.baselines import hour_of_week_profile, weekly_naive
from fems.model.history import Floats, History
from fems.model.month_ahead import LEAST_DAYS, train_month_ahead
from fems.model.one_step import train_one_step

LSTM, WEEKLY_NAIVE, PROFILE, PERSISTENCE = "lstm", "weekly_naive", "profile", "persistence"


def window(
    history: History, origin: pd.Timestamp, hours: int, *, epochs: int = 40, seed: int = 0, threads: int = 1
) -> tuple[pd.DataFrame, dict[str, dict[str, float]], dict[str, float]]:
    """Forecast one window with every method and score it, at the level of the factory.

    Args:
        history: one factory; reaches past the window's end.
        origin: the window's start; nothing at or after it is trained on.
        hours: the window's length.
        epochs: of the month-ahead network.
        seed: of the same.
        threads: of TensorFlow.

    Returns:
        The forecasts, indexed by hour: truth, lstm, weekly_naive, profile, p10_kwh, p90_kwh; scores by
        method; seconds to train by method.

    Raises:
        TooLittleHistory: too little before the origin.
        DataError: the window has no truth.
    """
    before = history.until(origin)
    took = {WEEKLY_NAIVE: 0.0}
    forecast = pd.DataFrame(index=pd.date_range(origin, periods=hours, freq="h", name="timestamp"))
    forecast["truth"] = pd.Series(history.factory_kwh, index=history.hours).reindex(forecast.index)
    started = time.perf_counter()
    model = train_month_ahead(before, epochs, seed, threads=threads)
    took[LSTM] = time.perf_counter() - started
    band = model.predict_band(before, origin, hours)
    forecast[LSTM] = band["kwh"]
    forecast[WEEKLY_NAIVE] = weekly_naive(before, origin, hours).sum(axis=1)
    started = time.perf_counter()
    forecast[PROFILE] = hour_of_week_profile(before, origin, hours).sum(axis=1)
    took[PROFILE] = time.perf_counter() - started
    forecast[["p10_kwh", "p90_kwh"]] = band[["p10_kwh", "p90_kwh"]]
    span = training_span(before.factory_kwh)
    scored = {
        method: scores.table(forecast["truth"], forecast[method], span)
        for method in (LSTM, WEEKLY_NAIVE, PROFILE)
    }
    scored[LSTM]["coverage_80"] = scores.coverage(forecast["truth"], forecast["p10_kwh"], forecast["p90_kwh"])
    return forecast, scored, took


def month_ahead(
    history: History,
    *,
    origins: int = 4,
    horizon_minutes: int = scores.HORIZON_MINUTES,
    epochs: int = 40,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Any]:
    """Score the last windows of a history, which follow each other without overlap and end where it ends.

    Args:
        history: one factory or one series.
        origins: how many windows.
        horizon_minutes: each window's length; whole hours.
        epochs: of the month-ahead network.
        seed: of the same.
        threads: of TensorFlow.

    Returns:
        The object that `fems backtest` writes: protocol, windows (origin, scores by method), mean,
        train_seconds.

    Raises:
        TooLittleHistory: less than `LEAST_DAYS` days before the first window.
    """
    hours = horizon_minutes // 60
    need = LEAST_DAYS * 24 + hours * origins
    if len(history.hours) < need:
        raise TooLittleHistory(
            f"{origins} windows of {hours} hours need {need} hours; there are {len(history.hours)}"
        )
    windows, scored_windows, seconds = [], [], []
    for back in range(origins, 0, -1):
        origin = history.end - pd.Timedelta(hours=hours * back)
        _, scored, took = window(history, origin, hours, epochs=epochs, seed=seed, threads=threads)
        scored_windows.append(scored)
        windows.append({"origin": origin.isoformat(), "scores": scored})
        seconds.append(took)
    return {
        "protocol": scores.MONTH_AHEAD,
        "windows": windows,
        "mean": _mean(scored_windows),
        "train_seconds": {method: sum(took[method] for took in seconds) / origins for method in seconds[0]},
    }


def one_step(
    history: History, *, epochs: int = 50, window: int = 24, seed: int = 0, threads: int = 1
) -> dict[str, Any]:
    """Score the study's protocol on the last 705 hours, beside persistence; shaped like `month_ahead`.

    Raises:
        TooLittleHistory: as `train_one_step`.
    """
    started = time.perf_counter()
    model = train_one_step(history, epochs=epochs, window=window, seed=seed, threads=threads)
    took = time.perf_counter() - started
    prefix = f"{PERSISTENCE}_"
    scored = {
        LSTM: {k: v for k, v in model.metrics.items() if not k.startswith(prefix)},
        PERSISTENCE: {k.removeprefix(prefix): v for k, v in model.metrics.items() if k.startswith(prefix)},
    }
    return {
        "protocol": scores.ONE_STEP,
        "windows": [{"origin": model.forecast.index[0].isoformat(), "scores": scored}],
        "mean": scored,
        "train_seconds": {LSTM: took, PERSISTENCE: 0.0},
    }


def training_span(training: Floats) -> float:
    """Maximum minus minimum of the training data, kWh; 1 where it is constant, as in `MinMaxScaler`."""
    span = float(np.nanmax(training) - np.nanmin(training))
    return span if span > 0 else 1.0


def _mean(scored: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        method: {name: float(np.mean([s[method][name] for s in scored])) for name in scored[0][method]}
        for method in scored[0]
    }
