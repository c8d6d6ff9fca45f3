"""What a plant knows of its future: planned stops and planned production, machine by machine.

A plan counts from the moment when it was known: what arrived after a forecast's origin moves nothing, in a backtest
either. What a plan is worth is learnt from past ones: how many kWh an hour a machine draws in a planned stop, whether
its planned stops are kept at all, and by how much its energy follows its planned production. In training and prediction
the past is brought to what it would have been without plans, and the forecast to what the coming ones make of it; so
every part of the forecast, experts, trees and MSTL, takes them into account.
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import local_days, weekdays
from fems.errors import DataError
from fems.model.history import Floats, History

Kind = Literal["stop", "production"]

COLUMNS = ("sensor_id", "kind", "start", "end", "value", "known_at")
"""Of a plan's table. `value`: planned production over the usual, 1.12 for 12 % more; empty for a stop."""

_STOP_HOURS = 12
"""Fewer measured hours of planned stops tell nothing: then standby is what the machine's lowest hours are."""
_LOWEST = 0.02
_KEPT = 0.5
"""A stop counts as kept where the machine drew less than this share of its usual hour."""
_PRODUCTION_DAYS = 20
_RIDGE = 0.02
"""Added to the sum of squares of planned production: as much as two days of 10 % count for no effect."""
_LEAST_T = 2.0
_MOST_EFFECT = 1.5
_LEVEL_DAYS = 28
_ROUNDS = 5


@dataclass(frozen=True)
class PlanEntry:
    """One thing that is planned.

    Attributes:
        sensor_id: of the machine.
        kind: a stop, or a production other than the usual.
        start, end: from when until when.
        value: production over the usual; 0 for a stop.
        known_at: when it was known.
    """

    sensor_id: str
    kind: Kind
    start: pd.Timestamp
    end: pd.Timestamp
    value: float
    known_at: pd.Timestamp


@dataclass(frozen=True)
class PlannedHours:
    """What is planned of hours.

    Attributes:
        stopped: (T, E) 0 to 1, the share of the hour in a planned stop.
        production: (T, E) over the usual; 1 where none is planned.
        planned: (T, E) whether a production is planned.
    """

    stopped: Floats
    production: Floats
    planned: NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """Everything that was ever planned, the oldest knowledge first: a later entry replaces an earlier one's hours."""

    entries: tuple[PlanEntry, ...] = ()

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, equipment: Sequence[str], known_at: pd.Timestamp | None = None
    ) -> "Plan":
        """Read a plan.

        Args:
            table: see `COLUMNS`; times are tz-aware.
            equipment: the sensor IDs that there are.
            known_at: of rows that say nothing of it, and of a table without that column.

        Raises:
            DataError: a column, a time, a machine or a value cannot be, or a machine's production has a gap.
        """
        lacking = set(COLUMNS) - {"known_at", "value"} - set(table.columns)
        if lacking:
            raise DataError(f"plan: it lacks {', '.join(sorted(lacking))}")
        entries = [
            _entry(i, row, equipment, known_at) for i, row in enumerate(table.to_dict("records"), start=1)
        ]
        _check_gaps(entries)
        return cls(tuple(sorted(entries, key=lambda entry: entry.known_at)))

    def known_at(self, origin: pd.Timestamp) -> "Plan":
        """Return what was known at an instant."""
        return Plan(tuple(entry for entry in self.entries if entry.known_at <= origin))

    def of_hours(
        self, hours: pd.DatetimeIndex, equipment: Sequence[str], *, in_time: bool = False
    ) -> PlannedHours:
        """Lay the plan out by hours.

        Args:
            hours: (T,) starts of the hours, ascending.
            equipment: E sensor IDs.
            in_time: whether what was known only after an hour had begun does not count for it.
        """
        shape = (len(hours), len(equipment))
        stopped, production, planned = np.zeros(shape), np.ones(shape), np.zeros(shape, dtype=bool)
        hour = pd.Timedelta(hours=1)
        for entry in self.entries:
            if entry.sensor_id not in equipment:
                continue
            e = list(equipment).index(entry.sensor_id)
            first, last = hours.searchsorted(entry.start - hour, "right"), hours.searchsorted(entry.end)
            rows = np.arange(first, last)
            if in_time:
                rows = rows[np.asarray(hours[rows] >= entry.known_at)]
            if entry.kind == "stop":
                after = np.asarray((hours[rows] - entry.start) / hour, dtype=np.float64)
                before = np.asarray((entry.end - hours[rows]) / hour, dtype=np.float64)
                inside = np.minimum(before, 1.0) - np.maximum(-after, 0.0)
                stopped[rows, e] = np.maximum(stopped[rows, e], inside)
            else:
                production[rows, e], planned[rows, e] = entry.value, True
        return PlannedHours(stopped, production, planned)


