"""What people read of a forecast is the calendar month: measured up to the origin, forecast to its last hour."""

import numpy as np
import pandas as pd
import pytest
from builders import bands

from fems.forecast import tables
from fems.forecast.calendar_month import bounds, calendar_month, reach_minutes
from fems.model.history import History

SENSORS = ("F-M01", "F-M02")


def history(end: pd.Timestamp, days: int = 40) -> History:
    """Hours of two machines up to an instant; each hour of a machine is another value."""
    index = pd.date_range(end - pd.Timedelta(days=days), end, freq="h", inclusive="left")
    kwh = np.arange(2 * len(index), dtype=float).reshape(-1, 2) % 97 + 1
    return History(index, kwh, SENSORS, pd.DataFrame({"used_kwh": kwh.sum(axis=1)}))


def forecast(origin: pd.Timestamp, minutes: int) -> tables.Forecast:
    index = pd.date_range(origin, periods=minutes // 60, freq="h")
    kwh = pd.DataFrame(
        np.random.default_rng(3).gamma(2.0, 30.0, (len(index), 2)), index=index, columns=SENSORS
    )
    return tables.build(kwh, bands(kwh), np.full((2, 24, 1), 1.0), "F", 60, minutes)


@pytest.mark.parametrize(
    ("origin", "zone", "hours"),
    [
        ("2026-03-01T00:00", "Asia/Seoul", 744),
        ("2026-02-01T00:00", "Asia/Seoul", 705),  # the horizon reaches past February's 672 hours
        ("2026-03-20T09:00", "Asia/Seoul", 705),
        ("2026-03-01T00:00", "Europe/Berlin", 743),
        ("2026-10-01T00:00", "Europe/Berlin", 745),
        ("2026-03-01T00:00", "America/New_York", 743),
    ],
)
def test_a_forecast_reaches_its_horizon_or_the_end_of_the_month(origin: str, zone: str, hours: int) -> None:
    assert reach_minutes(pd.Timestamp(origin, tz=zone), 42_300) == hours * 60


@pytest.mark.parametrize(
    "origin",
    ["2026-03-01T00:00", "2026-02-01T00:00", "2026-04-01T00:00", "2026-03-11T00:00", "2026-03-11T15:00"],
)
@pytest.mark.parametrize("zone", ["Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_the_month_is_what_was_measured_and_what_is_forecast(origin: str, zone: str) -> None:
    at = pd.Timestamp(origin, tz=zone)
    known = history(at)
    made = forecast(at, reach_minutes(at, 42_300))
    month = calendar_month(made, known, at)
    start, end = bounds(at)
    past = known.factory_kwh[known.hours >= start].sum()
    ahead = made.factory["hour"]
    ahead = ahead.loc[ahead["timestamp"] < end, "used_kwh"].sum()
    assert month.kwh == pytest.approx(past + ahead)
    assert month.measured_kwh == pytest.approx(past)
    assert len(month.days) == month.whole_days == pd.Period(origin, "M").days_in_month
    factory, equipment = month.tables.factory, month.tables.equipment
    for grain in ("hour", "day"):
        assert factory[grain]["used_kwh"].sum() == pytest.approx(month.kwh)
        assert equipment[grain]["used_kwh"].sum() == pytest.approx(month.kwh)
        assert (factory[grain]["used_kwh_p10"] <= factory[grain]["used_kwh"] + 1e-9).all()
    assert len(factory["hour"]) == (end - start) / pd.Timedelta(hours=1) == month.days["hours_of_day"].sum()
    assert len(factory["day"]) == len(month.days) and len(equipment["day"]) == 2 * len(month.days)
    assert month.days["measured"].sum() == at.day - 1
    certain = factory["day"][month.days["measured"].to_numpy()]
    assert (certain["used_kwh_p10"] == certain["used_kwh_p90"]).all()


def test_a_day_that_was_not_measured_whole_is_counted() -> None:
    at = pd.Timestamp("2026-03-11", tz="Asia/Seoul")
    known = history(at)
    gap = (known.hours >= "2026-03-04T05:00+09:00") & (known.hours < "2026-03-05T07:00+09:00")
    kwh = np.where(gap[:, None], np.nan, known.used_kwh)
    known = History(known.hours, kwh, SENSORS, pd.DataFrame({"used_kwh": kwh.sum(axis=1)}))
    month = calendar_month(forecast(at, reach_minutes(at, 42_300)), known, at)
    assert (len(month.days), month.whole_days) == (31, 29)
    assert month.days["hours"].tolist()[3:5] == [5, 17]
