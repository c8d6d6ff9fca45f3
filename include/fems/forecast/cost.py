"""What a month costs and emits, and how likely it keeps its budget."""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from fems.calendar import local_days
from fems.contracts.forecast import (
    BudgetOutlook,
    Carbon,
    Cost,
    LoadCost,
)
from fems.forecast.demand import Z90, Demand
from fems.forecast.tables import Forecast
from fems.registry.tariff import LOADS, Budget, GridEmission, Tariff


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
