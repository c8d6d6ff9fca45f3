"""What is said of a forecast, ready for its summary, the report and the messages."""

import logging

import numpy as np
import pandas as pd

from fems.contracts.forecast import CalendarDays, DemandSummary, ForecastDay, Outlook, PeakDay, Reasons
from fems.errors import DataError
from fems.forecast import cost as costs
from fems.forecast import days, outlook
from fems.forecast.calendar_month import CalendarMonth
from fems.forecast.demand import Demand
from fems.forecast.reasons import in_words
from fems.forecast.tables import Forecast
from fems.model.history import History
from fems.registry.plant import Plant

log = logging.getLogger(__name__)

ALIKE = 0.25
"""Days whose kWh differ by less than this share of half the band are alike: no order among them means anything."""


def summarise(
    forecast: Forecast,
    month: CalendarMonth,
    known: History,
    plant: Plant,
    factory_id: str,
    horizon_minutes: int,
    demand: Demand | None,
    peaks: int = 3,
) -> Outlook:
    """Return what a plant looks at first, and what stands behind it: of the calendar month.

    Args:
        forecast: the tables, from the origin on.
        month: the calendar month of the origin, see `calendar_month`.
        known: what was measured before the origin.
        plant: names, tariff, emission factor, contract power, budget.
        factory_id: whose.
        horizon_minutes: from the origin, what is scored.
        demand: the month's maximum demand; None where nothing could be said of it.
        peaks: how many of the highest days.

    Returns:
        Without a cost, and with the reason, where the tariff has no prices for the month.
    """
    factory, origin = plant.factory(factory_id), month.origin
    names, korean = factory.meter_tree.titles(), factory.meter_tree.titles(korean=True)
    tables = month.tables
    hour = forecast.factory["hour"]
    in_horizon = hour["timestamp"] < origin + pd.Timedelta(minutes=horizon_minutes)
    total = month.kwh
    of_month = days.month_reasons(known, origin, origin.month)
    # A day that was measured is no forecast, and has no rank.
    hours = month.days["hours"].where(~month.days["measured"], 0).to_numpy(dtype=np.int64)
    ranked = days.ranked(tables.factory["day"], tables.equipment["day"], hours, known)
    kw = _kw_by_day(month, demand)

    def words(reasons: tuple[days.Reason, ...]) -> Reasons:
        return Reasons(
            reason_ko=in_words(reasons, "ko", factory.country, korean),
            reason_en=in_words(reasons, "en", factory.country, names),
        )

    every = tuple(
        ForecastDay(
            date=each.day,
            kwh=each.kwh,
            kwh_p10=each.p10,
            kwh_p90=each.p90,
            rank=each.rank,
            hours=int(month.days["hours"].iloc[i]),
            measured=bool(month.days["measured"].iloc[i]),
            kw=float(kw[i]) if np.isfinite(kw[i]) else None,
            **dict(words(each.reasons)),
        )
        for i, each in enumerate(ranked)
    )
    highest = sorted((each for each in ranked if each.rank), key=lambda each: each.rank)
    band = None if demand is None else (total + demand.total_kwh[0], total, total + demand.total_kwh[1])
    tariff = plant.tariffs[factory.tariff] if factory.tariff else None
    cost, no_cost = None, None
    try:
        cost = costs.cost(tables, tariff, factory.country, demand)
    except DataError as error:  # of a time for which no prices are registered; all else can be told
        log.warning("factory %s: no cost: %s", factory_id, error)
        no_cost = str(error)
    return Outlook(
        rows=len(forecast.factory["native"]),
        calendar=CalendarDays(
            days=len(month.days), whole_days=month.whole_days, measured_kwh=month.measured_kwh
        ),
        horizon_kwh=float(hour.loc[in_horizon, "used_kwh"].sum()),
        alike=_alike(highest),
        kwh=total,
        kwh_p10=None if band is None else band[0],
        kwh_p90=None if band is None else band[2],
        peak_days=tuple(
            PeakDay(date=each.day, kwh=each.kwh, **dict(words((*each.reasons, *of_month))))
            for each in highest[:peaks]
        ),
        top_equipment=outlook.equipment(tables, demand, names),
        days=every,
        month_reasons=words(of_month),
        working_days=outlook.working_days(pd.DatetimeIndex(tables.factory["day"]["timestamp"]), known),
        demand=_of_demand(demand, factory.contract_kw),
        change=outlook.compared(month, known),
        carbon=costs.carbon(outlook.drawn_kwh(tables), plant.emission(factory_id, month.start.year)),
        cost=cost,
        no_cost=no_cost,
        budget=costs.budget_outlook(factory.budget, f"{month.start:%Y-%m}", band, total, cost, demand),
    )


def _kw_by_day(month: CalendarMonth, demand: Demand | None) -> np.ndarray:
    """Return (D,) the highest demand of each day of the month; NaN where it is not known."""
    kw = np.full(len(month.days), np.nan)
    if demand is not None:
        first = int(month.days["measured"].sum())
        kw[first:] = demand.by_day[: len(kw) - first]
    return kw


def _alike(highest: list[days.DayOutlook]) -> int:
    """Return how many of the highest days are so close that their order says nothing; 1 if the highest stands out."""
    if not highest:
        return 0
    first = highest[0]
    near = ALIKE * (first.p90 - first.p10) / 2
    return sum(first.kwh - each.kwh <= near for each in highest)


def _of_demand(demand: Demand | None, contract_kw: float | None) -> DemandSummary | None:
    if demand is None:
        return None
    return DemandSummary(
        kw=demand.kw,
        kw_p10=demand.p10,
        kw_p90=demand.p90,
        at=demand.at,
        day_chance=demand.day_chance,
        minutes=demand.minutes,
        contract_kw=contract_kw,
        chance_over_contract=demand.chance_over(contract_kw) if contract_kw is not None else None,
    )
