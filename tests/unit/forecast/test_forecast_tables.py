"""Forecast tables: equipment adds up to the factory, intervals to hours to days, exactly; quantiles in their order."""

import numpy as np
import pandas as pd
import pytest
from builders import bands
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


def built(kwh: pd.DataFrame, grain: int, minutes: int) -> tables.Forecast:
    shares = tables.shape_in_hour(native_rows(grain), list(kwh.columns), grain)
    return tables.build(kwh, bands(kwh), shares, "F", grain, minutes)


@given(st.sampled_from([1, 5, 15, 30, 60]), st.integers(1, 5), st.integers(1, 100), st.integers(0, 10))
def test_sums_agree_to_the_last_bit_in_any_order(grain: int, sensors: int, count: int, seed: int) -> None:
    given_hours = hours(count, sensors, seed)
    made = built(given_hours, grain, count * 60)
    random = np.random.default_rng(seed)
    totals = {
        random.permutation(table["used_kwh"].to_numpy()).sum()
        for grains in (made.equipment, made.factory)
        for table in grains.values()
    }
    assert len(totals) == 1
    assert totals.pop() == pytest.approx(given_hours.to_numpy().sum(), rel=1e-11)
    native, factory = made.equipment["native"], made.factory
    by_time = native.groupby("timestamp")["used_kwh"].sum()
    assert (by_time.to_numpy() == factory["native"]["used_kwh"].to_numpy()).all()
    for coarse, span in (("hour", "h"), ("day", "D")):
        for fine, whole, by in (
            (factory["native"], factory[coarse], []),
            (native, made.equipment[coarse], ["sensor_id"]),
        ):
            start = fine["timestamp"].dt.floor(span)
            summed = fine.assign(timestamp=start).groupby([*by, "timestamp"])["used_kwh"].sum()
            assert (summed.to_numpy() == whole["used_kwh"].to_numpy()).all()
    np.testing.assert_allclose(factory["hour"]["used_kwh"], given_hours.sum(axis=1), rtol=1e-9)


@given(st.sampled_from([15, 60]), st.integers(1, 4), st.integers(1, 100))
def test_quantiles_keep_their_order_and_hold_the_forecast_at_every_grain(
    grain: int, sensors: int, count: int
) -> None:
    made = built(hours(count, sensors), grain, count * 60)
    for grains in (made.equipment, made.factory):
        for name, table in grains.items():
            low, mid, high = (table[f"used_kwh_{q}"].to_numpy() for q in tables.QUANTILES)
            assert (low <= mid).all() and (mid <= high).all() and (low >= 0).all()
            width = 0.1 if name == "day" else 0.3
            np.testing.assert_allclose(mid, table["used_kwh"], rtol=1e-9)
            np.testing.assert_allclose(high, table["used_kwh"] * (1 + width), rtol=1e-9)


def test_the_horizon_may_end_inside_an_hour_and_a_day() -> None:
    made = built(hours(705, 2), 15, 42_300)
    assert (len(made.factory["native"]), len(made.factory["hour"]), len(made.factory["day"])) == (
        2_820,
        705,
        30,
    )
    assert made.factory["native"]["timestamp"].iloc[-1] == ORIGIN + pd.Timedelta(minutes=42_285)
    assert tables.hours_of_days(made).tolist() == [24] * 29 + [9]
    assert tables.whole_days(tables.hours_of_days(made)).tolist() == [True] * 29 + [False]
    part = built(hours(26, 1), 15, 25 * 60 + 15)
    last = part.factory["hour"].iloc[-1]
    assert last["used_kwh_p10"] == pytest.approx(0.7 * last["used_kwh"]), (
        "a quarter's quantiles, not an hour's"
    )
    assert part.factory["day"].iloc[-1]["used_kwh_p90"] == pytest.approx(
        1.1 * part.factory["day"].iloc[-1]["used_kwh"]
    )


def test_the_shape_inside_the_hour_is_the_measured_one() -> None:
    shares = tables.shape_in_hour(native_rows(15), ["F-M00", "F-M99"], 15)
    np.testing.assert_allclose(shares[0, 5], np.array([1.0, 2.5, 4.0, 5.5]) / 13)
    np.testing.assert_allclose(shares[1], 0.25)


@pytest.mark.parametrize("horizon", [0, -60, 100])
def test_a_horizon_that_is_none_is_refused(horizon: int) -> None:
    with pytest.raises(DataError, match="horizon"):
        built(hours(24, 1), 15, horizon)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e7])
def test_rounding_for_exact_sums_loses_nothing_that_matters(scale: float) -> None:
    kwh = np.random.default_rng(1).gamma(2.0, scale, (42_300, 8))
    rounded = tables.exactly(kwh)
    assert np.abs(rounded - kwh).max() <= 1e-10 * kwh.sum() / 1e5
    assert (rounded.sum(axis=0).sum() == rounded.sum(axis=1).sum()) and rounded.min() >= 0
    assert (tables.exactly(np.zeros((3, 2))) == 0).all()
