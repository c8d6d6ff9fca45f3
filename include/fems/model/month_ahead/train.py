"""Training of the month-ahead model: the prior by past origins, the network where it earns, the band."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import TooLittleHistory
from fems.model.floors import fit_floors
from fems.model.history import MEASURED, Floats, History
from fems.model.month_ahead import band, features, gate, shares, trees
from fems.model.month_ahead.experts import STEADY
from fems.model.month_ahead.features import DECODER_DAYS, DailyHistory, Samples
from fems.model.month_ahead.gate_inference import TrainedGate
from fems.model.month_ahead.model import MonthAheadModel, weigh
from fems.model.month_ahead.prior import add_share, fit_prior
from fems.model.plan_effects import fit_effects
from fems.model.plans import Plan
from fems.model.runtime import prepare
from fems.model.scaling import MinMaxScaler

LEAST_DAYS = 35
EPOCHS = 50
ORIGIN_EVERY_DAYS = 3
MOST_ORIGINS = 120
MARGIN = 0.01
"""The network must lower the squared error on held-out origins by this share, or the prior stays.

The held-out origins overlap and its best epoch is chosen on them, so a smaller gain means nothing.
"""
TRUST = 0.5
"""The network's share in the weights where it earned one: half-way it keeps most of what it gained and risks half."""

STEADY_SHARE = 0.25
"""Of the expert with the longest memory in the prior, less where it erred more than the others at past origins: levels
come back more often than one year shows. Chosen on windows before the last four."""

_HOUR_STRIDE = 7
_REFIT_SHARE = 4


def train_month_ahead(
    history: History,
    epochs: int = EPOCHS,
    seed: int = 0,
    on_epoch: gate.OnEpoch | None = None,
    *,
    threads: int = 1,
    plan: Plan | None = None,
) -> MonthAheadModel:
    """Train on a history.

    The last origins are held out first: the network must beat the prior there, or the prior is what
    forecasts. A network that did is then trained on over every origin for a quarter of the epochs.

    Args:
        history: one factory, at least `LEAST_DAYS` days.
        epochs: of the gate's network, at most; 0 trains none, and the prior forecasts.
        seed: the same seed and history give the same model.
        on_epoch: called with the epoch, from 1, and its loss and val_loss.
        threads: of TensorFlow.
        plan: what was planned, for past hours too; what was not known by the history's end does not count.

    Raises:
        TooLittleHistory: fewer than `LEAST_DAYS` days.
        DataError: the interval is not an hour.
    """
    model = train_experts(history, epochs, seed, on_epoch, threads=threads, plan=plan)
    without = model.effects.without(history, (plan or Plan()).known_at(history.end))
    return _with_shares(model, without, seed, threads)


