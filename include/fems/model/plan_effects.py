"""What plans are worth, learnt from past ones, and how they move a forecast.

How many kWh an hour a machine draws in a planned stop and in an extra shift, whether its planned stops are kept at all,
and by how much its energy follows its planned production and the weather. In training and prediction the past is
brought to what it would have been without plans, and the forecast to what the coming ones make of it; so every part of
the forecast, experts, trees and MSTL, takes them into account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import local_days, weekdays
from fems.model.history import Floats, History
from fems.model.plans import Plan, PlannedHours

HEATING_BELOW, COOLING_ABOVE = 15.0, 18.0
"""Degrees Celsius of a day's mean from which on heating and cooling count."""
USUAL_DAYS = 28
"""A forecast day's degrees count as far as they differ from the mean of so many days before the origin: what the season
does by itself is in the machine's level already."""

_STOP_HOURS = 12
"""Fewer measured hours of planned stops, or shifts, tell nothing: then the machine's own hours stand in."""
_LOWEST, _WORKING = 0.02, 0.75
_KEPT = 0.5
"""A stop counts as kept where the machine drew less than this share of its usual hour."""
_LEAST_DAYS = 20
_RIDGE = 0.02
"""Added to the sum of squares of planned production: as much as two days of 10 % count for no effect."""
_LEAST_T = np.array([2.0, 4.0, 4.0])
_MOST = np.array([1.5, 0.1, 0.1])
"""Of production, heating and cooling: warm or cold days follow each other and look like more than they are."""
_LEVEL_DAYS = 28
_LEAST_HOURS = 18
"""A day with fewer running hours says little of a whole one."""
_FAR = 6.0
"""Days further off than so many times the median error are of another kind."""
_ROUNDS = 5


@dataclass(frozen=True)
class Effects:
    """What plans are worth, learnt from past ones.

    Attributes:
        standby: (E,) kWh an hour in a planned stop.
        kept: (E,) 1 where planned stops are mostly kept; where they are not, 0, they count for nothing.
        shift: (E,) kWh an hour in an extra shift.
        production: (E,) by how many % energy follows 1 % of production; 0 where nothing of it was seen.
        heating, cooling: (E,) by how much the logarithm of energy rises with a degree of a day's mean, below
            `HEATING_BELOW` and above `COOLING_ABOVE`.
    """

    standby: Floats
    kept: Floats
    shift: Floats
    production: Floats
    heating: Floats
    cooling: Floats

    @classmethod
    def none(cls, equipment: int) -> "Effects":
        """Return those of a factory without plans."""
        zero = np.zeros(equipment)
        return cls(zero, np.ones(equipment), zero, zero, zero, zero)

    def without(self, known: History, plan: Plan) -> History:
        """Return a history as it would have been without plans: stops and extra shifts missing, all else the usual."""
        if not plan.entries:
            return known
        hours = plan.of_hours(known.hours, known.equipment, in_time=True)
        used = known.used_kwh / self._factor(hours, _degrees(known.hours, hours.temperature))
        beside = hours.shift & (_usual_hour(known.hours, known.used_kwh) < self.shift / 2)
        used = np.where((hours.stopped > 0) & (self.kept > 0) | beside, np.nan, used)
        change = np.where(np.isfinite(known.used_kwh), used - known.used_kwh, 0.0)  # missing where a stop was
        inputs = known.inputs.assign(used_kwh=known.inputs["used_kwh"] + change.sum(axis=1))
        return replace(known, used_kwh=used, inputs=inputs)

    def apply(self, kwh: pd.DataFrame, plan: Plan) -> pd.DataFrame:
        """Return a forecast, (T, E) kWh by hour and machine, as what is planned makes it."""
        if not plan.entries:
            return kwh
        ahead = pd.DatetimeIndex(kwh.index)
        before = pd.date_range(end=ahead[0], periods=24 * USUAL_DAYS + 1, freq="h", inclusive="left")
        names = [str(name) for name in kwh.columns]
        hours = plan.of_hours(ahead, names)
        past = plan.of_hours(before, names, in_time=True).temperature
        degrees = _degrees(
            pd.DatetimeIndex(before.append(ahead)), np.append(past, hours.temperature), len(ahead)
        )
        stopped = hours.stopped * self.kept
        running = kwh.to_numpy() * self._factor(hours, degrees[-len(ahead) :])
        running = np.where(hours.shift, np.maximum(running, self.shift), running)
        return pd.DataFrame(
            (1 - stopped) * running + stopped * self.standby, index=kwh.index, columns=kwh.columns
        )

    def _factor(self, hours: PlannedHours, degrees: Floats) -> Floats:
        """(T, E) what production and the weather make of a usual hour; `degrees`: (T, 2)."""
        weather = np.exp(degrees[:, :1] * self.heating + degrees[:, 1:] * self.cooling)
        factor: Floats = hours.production**self.production * weather
        return factor

    def describe(self, equipment: Sequence[str]) -> list[str]:
        """Tell what was learnt, a line a machine and effect that matters."""
        lines = []
        for e, sensor in enumerate(equipment):
            if self.production[e] > 0:
                more = 100 * (1.1 ** self.production[e] - 1)
                lines.append(f"{sensor}: planned production +10 %: {more:+.1f} % energy")
            if not self.kept[e]:
                lines.append(f"{sensor}: planned stops are mostly not kept, and count for nothing")
            for what, effect in (("colder below", self.heating[e]), ("warmer above", self.cooling[e])):
                if effect > 0:
                    edge = HEATING_BELOW if what.startswith("c") else COOLING_ABOVE
                    lines.append(
                        f"{sensor}: a degree {what} {edge:.0f} C: {100 * np.expm1(effect):+.1f} % energy"
                    )
        return lines


