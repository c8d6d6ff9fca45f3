"""One step ahead at any grain, and what the month-ahead model is mixed with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fems.calendar import holidays_of, local_days
from fems.errors import ConfigError, DataError
from fems.flows.backtest import read_series, run, step_of
from fems.model.history import Floats, History
from fems.model.month_ahead import mstl, shares
from fems.model.month_ahead.prior import add_share
from fems.model.month_ahead.train import train_month_ahead
from fems.model.one_step.inputs import input_columns
from fems.model.one_step.train import train_one_step
from fems.model.scaling import MinMaxScaler

ZONE = "Asia/Seoul"


def quarters(days: int) -> History:
    """A machine that starts a cycle every morning at six; the meter is read four times an hour."""
    times = pd.date_range("2025-01-01", periods=96 * days, freq="15min", tz=ZONE)
    random = np.random.default_rng(0)
    used = 5 + 40 * ((times.hour >= 6) & (times.hour < 18)) + random.gamma(2.0, 1.0, len(times))
    return History(times, used[:, None], ("M",), pd.DataFrame({"used_kwh": used}, index=times))


def weekdays(days: int, holiday_kwh: float = 2.0) -> History:
    """A machine that works all hours of weekdays and stops on holidays."""
    hours = pd.date_range("2024-01-01", periods=24 * days, freq="h", tz=ZONE)
    off = holidays_of("KR", local_days(hours))
    used = np.where(off, holiday_kwh, np.where(hours.day_of_week < 5, 40.0, 10.0))
    used = used * np.random.default_rng(1).normal(1, 0.02, len(hours))
    return History(hours, used[:, None], ("M",), pd.DataFrame({"used_kwh": used}, index=hours))


def test_quarters_of_an_hour_are_forecast_one_step_ahead() -> None:
    history = quarters(30)
    model = train_one_step(history, epochs=10)
    assert history.step == pd.Timedelta(minutes=15)
    assert len(model.forecast) == 30 * 96 // 5  # shorter than 42,300 minutes: a fifth is tested
    assert model.metrics["accuracy"] > model.metrics["persistence_accuracy"]
    following = model.predict(history)
    assert following.index[-1] == history.end == history.hours[-1] + pd.Timedelta(minutes=15)


def test_the_test_span_is_42300_minutes_at_any_grain() -> None:
    model = train_one_step(quarters(160), epochs=1)
    assert len(model.forecast) == 42_300 // 15


def test_a_month_is_forecast_from_hours_alone() -> None:
    with pytest.raises(DataError, match="15:00; a month is forecast from hours"):
        train_month_ahead(quarters(40))
    with pytest.raises(DataError, match="no part of an hour"):
        seven = pd.date_range("2025-01-01", periods=50, freq="7min", tz=ZONE)
        History(seven, np.ones((50, 1)), ("M",), pd.DataFrame({"used_kwh": np.ones(50)}, index=seven))


def test_a_row_of_inputs_knows_the_next_interval_but_not_its_value() -> None:
    history = quarters(10)
    scaler = MinMaxScaler.fit(("used_kwh",), history.used_kwh)
    rows = input_columns(history, scaler)
    scaled = scaler.transform(history.used_kwh)[:, 0]
    at = 8 * 96
    np.testing.assert_allclose(rows[at, :3], [scaled[at], scaled[at + 1 - 96], scaled[at + 1 - 7 * 96]])
    later = history.used_kwh.copy()
    later[at + 1 :] = 1e6
    changed = replace(
        history, used_kwh=later, inputs=pd.DataFrame({"used_kwh": later[:, 0]}, index=history.hours)
    )
    np.testing.assert_array_equal(input_columns(changed, scaler)[: at + 1], rows[: at + 1])
    # Seven of the calendar's columns are the weekday, that of the next interval: midnight is tomorrow's.
    assert rows[96 * 5 - 1, -12:-5].argmax() == (history.hours[96 * 5]).day_of_week


def test_a_grain_is_an_hour_or_a_part_of_one(tmp_path: Path) -> None:
    assert step_of("15min") == pd.Timedelta(minutes=15) and step_of("1h") == pd.Timedelta(hours=1)
    for wrong in ("2h", "7min", "often", "10s"):
        with pytest.raises(ConfigError, match=wrong):
            step_of(wrong)
    path = tmp_path / "t.csv"
    frame = pd.DataFrame({"t": quarters(20).hours, "kwh": quarters(20).factory_kwh})
    frame.to_csv(path, index=False)
    read = read_series(path, "t", "kwh", [], ZONE, "KR", step_of("30min"))
    assert len(read.hours) == 20 * 48 and read.factory_kwh.sum() == pytest.approx(frame["kwh"].sum())
    with pytest.raises(DataError, match="coarser"):
        read_series(path, "t", "kwh", [], ZONE, "KR", step_of("5min"))
    found = run(read, one_step=True, horizon_minutes=42_300, origins=1, epochs=1, seed=0)
    assert found.protocol == "one-step" and set(found.mean) == {"lstm", "persistence"}


def test_a_festival_right_before_the_origin_does_not_pull_mstl_down() -> None:
    """Chuseok 2024 is 16 to 18 September; what was measured ends with it."""
    history = weekdays(300)
    origin = pd.Timestamp("2024-09-19", tz=ZONE)
    said = mstl.predict(history.until(origin), origin, 24 * 21)
    assert said is not None
    hours = pd.date_range(origin, periods=len(said), freq="h")
    off = holidays_of("KR", local_days(hours))
    working = (hours.day_of_week < 5) & ~off
    assert said[working].mean() == pytest.approx(40, rel=0.05)
    assert off.any() and said[off].mean() < 20  # 1, 3 and 9 October


def test_mstl_says_nothing_of_too_little() -> None:
    history = weekdays(20)
    assert mstl.predict(history, history.end, 24) is None
    nothing = replace(history, inputs=history.inputs * np.nan)
    assert mstl.predict(nothing, history.end, 24) is None


def test_a_fall_before_the_origin_is_not_carried_on() -> None:
    history = weekdays(200)
    level = np.where(np.arange(len(history.hours)) < len(history.hours) - 7 * 24, 1.0, 0.7)
    used = history.used_kwh * level[:, None]
    fallen = replace(
        history, used_kwh=used, inputs=pd.DataFrame({"used_kwh": used[:, 0]}, index=history.hours)
    )
    said = mstl.predict(fallen, fallen.end, 24 * 21)  # before the holiday of 15 August
    assert said is not None
    last_week, first, last = used[-7 * 24 :].sum(), said[: 7 * 24].sum(), said[-7 * 24 :].sum()
    assert first == pytest.approx(last, rel=0.1) and last > 0.8 * last_week


@pytest.mark.parametrize(("error_kwh", "of_experts"), [(0.0, (0.9, 1.0)), (60.0, (0.0, 0.1))])
def test_who_errs_at_every_past_origin_keeps_little_of_its_share(
    error_kwh: float, of_experts: tuple[float, float]
) -> None:
    history = weekdays(200)

    def experts(known: History, origin: pd.Timestamp, hours: int) -> Floats:
        assert known.end == origin
        return history.factory_kwh[len(known.hours) :][:hours] + error_kwh

    found = shares.fit(history, experts, np.zeros(1))
    assert of_experts[0] <= 1 - found.trees - found.mstl <= of_experts[1]
    assert found.trees >= 0 and found.mstl >= 0


def test_shares_are_the_fixed_ones_where_there_is_no_past_to_judge_by() -> None:
    def experts(known: History, origin: pd.Timestamp, hours: int) -> Floats:
        raise AssertionError("there is no origin with 60 days before and a month after it")

    assert shares.fit(weekdays(80), experts, np.zeros(1)) == shares.OF_ONE_METER
    assert shares.fixed(2) == shares.OF_MACHINES


def test_the_steady_expert_gets_less_where_it_errs_more() -> None:
    truth = np.zeros((4, 31, 24), dtype=np.float32)
    said = np.stack(
        [truth + 1, truth + 2], axis=2
    )  # the steady expert, second, has four times the squared error
    weights = np.tile([1.0, 0.0], (3, 1))
    np.testing.assert_allclose(add_share(weights, said, truth, towards=1, share=0.25)[:, 1], 0.25 / 16)
    np.testing.assert_allclose(add_share(weights, said[:, :, ::-1], truth, towards=1, share=0.25)[:, 1], 0.25)
    perfect = np.stack([truth, truth], axis=2)
    np.testing.assert_allclose(add_share(weights, perfect, truth, towards=1, share=0.25)[:, 1], 0.25)
