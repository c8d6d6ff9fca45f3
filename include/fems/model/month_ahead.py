"""The month-ahead forecast: seasonal experts, weighed day by day by an LSTM.

Trained and forecast by equipment, each scaled by its own minimum and maximum; the factory is the sum of its
equipment. Protocol `month-ahead`: one origin, and no measured value at or after it.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import DataError, TooLittleHistory
from fems.model import band, gate, samples
from fems.model.daygrid import ONE_DAY, horizon_hours, positions
from fems.model.history import MEASURED, Floats, History
from fems.model.prior import fit_prior
from fems.model.runtime import prepare
from fems.model.samples import DECODER_DAYS, Field, Samples
from fems.model.scaling import MinMaxScaler

Gate = Literal["network", "prior"]

LEAST_DAYS = 35
ORIGIN_EVERY_DAYS = 3
MOST_ORIGINS = 120
MARGIN = 0.02
"""The network must lower the squared error on held-out origins by this share, or the prior stays.

The held-out origins overlap and its best epoch is chosen on them, so a smaller gain says little: on the
steel file's earlier windows gains of 0.7 % went either way.
"""

_HOUR_STRIDE = 7
_REFIT_SHARE = 4


@dataclass(frozen=True)
class MonthAheadModel:
    """A trained month-ahead model of one factory.

    Attributes:
        equipment: E sensor IDs.
        scaler: E columns, kWh, from the training span.
        covariates: the measured columns' daily means.
        prior: (E, K) weights of the experts.
        gate: "network", or "prior" where the network earned nothing on held-out origins.
        network: the keras.Model, None with gate "prior".
        residual_band: (kinds of day, 24, 2) kWh around the factory's forecast.
        trained_until: first instant not trained on.
        notes: what training measured.
        curve: a dict an epoch.
    """

    equipment: tuple[str, ...]
    scaler: MinMaxScaler
    covariates: MinMaxScaler
    prior: Floats
    gate: Gate
    network: Any
    residual_band: Floats
    trained_until: pd.Timestamp
    notes: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)

    def predict(self, history: History, origin: pd.Timestamp, horizon_hours: int) -> pd.DataFrame:
        """Forecast every hour from `origin` on, by equipment.

        Args:
            history: what was measured; what lies at or after `origin` is cut off before anything is
                computed. About 430 days are of use.
            origin: any full hour.
            horizon_hours: how many hours.

        Returns:
            (horizon_hours, E) kWh, not negative, indexed by hour, one column an equipment.

        Raises:
            TooLittleHistory: fewer than 14 days before the origin.
            DataError: the history holds equipment that the model was not trained on.
        """
        known = _aligned(history.until(origin), self.equipment)
        if len(known.hours) < 14 * 24:
            raise TooLittleHistory(
                f"a forecast from {origin} needs 14 days before it; there are {len(known.hours) / 24:.1f}"
            )
        known = known.last_days(samples.MEMORY_DAYS)
        first_day = known.hours[0].date()
        origin_day = (origin.tz_convert(known.hours.tz).date() - first_day).days
        hours = _hours(origin, horizon_hours, known)
        day, slot = positions(hours)
        at = ((day - np.datetime64(first_day, "D")) / ONE_DAY).astype(np.int64) - origin_day
        steps = max(DECODER_DAYS, int(at.max()) + 1)
        laid_out = _padded(Field.of(known, origin_day + steps), origin_day)
        local_hour = int(hours[0].hour)
        built = samples.sample(laid_out, origin_day, local_hour, steps, self.scaler, self.covariates)
        mixed = gate.mixture(self._weights(built, steps), built["experts"])
        kwh = self.scaler.inverse(np.moveaxis(mixed, 0, -1))[at, slot]
        return pd.DataFrame(np.maximum(kwh, 0.0), index=hours, columns=list(self.equipment))

    def predict_band(self, history: History, origin: pd.Timestamp, horizon_hours: int) -> pd.DataFrame:
        """Forecast the factory with a band that held 80 % of the residuals of rolling origins in training.

        Returns:
            Indexed by hour: kwh, p10_kwh, p90_kwh; not negative.

        Raises:
            TooLittleHistory: as `predict`.
            DataError: as `predict`.
        """
        kwh = self.predict(history, origin, horizon_hours).sum(axis=1)
        return band.around(kwh, self.residual_band, history.country)

    def _weights(self, built: dict[str, Any], steps: int) -> NDArray[np.float64]:
        if self.network is None:
            return np.repeat(self.prior[:, None, :], steps, axis=1)
        inputs = [built["encoder"], built["decoder"], _log(self.prior)]
        return np.asarray(self.network(inputs, training=False), dtype=np.float64)


def train_month_ahead(
    history: History,
    epochs: int = 40,
    seed: int = 0,
    on_epoch: gate.OnEpoch | None = None,
    *,
    threads: int = 1,
) -> MonthAheadModel:
    """Train on a history.

    The last origins are held out first: the network must beat the prior there, or the prior is what
    forecasts. A network that did is then trained on over every origin for a quarter of the epochs.

    Args:
        history: one factory, at least `LEAST_DAYS` days.
        epochs: of the network.
        seed: the same seed and history give the same model.
        on_epoch: called with the epoch, from 1, and its loss and val_loss.
        threads: of TensorFlow.

    Raises:
        TooLittleHistory: fewer than `LEAST_DAYS` days.
    """
    if len(history.hours) < LEAST_DAYS * 24:
        raise TooLittleHistory(
            f"month-ahead training needs {LEAST_DAYS} days of hours; there are {len(history.hours) / 24:.1f}"
        )
    prepare(seed, threads)
    laid_out = Field.of(history, DECODER_DAYS)
    scaler = MinMaxScaler.fit(history.equipment, history.used_kwh)
    covariates = MinMaxScaler.fit(MEASURED, laid_out.measured)
    origins = _origins(len(laid_out.grid.days))
    every = samples.training_samples(laid_out, origins, scaler, covariates)
    cut = _cut(len(laid_out.grid.days))
    early = every.where(every.origin_day < cut - 3).forget_from(cut)
    late = every.where(every.origin_day >= cut)
    equipment = len(history.equipment)

    early_prior = _priors(early, equipment)
    network = gate.build(every.encoder.shape[2], every.decoder.shape[2])
    curve, prior_loss = gate.fit(
        network,
        early,
        _for_each(early_prior, early),
        validation=late,
        validation_log_prior=_for_each(early_prior, late),
        epochs=epochs,
        seed=seed,
        on_epoch=on_epoch,
    )
    best = min([row["val_loss"] for row in curve], default=np.inf)
    chosen: Gate = "network" if best < (1 - MARGIN) * prior_loss else "prior"
    late_weights = _weigh(network if chosen == "network" else None, late, early_prior)
    prior = _priors(every, equipment)
    if chosen == "network":
        gate.fit(
            network,
            every,
            _for_each(prior, every),
            validation=None,
            validation_log_prior=None,
            epochs=max(1, epochs // _REFIT_SHARE),
            seed=seed + 1,
            learning_rate=gate.LEARNING_RATE / 4,
        )
    weights = _weigh(network if chosen == "network" else None, every, prior)
    residual_band = _band(laid_out, scaler, every, weights, late, late_weights, history.country)
    return MonthAheadModel(
        equipment=history.equipment,
        scaler=scaler,
        covariates=covariates,
        prior=prior,
        gate=chosen,
        network=network if chosen == "network" else None,
        residual_band=residual_band,
        trained_until=history.end,
        notes={"prior_val_loss": prior_loss, "network_val_loss": float(best), "origins": float(len(origins))},
        curve=curve,
    )


def _origins(days: int) -> list[tuple[int, int]]:
    """Every third day with something before and after it, at changing hours: an origin may be any hour."""
    past = min(56, days // 3)
    future = min(14, days // 5)
    chosen = list(range(days - future, past - 1, -ORIGIN_EVERY_DAYS))[:MOST_ORIGINS]
    return [(day, (i * _HOUR_STRIDE) % 24) for i, day in enumerate(sorted(chosen))]


def _cut(days: int) -> int:
    """The first day that is held out: two months, or a third of a short history."""
    return days - min(60, days // 3)


def _priors(of: Samples, equipment: int) -> Floats:
    return np.stack([fit_prior(of.experts[e::equipment], of.target[e::equipment]) for e in range(equipment)])


def _log(prior: Floats) -> NDArray[np.float32]:
    """(E, K) -> (E, 1, K)."""
    return np.log(prior)[:, None, :].astype(np.float32)


def _for_each(prior: Floats, of: Samples) -> NDArray[np.float32]:
    """(E, K) -> (N, 1, K), samples being ordered by origin and equipment."""
    return np.tile(_log(prior), (len(of.target) // len(prior), 1, 1))


def _weigh(network: Any, of: Samples, prior: Floats) -> NDArray[np.float64]:
    steps = of.target.shape[1]
    if network is None:
        return np.repeat(np.exp(_for_each(prior, of)), steps, axis=1).astype(np.float64)
    inputs = [of.encoder, of.decoder, _for_each(prior, of)]
    return np.asarray(network(inputs, training=False), dtype=np.float64)


def _band(
    laid_out: Field,
    scaler: MinMaxScaler,
    every: Samples,
    weights: NDArray[np.float64],
    late: Samples,
    late_weights: NDArray[np.float64],
    country: str,
) -> Floats:
    """Residual quantiles of the factory; the held-out origins count as often as all the others together."""
    kinds = band.kinds_of(laid_out.features.index.to_numpy(), country)

    def residuals(of: Samples, by: NDArray[np.float64]) -> tuple[Floats, NDArray[np.int64]]:
        error = of.target - gate.mixture(by, of.experts)
        factory = (
            error.reshape(-1, len(scaler.span), *error.shape[1:]) * np.array(scaler.span)[:, None, None]
        ).sum(axis=1)
        at = of.origin_day[:: len(scaler.span), None] + np.arange(error.shape[1])
        return factory.reshape(-1, 24), kinds[at].reshape(-1)

    seen, kinds_seen = residuals(every, weights)
    held, kinds_held = residuals(late, late_weights)
    return band.fit(seen, kinds_seen, held, kinds_held)


def _aligned(history: History, equipment: tuple[str, ...]) -> History:
    """Order the columns as the model has them; equipment without a row is missing throughout."""
    strange = set(history.equipment) - set(equipment)
    if strange:
        raise DataError(f"the model was not trained on {', '.join(sorted(strange))}; train again")
    if history.equipment == equipment:
        return history
    columns = pd.DataFrame(history.used_kwh, columns=list(history.equipment)).reindex(columns=list(equipment))
    return History(
        history.hours, columns.to_numpy(), equipment, history.inputs, history.country, history.holidays_off
    )


def _hours(origin: pd.Timestamp, count: int, known: History) -> pd.DatetimeIndex:
    return horizon_hours(origin.tz_convert(known.hours.tz), count)


def _padded(laid_out: Field, origin_day: int) -> Field:
    """Let the grid reach the origin's day, with nothing measured on the days between."""
    short = origin_day + 1 - len(laid_out.grid.days)
    if short <= 0:
        return laid_out
    grid = laid_out.grid
    days = np.append(grid.days, grid.days[-1] + ONE_DAY * np.arange(1, short + 1))
    values = np.concatenate([grid.values, np.full((short, *grid.values.shape[1:]), np.nan)])
    measured = np.concatenate([laid_out.measured, np.full((short, laid_out.measured.shape[1]), np.nan)])
    return Field(
        type(grid)(days, values),
        measured,
        laid_out.features,
        laid_out.kinds,
        laid_out.week,
        laid_out.holidays_off,
    )
