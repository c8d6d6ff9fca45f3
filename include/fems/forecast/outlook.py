"""What a plant manager asks of a forecast: against when, by which machine, at what cost, with what emission."""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from fems.calendar import WORKDAY, kinds_of_days, local_days
from fems.contracts.forecast import (
    BudgetOutlook,
    Carbon,
    Change,
    Cost,
    EquipmentShare,
    LoadCost,
    MonthComparison,
)
from fems.forecast.calendar_month import CalendarMonth
from fems.forecast.demand import Z90, Demand
from fems.forecast.tables import Forecast
from fems.model.history import History
from fems.registry.tariff import LOADS, Budget, GridEmission, Tariff

_LEAST_KNOWN = 0.8
"""Share of a month's hours that must be known to compare with it."""


def compared(month: CalendarMonth, history: History) -> Change:
    """Set a calendar month beside the one before it and beside the same month of last year.

    Months differ in length, so energy per day is compared; working days are told, since they explain most of what
    differs.

    Returns:
        `last_month` and `last_year`; None where less than 80 % of the month's hours are known.
    """
    per_day = month.kwh / (float(month.days["hours"].sum()) / 24)
    known = history.until(month.origin)
    return Change(
        last_month=_month(known, month.start - pd.DateOffset(months=1), per_day),
        last_year=_month(known, month.start - pd.DateOffset(years=1), per_day),
    )


def _month(known: History, start: pd.Timestamp, per_day: float) -> MonthComparison | None:
    end = start + pd.DateOffset(months=1)
    kwh = known.between(start, end).factory_kwh
    hours = (end - start) / pd.Timedelta(hours=1)
    measured = np.isfinite(kwh)
    if measured.sum() < _LEAST_KNOWN * hours:
        return None
    then = float(kwh[measured].sum()) / float(measured.sum()) * 24
    return MonthComparison(
        month=f"{start:%Y-%m}",
        kwh=then * hours / 24,
        kwh_per_day=then,
        change_pct=100 * (per_day / then - 1) if then else None,
        working_days=working_days(pd.date_range(start, end, inclusive="left", freq="D"), known),
    )


def working_days(days: pd.DatetimeIndex, history: History) -> int:
    """Count Mondays to Fridays without the holidays that the factory keeps."""
    kinds = kinds_of_days(local_days(days), history.rest_country)
    return int((kinds == WORKDAY).sum())


def equipment(forecast: Forecast, demand: Demand | None, names: dict[str, str]) -> tuple[EquipmentShare, ...]:
    """Return the machines by kWh, highest first; their share of the peak is None without a demand."""
    kwh = forecast.equipment["day"].groupby("sensor_id")["used_kwh"].sum().sort_values(ascending=False)
    total = float(kwh.sum())
    at_peak: dict[str, float] = {}
    if demand is not None:
        native = forecast.equipment["native"]
        until = demand.at + pd.Timedelta(minutes=demand.minutes)
        rows = native[(native["timestamp"] >= demand.at) & (native["timestamp"] < until)]
        power = rows.groupby("sensor_id")["used_kwh"].sum()
        at_peak = {str(s): 100 * float(v) / float(power.sum()) for s, v in power.items() if power.sum() > 0}
    return tuple(
        EquipmentShare(
            sensor_id=str(sensor),
            name=names.get(str(sensor), str(sensor)),
            kwh=float(value),
            share_pct=100 * float(value) / total if total else 0.0,
            peak_share_pct=at_peak.get(str(sensor)),
        )
        for sensor, value in kwh.items()
    )


def drawn_kwh(forecast: Forecast) -> float:
    """Return what is drawn from the grid: the hours in which the factory feeds in count for nothing."""
    return float(np.maximum(forecast.factory["hour"]["used_kwh"].to_numpy(), 0.0).sum())


