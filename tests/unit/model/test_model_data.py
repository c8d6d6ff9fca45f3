"""What feeds the models: history, calendar, scaling, windows, days, scores, baselines. No TensorFlow."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fems.calendar import holidays_of
from fems.errors import ConfigError, DataError, TooLittleHistory
from fems.model import baselines, scores, source
from fems.model import calendar_features as calendar
from fems.model.history import History
from fems.model.month_ahead.daygrid import DayGrid
from fems.model.one_step import windows
from fems.model.scaling import MinMaxScaler


def hour_table(
    days: int = 3, sensors: tuple[str, ...] = ("A", "B"), zone: str = "Asia/Seoul"
) -> pd.DataFrame:
    hours = pd.date_range("2025-03-03", periods=24 * days, freq="h", tz=zone)
    random = np.random.default_rng(1)
    return pd.concat(
        pd.DataFrame(
            {
                "timestamp": hours,
                "factory_id": "1100",
                "sensor_id": sensor,
                "used_kwh": random.uniform(5, 20, len(hours)),
                "power_factor_pct": 90.0,
                "current_a": 10.0,
                "active_kwh": 4.0,
                "reactive_kvarh": 3.0,
            }
        )
        for sensor in sensors
    ).astype({"factory_id": "category", "sensor_id": "category"})


def test_the_factory_is_the_sum_of_its_sensors() -> None:
    table = hour_table()
    history = History.from_hour_table(table.sample(frac=1, random_state=0))
    expected = table.groupby("timestamp")["used_kwh"].sum()
    assert history.equipment == ("A", "B")
    np.testing.assert_allclose(history.factory_kwh, expected.to_numpy())
    np.testing.assert_allclose(history.used_kwh.sum(axis=1), expected.to_numpy())
    assert (history.inputs["current_a"] == 20.0).all()
    np.testing.assert_allclose(history.inputs["power_factor_pct"], 80.0)  # 100 * 8 / sqrt(64 + 36)


def test_without_active_energy_the_power_factor_is_weighted_by_use() -> None:
    table = hour_table(1).drop(columns=["active_kwh", "reactive_kvarh", "current_a"])
    table.loc[table["sensor_id"] == "A", ["used_kwh", "power_factor_pct"]] = [30.0, 100.0]
    table.loc[table["sensor_id"] == "B", ["used_kwh", "power_factor_pct"]] = [10.0, 60.0]
    history = History.from_hour_table(table)
    assert list(history.inputs) == ["used_kwh", "power_factor_pct"]
    np.testing.assert_allclose(history.inputs["power_factor_pct"], 90.0)


def test_a_missing_sensor_makes_the_sum_missing_until_it_has_been_silent_for_a_week() -> None:
    table = hour_table(20)
    start = table["timestamp"].min()
    gone = (table["sensor_id"] == "B") & (table["timestamp"] >= start + pd.Timedelta(days=5))
    history = History.from_hour_table(table[~gone])
    missing = np.isnan(history.factory_kwh)
    assert not missing[: 5 * 24].any()
    assert missing[5 * 24 : 5 * 24 + 167].all()
    assert not missing[12 * 24 :].any()


def test_gaps_become_missing_hours_and_the_cut_is_exact() -> None:
    table = hour_table(3, ("A",))
    history = History.from_hour_table(table.drop(index=table.index[10:14]))
    assert len(history.hours) == 72
    assert np.isnan(history.used_kwh[10:14]).all()
    origin = history.hours[30]
    assert history.until(origin).hours[-1] == history.hours[29]
    assert history.until(origin).end == origin
    # An hour that has begun but not ended is not known yet.
    assert history.until(origin + pd.Timedelta(minutes=59)).hours[-1] == history.hours[29]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(factory_id=["1", *["2"] * (len(t) - 1)]), "2 factories"),
        (lambda t: t.assign(timestamp=t["timestamp"].dt.tz_localize(None)), "time zone"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "two rows"),
        (lambda t: t.drop(columns="used_kwh"), "lacks used_kwh"),
        (lambda t: t.assign(used_kwh=np.nan), "missing in every row"),
    ],
)
def test_a_bad_table_is_refused(spoil, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=says):
        History.from_hour_table(spoil(hour_table()))


def test_labour_day_is_off_in_korea() -> None:
    days = np.array(["2018-04-30", "2018-05-01", "2018-05-02", "2018-09-24"], dtype="datetime64[D]")
    features = calendar.day_features(days, "KR")
    assert features["holiday"].tolist() == [0, 1, 0, 1]
    assert features["before_holiday"].tolist() == [1, 0, 0, 1]
    assert features["after_holiday"].tolist() == [0, 0, 1, 1]
    assert features["weekday"].tolist() == [0, 1, 2, 0]
    assert calendar.day_kinds(features).tolist() == [0, calendar.HOLIDAY, 2, calendar.FESTIVAL]


def test_festivals_bridges_and_the_shift_plan_are_known() -> None:
    days = np.arange("2018-09-21", "2018-10-10", dtype="datetime64[D]")
    features = calendar.day_features(days, "KR", "two_shift")
    found = {
        name: [str(d)[5:] for d in days[features[name] == 1]] for name in ("holiday", "festival", "bridge")
    }
    chuseok = ["09-23", "09-24", "09-25", "09-26"]
    assert found["holiday"] == [*chuseok, "10-03", "10-09"]
    assert found["festival"] == chuseok
    assert found["bridge"] == ["10-08"]  # a Monday before a holiday
    assert features["planned"].iloc[:3].tolist() == [16 / 24, 8 / 24, 0.0]  # Friday, Saturday, Sunday
    assert not calendar.day_features(days, "KR")["planned"].any()
    with pytest.raises(ConfigError, match="night"):
        calendar.day_features(days, "KR", "night")


def test_an_unknown_country_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="'XX'"):
        holidays_of("XX", np.array(["2025-01-01"], dtype="datetime64[D]"))


@pytest.mark.parametrize("seed", range(5))
def test_scaler_round_trip(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(0, 10 ** random.uniform(-3, 6), (50, 3))
    values[random.random(values.shape) < 0.1] = np.nan
    values[:, 1] = 7.5
    scaler = MinMaxScaler.fit(("a", "b", "c"), values)
    again = MinMaxScaler.from_json(scaler.to_json())
    assert again == scaler
    scaled = scaler.transform(values)
    assert np.nanmin(scaled) == 0.0 and np.nanmax(scaled) <= 1.0 + 1e-12
    assert np.nanmax(np.abs(scaled[:, 1])) == 0.0
    np.testing.assert_allclose(again.inverse(scaled), values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaler.only("c").transform(values[:, 2:]), scaled[:, 2:])


def test_scaler_of_nothing_and_of_rubbish() -> None:
    assert MinMaxScaler.fit(("a",), np.full((3, 1), np.nan)).inverse([[0.5]]) == 0.5
    for text in ("", "{}", '{"names": ["a"], "minimum": 1, "span": 2}'):
        with pytest.raises(DataError):
            MinMaxScaler.from_json(text)


def test_windows_equal_naive_slicing_and_share_memory() -> None:
    values = np.random.default_rng(0).normal(size=(40, 3))
    seen = windows.sliding(values, 7)
    assert seen.shape == (34, 7, 3)
    for i in range(34):
        np.testing.assert_array_equal(seen[i], values[i : i + 7])
    assert np.shares_memory(seen, values)
    with pytest.raises(TooLittleHistory):
        windows.sliding(values[:6], 7)


def test_windows_without_a_target_are_dropped() -> None:
    target = np.arange(10.0)
    target[[4, 9]] = np.nan
    kept, following = windows.windows_with_target(target, 3)
    assert kept.tolist() == [0, 2, 3, 4, 5]
    assert following.tolist() == [3, 5, 6, 7, 8]


def test_filling_forward_looks_at_the_past_alone() -> None:
    values = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [3.0, 4.0]])
    filled = windows.fill_forward(values, before=-1.0)
    assert filled.tolist() == [[-1.0, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 4.0]]


def test_a_clock_change_keeps_the_wall_clock() -> None:
    hours = pd.date_range("2025-10-25", "2025-10-27 23:00", freq="h", tz="Europe/Berlin")
    grid = DayGrid.of(hours, np.asarray(hours.hour, dtype=float)[:, None])
    assert len(hours) == 73
    np.testing.assert_array_equal(grid.values[:, :, 0], np.tile(np.arange(24.0), (3, 1)))
    spring = pd.date_range("2025-03-30", periods=23, freq="h", tz="Europe/Berlin")
    assert np.isnan(DayGrid.of(spring, np.ones((23, 1))).values[0, 2, 0])


def test_scores_by_hand() -> None:
    truth, forecast = np.array([1.0, 2.0, np.nan, 5.0]), np.array([1.0, 4.0, 9.0, 5.0])
    assert scores.rmse_scaled(truth, forecast, 10.0) == pytest.approx(np.sqrt(4 / 3) / 10)
    assert scores.accuracy(truth, forecast, 10.0) == pytest.approx(100 * (1 - np.sqrt(4 / 3) / 10))
    assert scores.mae(truth, forecast) == pytest.approx(2 / 3)
    assert scores.total_error_pct(truth, forecast) == pytest.approx(25.0)
    assert scores.r2(truth, truth) == 1.0
    assert scores.coverage(truth, forecast - 1, forecast + 1) == pytest.approx(2 / 3)
    with pytest.raises(DataError):
        scores.mae([np.nan], [1.0])


def test_weekly_naive_repeats_the_last_week_and_never_looks_ahead() -> None:
    history = History.from_hour_table(hour_table(30))
    origin = history.hours[20 * 24 + 5]
    forecast = baselines.weekly_naive(history, origin, 300)
    at = 20 * 24 + 5
    np.testing.assert_array_equal(forecast.to_numpy()[:168], history.used_kwh[at - 168 : at])
    np.testing.assert_array_equal(forecast.to_numpy()[168:], history.used_kwh[at - 168 : at - 168 + 132])
    with pytest.raises(TooLittleHistory):
        baselines.weekly_naive(history, history.hours[100], 300)


def test_the_profile_is_the_weighted_mean_of_each_hour_of_the_week() -> None:
    history = History.from_hour_table(hour_table(21))  # the first day, 3 March, is a holiday
    forecast = baselines.hour_of_week_profile(history, history.end, 168, half_life_weeks=1e9)
    weeks = history.used_kwh.reshape(3, 168, 2)
    np.testing.assert_allclose(forecast.to_numpy()[24:], weeks.mean(axis=0)[24:], rtol=1e-6)
    np.testing.assert_allclose(forecast.to_numpy()[:24], weeks[1:].mean(axis=0)[:24], rtol=1e-6)
    late = baselines.hour_of_week_profile(history, history.end, 168, half_life_weeks=1.0)
    expected = (weeks[0] + 2 * weeks[1] + 4 * weeks[2]) / 7
    np.testing.assert_allclose(late.to_numpy()[24:], expected[24:], rtol=1e-6)
    # 1 May looks like the one holiday there was.
    may = baselines.hour_of_week_profile(history, pd.Timestamp("2025-05-01", tz="Asia/Seoul"), 24)
    np.testing.assert_allclose(may.to_numpy(), history.used_kwh[:24], rtol=1e-6)


def test_a_model_s_code_is_one_list_with_every_folder_below_it(tmp_path: Path) -> None:
    files = source.source_files()
    assert {"model/month_ahead/gate.py", "model/one_step/model.py", "calendar.py", "errors.py"} <= set(files)
    for name, file in files.items():
        copy = tmp_path / "fems" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    assert source.fingerprint(tmp_path / "fems") == source.fingerprint()
    # It stands alone: a model is served by these files and what is installed.
    script = "from fems.model import bundle, train; import fems; print(fems.__file__)"
    served = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE,
    ).stdout  # fmt: skip
    assert served.strip() == str(tmp_path / "fems" / "__init__.py")
    # A module in a new folder below is the model's code, too.
    deeper = tmp_path / "fems/model/month_ahead/parts/new.py"
    deeper.parent.mkdir()
    deeper.write_text("NEW = 1\n")
    assert source.fingerprint(tmp_path / "fems") != source.fingerprint()
    assert "model/month_ahead/parts/new.py" in source.source_files(tmp_path / "fems")


def test_persistence_is_the_last_measured_value() -> None:
    assert baselines.persistence(np.array([1.0, np.nan, 3.0, 4.0])).tolist()[1:] == [1.0, 1.0, 3.0]
