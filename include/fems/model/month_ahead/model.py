"""The month-ahead forecast: seasonal experts, weighed day by day by an LSTM, mixed with trees and MSTL.

Forecast by equipment, each scaled by its own minimum and maximum; the factory is the sum of its equipment. In that sum
boosted trees and MSTL over the factory's hours have a share each (`shares`): they err elsewhere.
Protocol `month-ahead`: one origin, and no measured value at or after it. `month_ahead.train` makes such a model.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from fems.calendar import ONE_DAY
from fems.errors import DataError, TooLittleHistory
from fems.model.history import Floats, History
from fems.model.month_ahead import band, features, gate, mstl, prior, trees
from fems.model.month_ahead.band import Bands, BandWidths
from fems.model.month_ahead.boosted import BoostedTrees
from fems.model.month_ahead.daygrid import DayGrid, horizon_hours, positions
from fems.model.month_ahead.features import DECODER_DAYS, DailyHistory, Singles
from fems.model.month_ahead.gate_inference import TrainedGate
from fems.model.month_ahead.shares import Shares
from fems.model.plan_effects import Effects
from fems.model.plans import Plan
from fems.model.scaling import MinMaxScaler

Gate = Literal["network", "prior"]

_LEAST_DAYS_BEFORE = 14
_MOST_RATIO = 5.0


@dataclass(frozen=True)
class MonthAheadModel:
    """A trained month-ahead model of one factory.

    Attributes:
        equipment: E sensor IDs.
        floor: (E,) kWh, at most 0: what a machine that feeds in is forecast above; see `floors`.
        scaler: E columns, kWh above the floor, from the training span.
        covariates: the measured columns' daily means.
        prior: (E, B, K) weights of the experts in each part of the horizon.
        trust: 0 to 1, the network's share in the weights; 0 where it erred more on held-out origins.
        network: the gate's LSTM, None with trust 0.
        trees: of the factory's sum, None where there was too little to fit them on.
        shares: of trees and MSTL in the factory's sum.
        band: of the machines' forecasts and of the factory's.
        effects: what plans are worth, learnt from past ones.
        trained_until: first instant not trained on.
        notes: what training measured.
    """

    equipment: tuple[str, ...]
    floor: Floats
    scaler: MinMaxScaler
    covariates: MinMaxScaler
    prior: Floats
    trust: float
    network: TrainedGate | None
    trees: BoostedTrees | None
    shares: Shares
    band: BandWidths
    effects: Effects
    trained_until: pd.Timestamp
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def gate(self) -> Gate:
        """Who weighs the experts: "network", or "prior" where the network erred more."""
        return "network" if self.trust > 0 else "prior"

    def predict(
        self, history: History, origin: pd.Timestamp, horizon_hours: int, plan: Plan | None = None
    ) -> pd.DataFrame:
        """Forecast every hour from `origin` on, by equipment, with what is planned.

        Raises:
            TooLittleHistory: as `predict_usual`.
            DataError: as `predict_usual`.
        """
        usual = self.predict_usual(history, origin, horizon_hours, plan)
        return self.effects.apply(usual, (plan or Plan()).known_at(origin))

    def predict_usual(
        self, history: History, origin: pd.Timestamp, horizon_hours: int, plan: Plan | None = None
    ) -> pd.DataFrame:
        """Forecast every hour from `origin` on, by equipment, as if nothing were planned from there on.

        Args:
            history: what was measured; what lies at or after `origin` is cut off before anything is
                computed. About 430 days are of use.
            origin: any full hour.
            horizon_hours: how many hours.
            plan: what was planned of the past; what was not known at `origin` is cut off, too.

        Returns:
            (horizon_hours, E) kWh, not below `floor`, indexed by hour, one column an equipment.

        Raises:
            TooLittleHistory: fewer than 14 days before the origin.
            DataError: the history holds equipment that the model was not trained on.
        """
        known = _aligned(history.until(origin), self.equipment)
        if len(known.hours) < _LEAST_DAYS_BEFORE * 24:
            raise TooLittleHistory(
                f"a forecast from {origin} needs {_LEAST_DAYS_BEFORE} days before it; "
                f"there are {len(known.hours) / 24:.1f}"
            )
        planned = (plan or Plan()).known_at(origin)
        known = self.effects.without(known.last_days(features.MEMORY_DAYS), planned).above(self.floor)
        first_day = known.hours[0].date()
        origin_day = (origin.tz_convert(known.hours.tz).date() - first_day).days
        hours = _hours(origin, horizon_hours, known)
        day, slot = positions(hours)
        at = ((day - np.datetime64(first_day, "D")) / ONE_DAY).astype(np.int64) - origin_day
        steps = max(DECODER_DAYS, int(at.max()) + 1)
        daily = _padded(DailyHistory.of(known, origin_day + steps), origin_day)
        inputs = features.inputs_at(
            daily, origin_day, int(hours[0].hour), steps, self.scaler, self.covariates
        )
        weights = weigh(self.network, self.trust, inputs.encoder, inputs.decoder, self.prior)
        mixed = gate.mixture(weights, inputs.experts)
        kwh = np.maximum(self.scaler.inverse(np.moveaxis(mixed, 0, -1))[at, slot], 0.0)
        kwh *= self._correction(known, hours, kwh.sum(axis=1))[:, None]
        return pd.DataFrame(kwh + self.floor, index=hours, columns=list(self.equipment))

    def _correction(self, known: History, hours: pd.DatetimeIndex, factory: Floats) -> Floats:
        """(T,) what the experts' factory is to be multiplied by, so that trees and MSTL have their share in it."""
        others: list[tuple[float, Floats | None]] = []
        if self.shares.mstl > 0:
            others.append((self.shares.mstl, mstl.predict(known, hours[0], len(hours))))
        if self.shares.trees > 0 and self.trees is not None and np.isfinite(known.factory_kwh).any():
            others.append((self.shares.trees, trees.predict(self.trees, known, hours[0], len(hours))))
        factor = np.ones(len(hours))
        for share, kwh in others:
            if kwh is not None:
                ratio = np.where(factory > 0, kwh / np.where(factory > 0, factory, 1.0), 1.0)
                factor += share * (np.minimum(ratio, _MOST_RATIO) - 1)
        return factor

    def predict_bands(
        self, history: History, origin: pd.Timestamp, horizon_hours: int, plan: Plan | None = None
    ) -> Bands:
        """Forecast every machine and the factory with quantiles, by the hour and by the day.

        50 % is what `predict` returns; 10 % to 90 % is calibrated to hold 80 % of the truth at every level.

        Raises:
            TooLittleHistory: as `predict`.
            DataError: as `predict`.
        """
        return self.bands_around(self.predict(history, origin, horizon_hours, plan), history)

    def bands_around(self, kwh: pd.DataFrame, history: History) -> Bands:
        """Return the bands of a forecast that `predict` made; of `history` only the calendar counts."""
        return band.around(kwh, self.band, history.country, history.holidays_off, self.floor)


