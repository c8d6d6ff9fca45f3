"""Backtests: every method on the same windows, refitted at each on what lies before it."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from fems.contracts.horizon import HORIZON_MINUTES
from fems.errors import TooLittleHistory
from fems.model import peers, scores
from fems.model.baselines import hour_of_week_profile, weekly_naive
from fems.model.history import Floats, History
from fems.model.month_ahead.band import FACTORY
from fems.model.month_ahead.train import LEAST_DAYS, train_month_ahead
from fems.model.one_step.train import train_one_step
from fems.model.plans import Plan

MONTH_AHEAD, WEEKLY_NAIVE, PROFILE, MSTL, XGBOOST = (
    "month_ahead",
    "weekly_naive",
    "profile",
    "mstl",
    "xgboost",
)
"""Methods of the protocol month-ahead; the first is the product's."""
LSTM, PERSISTENCE = "lstm", "persistence"
"""Methods of the protocol one-step."""

Scores = dict[str, float]
"""Figure -> value."""

Method = Callable[[History, pd.Timestamp, int], pd.DataFrame]
"""What was measured, an origin, hours -> a frame with the column kwh and, where the method has a band, p10_kwh and
p90_kwh."""


@dataclass(frozen=True)
class Window:
    """One window, forecast by every method.

    Attributes:
        origin: its start.
        forecast: indexed by hour: truth, a column a method, and p10_kwh and p90_kwh of the method with a band, kWh.
        scores: by method.
        seconds: by method, to fit and to forecast.
    """

    origin: pd.Timestamp
    forecast: pd.DataFrame
    scores: dict[str, Scores]
    seconds: dict[str, float]


@dataclass(frozen=True)
class WindowScores:
    """A window's start, ISO 8601, and the scores by method."""

    origin: str
    scores: dict[str, Scores]


@dataclass(frozen=True)
class BacktestResult:
    """What `fems backtest` writes.

    Attributes:
        protocol: month-ahead or one-step.
        windows: in order.
        mean: by method, over the windows; with abs_total_error_pct, the mean of the total's error without its sign.
        train_seconds: by method, mean of a window.
    """

    protocol: str
    windows: tuple[WindowScores, ...]
    mean: dict[str, Scores]
    train_seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def month_ahead_method(*, seed: int = 0, threads: int = 1, plan: Plan | None = None) -> Method:
    """Return the month-ahead model as a method: it is trained anew for every window.

    Of a plan only that counts which was known at a window's origin.
    """

    def forecast(measured: History, origin: pd.Timestamp, hours: int) -> pd.DataFrame:
        before = measured.until(origin)
        known = (plan or Plan()).known_at(origin)
        model = train_month_ahead(before, seed, threads=threads, plan=known)
        return (
            model.predict_bands(before, origin, hours, known).hour[FACTORY].rename(columns={"p50_kwh": "kwh"})
        )

    return forecast


def baselines() -> dict[str, Method]:
    """Return what every training is compared with."""

    def summed(method: Callable[..., pd.DataFrame], *args: Any) -> pd.DataFrame:
        return method(*args).sum(axis=1).to_frame("kwh")

    return {
        WEEKLY_NAIVE: partial(summed, weekly_naive),
        PROFILE: partial(summed, hour_of_week_profile),
    }


def all_methods(*, seed: int = 0, threads: int = 1) -> dict[str, Method]:
    """Return every method of `fems backtest`."""
    boosted = partial(peers.xgboost, seed=seed, threads=threads)
    return {
        MONTH_AHEAD: month_ahead_method(seed=seed, threads=threads),
        **baselines(),
        MSTL: lambda *args: peers.mstl(*args).to_frame("kwh"),
        XGBOOST: lambda *args: boosted(*args).to_frame("kwh"),
    }