@dataclass(frozen=True)
class Effects:
    """What plans are worth, learnt from past ones.

    Attributes:
        standby: (E,) kWh an hour in a planned stop.
        kept: (E,) whether planned stops are mostly kept; where they are not, they count for nothing.
        production: (E,) by how many % energy follows 1 % of production; 0 where nothing of it was seen.
    """

    standby: Floats
    kept: NDArray[np.bool_]
    production: Floats

    @classmethod
    def none(cls, equipment: int) -> "Effects":
        """Return those of a factory without plans."""
        return cls(np.zeros(equipment), np.ones(equipment, dtype=bool), np.zeros(equipment))

    def without(self, known: History, plan: Plan) -> History:
        """Return a history as it would have been without plans: stops missing, production the usual."""
        if not plan.entries:
            return known
        hours = plan.of_hours(known.hours, known.equipment, in_time=True)
        used = known.used_kwh / hours.production**self.production
        used = np.where((hours.stopped > 0) & self.kept, np.nan, used)
        change = np.where(np.isfinite(known.used_kwh), used - known.used_kwh, 0.0)  # missing where a stop was
        inputs = known.inputs.assign(used_kwh=known.inputs["used_kwh"] + change.sum(axis=1))
        return replace(known, used_kwh=used, inputs=inputs)

    def apply(self, kwh: pd.DataFrame, plan: Plan) -> pd.DataFrame:
        """Return a forecast, (T, E) kWh by hour and machine, as what is planned makes it."""
        if not plan.entries:
            return kwh
        hours = plan.of_hours(pd.DatetimeIndex(kwh.index), [str(name) for name in kwh.columns])
        stopped = np.where(self.kept, hours.stopped, 0.0)
        running = kwh.to_numpy() * hours.production**self.production
        return pd.DataFrame(
            (1 - stopped) * running + stopped * self.standby, index=kwh.index, columns=kwh.columns
        )

    def describe(self, equipment: Sequence[str]) -> list[str]:
        """Tell what was learnt, a line a machine that plans matter to."""
        lines = []
        for e, sensor in enumerate(equipment):
            if self.production[e] > 0:
                more = 100 * (1.1 ** self.production[e] - 1)
                lines.append(f"{sensor}: planned production +10 %: {more:+.1f} % energy")
            if not self.kept[e]:
                lines.append(f"{sensor}: planned stops are mostly not kept, and count for nothing")
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
    for e in range(len(history.equipment)):
        used = history.used_kwh[:, e]
        measured = np.isfinite(used)
        if not measured.any():
            continue
        running = measured & (hours.stopped[:, e] == 0)
        usual = _usual_hour(history.hours, np.where(running, used, np.nan))
        stop = measured & (hours.stopped[:, e] == 1)
        effects.standby[e] = np.quantile(used[measured], _LOWEST)
        if stop.sum() >= _STOP_HOURS:
            low = used[stop] < _KEPT * usual[stop]
            working = usual[stop] > np.nanmean(usual) / 2  # who stops where it rests anyway keeps nothing
            effects.kept[e] = not working.any() or low[working].mean() >= 0.5
            if effects.kept[e]:
                effects.standby[e] = np.median(used[stop & (used < _KEPT * usual)]) if low.any() else 0.0
        log_production = np.where(hours.planned[:, e], np.log(hours.production[:, e]), np.nan)
        effects.production[e] = _fit_production(
            history.hours, np.where(running, used, np.nan), log_production
        )
    return effects


