"""What the month-ahead model promises: the calendar and stops are understood, noise is not, and a champion earns it."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fems.calendar import ONE_DAY, holidays_of, local_days
from fems.errors import ConfigError, DataError
from fems.flows.backtest import read_series, run
from fems.model import backtest, promotion, scores
from fems.model import calendar_features as calendar
from fems.model.bundle import Bundle
from fems.model.history import Floats, History
from fems.model.month_ahead import band, experts, shutdowns
from fems.model.month_ahead.daygrid import DayGrid
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.train import train_month_ahead

ZONE = "Asia/Seoul"


def plant(days: int, start: str = "2024-08-01", seed: int = 0, holiday: float = 0.1) -> History:
    """A machine that works on weekdays; a holiday is worth `holiday` of a working day."""
    random = np.random.default_rng(seed)
    hours = pd.date_range(start, periods=24 * days, freq="h", tz=ZONE)
    working = (hours.day_of_week < 5) & (hours.hour >= 8) & (hours.hour < 18)
    off = holidays_of("KR", local_days(hours))
    used = 5 + 40 * np.where(off, holiday * ((hours.hour >= 8) & (hours.hour < 18)), working)
    used = used * random.normal(1, 0.03, len(hours))
    return History(hours, used[:, None], ("M",), pd.DataFrame({"used_kwh": used}, index=hours))


def consult(history: History) -> dict[str, np.ndarray]:
    """What each expert says of the 31 days from the history's end on, (31, 24)."""
    grid = DayGrid.of(history.hours, history.used_kwh)
    days = np.arange(grid.days[0], grid.days[-1] + 31 * ONE_DAY, ONE_DAY)
    features = calendar.day_features(days, "KR")
    known = np.concatenate([grid.values, np.full((1, 24, 1), np.nan)])
    days = np.append(days, days[-1] + ONE_DAY)
    features = calendar.day_features(days, "KR")
    said = experts.predict_all(known, calendar.day_kinds(features), calendar.weekdays(days), 31, 28, True)
    return {name: said.future[:, k, :, 0] for k, name in enumerate(experts.NAMES)}


def test_a_stop_is_found_and_moves_no_level() -> None:
    history = plant(120)
    used = history.used_kwh.copy()
    stopped = (history.hours >= "2024-11-20") & (history.hours < "2024-11-27")
    used[stopped] = 3.0
    stop = replace(history, used_kwh=used)
    grid = DayGrid.of(stop.hours, stop.used_kwh)
    found = shutdowns.find_shutdowns(grid.values, calendar.day_kinds(calendar.day_features(grid.days, "KR")))[
        :, 0
    ]
    days = [str(day) for day in grid.days[found]]
    assert days == [f"2024-11-{d}" for d in (20, 21, 22, 25, 26)]  # a weekend that rests is no stop
    whole, broken = consult(history), consult(stop)
    for name in experts.NAMES:  # a week is gone all the same, and what is left of it is noise
        gone = np.abs(broken[name] - whole[name]).mean() / whole[name].mean()
        if name == "last_week" or name.startswith("plain_"):
            assert gone > 0.05, name
        else:
            assert gone < (0.06 if "trend" in name else 0.035), name  # a slope doubles the noise


def test_a_machine_that_often_rests_has_no_stops() -> None:
    history = plant(120)
    used = history.used_kwh.copy()
    day = np.arange(len(used)) // 24
    used[day % 3 == 0] = 3.0
    kinds = calendar.day_kinds(calendar.day_features(DayGrid.of(history.hours, used).days, "KR"))
    assert not shutdowns.find_shutdowns(DayGrid.of(history.hours, used).values, kinds).any()


def test_a_planted_holiday_effect_is_learnt() -> None:
    """Holidays at twice a working day's energy, which nothing but the data can tell."""
    history = plant(430, start="2024-01-01", holiday=2.0)  # ends on 5 March
    origin = pd.Timestamp("2025-02-10", tz=ZONE)  # 1 March 2025 is a Saturday, 3 March its substitute
    model = train_month_ahead(history.until(origin))
    said = model.predict(history, origin, 705)["M"]
    working, holiday = said["2025-02-26 12:00"], said["2025-03-03 12:00"]
    assert 1.6 * working < holiday < 2.4 * working


def test_pure_noise_is_forecast_at_its_mean() -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 200, freq="h", tz=ZONE)
    used = np.random.default_rng(1).gamma(2.0, 5.0, (len(hours), 1))
    noise = History(hours, used, ("M",), pd.DataFrame({"used_kwh": used[:, 0]}, index=hours))
    model = train_month_ahead(noise)
    assert (model.trust > 0) == (model.notes["gate_val_loss"] <= model.notes["prior_val_loss"])
    assert (model.network is not None) == (model.gate == "network") == (model.trust > 0)
    said = model.predict(noise, noise.end, 705)["M"]
    assert abs(said.mean() / used.mean() - 1) < 0.1 and said.std() < 0.5 * used.std()


