"""Machines that feed in: a factory with solar panels behind one meter, and one without."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from builders import PLANT
from pydantic import ValidationError

from fems.forecast import cost as costs
from fems.forecast import demand, fallback, outlook, tables
from fems.model import backtest, bundle, scores
from fems.model.bundle import Bundle
from fems.model.floors import NEGATIVE_SHARE, fit_floors
from fems.model.history import History
from fems.model.month_ahead.train import train_month_ahead
from fems.model.one_step.train import train_one_step
from fems.registry.factory import Equipment
from fems.registry.plant import load_plant
from fems.settings import settings
from fems.simulate.calendar import Grid
from fems.simulate.solar import solar_kw
from fems.simulate.truth import month_truth

ZONE = "Asia/Seoul"
DAYS = 110


def net_factory(days: int = DAYS, panels_kwh: float = 60.0) -> History:
    """A press without panels, and a hall whose panels make more at noon than it uses; cloudy days make less."""
    random = np.random.default_rng(3)
    hours = pd.date_range("2025-02-01", periods=24 * days, freq="h", tz=ZONE)
    working = (hours.day_of_week < 5) & (hours.hour >= 8) & (hours.hour < 18)
    press = (4 + 30 * working) * random.normal(1, 0.03, len(hours))
    hall = (6 + 15 * working) * random.normal(1, 0.03, len(hours))
    sun = np.maximum(np.sin((hours.hour - 6) / 12 * np.pi), 0) * np.repeat(random.uniform(0.3, 1, days), 24)
    used = np.stack([press, hall - panels_kwh * np.asarray(sun)], axis=1)
    inputs = pd.DataFrame({"used_kwh": used.sum(axis=1)}, index=hours)
    return History(hours, used, ("press", "hall"), inputs)


@pytest.fixture(scope="module")
def history() -> History:
    return net_factory()


def noon(table: pd.DataFrame) -> pd.DataFrame:
    hours = pd.DatetimeIndex(table.index)
    return table[(hours.hour == 12) & (hours.day_of_week >= 5)]


def test_only_who_often_measures_less_than_nothing_has_a_floor() -> None:
    used = np.ones((1000, 4))
    used[: int(1000 * NEGATIVE_SHARE), 0] = -5.0
    used[: int(1000 * NEGATIVE_SHARE) - 1, 1] = -5.0  # faults of a meter
    used[500:, 2] = np.nan
    used[490:500, 2] = -7.0
    used[:, 3] = np.nan
    assert fit_floors(used).tolist() == [-5.0, 0.0, -7.0, 0.0]
    assert fit_floors(np.zeros((0, 2))).tolist() == [0.0, 0.0]


def test_a_hall_with_panels_is_forecast_below_zero_with_its_band_and_sums(history: History) -> None:
    origin = history.end - pd.Timedelta(hours=705)
    model = train_month_ahead(history.until(origin))
    assert model.floor[0] == 0.0 and model.floor[1] == pytest.approx(
        np.nanmin(history.until(origin).used_kwh[:, 1])
    )
    kwh = model.predict(history, origin, 705)
    assert (kwh["press"] >= 0).all() and noon(kwh)["hall"].mean() < -15
    bands = model.predict_bands(history, origin, 705)
    truth = pd.Series(history.factory_kwh, index=history.hours)[kwh.index]
    for name, total in (*kwh.items(), ("", kwh.sum(axis=1))):
        band = bands.hour[str(name)]
        pd.testing.assert_series_equal(band["p50_kwh"], total, check_names=False, check_exact=True)
        assert ((band["p10_kwh"] <= band["p50_kwh"]) & (band["p50_kwh"] <= band["p90_kwh"])).all()
    assert (bands.hour["press"]["p10_kwh"] >= 0).all()
    assert noon(bands.hour["hall"])["p10_kwh"].mean() < noon(kwh)["hall"].mean() - 5
    inside = scores.coverage(truth, bands.hour[""]["p10_kwh"], bands.hour[""]["p90_kwh"])
    assert 0.65 < inside < 0.95
    # Better than weekly naive, which is clipped nowhere.
    result = backtest.month_ahead(
        history, {"month_ahead": backtest.month_ahead_method(), **backtest.baselines()}, count=1
    )
    assert result.mean["month_ahead"]["accuracy"] > result.mean["weekly_naive"]["accuracy"] + 1


def test_where_nothing_is_below_zero_nothing_is_other_than_before(history: History) -> None:
    plain = replace(
        history,
        used_kwh=np.abs(history.used_kwh),
        inputs=pd.DataFrame({"used_kwh": np.abs(history.used_kwh).sum(axis=1)}, index=history.hours),
    )
    model = train_month_ahead(plain)
    assert not model.floor.any() and plain.above(model.floor) is plain
    assert (model.predict(plain, plain.end, 705) >= 0).all().all()


def test_a_net_model_survives_a_save(history: History, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    model = train_month_ahead(history.until(history.hours[60 * 24]))
    bundle.save(Bundle("N", model, None, "KR", True), folder)
    read = bundle.load(folder, one_step=False).month_ahead
    pd.testing.assert_frame_equal(
        read.predict(history, history.end, 100), model.predict(history, history.end, 100), check_exact=True
    )


def test_a_baseline_and_one_step_go_below_zero_too(history: History) -> None:
    made = fallback.forecast(history, history.end, 705)
    assert noon(made.kwh)["hall"].mean() < -15 and noon(made.bands.hour["hall"])["p10_kwh"].mean() < -15
    one = train_one_step(net_factory(60), epochs=1)
    assert one.floor < 0 and one.predict(net_factory(60)).min() < 0


@pytest.mark.parametrize("grain_minutes", [15, 60])
def test_the_tables_of_a_net_factory_add_up_at_every_grain(history: History, grain_minutes: int) -> None:
    made = fallback.forecast(history, history.end, 705)
    slots = 60 // grain_minutes
    starts = pd.date_range(history.hours[-24 * 28], periods=24 * 28 * slots, freq=f"{grain_minutes}min")
    native = pd.DataFrame(
        {
            "timestamp": np.tile(starts, 2),
            "sensor_id": np.repeat(history.equipment, 24 * 28 * slots),
            "used_kwh": np.repeat(history.used_kwh[-24 * 28 :].T.reshape(-1), slots) / slots
            + np.random.default_rng(0).normal(0, 1, 2 * 24 * 28 * slots),
        }
    )  # fmt: skip
    shares = tables.shape_in_hour(native, list(history.equipment), grain_minutes)
    np.testing.assert_allclose(shares.sum(axis=2), 1)
    assert np.abs(shares).max() <= 1  # an hour near 0 of which quarters cancel is no reason for huge quarters
    table = tables.build(made.kwh, made.bands, shares, "N", grain_minutes, 42_300)
    for grain in ("native", "hour", "day"):
        machines = table.equipment[grain].groupby("timestamp")["used_kwh"].sum()
        np.testing.assert_array_equal(machines.to_numpy(), table.factory[grain]["used_kwh"].to_numpy())
        frame = table.factory[grain]
        assert (frame["used_kwh_p10"] <= frame["used_kwh_p50"]).all()
        assert (frame["used_kwh_p50"] <= frame["used_kwh_p90"]).all()
    hall = table.equipment["hour"].query("sensor_id == 'hall'")
    np.testing.assert_allclose(hall["used_kwh"], made.kwh["hall"], atol=1e-6)
    np.testing.assert_allclose(hall["used_kwh_p10"], made.bands.hour["hall"]["p10_kwh"], atol=1e-6)


def test_what_is_fed_in_is_paid_at_its_own_price_and_saves_no_emission(history: History) -> None:
    made = fallback.forecast(history, history.end, 705)
    table = tables.build(made.kwh, made.bands, np.ones((2, 24, 1)), "N", 60, 42_300)
    hours = table.factory["hour"]["used_kwh"]
    drawn, fed_in = hours.clip(lower=0).sum(), -hours.clip(upper=0).sum()
    assert fed_in > 500
    (prices,) = PLANT.tariffs["flat"].price_lists
    paying = prices.model_copy(update={"feed_in_per_kwh": 80.0})
    without, with_price = (
        costs.cost(table, PLANT.tariffs["flat"].model_copy(update={"price_lists": (each,)}), "KR", None)
        for each in (prices, paying)
    )
    assert without is not None and with_price is not None
    assert without.total == without.energy > 0 and without.feed_in == 0
    assert with_price.energy == without.energy
    assert with_price.feed_in_kwh == without.feed_in_kwh == pytest.approx(fed_in)
    assert with_price.total == pytest.approx(without.total - 80 * fed_in)
    assert sum(load.kwh for load in without.by_load) == pytest.approx(drawn) == outlook.drawn_kwh(table)


def test_the_maximum_demand_of_a_factory_whose_level_is_about_zero(history: History) -> None:
    """Its highest quarter is so many kW above the level, not so many times: 14 months of it agree with what was."""
    made = fallback.forecast(history, history.end, 705)
    table = tables.build(made.kwh, made.bands, np.ones((2, 24, 1)), "N", 60, 42_300)
    power = pd.Series(history.factory_kwh, index=history.hours)
    past = demand.past_days(power, 60, "KR", feeds_in=True)
    found = demand.of_forecast(table, made.bands, past, "KR")
    usual = float(np.quantile(past.kw, 0.95))
    assert 0.7 * usual < found.p10 <= found.kw <= found.p90 < 1.5 * usual


def test_the_simulator_s_panels_feed_in_by_day_and_change_nothing_else() -> None:
    plain = load_plant(settings().factories_file).factory("1100")
    first = next(iter(plain.equipment))
    with_panels = {
        **plain.equipment,
        first: plain.equipment[first].model_copy(update={"net": True, "solar_kw": 1500.0}),
    }
    solar = plain.model_copy(update={"equipment": with_panels})
    grid = Grid(plain.timezone, date(2025, 6, 1), 30)
    before, after = (month_truth("1100", each, "meter", grid, grain=15, seed=1) for each in (plain, solar))
    hour = np.asarray(before.starts.hour)
    made = before.values[:, 0, 0] - after.values[:, 0, 0]
    assert (made[(hour >= 21) | (hour < 4)] == 0).all() and (made[(hour >= 10) & (hour < 15)] > 0).all()
    assert (after.values[(hour == 12), 0, 0] < 0).mean() > 0.5
    np.testing.assert_array_equal(before.values[:, 1:], after.values[:, 1:])
    factor, current = after.values[:, 0, 1], after.values[:, 0, 2]
    assert ((factor >= 0) & (factor <= 100)).all() and (current >= 0).all()
    winter = Grid(plain.timezone, date(2025, 12, 1), 31)
    assert solar_kw(1, winter, 100.0).sum() / 31 < 0.6 * solar_kw(1, grid, 100.0).sum() / 30
    with pytest.raises(ValidationError, match="net: true"):
        Equipment(name="Hall", kind="line", sensor="H", solar_kw=10.0)
