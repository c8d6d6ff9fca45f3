"""What is forecast of a factory, by the champion or a baseline, with what is planned; nothing is written here."""

import logging
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from fems.contracts.forecast import ForecastModel, HeldOut, Outlook, PlanEffect
from fems.errors import NoModel, TooLittleHistory
from fems.flows.history import month_of, published_months
from fems.flows.machines import of_machines
from fems.flows.origin import require_unseen
from fems.flows.platform import Platform
from fems.forecast import fallback, tables
from fems.forecast.calendar_month import CalendarMonth, calendar_month, reach_minutes
from fems.forecast.demand import Demand, factory_power, interval, of_forecast, past_days
from fems.forecast.planned import plan_effects
from fems.forecast.reasons import Language
from fems.forecast.summary import summarise
from fems.model.floors import fit_floors
from fems.model.history import History
from fems.model.month_ahead.band import Bands
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.plans import Plan

log = logging.getLogger(__name__)

_NATIVE_MONTHS = 7
"""Months of native data that a forecast looks at: six to draw the maximum demand from, and the running one."""


@dataclass(frozen=True)
class ForecastResult:
    """What was forecast, and by whom.

    Attributes:
        kwh: (T, E) by hour and sensor.
        bands: its quantiles.
        model: which forecast it, and why, where it is a baseline.
        plans: what was planned, and what it makes of the forecast.
        usual: kwh as if nothing were planned; None of a baseline.
        champion: who forecast; None where a baseline did.
    """

    kwh: pd.DataFrame
    bands: Bands
    model: ForecastModel
    plans: tuple[PlanEffect, ...] = ()
    usual: pd.DataFrame | None = None
    champion: MonthAheadModel | None = None

    def planned(self, plan: Plan, known: History, names: dict[Language, dict[str, str]]) -> "ForecastResult":
        """Return the same with another plan, of which all was known at the origin; a baseline knows none."""
        if self.champion is None or self.usual is None:
            return self
        effects = self.champion.effects
        kwh = effects.apply(self.usual, plan)
        return replace(
            self,
            kwh=kwh,
            bands=self.champion.bands_around(kwh, known),
            plans=plan_effects(self.usual, effects, plan, names) if plan.entries else (),
        )


@dataclass(frozen=True)
class DrawnForecast:
    """A forecast laid out: its tables, the calendar month, and what a plant looks at first."""

    forecast: tables.Forecast
    month: CalendarMonth
    outlook: Outlook


