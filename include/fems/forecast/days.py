"""The days of a forecast, ranked by kWh, each with what makes it high or low."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import (
    ONE_DAY,
    REST,
    SATURDAY,
    WORKDAY,
    Days,
    bridges,
    holiday_name,
    kinds_of_days,
    local_days,
    weekdays,
)
from fems.forecast.tables import whole_days
from fems.model.history import History

RECENT_DAYS = 28
NOTABLE_PCT = 3.0
"""A month's rise or fall below this is no reason."""
NOTABLE_DAY_PCT = 1.0
"""Likewise a day's, against the mean day of its kind."""


@dataclass(frozen=True)
class Reason:
    """One reason, without words: `reasons.in_words` has those.

    Attributes:
        code: weekday, saturday, sunday, holiday, before_holiday, after_holiday, bridge, machine, level, season.
        pct: of machine, level and season: the rise, below 0 the fall.
        subject: the weekday (0 Monday), the holiday's day, the sensor, or the month.
    """

    code: str
    pct: float = 0.0
    subject: int | str | date = ""


@dataclass(frozen=True)
class DayOutlook:
    """One day of a forecast; `rank` 1 is the highest, 0 a part of a day."""

    day: date
    kwh: float
    p10: float
    p90: float
    rank: int
    reasons: tuple[Reason, ...]


def ranked(
    factory_day: pd.DataFrame,
    equipment_day: pd.DataFrame,
    hours: NDArray[np.int64],
    history: History,
) -> list[DayOutlook]:
    """Return every day of a forecast in the order of time.

    Args:
        factory_day: the factory's day table.
        equipment_day: the equipment's day table.
        hours: see `tables.hours_of_days`.
        history: whose calendar counts.
    """
    times = pd.DatetimeIndex(factory_day["timestamp"])
    days = local_days(times)
    kwh = factory_day["used_kwh"].to_numpy()
    whole = whole_days(hours)
    order = np.argsort(-np.where(whole, kwh, -np.inf), kind="stable")
    rank = np.empty(len(days), dtype=np.int64)
    rank[order] = np.arange(1, len(days) + 1)
    rank[~whole] = 0
    kinds = kinds_of_days(days, history.rest_country)
    by_sensor = equipment_day.pivot(index="timestamp", columns="sensor_id", values="used_kwh").to_numpy()
    names = sorted(equipment_day["sensor_id"].unique())
    found = []
    for i, day in enumerate(days):
        like = whole & (kinds == kinds[i])
        reasons = (
            *_of_calendar(day, history),
            *_of_machines(by_sensor[i], by_sensor[like].mean(axis=0), names, whole[i]),
        )
        found.append(
            DayOutlook(
                day.astype(object),
                float(kwh[i]),
                float(factory_day["used_kwh_p10"].iloc[i]),
                float(factory_day["used_kwh_p90"].iloc[i]),
                int(rank[i]),
                reasons,
            )
        )
    return found


def month_reasons(history: History, origin: pd.Timestamp, month: int) -> tuple[Reason, ...]:
    """Return what makes a whole month high or low: the level of late, and the season.

    Level: working days of the last 28 days against those of the 56 days before. Season: working days of the same
    calendar month a year ago against all working days of the year before the origin. Both free of the weekday and of
    holidays; a year of measured days is needed for the season.
    """
    known = history.until(origin)
    daily = pd.Series(known.factory_kwh, index=known.hours).resample("D").sum(min_count=20)
    days = local_days(pd.DatetimeIndex(daily.index))
    work = (kinds_of_days(days, history.rest_country) == WORKDAY) & (daily.notna().to_numpy())
    values, age = daily.to_numpy(), (days[-1] - days).astype(int)
    recent, before = work & (age < RECENT_DAYS), work & (age >= RECENT_DAYS) & (age < 3 * RECENT_DAYS)
    reasons = []
    if recent.any() and before.any():
        reasons.append(Reason("level", 100 * (values[recent].mean() / values[before].mean() - 1)))
    months = days.astype("datetime64[M]").astype(int) % 12 + 1
    year = work & (age < 366)
    same = year & (months == month)
    if len(days) >= 360 and same.sum() >= 10:
        reasons.append(Reason("season", 100 * (values[same].mean() / values[year].mean() - 1), month))
    return tuple(r for r in reasons if abs(r.pct) >= NOTABLE_PCT)


def _of_calendar(day: np.datetime64, history: History) -> list[Reason]:
    one: Days = np.array([day])
    weekday = int(weekdays(one)[0])
    off = history.holidays_off
    kind = int(kinds_of_days(one, history.country)[0])
    found = []
    if holiday_name(history.country, day.astype(object), "en"):
        found.append(Reason("holiday" if off else "holiday_worked", subject=day.astype(object)))
    elif kind == REST:
        found.append(Reason("sunday"))
    elif kind == SATURDAY:
        found.append(Reason("saturday"))
    else:
        found.append(Reason("weekday", subject=weekday))
    if kind != REST and off:
        if bridges(history.country, one)[0]:
            found.append(Reason("bridge"))
        for code, neighbour in (("before_holiday", day + ONE_DAY), ("after_holiday", day - ONE_DAY)):
            if holiday_name(history.country, neighbour.astype(object), "en"):
                found.append(Reason(code, subject=neighbour.astype(object)))
    return found


def _of_machines(kwh: np.ndarray, usual: np.ndarray, names: list[str], whole: bool) -> list[Reason]:
    """The machine that moves the day most against the mean day of its kind, if the factory moves notably."""
    if not whole or len(names) < 2 or usual.sum() <= 0:
        return []
    change = kwh - usual
    if abs(change.sum()) < usual.sum() * NOTABLE_DAY_PCT / 100:
        return []
    most = int(np.argmax(change * np.sign(change.sum())))
    if usual[most] <= 0:
        return []
    return [Reason("machine", float(100 * change[most] / usual[most]), names[most])]
