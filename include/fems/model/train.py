"""Train one factory: the study's model, the month-ahead model's backtest, and the one that will forecast."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from fems.contracts.horizon import HORIZON_MINUTES
from fems.errors import TooLittleHistory
from fems.model import backtest
from fems.model.bundle import Bundle
from fems.model.history import History
from fems.model.hyperparameters import Parameters, hyperparameters
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.train import LEAST_DAYS, train_month_ahead
from fems.model.one_step.model import OneStepModel
from fems.model.one_step.train import EPOCHS, train_one_step
from fems.model.plans import Plan

log = logging.getLogger(__name__)

LOG_EVERY = 5
"""Epochs between two lines of the log."""

OnEpoch = Callable[[str, int, dict[str, float]], None]
"""Called with "one_step", the epoch from 1, and its figures."""


@dataclass(frozen=True)
class TrainedFactory:
    """What one training made.

    Attributes:
        one_step: tested on the last 705 hours.
        month_ahead: trained on the whole history.
        metrics: flat: one_step.accuracy, one_step.persistence_accuracy, month_ahead.accuracy,
            month_ahead.weekly_naive_accuracy, month_ahead.mae, ...; the month-ahead ones from a model that
            did not see the held-out window.
        curves: "one_step" -> a dict an epoch.
        holdout: the held-out window, indexed by hour: truth, month_ahead, weekly_naive, profile, p10_kwh, p90_kwh,
            kWh.
        span: kWh, that accuracy on the window is scaled by.
        scored: method -> its scores on the window.
        parameters: every setting of the models, and the epochs that the network ran.
        country: ISO 3166 code.
        holidays_off: whether the factory stops on public holidays.
        shifts: the shift plan; None where none is known.
    """

    one_step: OneStepModel
    month_ahead: MonthAheadModel
    metrics: dict[str, float]
    curves: dict[str, list[dict[str, float]]]
    holdout: pd.DataFrame
    span: float
    scored: dict[str, dict[str, float]]
    parameters: Parameters
    country: str
    holidays_off: bool
    shifts: str | None

    def bundle(self, factory_id: str) -> Bundle:
        """Return what is to be registered."""
        return Bundle(
            factory_id,
            self.month_ahead,
            self.one_step,
            self.country,
            self.holidays_off,
            self.shifts,
            self.metrics,
        )


def train_factory(
    history: History,
    *,
    epochs: int = EPOCHS,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    threads: int = 1,
    horizon_minutes: int = HORIZON_MINUTES,
    plan: Plan | None = None,
) -> TrainedFactory:
    """Train one factory.

    The month-ahead model is first trained without the last horizon and scored there with weekly naive,
    then trained on everything for use. A history too short to hold out a whole horizon holds out what
    `LEAST_DAYS` leave.

    Args:
        history: one factory; 14 months are plenty.
        epochs: of the one-step model at most; it stops earlier once validation no longer improves.
        seed: the same seed and history give the same models.
        on_epoch: called after every epoch.
        threads: of TensorFlow.
        horizon_minutes: length of the held-out window.
        plan: what was ever planned; of the held-out window only what was known at its origin counts.

    Raises:
        TooLittleHistory: fewer than `LEAST_DAYS` + 7 days.
    """
    spare = len(history.hours) - LEAST_DAYS * 24
    if spare < 7 * 24:
        raise TooLittleHistory(
            f"training needs {LEAST_DAYS + 7} days of hours, 7 of them to hold out; "
            f"there are {len(history.hours) / 24:.1f}"
        )
    held_hours = min(horizon_minutes // 60, spare)

    def reporter(part: str) -> Callable[[int, dict[str, float]], None]:
        def report(epoch: int, figures: dict[str, float]) -> None:
            if epoch == 1 or epoch % LOG_EVERY == 0:
                shown = ", ".join(f"{name} {value:.5f}" for name, value in figures.items())
                log.info("%s: epoch %d of at most %d, %s", part, epoch, epochs, shown)
            if on_epoch is not None:
                on_epoch(part, epoch, figures)

        return report

    log.info(
        "training on %s hours of %d machines, %s to %s",
        f"{len(history.hours):,}", len(history.equipment), f"{history.hours[0]:%Y-%m-%d}", f"{history.end:%Y-%m-%d}",
    )  # fmt: skip
    started = time.perf_counter()
    one_step = train_one_step(
        history, epochs=epochs, seed=seed, on_epoch=reporter("one_step"), threads=threads
    )
    after_one_step = time.perf_counter()
    log.info(
        "one_step: %d epochs, %.0f s, accuracy %.1f (persistence %.1f)",
        len(one_step.curve), after_one_step - started,
        one_step.metrics["accuracy"], one_step.metrics["persistence_accuracy"],
    )  # fmt: skip
    origin = history.end - pd.Timedelta(hours=held_hours)
    methods = {
        backtest.MONTH_AHEAD: backtest.month_ahead_method(seed=seed, threads=threads, plan=plan),
        **backtest.baselines(),
    }
    holdout = backtest.score_window(history, origin, held_hours, methods)
    before_refit = time.perf_counter()
    log.info(
        "backtest: %s to %s, %.0f s, accuracy %s", f"{origin:%Y-%m-%d}", f"{history.end:%Y-%m-%d}",
        before_refit - after_one_step,
        ", ".join(f"{method} {values['accuracy']:.1f}" for method, values in holdout.scores.items()),
    )  # fmt: skip
    month_ahead = train_month_ahead(history, seed, threads=threads, plan=plan)
    log.info("month_ahead: trained on everything, %.0f s", time.perf_counter() - before_refit)
    metrics = {f"one_step.{name}": value for name, value in one_step.metrics.items()}
    for method, values in holdout.scores.items():
        prefix = "" if method == backtest.MONTH_AHEAD else f"{method}_"
        metrics |= {f"month_ahead.{prefix}{name}": value for name, value in values.items()}
    metrics |= {
        "month_ahead.holdout_hours": float(held_hours),
        "month_ahead.gate_is_network": float(month_ahead.gate == "network"),
        "seconds.one_step": after_one_step - started,
        "seconds.backtest": before_refit - after_one_step,
        "seconds.month_ahead": time.perf_counter() - before_refit,
    }
    metrics |= {f"month_ahead.{name}": value for name, value in month_ahead.notes.items()}
    curves = {"one_step": one_step.curve}
    return TrainedFactory(
        one_step=one_step,
        month_ahead=month_ahead,
        metrics=metrics,
        curves=curves,
        holdout=holdout.forecast,
        span=backtest.training_span(history.until(origin).factory_kwh),
        scored=holdout.scores,
        parameters=hyperparameters() | {f"{part}.epochs": len(curve) for part, curve in curves.items()},
        country=history.country,
        holidays_off=history.holidays_off,
        shifts=history.shifts,
    )