def fit_effects(history: History, plan: Plan) -> Effects:
    """Learn what plans are worth from those that were known in time.

    Args:
        history: one factory by the hour.
        plan: all that was known by the history's end; what came later does not count.
    """
    known = plan.known_at(history.end)
    effects = Effects.none(len(history.equipment))
    if not known.entries:
        return effects
    hours = known.of_hours(history.hours, history.equipment, in_time=True)
    degrees = _degrees(history.hours, hours.temperature)
    columns = [_of_machine(history, hours, degrees, e) for e in range(len(history.equipment))]
    return Effects(*(np.array(column) for column in zip(*columns, strict=True)))


def _of_machine(
    history: History, hours: PlannedHours, degrees: Floats, e: int
) -> tuple[float, float, float, float, float, float]:
    """One machine's row of `Effects`."""
    used = history.used_kwh[:, e]
    measured = np.isfinite(used)
    if not measured.any():
        return 0.0, 1.0, 0.0, 0.0, 0.0, 0.0
    extra = measured & hours.shift[:, e]
    running = measured & (hours.stopped[:, e] == 0) & ~extra
    usual = _usual_hour(history.hours, np.where(running, used, np.nan)[:, None])[:, 0]
    stop = measured & (hours.stopped[:, e] == 1)
    standby, kept = float(np.quantile(used[measured], _LOWEST)), True
    if stop.sum() >= _STOP_HOURS:
        low = used[stop] < _KEPT * usual[stop]
        working = usual[stop] > np.nanmean(usual) / 2  # who stops where it rests anyway keeps nothing
        kept = not working.any() or bool(low[working].mean() >= 0.5)
        if kept and low.any():
            standby = float(np.median(used[stop & (used < _KEPT * usual)]))
    shift = (
        float(np.mean(used[extra])) if extra.sum() >= _STOP_HOURS else float(np.nanquantile(usual, _WORKING))
    )
    log_production = np.where(hours.planned[:, e], np.log(hours.production[:, e]), np.nan)
    follows = _fit_followed(
        history.hours,
        np.where(running, used, np.nan),
        usual,
        np.column_stack([log_production, np.where(np.isfinite(hours.temperature)[:, None], degrees, np.nan)]),
    )
    return standby, float(kept), shift, float(follows[0]), float(follows[1]), float(follows[2])


