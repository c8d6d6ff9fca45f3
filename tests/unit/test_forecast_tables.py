"""Forecast tables: equipment adds up to the factory, intervals to hours to days."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fems.errors import DataError
from fems.forecast import tables

ORIGIN = pd.Timestamp("2025-03-01", tz="Asia/Seoul")


def hours(count: int, sensors: int, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).gamma(2.0, 50.0, (count, sensors))
    index = pd.date_range(ORIGIN, periods=count, freq="h")
    return pd.DataFrame(values, index=index, columns=[f"F-M{i:02d}" for i in range(sensors)])


def native_rows(grain: int) -> pd.DataFrame:
    times = pd.date_range(ORIGIN - pd.Timedelta(days=30), ORIGIN, freq=f"{grain}min", inclusive="left")
    values = 1.0 + (times.minute.to_numpy() % 60) / 10
    return pd.DataFrame({"timestamp": times, "sensor_id": "F-M00", "used_kwh": values})


@given(st.sampled_from([1, 5, 15, 30, 60]), st.integers(1, 5), st.integers(1, 100), st.integers(0, 10))
def test_sums_agree_at_every_grain(grain: int, sensors: int, count: int, seed: int) -> None:
    given_hours = hours(count, sensors, seed)
    shares = tables.shape_in_hour(native_rows(grain), list(given_hours.columns), grain)
    np.testing.assert_allclose(shares.sum(axis=2), 1.0)
    made = tables.build(given_hours, None, shares, "F", grain, count * 60)
    total = given_hours.to_numpy().sum()
    for grains in (made.equipment, made.factory):
        for table in grains.values():
            assert table["used_kwh"].sum() == pytest.approx(total, rel=1e-12)
    by_time = made.equipment["native"].groupby("timestamp")["used_kwh"].sum().to_numpy()
    np.testing.assert_allclose(by_time, made.factory["native"]["used_kwh"], rtol=1e-12)
    np.testing.assert_allclose(made.factory["hour"]["used_kwh"], given_hours.sum(axis=1), rtol=1e-12)


def test_the_horizon_may_end_inside_a_day() -> None:
    made = tables.build(
        hours(705, 2), None, tables.shape_in_hour(native_rows(15), ["a", "b"], 15), "F", 15, 42_300
    )
    assert len(made.factory["native"]) == 2_820
    assert len(made.factory["hour"]) == 705
    assert len(made.factory["day"]) == 30
    assert made.factory["native"]["timestamp"].iloc[-1] == ORIGIN + pd.Timedelta(minutes=42_285)


def test_the_shape_inside_the_hour_is_the_measured_one() -> None:
    shares = tables.shape_in_hour(native_rows(15), ["F-M00", "F-M99"], 15)
    np.testing.assert_allclose(shares[0, 5], np.array([1.0, 2.5, 4.0, 5.5]) / 13)
    np.testing.assert_allclose(shares[1], 0.25)


@pytest.mark.parametrize("horizon", [0, -60, 100])
def test_a_horizon_that_is_none_is_refused(horizon: int) -> None:
    with pytest.raises(DataError, match="horizon"):
        tables.build(hours(24, 1), None, np.full((1, 24, 4), 0.25), "F", 15, horizon)


def test_the_headline_ranks_whole_days_and_machines() -> None:
    given_hours = hours(60, 2)
    given_hours.iloc[:, 0] = 10.0
    given_hours.iloc[:, 1] = np.repeat([5.0, 50.0, 99.0], [24, 24, 12])
    made = tables.build(given_hours, None, np.full((2, 24, 4), 0.25), "F", 15, 3600)
    told = tables.headline(made, {"F-M01": "Press"})
    assert [d["date"] for d in told["peak_days"]] == ["2025-03-02", "2025-03-01"], (
        "the third day is half a day"
    )
    assert told["top_equipment"][0]["name"] == "Press"
    assert sum(m["share_pct"] for m in told["top_equipment"]) == pytest.approx(100)
    assert told["rows"] == 240
