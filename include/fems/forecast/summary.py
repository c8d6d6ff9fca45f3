"""A forecast's summary: everything that is said of it, ready for JSON, the report and the messages."""

from typing import Any

import numpy as np
import pandas as pd

from fems.forecast import days, outlook
from fems.forecast.demand import Demand
from fems.forecast.reasons import LANGUAGES, in_words
from fems.forecast.tables import Forecast, hours_of_days
from fems.model.history import History
from fems.registry.plant import Plant


def summarised(
    forecast: Forecast,
    known: History,
    origin: pd.Timestamp,
    plant: Plant,
    factory_id: str,
    demand: Demand | None,
    peaks: int = 3,
) -> dict[str, Any]:
    """Return what a plant looks at first, and what stands behind it.

    Args:
        forecast: the tables.
        known: what was measured before the origin.
        origin: the first forecast instant.
        plant: names, tariff, emission factor, contract power.
        factory_id: whose.
        demand: the maximum demand; None where nothing could be said of it.
        peaks: how many of the highest days.

    Returns:
        rows (native rows a machine), kwh, kwh_p10 and kwh_p90 (None without a demand's draws), peak_days (date, kWh,
        reasons, the month's among them; highest first, whole days only), top_equipment, days (all of them),
        month_reasons, demand, change, working_days, carbon, cost.
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
    spoken = {"en": names, "ko": korean}

    def words(reasons: tuple[days.Reason, ...]) -> dict[str, str]:
        return {
            f"reason_{language}": in_words(reasons, language, factory.country, spoken[language])
            for language in LANGUAGES
        }

    told: list[dict[str, Any]] = [
        {
            "date": found.day.isoformat(),
            "kwh": found.kwh,
            "kwh_p10": found.p10,
            "kwh_p90": found.p90,
            "rank": found.rank,
            "hours": int(hours[i]),
            "kw": float(kw[i]) if np.isfinite(kw[i]) else None,
            **words(found.reasons),
        }
        for i, found in enumerate(ranked)
    ]
    by_rank = sorted((d for d in told if d["rank"]), key=lambda d: d["rank"])
    highest = {found.day.isoformat(): found.reasons for found in ranked}
    return {
        "rows": len(native),
        "kwh": total,
        "kwh_p10": total + demand.total_kwh[0] if demand is not None else None,
        "kwh_p90": total + demand.total_kwh[1] if demand is not None else None,
        "peak_days": [
            {"date": d["date"], "kwh": d["kwh"], **words((*highest[d["date"]], *of_month))}
            for d in by_rank[:peaks]
        ],
        "top_equipment": outlook.equipment(forecast, demand, names),
        "days": told,
        "month_reasons": words(of_month),
        "working_days": outlook.working_days(pd.DatetimeIndex(day["timestamp"]), known),
        "demand": _of_demand(demand, factory.contract_kw),
        "change": outlook.compared(forecast, known, origin),
        "carbon": outlook.carbon(total, plant.emission(factory_id, origin.year)),
        "cost": outlook.cost(
            forecast, plant.tariffs[factory.tariff] if factory.tariff else None, factory.country, demand
        ),
    }


def _of_demand(demand: Demand | None, contract_kw: float | None) -> dict[str, Any] | None:
    if demand is None:
        return None
    return {
        "kw": demand.kw,
        "kw_p10": demand.p10,
        "kw_p90": demand.p90,
        "at": demand.at.isoformat(),
        "day_chance": demand.day_chance,
        "minutes": demand.minutes,
        "contract_kw": contract_kw,
        "chance_over_contract": demand.chance_over(contract_kw) if contract_kw is not None else None,
    }