def predict(
    platform: Platform,
    factory_id: str,
    known: History,
    origin: pd.Timestamp,
    horizon_minutes: int,
    plan: Plan,
) -> ForecastResult:
    """Ask the champion; where there is none, or too little recent data for it, ask a baseline and say so.

    A service that does not answer is no reason for a baseline: that is retried.

    Args:
        platform: where the champion is.
        factory_id: whose.
        known: what was measured before the origin.
        origin: the first instant to forecast.
        horizon_minutes: how far, or to the end of the month where that is later.
        plan: what was ever planned; what was known at the origin counts. A baseline knows no plans.
    """
    hours = -(-reach_minutes(origin, horizon_minutes) // 60)
    share = fallback.recent_share(known, origin)
    try:
        champion = platform.tracking.load_champion(factory_id)
        trained_until = pd.Timestamp(champion.tags["trained_until"])
        require_unseen(factory_id, champion.version, trained_until, origin)
        if share < fallback.RECENT_SHARE:
            raise TooLittleHistory(
                f"only {100 * share:.0f} % of the last {fallback.RECENT_DAYS} days were measured"
            )
        model = champion.bundle.month_ahead
        usual = model.predict_usual(known, origin, hours, plan)
        about = ForecastModel(
            name=platform.tracking.model_name(factory_id),
            version=champion.version,
            trained_until=trained_until,
            notice=champion.notice,
            heldout=HeldOut.of_metrics(platform.tracking.champion_metrics(factory_id)[1]),
        )
        made = ForecastResult(usual, model.bands_around(usual, known), about, usual=usual, champion=model)
        return made.planned(plan.known_at(origin), known, machine_names(platform, factory_id))
    except (NoModel, TooLittleHistory) as error:
        baseline = fallback.forecast(known, origin, hours)
        log.warning("factory %s: the baseline %s forecasts: %s", factory_id, baseline.name, error)
        code: Literal["no_model", "too_little_data"] = (
            "no_model" if isinstance(error, NoModel) else "too_little_data"
        )
        about = ForecastModel(
            name=baseline.name,
            version=baseline.name,
            trained_until=origin,
            fallback=str(error),
            fallback_code=code,
        )
        return ForecastResult(baseline.kwh, baseline.bands, about)


def machine_names(platform: Platform, factory_id: str) -> dict[Language, dict[str, str]]:
    """Return, by language, sensor -> the machine's name."""
    tree = platform.plant.factory(factory_id).meter_tree
    return {"ko": tree.titles(korean=True), "en": tree.titles()}


def native_before(
    platform: Platform, factory_id: str, origin: pd.Timestamp, sensors: list[str]
) -> pd.DataFrame:
    """Return timestamp, sensor_id and used_kwh as measured in the months before an origin, by part of the factory."""
    lake = platform.lake
    recent = [m for m in published_months(lake, factory_id) if m <= month_of(origin)][-_NATIVE_MONTHS:]
    native = lake.published("meter", "native", factory_id, recent)
    frame = native.select(["timestamp", "sensor_id", "used_kwh"]).to_pandas()
    frame = frame[frame["timestamp"] < origin].astype({"sensor_id": "str"})
    frame = of_machines(frame, platform.plant.factory(factory_id).meter_tree)
    return frame[frame["sensor_id"].isin(sensors)]


def draw(
    platform: Platform,
    factory_id: str,
    made: ForecastResult,
    known: History,
    origin: pd.Timestamp,
    horizon_minutes: int,
    native: pd.DataFrame,
) -> DrawnForecast:
    """Lay a forecast out in its tables, and say what a plant looks at first; nothing is written.

    Args:
        platform: names, tariff, emission factor.
        factory_id: whose.
        made: from `predict`.
        known: what was measured before the origin.
        origin: the first instant that is forecast.
        horizon_minutes: what is scored.
        native: from `native_before`.
    """
    grain_minutes = platform.plant.grain_minutes(factory_id, "meter")
    shares = tables.shape_in_hour(native, list(made.kwh.columns), grain_minutes)
    reach = reach_minutes(origin, horizon_minutes)
    forecast = tables.build(made.kwh, made.bands, shares, factory_id, grain_minutes, reach)
    month = calendar_month(forecast, known, origin, native)
    demand = _demand(forecast, made.bands, month, native, known, grain_minutes)
    outlook = summarise(forecast, month, known, platform.plant, factory_id, horizon_minutes, demand)
    return DrawnForecast(forecast, month, outlook)


def _demand(
    forecast: tables.Forecast,
    bands: Bands,
    month: CalendarMonth,
    native: pd.DataFrame,
    known: History,
    grain_minutes: int,
) -> Demand | None:
    """The month's maximum demand, what was measured of it included; None where no whole day was measured of late."""
    feeds_in = bool(fit_floors(known.used_kwh).any())
    power = factory_power(native, grain_minutes)
    try:
        past = past_days(power, interval(grain_minutes), known.rest_country, feeds_in)
    except TooLittleHistory as error:
        log.warning("no maximum demand: %s", error)
        return None
    ahead = of_forecast(forecast, bands, past, known.rest_country, end=month.end)
    measured = power[power.index >= month.start]
    return (
        ahead
        if measured.empty
        else ahead.at_least(float(measured.max()), pd.Timestamp(measured.index[int(measured.argmax())]))
    )
