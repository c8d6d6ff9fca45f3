"""What is said of a forecast, ready for its summary, the report and the messages."""

import numpy as np
import pandas as pd

from fems.contracts.forecast import DemandSummary, ForecastDay, Outlook, PeakDay, Reasons
from fems.forecast import days, outlook
from fems.forecast.demand import Demand
from fems.forecast.reasons import in_words
from fems.forecast.tables import Forecast, hours_of_days
from fems.model.history import History
from fems.registry.plant import Plant


def summarise(
    forecast: Forecast,
    known: History,
    origin: pd.Timestamp,
    plant: Plant,
    factory_id: str,
    demand: Demand | None,
    peaks: int = 3,
) -> Outlook:
    """Return what a plant looks at first, and what stands behind it.

    Args:
        forecast: the tables.
        known: what was measured before the origin.
        origin: the first forecast instant.
        plant: names, tariff, emission factor, contract power.
        factory_id: whose.
        demand: the maximum demand; None where nothing could be said of it.
        peaks: how many of the highest days.
    """
    factory = plant.factory(factory_id)
    names = {e.sensor: e.name for e in factory.equipment.values()}
    korean = {e.sensor: e.name_ko or e.name for e in factory.equipment.values()}
    native, day = forecast.factory["native"], forecast.factory["day"]
    hours = hours_of_days(forecast)
    total = float(native["used_kwh"].sum())
    of_month = days.month_reasons(known, origin, origin.month)
    ranked = days.ranked(day, forecast.equipment["day"], hours, known)
    kw = demand.by_day if demand is not None else np.full(len(ranked), np.nan)

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
            hours=int(hours[i]),
            kw=float(kw[i]) if np.isfinite(kw[i]) else None,
            **dict(words(each.reasons)),
        )
        for i, each in enumerate(ranked)
    )
    highest = sorted((each for each in ranked if each.rank), key=lambda each: each.rank)[:peaks]
    return Outlook(
        rows=len(native),
        kwh=total,
        kwh_p10=total + demand.total_kwh[0] if demand is not None else None,
        kwh_p90=total + demand.total_kwh[1] if demand is not None else None,
        peak_days=tuple(
            PeakDay(date=each.day, kwh=each.kwh, **dict(words((*each.reasons, *of_month))))
            for each in highest
        ),
        top_equipment=outlook.equipment(forecast, demand, names),
        days=every,
        month_reasons=words(of_month),
        working_days=outlook.working_days(pd.DatetimeIndex(day["timestamp"]), known),
        demand=_of_demand(demand, factory.contract_kw),
        change=outlook.compared(forecast, known, origin),
        carbon=outlook.carbon(total, plant.emission(factory_id, origin.year)),
        cost=outlook.cost(
            forecast, plant.tariffs[factory.tariff] if factory.tariff else None, factory.country, demand
        ),
    )


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