@pytest.mark.parametrize("spoil", ["constant", "half missing", "one meter of two silent"])
def test_poor_data_is_forecast_all_the_same(spoil: str) -> None:
    history = plant(100)
    used = np.repeat(history.used_kwh, 2, axis=1)
    if spoil == "constant":
        used[:] = 7.0
    elif spoil == "half missing":
        used[np.random.default_rng(0).random(used.shape) < 0.5] = np.nan
    else:
        used[:, 1] = np.nan
    heard = np.isfinite(used).any(axis=0)  # as in `History.from_hour_table`, a partial sum is none
    inputs = pd.DataFrame({"used_kwh": used[:, heard].sum(axis=1)}, index=history.hours)
    model = train_month_ahead(History(history.hours, used, ("A", "B"), inputs))
    bands = model.predict_bands(History(history.hours, used, ("A", "B"), inputs), history.end, 705)
    said = bands.hour[""]
    assert np.isfinite(said.to_numpy()).all() and (said >= 0).all().all()
    if spoil == "constant":
        np.testing.assert_allclose(said["p50_kwh"], 14.0, rtol=1e-3)
    else:
        noon = said["p50_kwh"][(said.index.hour == 12) & (said.index.day_of_week < 5)]
        machines = 1 if spoil == "one meter of two silent" else 2
        assert 35 * machines < noon.median() < 55 * machines
        assert (said["p90_kwh"] > said["p10_kwh"]).all()


MANY = 1e6
"""Months of a factory's own, beside which other series do not count."""


def errors(level: float, day: float, hour: Floats, seed: int, origins: int = 60) -> Floats:
    """(O, 28, 24, 2) kWh: what a month, a day and an hour err by; the second machine's days and months do not."""
    random = np.random.default_rng(seed)
    own = random.normal(0, hour, (origins, 28, 24, 2))
    own[..., 0] += random.normal(0, day, (origins, 28, 1)) + random.normal(0, level, (origins, 1, 1))
    return own


def test_the_band_holds_what_it_says_on_windows_that_it_did_not_see() -> None:
    """Apart for hours, days and the month, whose errors have more and more in common."""
    kinds = np.tile([0, 0, 0, 0, 0, 1, 2], (60, 4))
    width = 1 + np.arange(24)[:, None] / 6
    seen, later = (errors(1.5, 1.0, width, seed, origins=60 * n) for seed, n in ((5, 1), (6, 10)))
    made = band.fit(seen, kinds, MANY)
    assert made.level[0] == pytest.approx(1.5, rel=0.25) and made.level[1] < 0.3
    hours = pd.date_range("2025-06-09", periods=28 * 24, freq="h", tz=ZONE)  # no holiday within
    flat = pd.DataFrame(1000.0, index=hours, columns=["A", "B"])
    bands = band.around(flat, made, "KR", True, np.zeros(2))
    for name, error in (("A", later[..., 0]), ("B", later[..., 1]), ("", later.sum(axis=3))):
        by_hour = error.reshape(len(error), -1)
        kwh = float(bands.hour[name]["p50_kwh"].sum())
        month = bands.of_span(name, kwh, len(hours))[1] - kwh
        for half, truth in (
            ((bands.hour[name]["p90_kwh"] - bands.hour[name]["p50_kwh"]).to_numpy(), by_hour),
            ((bands.day[name]["p90_kwh"] - bands.day[name]["p50_kwh"]).to_numpy(), error.sum(axis=2)),
            (month, by_hour.sum(axis=1)),
        ):
            assert 0.72 < np.mean(np.abs(truth) <= half) < 0.9, (name, np.size(half))
        of_hour = np.abs(by_hour) <= (bands.hour[name]["p90_kwh"] - bands.hour[name]["p50_kwh"]).to_numpy()
        by_clock = of_hour.mean(axis=0).reshape(28, 24).mean(axis=0)
        assert np.ptp(by_clock) < 0.12  # in wide hours and in narrow ones
    assert bands.shared["A"] > 0.4 and bands.shared["B"] < 0.2


