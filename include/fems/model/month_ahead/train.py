"""Training of the month-ahead model: the prior by past origins, the gate where it earns, trees, shares, the band."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import TooLittleHistory
from fems.model.floors import fit_floors
from fems.model.history import MEASURED, Floats, History
from fems.model.month_ahead import band, features, gate, shares, trees
from fems.model.month_ahead.experts import STEADY
from fems.model.month_ahead.features import DECODER_DAYS, DailyHistory, Samples
from fems.model.month_ahead.gate_inference import TrainedGate, shipped_gate
from fems.model.month_ahead.model import MonthAheadModel, weigh
from fems.model.month_ahead.prior import add_share, fit_prior
from fems.model.plan_effects import fit_effects
from fems.model.plans import Plan
from fems.model.scaling import MinMaxScaler

LEAST_DAYS = 35
ORIGIN_EVERY_DAYS = 3
MOST_ORIGINS = 120
TRUST = 0.5
"""The gate's share in the weights where it errs no more than the prior from held-out origins: half-way it keeps most of
what it gains and risks half."""

STEADY_SHARE = 0.25
"""Of the expert with the longest memory in the prior, less where it erred more than the others at past origins: levels
come back more often than one year shows. Chosen on windows before the last four."""

_HOUR_STRIDE = 7


def train_month_ahead(
    history: History, seed: int = 0, *, threads: int = 1, plan: Plan | None = None
) -> MonthAheadModel:
    """Train on a history.

    The last origins are held out first: the gate must not err more than the prior there, or the prior alone forecasts.

    Args:
        history: one factory, at least `LEAST_DAYS` days.
        seed: the same seed and history give the same model.
        threads: of the trees.
        plan: what was planned, for past hours too; what was not known by the history's end does not count.

    Raises:
        TooLittleHistory: fewer than `LEAST_DAYS` days.
        DataError: the interval is not an hour.
    """
    model = train_experts(history, seed, threads=threads, plan=plan)
    without = model.effects.without(history, (plan or Plan()).known_at(history.end))
    return _with_shares(model, without, seed, threads)


def train_experts(
    history: History, seed: int = 0, *, threads: int = 1, plan: Plan | None = None
) -> MonthAheadModel:
    """Train all but the shares of trees and MSTL, which are none: see `train_month_ahead`."""
    history.require_hours()
    if len(history.hours) < LEAST_DAYS * 24:
        raise TooLittleHistory(
            f"month-ahead training needs {LEAST_DAYS} days of hours; there are {len(history.hours) / 24:.1f}"
        )
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
    trial = _try_gate(every, cut, len(history.equipment))
    prior = fit_priors(every, len(history.equipment))
    kinds = band.kinds_of(daily.features, history.holidays_off)
    return MonthAheadModel(
        equipment=history.equipment,
        floor=floor,
        scaler=scaler,
        covariates=covariates,
        prior=prior,
        trust=trial.trust,
        network=trial.network if trial.trust > 0 else None,
        trees=trees.fit(above, seed=seed, threads=threads),
        shares=shares.NONE,
        band=_fit_band(every, trial, scaler, kinds),
        effects=effects,
        trained_until=history.end,
        notes=trial.notes | {"origins": float(len(every.target) / len(history.equipment))},
    )


def _with_shares(model: MonthAheadModel, history: History, seed: int, threads: int) -> MonthAheadModel:
    """Give trees and MSTL their shares."""

    def experts(known: History, origin: pd.Timestamp, hours: int) -> Floats:
        kwh: Floats = model.predict(known, origin, hours).to_numpy().sum(axis=1)
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
    """What came of the held-out origins: who is trusted, and what weights forecast where the prior was not fitted."""

    network: TrainedGate
    trust: float
    notes: dict[str, float]
    weights: Floats


def _try_gate(every: Samples, cut: int, equipment: int) -> _Trial:
    """Fit the prior on the origins before `cut`, and judge gate and prior on those from it on."""
    early = every.select(every.origin_day < cut - 3).hide_from(cut)
    late = every.select(every.origin_day >= cut)
    prior, network = fit_priors(early, equipment), shipped_gate()

    def error(trust: float) -> float:
        mixed = gate.mixture(weigh(network, trust, late.encoder, late.decoder, prior), late.experts)
        return float(np.nanmean((mixed - late.target) ** 2))

    of_prior, of_both = error(0.0), error(TRUST)
    trust = TRUST if of_both <= of_prior else 0.0
    notes = {"prior_val_loss": of_prior, "gate_val_loss": of_both, "trust": trust}
    return _Trial(network, trust, notes, weigh(network, trust, every.encoder, every.decoder, prior))


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