def _degrees(hours: pd.DatetimeIndex, temperature: Floats, ahead: int = 0) -> Floats:
    """(T, 2) degrees of heating and of cooling, beyond the mean of the `USUAL_DAYS` days before; 0 where unknown.

    Args:
        hours: (T,).
        temperature: (T,) NaN where no forecast is known.
        ahead: so many of the last hours are forecast, and measured by the days before the first of them.
    """
    if not np.isfinite(temperature).any():
        return np.zeros((len(hours), 2))
    mean = pd.Series(temperature).groupby(local_days(hours)).transform("mean").to_numpy()
    degrees = np.column_stack([np.maximum(HEATING_BELOW - mean, 0), np.maximum(mean - COOLING_ABOVE, 0)])
    degrees = np.where(np.isfinite(mean)[:, None], degrees, np.nan)
    usual = pd.DataFrame(degrees).rolling(24 * USUAL_DAYS, min_periods=24 * 7).mean().to_numpy(copy=True)
    if ahead:
        usual[-ahead:] = usual[-ahead - 1] if len(usual) > ahead else np.nan
    beyond: Floats = np.nan_to_num(degrees - usual)
    return beyond


def _usual_hour(hours: pd.DatetimeIndex, used: Floats) -> Floats:
    """(T, E) the mean of the hour of the week."""
    of_week = weekdays(local_days(hours)) * 24 + hours.hour
    return pd.DataFrame(used).groupby(np.asarray(of_week)).transform("mean").to_numpy(dtype=np.float64)


def _fit_followed(hours: pd.DatetimeIndex, used: Floats, usual: Floats, drivers: Floats) -> Floats:
    """(3,) how the logarithm of a day's energy follows each driver, around what is usual of late.

    What was seen on too few days, or may be chance, is 0. Days far off the others, such as holidays, count for nothing.

    Args:
        hours: (T,).
        used: (T,) kWh, NaN where it does not count.
        usual: (T,) the mean of the hour of the week.
        drivers: (T, 3), NaN where not planned.
    """
    counts = np.isfinite(used) & np.isfinite(usual)
    table = pd.DataFrame(drivers).assign(
        kwh=np.where(counts, used, 0.0), usual=np.where(counts, usual, 0.0), hours=counts
    )
    by_day = table.groupby(local_days(hours))
    day = pd.concat([by_day[[0, 1, 2]].mean(), by_day[["kwh", "usual", "hours"]].sum()], axis=1)
    day = day[(day["kwh"] > 0) & (day["usual"] > 0) & (day["hours"] >= _LEAST_HOURS)]
    x = day[[0, 1, 2]].fillna(0.0).to_numpy()
    usable = (day[[0, 1, 2]].notna().to_numpy() & (x != 0)).sum(axis=0) >= _LEAST_DAYS
    if not usable.any():
        return np.zeros(3)
    log_kwh = np.log((day["kwh"] / day["usual"]).to_numpy())
    effect, t = _regressed(log_kwh, x, usable)
    while usable.any() and not (t[usable] > _LEAST_T[usable]).all():
        usable &= t > _LEAST_T
        effect, t = _regressed(log_kwh, x, usable)
    limited: Floats = np.minimum(effect, _MOST)
    return limited


def _regressed(log_kwh: Floats, x: Floats, usable: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(3,) and (3,): effects and how many standard errors they are; of days around the level of late."""
    effect, t = np.zeros(3), np.zeros(3)
    if not usable.any():
        return effect, t
    own = (x - pd.DataFrame(x).rolling(_LEVEL_DAYS, center=True, min_periods=1).mean().to_numpy())[:, usable]
    for _ in range(_ROUNDS):
        rest = pd.Series(log_kwh - x @ effect)
        error = (rest - rest.rolling(_LEVEL_DAYS, center=True, min_periods=1).median()).to_numpy()
        near = np.abs(error) <= _FAR * max(float(np.median(np.abs(error))), 1e-9)
        squares = own[near].T @ own[near] + _RIDGE * np.eye(own.shape[1])
        effect[usable] += np.linalg.solve(squares, own[near].T @ error[near])
        scale = max(float(np.std(error[near])), 1e-9)
    t[usable] = effect[usable] / np.sqrt(np.diag(np.linalg.inv(squares))) / scale
    return effect, t