def test_a_short_history_takes_the_level_s_error_from_other_series() -> None:
    kinds = np.tile([0, 0, 0, 0, 0, 1, 2], (4, 4))
    calm = errors(0.0, 2.0, np.ones((24, 1)), 8, origins=4)
    short, long = (band.fit(calm, kinds, months).level[0] for months in (1.0, MANY))
    assert short > 2 * long and short == pytest.approx(2.0 * band.LEVEL_RATIO, rel=0.25)
    assert band.months_of(np.array([0, 30, 59])) == pytest.approx(3, abs=0.1)
    nothing = band.fit(np.full((4, 28, 24, 1), np.nan), kinds, 1.0)
    assert not nothing.hour.any() and not nothing.level.any()


def test_bands_are_of_every_machine_and_the_factory_by_the_hour_and_by_the_day() -> None:
    random = np.random.default_rng(6)
    made = band.fit(random.normal(0, 3, (10, 28, 24, 2)), np.tile([0, 0, 0, 0, 0, 1, 2], (10, 4)), MANY)
    hours = pd.date_range("2025-03-03 18:00", periods=54, freq="h", tz=ZONE)
    kwh = pd.DataFrame({"A": 100.0, "B": 1.0}, index=hours)
    bands = band.around(kwh, made, "KR", True, np.zeros(2))
    assert set(bands.hour) == set(bands.day) == {"A", "B", ""}
    pd.testing.assert_series_equal(
        bands.hour[""]["p50_kwh"], kwh.sum(axis=1), check_names=False, check_freq=False
    )
    assert [str(day)[:10] for day in bands.day["A"].index] == ["2025-03-03", "2025-03-04", "2025-03-05"]
    assert bands.day["A"]["p50_kwh"].tolist() == [600.0, 2400.0, 2400.0]
    for table in (*bands.hour.values(), *bands.day.values()):
        assert list(table) == ["p10_kwh", "p50_kwh", "p90_kwh"] and (table >= 0).all().all()
        assert (table["p10_kwh"] <= table["p50_kwh"]).all() and (table["p50_kwh"] <= table["p90_kwh"]).all()
    width = (bands.day["A"]["p90_kwh"] - bands.day["A"]["p10_kwh"]).to_numpy()
    assert np.isclose(width[0] / width[1], 0.5, atol=0.1)  # a quarter of a day of independent hours
    whole = bands.hour["A"].iloc[6:30]
    assert width[1] < 0.4 * (whole["p90_kwh"] - whole["p10_kwh"]).sum()


def test_a_factory_that_works_on_holidays_has_a_working_days_band_there() -> None:
    days = np.array(["2025-05-01", "2025-05-04", "2025-05-03", "2025-05-02"], dtype="datetime64[D]")
    features = calendar.day_features(days, "KR")  # a Thursday that is a holiday, Sunday, Saturday, Friday
    assert band.kinds_of(features, holidays_off=True).tolist() == [2, 2, 1, 0]
    assert band.kinds_of(features, holidays_off=False).tolist() == [0, 2, 1, 0]
    random = np.random.default_rng(7)
    kinds = np.tile([0, 0, 0, 0, 0, 1, 2], (10, 4))
    width = np.array([10, 10, 1.0])[kinds][..., None, None]
    made = band.fit(random.normal(0, width, (10, 28, 24, 1)), kinds, MANY)
    hours = pd.date_range("2025-05-01", periods=24, freq="h", tz=ZONE)
    kwh = pd.DataFrame({"A": 100.0}, index=hours)
    off, on = (band.around(kwh, made, "KR", off, np.zeros(1)).hour["A"] for off in (True, False))
    wide, narrow = ((bands["p90_kwh"] - bands["p10_kwh"]).mean() for bands in (on, off))
    assert wide > 5 * narrow


def test_every_method_is_scored_on_the_same_windows_and_sees_no_future() -> None:
    history = plant(150)
    methods = backtest.all_methods()
    result = backtest.month_ahead(history, methods, count=2, horizon_minutes=7 * 1440)
    assert set(result.mean) == {"month_ahead", "weekly_naive", "profile", "mstl", "xgboost"}
    assert set(result.train_seconds) == set(result.mean)
    for name, found in result.mean.items():
        assert {"accuracy", "rmse_scaled", "mae", "r2", "total_error_pct", "abs_total_error_pct"} <= set(
            found
        )
        assert found["accuracy"] > 85, name
    assert 0 <= result.mean["month_ahead"]["coverage_80"] <= 1
    origin = pd.Timestamp(result.windows[0].origin)
    spoilt = replace(history, used_kwh=np.where((history.hours >= origin)[:, None], 1e6, history.used_kwh))
    spoilt = replace(spoilt, inputs=pd.DataFrame({"used_kwh": spoilt.used_kwh[:, 0]}, index=spoilt.hours))
    for name, method in methods.items():
        one, two = (method(h, origin, 168)["kwh"].to_numpy() for h in (history, spoilt))
        np.testing.assert_array_equal(one, two, err_msg=name)


