"""What a plant manager asks of a forecast: against which month, and by which machine."""

import numpy as np
import pandas as pd

from fems.calendar import WORKDAY, kinds_of_days, local_days
from fems.contracts.forecast import (
    Change,
    EquipmentShare,
    MonthComparison,
)
from fems.forecast.calendar_month import CalendarMonth
from fems.forecast.demand import Demand
from fems.forecast.tables import Forecast
from fems.model.history import History

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
