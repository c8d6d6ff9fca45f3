"""The monitor notices inputs that moved, and is quiet where only seasons, weekdays and holidays go by."""

import numpy as np
import pandas as pd
import pytest

from fems.model.history import History
from fems.monitor import drift

ZONE = "Asia/Seoul"
DAYS, NEW = 200, 28
TRAINED_UNTIL = pd.Timestamp("2025-01-06", tz=ZONE) + pd.Timedelta(days=DAYS)


def plant(seed: int, days: int = DAYS + NEW) -> History:
    """Two machines with working hours, quiet weekends and noise that hangs together from day to day."""
    rng = np.random.default_rng(seed)
    hours = pd.date_range("2025-01-06", periods=24 * days, freq="h", tz=ZONE)
    work = np.where(hours.day_of_week < 5, 1.0, 0.2) * np.where(
        (hours.hour >= 8) & (hours.hour < 18), 1.0, 0.1
    )
    noise = np.zeros(days)
    for d in range(1, days):
        noise[d] = 0.8 * noise[d - 1] + 0.05 * rng.standard_normal()
    season = 1 + 0.1 * np.sin(2 * np.pi * np.arange(24 * days) / (24 * 90))
    base = work * season * np.repeat(np.exp(noise), 24)
    used = np.column_stack([100 * base, 40 * base * (1 + 0.05 * rng.standard_normal(24 * days))])
    return with_energy(hours, used)


def with_energy(hours: pd.DatetimeIndex, used: np.ndarray) -> History:
    total = used.sum(axis=1)
    inputs = pd.DataFrame(
        {"used_kwh": total, "power_factor_pct": np.where(total > 0, 92.0, np.nan), "current_a": total * 2},
        index=hours,
    )
    return History(hours, used, ("a", "b"), inputs)


def changed(history: History, factor: float, sensor: slice | int = slice(None)) -> History:
    used = history.used_kwh.copy()
    used[24 * (DAYS + NEW - 14) :, sensor] *= factor
    return with_energy(history.hours, used)


def moved(history: History, **rules: float) -> list[drift.Moved]:
    return drift.moved(history, TRAINED_UNTIL, 14, rules.get("margin", 1.5), rules.get("least_pct", 10.0))


def test_few_alarms_where_nothing_but_noise_and_season_goes_by() -> None:
    assert sum(bool(moved(plant(seed))) for seed in range(20)) <= 1


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_a_changed_level_is_seen_and_told(factor: float) -> None:
    seen = [moved(changed(plant(seed), factor)) for seed in range(10)]
    assert sum(map(bool, seen)) >= 9
    found = {one.name: one for one in next(filter(None, seen))}
    assert found["used_kwh"].change_pct == pytest.approx(100 * (factor - 1), abs=25)
    assert f"{found['used_kwh'].change_pct:+.0f} %" in str(found["used_kwh"])
    assert "power_factor_pct" not in found


def test_one_machine_is_named() -> None:
    found = [one.name for one in moved(changed(plant(3), 2.0, sensor=1))]
    assert found[0] == "b" and "a" not in found


def test_what_does_not_matter_to_the_factory_is_passed_over() -> None:
    history = changed(plant(3), 1.8, sensor=1)  # 0.8 of 40 in 140: 23 % of the factory
    assert "b" in {one.name for one in moved(history, least_pct=15)}
    assert moved(history, least_pct=40) == []


def test_days_that_were_trained_on_are_not_held_against_the_training() -> None:
    history = changed(plant(1), 3.0)
    assert moved(history)
    assert drift.moved(history, history.end - pd.Timedelta(days=13), 14, 1.5, 10.0) == []
    assert drift.moved(history, history.end, 14, 1.5, 10.0) == []


def test_a_short_training_says_nothing() -> None:
    history = changed(plant(1), 3.0)
    short = history.between(history.end - pd.Timedelta(days=28 + 100), history.end)
    assert drift.moved(short, TRAINED_UNTIL, 14, 1.5, 10.0) == []


def test_holes_holidays_and_a_silent_sensor_are_no_drift() -> None:
    history = plant(4)
    used = history.used_kwh.copy()
    used[24 * (DAYS + NEW - 12) :] = np.nan  # most of the newest days are missing
    assert moved(with_energy(history.hours, used)) == []
    never = with_energy(
        history.hours, np.column_stack([history.used_kwh[:, 0], np.zeros(len(history.hours))])
    )
    assert "b" not in {one.name for one in moved(never)}


def test_a_future_value_moves_nothing() -> None:
    history, planted = plant(5), changed(plant(5), 50.0)
    now = history.hours[24 * (DAYS + NEW - 14)]
    assert [str(one) for one in moved(planted.until(now))] == [str(one) for one in moved(history.until(now))]
    assert moved(planted)


def test_a_daily_mean_needs_most_of_the_day_and_a_running_day_is_left_out() -> None:
    history = plant(6, days=10)
    used = history.used_kwh.copy()
    used[24 : 24 + 7] = np.nan
    means, days = drift.daily_means(
        with_energy(history.hours, used).until(history.end - pd.Timedelta(hours=3))
    )
    assert len(days) == len(means) == 9
    assert np.isnan(means["a"].iloc[1]) and means["a"].iloc[2] == pytest.approx(used[48:72, 0].mean())