def test_windows_to_choose_on_and_windows_to_report_do_not_meet() -> None:
    history = plant(300)
    hours = 705
    chosen = backtest.origins(history, 4, hours, skip=4)
    reported = backtest.origins(history, 4, hours)
    assert [b - a for a, b in itertools.pairwise([*chosen, *reported])] == [pd.Timedelta(hours=hours)] * 7
    assert reported[-1] + pd.Timedelta(hours=hours) == history.end


@pytest.mark.parametrize(
    ("ours", "naive", "rival", "promoted", "says"),
    [
        (80.0, 85.0, None, True, "worse, but the first model"),
        (90.0, 85.0, None, True, "the first model"),
        (84.0, 85.0, 80.0, False, "worse; v7 stays"),
        (90.05, 85.0, 90.0, False, "less than 0.1 ahead; v7 stays"),
        (90.2, 85.0, 90.0, True, "90.20 against 90.00 of v7"),
        (90.0, 85.0, "none", True, "not compared with v7"),
        (float("nan"), 85.0, 80.0, False, "v7 stays"),
    ],
)
def test_a_challenger_needs_a_margin(
    ours: float, naive: float, rival: float | str | None, promoted: bool, says: str
) -> None:
    known = {None: None, "none": promotion.ChampionScore("7", None, "no window in common")}
    found = known.get(rival, promotion.ChampionScore("7", rival, "it forecast this window"))  # type: ignore[arg-type]
    decision = promotion.decide(ours, naive, found)
    assert decision.promoted is promoted and says in decision.reason


def test_a_champion_that_saw_the_window_is_not_scored_on_it() -> None:
    history = plant(120)
    origin = history.end - pd.Timedelta(days=20)
    window = pd.DataFrame({"truth": history.factory_kwh[-480:]}, index=history.hours[-480:])

    def bundle(model: MonthAheadModel, metrics: dict[str, float]) -> Bundle:
        return Bundle("T", model, None, "KR", True, None, metrics)

    before, after = (train_month_ahead(h) for h in (history.until(origin), history))
    recorded = {"month_ahead.accuracy": 91.0, "month_ahead.holdout_hours": 480.0}
    honest = promotion.score_champion("1", bundle(before, recorded), window, 45.0, history, "")
    own = scores.accuracy(window["truth"], before.predict(history, origin, 480)["M"], 45.0)
    assert honest.accuracy == pytest.approx(own) and honest.accuracy != 91.0
    same = promotion.score_champion("1", bundle(after, recorded), window, 45.0, history, origin.isoformat())
    assert same.accuracy == 91.0
    for other in ("", (origin - pd.Timedelta(days=1)).isoformat()):
        assert (
            promotion.score_champion("1", bundle(after, recorded), window, 45.0, history, other).accuracy
            is None
        )


def test_a_table_that_cannot_be_used_is_one_clear_error(tmp_path: Path) -> None:
    lines = [f"2025-01-{d:02d}T{h:02d}:00:00,{h}" for d in range(1, 5) for h in range(24)]

    def read(rows: list[str], zone: str = ZONE) -> History:
        path = tmp_path / "t.csv"
        path.write_text("\n".join(["t,kwh", *rows]))
        return read_series(path, "t", "kwh", [], zone, "KR")

    assert len(read(lines).hours) == 96
    # A clock change within: two offsets, both written.
    spring = read(["2025-03-30T00:00:00+01:00,1", "2025-03-30T03:00:00+02:00,2"], "Europe/Berlin")
    assert len(spring.hours) == 3 and str(spring.hours.tz) == "Europe/Berlin"
    with pytest.raises(DataError, match="some times carry an offset"):
        read([*lines, "2025-01-05T00:00:00+09:00,1"])
    with pytest.raises(DataError, match="row 97: kwh is 'abc'"):
        read([*lines, "2025-01-05T00:00:00,abc"])
    with pytest.raises(DataError, match="infinite"):
        read([*lines, "2025-01-05T00:00:00,inf"])
    with pytest.raises(DataError, match="row 97: the time 'yesterday'"):
        read([*lines, "yesterday,1"])
    with pytest.raises(DataError, match="stands twice"):
        read([*lines, lines[0]])
    with pytest.raises(ConfigError, match="Asia/Atlantis"):
        read(lines, "Asia/Atlantis")
    with pytest.raises(ConfigError, match="90 minutes"):
        run(read(lines), one_step=False, horizon_minutes=90, origins=1, epochs=1, seed=0)