def score_window(history: History, origin: pd.Timestamp, hours: int, methods: dict[str, Method]) -> Window:
    """Forecast one window with every method and score it, at the level of the factory.

    Args:
        history: one factory; reaches past the window's end.
        origin: the window's start; no method is shown anything at or after it.
        hours: the window's length.
        methods: by name.

    Raises:
        TooLittleHistory: too little before the origin.
        DataError: the window has no truth.
    """
    before = history.until(origin)
    span = training_span(before.factory_kwh)
    forecast = pd.DataFrame(index=pd.date_range(origin, periods=hours, freq="h", name="timestamp"))
    truth = pd.Series(history.factory_kwh, index=history.hours).reindex(forecast.index)
    forecast["truth"] = truth
    by_method: dict[str, Scores] = {}
    seconds: dict[str, float] = {}
    for name, method in methods.items():
        started = time.perf_counter()
        predicted = method(before, origin, hours)
        seconds[name] = time.perf_counter() - started
        forecast[name] = predicted["kwh"]
        by_method[name] = scores.table(truth, predicted["kwh"], span)
        if "p10_kwh" in predicted:
            forecast[["p10_kwh", "p90_kwh"]] = predicted[["p10_kwh", "p90_kwh"]]
            low, high = predicted["p10_kwh"], predicted["p90_kwh"]
            by_method[name]["coverage_80"] = scores.coverage(truth, low, high)
            by_method[name]["interval_score"] = scores.interval_score(truth, low, high) / span
    return Window(origin, forecast, by_method, seconds)


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
    horizon_minutes: int = HORIZON_MINUTES,
    skip: int = 0,
) -> BacktestResult:
    """Score windows of a history.

    Args:
        history: one factory or one series.
        methods: by name.
        count: how many windows.
        horizon_minutes: each window's length; whole hours.
        skip: see `origins`.

    Raises:
        TooLittleHistory: less than `LEAST_DAYS` days before the first window.
    """
    hours = horizon_minutes // 60
    windows = [
        score_window(history, origin, hours, methods) for origin in origins(history, count, hours, skip=skip)
    ]
    mean = _mean([window.scores for window in windows])
    for name, figures in mean.items():
        totals = [abs(window.scores[name]["total_error_pct"]) for window in windows]
        figures["abs_total_error_pct"] = float(np.mean(totals))
    return BacktestResult(
        protocol=scores.MONTH_AHEAD,
        windows=tuple(WindowScores(window.origin.isoformat(), window.scores) for window in windows),
        mean=mean,
        train_seconds={
            name: float(np.mean([window.seconds[name] for window in windows])) for name in windows[0].seconds
        },
    )


def one_step(
    history: History, *, epochs: int = 50, window: int = 24, seed: int = 0, threads: int = 1
) -> BacktestResult:
    """Score the study's protocol on the last 705 hours, with persistence; one window.

    Raises:
        TooLittleHistory: as `train_one_step`.
    """
    started = time.perf_counter()
    model = train_one_step(history, epochs=epochs, window=window, seed=seed, threads=threads)
    seconds = time.perf_counter() - started
    prefix = f"{PERSISTENCE}_"
    by_method = {
        LSTM: {k: v for k, v in model.metrics.items() if not k.startswith(prefix)},
        PERSISTENCE: {k.removeprefix(prefix): v for k, v in model.metrics.items() if k.startswith(prefix)},
    }
    return BacktestResult(
        protocol=scores.ONE_STEP,
        windows=(WindowScores(model.forecast.index[0].isoformat(), by_method),),
        mean=by_method,
        train_seconds={LSTM: seconds, PERSISTENCE: 0.0},
    )


def training_span(training: Floats) -> float:
    """Maximum minus minimum of the training data, kWh; 1 where it is constant, as in `MinMaxScaler`."""
    span = float(np.nanmax(training) - np.nanmin(training))
    return span if span > 0 else 1.0


def _mean(windows: list[dict[str, Scores]]) -> dict[str, Scores]:
    return {
        method: {
            name: float(np.mean([scores[method][name] for scores in windows])) for name in windows[0][method]
        }
        for method in windows[0]
    }
