"""Backtests: every method on the same windows, refitted at each on what lies before it."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from fems.errors import TooLittleHistory
from fems.model import peers, scores
from fems.model.baselines import hour_of_week_profile, weekly_naive
from fems.model.history import Floats, History
from fems.model.month_ahead.band import FACTORY
from fems.model.month_ahead.train import LEAST_DAYS, train_month_ahead
from fems.model.one_step.model import train_one_step

LSTM, WEEKLY_NAIVE, PROFILE, PERSISTENCE = "lstm", "weekly_naive", "profile", "persistence"
MSTL, XGBOOST = "mstl", "xgboost"

Method = Callable[[History, pd.Timestamp, int], pd.DataFrame]
"""What was measured, an origin, hours -> a frame with the column kwh and, where the method has a band, p10_kwh and
p90_kwh."""


def lstm(*, epochs: int = 40, seed: int = 0, threads: int = 1) -> Method:
    """Return the month-ahead model as a method: it is trained anew for every window."""

    def forecast(measured: History, origin: pd.Timestamp, hours: int) -> pd.DataFrame:
        before = measured.until(origin)
        model = train_month_ahead(before, epochs, seed, threads=threads)
        return model.predict_bands(before, origin, hours).hour[FACTORY].rename(columns={"p50_kwh": "kwh"})

    return forecast


def baselines() -> dict[str, Method]:
    """Return what every training is scored beside."""

    def summed(method: Callable[..., pd.DataFrame], *args: Any) -> pd.DataFrame:
        return method(*args).sum(axis=1).to_frame("kwh")

    return {
        WEEKLY_NAIVE: partial(summed, weekly_naive),
        PROFILE: partial(summed, hour_of_week_profile),
    }


def all_methods(*, epochs: int = 40, seed: int = 0, threads: int = 1) -> dict[str, Method]:
    """Return every method of `fems backtest`."""
    boosted = partial(peers.xgboost, seed=seed, threads=threads)
    return {
        LSTM: lstm(epochs=epochs, seed=seed, threads=threads),
        **baselines(),
        MSTL: lambda *args: peers.mstl(*args).to_frame("kwh"),
        XGBOOST: lambda *args: boosted(*args).to_frame("kwh"),
    }


def window(
    history: History, origin: pd.Timestamp, hours: int, methods: dict[str, Method]
) -> tuple[pd.DataFrame, dict[str, dict[str, float]], dict[str, float]]:
    """Forecast one window with every method and score it, at the level of the factory.

    Args:
        history: one factory; reaches past the window's end.
        origin: the window's start; no method is shown anything at or after it.
        hours: the window's length.
        methods: by name.

    Returns:
        The forecasts, indexed by hour: truth, a column a method, and p10_kwh and p90_kwh of the method with a
        band; scores by method; seconds by method, to fit and to forecast.

    Raises:
        TooLittleHistory: too little before the origin.
        DataError: the window has no truth.
    """
    before = history.until(origin)
    span = training_span(before.factory_kwh)
    forecast = pd.DataFrame(index=pd.date_range(origin, periods=hours, freq="h", name="timestamp"))
    truth = pd.Series(history.factory_kwh, index=history.hours).reindex(forecast.index)
    forecast["truth"] = truth
    scored, took = {}, {}
    for name, method in methods.items():
        started = time.perf_counter()
        said = method(before, origin, hours)
        took[name] = time.perf_counter() - started
        forecast[name] = said["kwh"]
        scored[name] = scores.table(truth, said["kwh"], span)
        if "p10_kwh" in said:
            forecast[["p10_kwh", "p90_kwh"]] = said[["p10_kwh", "p90_kwh"]]
            scored[name]["coverage_80"] = scores.coverage(truth, said["p10_kwh"], said["p90_kwh"])
    return forecast, scored, took


def origins(history: History, count: int, hours: int, *, skip: int = 0) -> list[pd.Timestamp]:
    """Return the starts of windows that follow each other without overlap and end where a history ends.

    Args:
        history: one factory or one series.
        count: how many windows.
        hours: of each window.
        skip: so many of the last windows are left out. Designs are chosen on windows with `skip=4`, and
            reported on the last four: what is reported was not chosen on.

    Raises:
        TooLittleHistory: less than `LEAST_DAYS` days before the first window.
    """
    need = LEAST_DAYS * 24 + hours * (count + skip)
    if len(history.hours) < need:
        raise TooLittleHistory(
            f"{count + skip} windows of {hours} hours need {need} hours; there are {len(history.hours)}"
        )
    return [history.end - pd.Timedelta(hours=hours * back) for back in range(count + skip, skip, -1)]


def month_ahead(
    history: History,
    methods: dict[str, Method],
    *,
    count: int = 4,
    horizon_minutes: int = scores.HORIZON_MINUTES,
    skip: int = 0,
) -> dict[str, Any]:
    """Score windows of a history.

    Args:
        history: one factory or one series.
        methods: by name.
        count: how many windows.
        horizon_minutes: each window's length; whole hours.
        skip: see `origins`.

    Returns:
        The object that `fems backtest` writes: protocol, windows (origin, scores by method), mean (and
        abs_total_error_pct, the mean of the total's error without its sign), train_seconds.

    Raises:
        TooLittleHistory: less than `LEAST_DAYS` days before the first window.
    """
    hours = horizon_minutes // 60
    windows, scored_windows, seconds = [], [], []
    for origin in origins(history, count, hours, skip=skip):
        _, scored, took = window(history, origin, hours, methods)
        scored_windows.append(scored)
        windows.append({"origin": origin.isoformat(), "scores": scored})
        seconds.append(took)
    mean = _mean(scored_windows)
    for name, found in mean.items():
        found["abs_total_error_pct"] = float(
            np.mean([abs(scored[name]["total_error_pct"]) for scored in scored_windows])
        )
    return {
        "protocol": scores.MONTH_AHEAD,
        "windows": windows,
        "mean": mean,
        "train_seconds": {method: sum(took[method] for took in seconds) / count for method in seconds[0]},
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