def _usual_hour(hours: pd.DatetimeIndex, used: Floats) -> Floats:
    """(T,) the mean of the hour of the week."""
    of_week = weekdays(local_days(hours)) * 24 + hours.hour
    return np.asarray(pd.Series(used).groupby(np.asarray(of_week)).transform("mean"), dtype=np.float64)


def _fit_production(hours: pd.DatetimeIndex, used: Floats, log_production: Floats) -> float:
    """The elasticity of a day's energy, around what is usual on its weekday and of late."""
    day = local_days(hours)
    daily = pd.DataFrame({"kwh": used, "x": log_production}).groupby(day).mean()
    daily = daily[daily["kwh"] > 0]
    x = daily["x"].fillna(0.0).to_numpy()
    planned = daily["x"].notna().to_numpy() & (x != 0)
    if planned.sum() < _PRODUCTION_DAYS:
        return 0.0
    weekday = weekdays(daily.index.to_numpy().astype("datetime64[D]"))
    log_kwh, effect, t = np.log(daily["kwh"].to_numpy()), 0.0, 0.0
    for _ in range(_ROUNDS):
        rest = pd.Series(log_kwh - effect * x)
        rest -= rest.groupby(weekday).transform("median")
        error = (rest - rest.rolling(_LEVEL_DAYS, center=True, min_periods=1).median()).to_numpy()
        centred = x - pd.Series(x).rolling(_LEVEL_DAYS, center=True, min_periods=1).mean().to_numpy()
        squares = float(centred @ centred) + _RIDGE
        effect += float(centred @ error) / squares
        t = effect * np.sqrt(squares) / max(float(np.std(error)), 1e-9)
    return float(min(effect, _MOST_EFFECT)) if t > _LEAST_T else 0.0


def _entry(
    number: int, row: Mapping[Hashable, Any], equipment: Sequence[str], known_at: pd.Timestamp | None
) -> PlanEntry:
    def wrong(what: str) -> DataError:
        return DataError(f"plan, row {number}: {what}")

    kind, sensor = str(row["kind"]), str(row["sensor_id"])
    if kind not in get_args(Kind):
        raise wrong(f"kind {kind!r} is none of {', '.join(get_args(Kind))}")
    if sensor not in equipment:
        raise wrong(f"machine {sensor!r} is not known (there are {', '.join(equipment)})")
    start, end = (_instant(row[name], name, number) for name in ("start", "end"))
    if end <= start:
        raise wrong(f"it ends at {end}, which is not after its start, {start}")
    known = row.get("known_at")
    moment = known_at if known is None or pd.isna(known) else _instant(known, "known_at", number)
    if moment is None:
        raise wrong("known_at is missing: when was it known?")
    value = 0.0
    if kind == "production":
        try:
            value = float(row.get("value", ""))
        except (TypeError, ValueError) as error:
            raise wrong(f"value {row.get('value')!r} is no number") from error
        if not 0 < value < 10:
            raise wrong(
                f"value {value:g}: production over the usual is above 0 and below 10, 1.12 for 12 % more"
            )
    return PlanEntry(sensor, "stop" if kind == "stop" else "production", start, end, value, moment)


def _instant(written: Any, name: str, number: int) -> pd.Timestamp:
    try:
        instant = pd.Timestamp(written)
    except (TypeError, ValueError) as error:
        raise DataError(f"plan, row {number}: {name} {written!r} cannot be read; write ISO 8601") from error
    if pd.isna(instant) or instant.tz is None:
        raise DataError(f"plan, row {number}: {name} {written!r} carries no time zone")
    return instant


def _check_gaps(entries: list[PlanEntry]) -> None:
    """Refuse a production plan with a hole: whether nothing is made then, or as ever, it does not tell."""
    ordered = sorted(
        (entry for entry in entries if entry.kind == "production"),
        key=lambda entry: (entry.sensor_id, entry.known_at, entry.start),
    )
    for one, next_one in itertools.pairwise(ordered):
        together = (one.sensor_id, one.known_at) == (next_one.sensor_id, next_one.known_at)
        if together and next_one.start > one.end:
            raise DataError(
                f"plan: the production of {one.sensor_id} has a gap from {one.end} to {next_one.start}; write 1 where "
                "it is the usual"
            )