def weigh(
    network: TrainedGate | None, trust: float, encoder: Singles, decoder: Singles, weights: Floats
) -> Floats:
    """Weigh the experts of N samples, which are ordered by origin and within it by equipment.

    Args:
        network: the trained gate; not asked with trust 0.
        trust: the network's share.
        encoder: (N, 28, F).
        decoder: (N, S, G).
        weights: (E, B, K) the prior of each equipment.

    Returns:
        (N, S, K), positive, with the sum 1 over the experts.
    """
    steps = decoder.shape[1]
    by_step = weights[:, prior.bucket_of(steps)]
    start: Floats = np.tile(by_step, (len(decoder) // len(weights), 1, 1))
    if trust == 0 or network is None:
        return start
    return (1 - trust) * start + trust * network(encoder, decoder, np.log(start))


def _aligned(history: History, equipment: tuple[str, ...]) -> History:
    """Order the columns as the model has them; equipment without a row is missing throughout."""
    strange = set(history.equipment) - set(equipment)
    if strange:
        raise DataError(f"the model was not trained on {', '.join(sorted(strange))}; train again")
    if history.equipment == equipment:
        return history
    columns = pd.DataFrame(history.used_kwh, columns=list(history.equipment)).reindex(columns=list(equipment))
    return replace(history, used_kwh=columns.to_numpy(), equipment=equipment)


def _hours(origin: pd.Timestamp, count: int, known: History) -> pd.DatetimeIndex:
    return horizon_hours(origin.tz_convert(known.hours.tz), count)


def _padded(daily: DailyHistory, origin_day: int) -> DailyHistory:
    """Let the grid reach the origin's day, with nothing measured on the days between."""
    short = origin_day + 1 - len(daily.grid.days)
    if short <= 0:
        return daily
    grid = daily.grid
    days = np.append(grid.days, grid.days[-1] + ONE_DAY * np.arange(1, short + 1))
    values = np.concatenate([grid.values, np.full((short, *grid.values.shape[1:]), np.nan)])
    measured = np.concatenate([daily.measured, np.full((short, daily.measured.shape[1]), np.nan)])
    return replace(daily, grid=DayGrid(days, values), measured=measured)