def carbon(kwh: float, emission: GridEmission | None) -> Carbon | None:
    """Return tCO2e of what is drawn from the grid, by its factor; None where the country has none.

    What is fed in is taken off nothing: it lowers others' emissions, not the factory's (GHG Protocol, scope 2).
    """
    if emission is None:
        return None
    return Carbon(tco2e=kwh / 1000 * emission.tco2e_per_mwh, **emission.model_dump())


def cost(forecast: Forecast, tariff: Tariff | None, country: str, demand: Demand | None) -> Cost | None:
    """Return what the forecast energy and maximum demand cost by a tariff, before taxes and surcharges.

    The demand charge is that of the median maximum demand; a contract may bill an earlier month's, which is not in it.

    Raises:
        DataError: the tariff has no prices for the time.
    """
    if tariff is None:
        return None
    hour = forecast.factory["hour"]
    times = pd.DatetimeIndex(hour["timestamp"])
    days = local_days(times)
    of_day = np.asarray(times.hour, dtype=np.int64)
    prices = tariff.on(times[0].date())
    loads = tariff.loads(days, of_day, country)
    net = hour["used_kwh"].fillna(0.0).to_numpy()  # what is not known is told by the days that are whole
    kwh, fed_in = np.maximum(net, 0.0), float(np.maximum(-net, 0.0).sum())
    paid = kwh * tariff.prices(days, of_day, country)
    for_feed_in = fed_in * prices.feed_in_per_kwh
    by_load = tuple(
        LoadCost(
            load=load,
            hours=int((loads == i).sum()),
            kwh=float(kwh[loads == i].sum()),
            cost=float(paid[loads == i].sum()),
        )
        for i, load in enumerate(LOADS)
        if (loads == i).any()
    )
    for_demand = prices.demand_per_kw * demand.kw if demand is not None else 0.0
    return Cost(
        total=float(paid.sum()) + for_demand - for_feed_in,
        energy=float(paid.sum()),
        demand=for_demand,
        feed_in=for_feed_in,
        feed_in_kwh=fed_in,
        by_load=by_load,
        name=tariff.name,
        name_ko=tariff.name_ko,
        currency=tariff.currency,
        example=tariff.example,
        source=prices.source,
        valid_from=prices.valid_from,
    )


def budget_outlook(
    budget: Budget | None,
    month: str,
    kwh: tuple[float, float, float] | None,
    total_kwh: float,
    cost: Cost | None,
    demand: Demand | None,
) -> BudgetOutlook | None:
    """Return a month's budget with the chance to keep it; None where the month has none.

    The chance takes the total as half a normal on either side of the forecast, as wide as its 10 and 90 % quantiles
    say. A cost is as far off as its energy and its maximum demand are, both together.

    Args:
        budget: the factory's.
        month: YYYY-MM.
        kwh: 10, 50 and 90 % of the month's energy; None without a band.
        total_kwh: what is forecast.
        cost: see `cost`.
        demand: the maximum demand.
    """
    amount = None if budget is None else budget.of(month)
    if budget is None or amount is None:
        return None
    chance = None
    if budget.unit == "kwh":
        if kwh is not None:
            chance = _chance(amount, *kwh)
        return BudgetOutlook(unit="kwh", amount=amount, expected=total_kwh, chance_to_keep=chance)
    if cost is None:
        return None
    if kwh is not None and demand is not None and total_kwh > 0 and demand.kw > 0:
        low, high = (
            cost.energy * energy / total_kwh + cost.demand * power / demand.kw
            for energy, power in ((kwh[0], demand.p10), (kwh[2], demand.p90))
        )
        chance = _chance(amount, low, cost.total, high)
    return BudgetOutlook(unit="cost", amount=amount, expected=cost.total, chance_to_keep=chance)


def _chance(limit: float, low: float, mid: float, high: float) -> float:
    """How likely a value is at or under a limit: half a normal on either side of the median."""
    spread = (high - mid if limit > mid else mid - low) / Z90
    if spread <= 0:
        return float(limit >= mid)
    return float(ndtr((limit - mid) / spread))