def train_experts(
    history: History,
    epochs: int = EPOCHS,
    seed: int = 0,
    on_epoch: gate.OnEpoch | None = None,
    *,
    threads: int = 1,
    plan: Plan | None = None,
) -> MonthAheadModel:
    """Train all but the shares of trees and MSTL, which are none: see `train_month_ahead`."""
    history.require_hours()
    if len(history.hours) < LEAST_DAYS * 24:
        raise TooLittleHistory(
            f"month-ahead training needs {LEAST_DAYS} days of hours; there are {len(history.hours) / 24:.1f}"
        )
    if epochs > 0:
        prepare(seed, threads)
    known_plan = (plan or Plan()).known_at(history.end)
    effects = fit_effects(history, known_plan)
    history = effects.without(history, known_plan)
    floor = fit_floors(history.used_kwh)
    above = history.above(floor)
    daily = DailyHistory.of(above, DECODER_DAYS)
    days = len(daily.grid.days)
    scaler = MinMaxScaler.fit(history.equipment, above.used_kwh)
    covariates = MinMaxScaler.fit(MEASURED, daily.measured)
    every = features.training_samples(daily, origins(days), scaler, covariates)
    cut = days - min(60, days // 3)
    trial = _validate_gate(every, cut, len(history.equipment), epochs, seed, on_epoch)
    prior = fit_priors(every, len(history.equipment))
    if trial.trust > 0:
        start = weigh(None, 0, every.encoder, every.decoder, prior)
        gate.fit(
            trial.network,
            every,
            np.log(start),
            validation=None,
            validation_log_prior=None,
            epochs=max(1, epochs // _REFIT_SHARE),
            seed=seed + 1,
            learning_rate=gate.LEARNING_RATE / 4,
        )
    kinds = band.kinds_of(daily.features, history.holidays_off)
    return MonthAheadModel(
        equipment=history.equipment,
        floor=floor,
        scaler=scaler,
        covariates=covariates,
        prior=prior,
        trust=trial.trust,
        network=TrainedGate.from_keras(trial.network) if trial.trust > 0 else None,
        trees=trees.fit(above, seed=seed, threads=threads),
        shares=shares.NONE,
        band=_fit_band(every, trial, scaler, kinds),
        effects=effects,
        trained_until=history.end,
        notes=trial.notes | {"origins": float(len(every.target) / len(history.equipment))},
        curve=trial.curve,
    )


def _with_shares(model: MonthAheadModel, history: History, seed: int, threads: int) -> MonthAheadModel:
    """Give trees and MSTL their shares; the prior stands for the experts, since the network has seen those origins."""
    weighed_by_prior = replace(model, network=None, trust=0.0)

    def experts(known: History, origin: pd.Timestamp, hours: int) -> Floats:
        kwh: Floats = weighed_by_prior.predict(known, origin, hours).to_numpy().sum(axis=1)
        return kwh

    fitted = shares.fit(history, experts, model.floor, seed=seed, threads=threads)
    return replace(
        model,
        shares=fitted,
        notes=model.notes | {"trees_share": fitted.trees, "mstl_share": fitted.mstl},
    )


def origins(days: int) -> list[tuple[int, int]]:
    """Return (day, hour) of past origins: every third day with something before and after it, at changing hours."""
    past = min(56, days // 3)
    future = min(14, days // 5)
    chosen = list(range(days - future, past - 1, -ORIGIN_EVERY_DAYS))[:MOST_ORIGINS]
    return [(day, (i * _HOUR_STRIDE) % 24) for i, day in enumerate(sorted(chosen))]


@dataclass(frozen=True)
class _Trial:
    """What came of the held-out origins: who is trusted, and what was got wrong where it was not trained on."""

    network: Any
    trust: float
    prior: Floats
    curve: list[dict[str, float]]
    notes: dict[str, float]
    weights: Floats


def _validate_gate(
    every: Samples, cut: int, equipment: int, epochs: int, seed: int, on_epoch: gate.OnEpoch | None
) -> _Trial:
    """Train on the origins before `cut` and judge on those from it on."""
    early = every.select(every.origin_day < cut - 3).hide_from(cut)
    late = every.select(every.origin_day >= cut)
    prior = fit_priors(early, equipment)
    if epochs == 0:
        weights = weigh(None, 0, every.encoder, every.decoder, prior)
        return _Trial(None, 0.0, prior, [], {"trust": 0.0}, weights)
    network = gate.build(every.encoder.shape[2], every.decoder.shape[2])
    curve, start = gate.fit(
        network,
        early,
        np.log(weigh(None, 0, early.encoder, early.decoder, prior)),
        validation=late,
        validation_log_prior=np.log(weigh(None, 0, late.encoder, late.decoder, prior)),
        epochs=epochs,
        seed=seed,
        on_epoch=on_epoch,
    )

    trained = TrainedGate.from_keras(network)

    def error(trust: float) -> float:
        mixed = gate.mixture(weigh(trained, trust, late.encoder, late.decoder, prior), late.experts)
        return float(np.nanmean((mixed - late.target) ** 2))

    trust = TRUST if error(TRUST) < (1 - MARGIN) * error(0.0) else 0.0
    notes = {
        "prior_val_loss": start,
        "network_val_loss": min([row["val_loss"] for row in curve], default=start),
        "val_loss": error(trust),
        "trust": trust,
    }
    weights = weigh(None, 0, every.encoder, every.decoder, prior)
    weights[every.origin_day >= cut] = weigh(trained, trust, late.encoder, late.decoder, prior)
    return _Trial(network, trust, prior, curve, notes, weights)


def fit_priors(samples: Samples, equipment: int) -> Floats:
    """(E, B, K)."""
    fitted = []
    for e in range(equipment):
        experts, target = samples.experts[e::equipment], samples.target[e::equipment]
        fitted.append(add_share(fit_prior(experts, target), experts, target, STEADY, STEADY_SHARE))
    return np.stack(fitted)


def _fit_band(
    every: Samples, trial: _Trial, scaler: MinMaxScaler, kinds: NDArray[np.int64]
) -> band.BandWidths:
    """Fit the band on what the experts got wrong from past origins; `kinds` are those of the grid's days."""
    error = every.target - gate.mixture(trial.weights, every.experts)
    equipment = len(scaler.span)
    by_origin = error.reshape(-1, equipment, *error.shape[1:])
    residual = np.moveaxis(by_origin, 1, -1) * np.array(scaler.span)
    first = every.origin_day[::equipment]
    at = first[:, None] + np.arange(error.shape[1])
    return band.fit(residual, kinds[at], band.months_of(first))
