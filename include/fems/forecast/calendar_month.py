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
        tables: laid out as a forecast's, of the whole month. What was measured is its own quantiles; an hour of the
            factory is NaN where a machine that should report is missing.
        days: (D,) timestamp, hours (known or forecast), hours_of_day, and measured: whether no hour of it is forecast.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    origin: pd.Timestamp
    tables: Forecast
    days: pd.DataFrame

    @property
    def kwh(self) -> float:
        """The energy of all hours that are known or forecast."""
        return float(self.tables.factory["hour"]["used_kwh"].sum())

    @property
    def measured_kwh(self) -> float:
        """The energy of the hours before the origin, as far as they are known."""
        hour = self.tables.factory["hour"]
        return float(hour.loc[hour["timestamp"] < self.origin, "used_kwh"].sum())

    @property
    def whole_days(self) -> int:
        """How many of its days are whole: each hour known or forecast."""
        return int((self.days["hours"] == self.days["hours_of_day"]).sum())


def calendar_month(
    forecast: Forecast, known: History, origin: pd.Timestamp, native: pd.DataFrame | None = None
) -> CalendarMonth:
    """Put together the calendar month of a forecast's origin.

    Args:
        forecast: the tables, from the origin to the end of the month at least.
        known: what was measured before the origin, by machine and hour.
        origin: the first forecast instant, a full hour.
        native: timestamp, sensor_id, used_kwh as measured before the origin; without it the native tables are those of
            the forecast alone.
    """
    start, end = bounds(origin)
    past = known.between(start, origin)
    every_hour = pd.date_range(start, end, freq="h", inclusive="left", name="timestamp")
    before = every_hour[every_hour < origin]
    hours = pd.Series(past.factory_kwh, index=past.hours).reindex(before).rename("used_kwh").reset_index()
    wide = pd.DataFrame(past.used_kwh, index=past.hours, columns=list(past.equipment)).reindex(before)
    by_machine = wide.melt(var_name="sensor_id", value_name="used_kwh", ignore_index=False).reset_index()
    fine = pd.DataFrame({"timestamp": before[:0], "sensor_id": [], "used_kwh": []})
    if native is not None:
        fine = native.loc[(native["timestamp"] >= start) & (native["timestamp"] < origin), list(fine.columns)]
    factory = {
        "native": _joined(
            fine.groupby("timestamp", as_index=False)[["used_kwh"]].sum(), forecast.factory["native"], end
        ),
        "hour": _joined(hours, forecast.factory["hour"], end),
        "day": _joined_days(hours, forecast.factory["day"], end, []),
    }
    equipment = {
        "native": _joined(fine, forecast.equipment["native"], end),
        "hour": _joined(by_machine, forecast.equipment["hour"], end),
        "day": _joined_days(by_machine, forecast.equipment["day"], end, ["sensor_id"]),
    }
    known_hours = factory["hour"].groupby(_day_of(factory["hour"]))["used_kwh"].count()
    days = pd.DataFrame(
        {"hours": known_hours, "hours_of_day": pd.Series(1, every_hour).groupby(every_hour.normalize()).sum()}
    )
    days["measured"] = days.index < origin.normalize()
    return CalendarMonth(
        start, end, origin, Forecast(equipment, factory), days.rename_axis("timestamp").reset_index()
    )


def _day_of(table: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(table["timestamp"]).normalize()


def _joined(measured: pd.DataFrame, forecast: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """What was measured, and then what is forecast before the end. A measured value is certain: its own quantiles."""
    ahead = forecast.loc[forecast["timestamp"] < end]
    if measured.empty:
        return ahead.reset_index(drop=True)
    past = measured.assign(**dict.fromkeys(COLUMNS[1:], measured["used_kwh"]))
    if "factory_id" in ahead:
        past = past.assign(factory_id=ahead["factory_id"].iloc[0] if len(ahead) else "")
    both = pd.concat([past.reindex(columns=ahead.columns), ahead], ignore_index=True)
    if "sensor_id" not in both:
        return both
    return both.sort_values(["sensor_id", "timestamp"], ignore_index=True, kind="stable")


def _joined_days(
    measured: pd.DataFrame, forecast: pd.DataFrame, end: pd.Timestamp, by: list[str]
) -> pd.DataFrame:
    """The days. The origin's own day is the part that was measured, and the part that is forecast."""
    ahead = forecast.loc[forecast["timestamp"] < end]
    past = (
        measured.assign(timestamp=_day_of(measured))
        .groupby([*by, "timestamp"], as_index=False)[["used_kwh"]]
        .sum()
    )
    both = _joined(past, ahead.assign(timestamp=_day_of(ahead)), end)
    first = {name: "first" for name in both.columns if name not in (*by, "timestamp", *COLUMNS)}
    return both.groupby([*by, "timestamp"], as_index=False).agg(first | dict.fromkeys(COLUMNS, "sum"))[
        both.columns
    ]
