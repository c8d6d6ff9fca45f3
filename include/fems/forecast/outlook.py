"""What a plant manager asks of a forecast: against when, by which machine, at what cost, with what emission."""

import numpy as np
import pandas as pd

from fems.calendar import WORKDAY, kinds_of_days
from fems.contracts.forecast import Carbon, Change, Cost, EquipmentShare, LoadCost, MonthComparison
from fems.forecast.demand import Demand
from fems.forecast.tables import Forecast
from fems.model.history import History
from fems.registry.tariff import LOADS, GridEmission, Tariff

_LEAST_KNOWN = 0.8
"""Share of a month's hours that must be known to compare with it."""


def compared(forecast: Forecast, history: History, origin: pd.Timestamp) -> Change:
    """Set the forecast beside the calendar month before it and beside the same month of last year.

    Months differ in length and a forecast need not be one, so energy per day is compared; working days are told, since
    they explain most of what differs.

    Returns:
        `last_month` and `last_year`; None where less than 80 % of the month's hours are known.
    """
    native = forecast.factory["native"]
    per_day = float(native["used_kwh"].sum()) / (len(forecast.factory["hour"]) / 24)
    known = history.until(origin)
    first = origin.normalize().replace(day=1)
    return Change(
        last_month=_month(known, first - pd.DateOffset(months=1), per_day),
        last_year=_month(known, first - pd.DateOffset(years=1), per_day),
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
    local = days.tz_localize(None).to_numpy().astype("datetime64[D]")
    kinds = kinds_of_days(local, history.country if history.holidays_off else None)
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


def carbon(kwh: float, emission: GridEmission | None) -> Carbon | None:
    """Return tCO2e by the grid's factor, with its year and source; None where the country has none."""
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
    days = times.tz_localize(None).to_numpy().astype("datetime64[D]")
    of_day = np.asarray(times.hour, dtype=np.int64)
    prices = tariff.on(times[0].date())
    loads = tariff.loads(days, of_day, country)
    kwh = hour["used_kwh"].to_numpy()
    paid = kwh * tariff.prices(days, of_day, country)
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
        total=float(paid.sum()) + for_demand,
        energy=float(paid.sum()),
        demand=for_demand,
        by_load=by_load,
        name=tariff.name,
        name_ko=tariff.name_ko,
        currency=tariff.currency,
        example=tariff.example,
        source=prices.source,
        valid_from=prices.valid_from,
    )
