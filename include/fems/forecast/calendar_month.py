"""The calendar month of a forecast: what was measured of it before the origin, and what is forecast of the rest.

A plant budgets, compares and pays by the calendar month. The study's horizon, 42,300 minutes, is 29 days and 9 hours:
it is what a model is scored on, and ends before most months do. So a forecast reaches the end of its month, or its
horizon where that is later, and everything that people read is of the month.
"""

from dataclasses import dataclass

import pandas as pd

from fems.forecast.tables import COLUMNS, Forecast
from fems.model.history import History

MINUTE = pd.Timedelta(minutes=1)


def bounds(instant: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first instant of the calendar month of an instant, and of the month after it, in its zone."""
    start = instant.tz_localize(None).normalize().replace(day=1)
    return start.tz_localize(instant.tz), (start + pd.DateOffset(months=1)).tz_localize(instant.tz)


def reach_minutes(origin: pd.Timestamp, horizon_minutes: int) -> int:
    """Return how many minutes a forecast goes: to its horizon, or to the end of the origin's month if that is later."""
    return max(horizon_minutes, int((bounds(origin)[1] - origin) / MINUTE))


@dataclass(frozen=True)
class CalendarMonth:
    """A calendar month, measured up to an origin and forecast from there.

    Attributes:
        start, end: its first instant, and the first of the month after it.
        origin: where the measured part ends; `start` where nothing of the month was measured.
        hour: (H,) of the factory: timestamp, used_kwh and its quantiles. A measured hour is its own quantiles, NaN
            where a machine that should report is missing.
        equipment_hour: the same by sensor_id, long format.
        day: (D,) of the factory: timestamp, used_kwh, quantiles, hours (known or forecast), hours_of_day, and measured,
            whether no hour of it is forecast.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    origin: pd.Timestamp
    hour: pd.DataFrame
    equipment_hour: pd.DataFrame
    day: pd.DataFrame

    @property
    def kwh(self) -> float:
        """The energy of all hours that are known or forecast."""
        return float(self.hour["used_kwh"].sum())

    @property
    def measured_kwh(self) -> float:
        """The energy of the hours before the origin, as far as they are known."""
        return float(self.hour.loc[self.hour["timestamp"] < self.origin, "used_kwh"].sum())

    @property
    def days(self) -> int:
        """How many days the month has."""
        return len(self.day)

    @property
    def whole_days(self) -> int:
        """How many of its days are whole: each hour known or forecast."""
        return int((self.day["hours"] == self.day["hours_of_day"]).sum())


def calendar_month(forecast: Forecast, known: History, origin: pd.Timestamp) -> CalendarMonth:
    """Put together the calendar month of a forecast's origin.

    Args:
        forecast: the tables, from the origin to the end of the month at least.
        known: what was measured before the origin, by machine and hour.
        origin: the first forecast instant, a full hour.
    """
    start, end = bounds(origin)
    past = known.between(start, origin)
    ahead = forecast.factory["hour"]
    ahead = ahead.loc[ahead["timestamp"] < end, ["timestamp", *COLUMNS]]
    machines = forecast.equipment["hour"]
    machines = machines.loc[machines["timestamp"] < end, ["timestamp", "sensor_id", *COLUMNS]]
    hours = pd.date_range(start, end, freq="h", inclusive="left", name="timestamp")
    before = hours[hours < origin]
    measured = pd.Series(past.factory_kwh, index=past.hours).reindex(before)
    by_machine = pd.DataFrame(past.used_kwh, index=past.hours, columns=list(past.equipment)).reindex(before)
    long = by_machine.melt(var_name="sensor_id", value_name="used_kwh", ignore_index=False).reset_index()
    hour = pd.concat([_own_quantiles(measured.rename("used_kwh").reset_index()), ahead], ignore_index=True)
    return CalendarMonth(
        start,
        end,
        origin,
        hour,
        pd.concat([_own_quantiles(long), machines], ignore_index=True),
        _days(hour, forecast, origin, hours),
    )


def _own_quantiles(table: pd.DataFrame) -> pd.DataFrame:
    """A value that was measured is certain: it is its own quantiles."""
    return table.assign(**dict.fromkeys(COLUMNS[1:], table["used_kwh"]))


def _days(
    hour: pd.DataFrame, forecast: Forecast, origin: pd.Timestamp, hours: pd.DatetimeIndex
) -> pd.DataFrame:
    """The days. A forecast day has the quantiles of days; a part of one is added to what was measured of it."""
    starts = pd.DatetimeIndex(hour["timestamp"]).normalize()
    by_day = hour.groupby(starts)["used_kwh"]
    day = pd.DataFrame({"used_kwh": by_day.sum(), "hours": by_day.count()})
    day["hours_of_day"] = pd.Series(1, index=hours).groupby(hours.normalize()).sum()
    past = hour.loc[hour["timestamp"] < origin]
    measured = (
        past.groupby(pd.DatetimeIndex(past["timestamp"]).normalize())["used_kwh"].sum().reindex(day.index)
    )
    ahead = forecast.factory["day"].set_index("timestamp")
    ahead.index = pd.DatetimeIndex(ahead.index).normalize()
    for name in COLUMNS[1:]:
        day[name] = measured.fillna(0.0) + ahead[name].reindex(day.index).fillna(0.0)
    day["measured"] = day.index < origin.normalize()
    return day.rename_axis("timestamp").reset_index()
