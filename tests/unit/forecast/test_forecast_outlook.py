"""What is said of a forecast: the maximum demand, the days and their reasons, changes, cost and emission."""

from datetime import date

import builders
import numpy as np
import pandas as pd
import pytest
from builders import ORIGIN, PLANT, SENSORS, bands, history, native

from fems.errors import TooLittleHistory
from fems.forecast import cost as costs
from fems.forecast import days, demand, fallback, outlook, tables
from fems.forecast.reasons import in_words
from fems.forecast.summary import summarise
from fems.model.history import History
from fems.model.month_ahead.band import FACTORY
from fems.registry.tariff import Budget


@pytest.fixture(scope="module")
def known() -> History:
    return builders.known()


@pytest.fixture(scope="module")
def made() -> tables.Forecast:
    return builders.forecast()


@pytest.fixture(scope="module")
def expected() -> demand.Demand:
    return builders.expected()


def test_power_is_the_mean_of_whole_intervals_alone() -> None:
    times = pd.date_range(ORIGIN, periods=45, freq="min")
    rows = pd.DataFrame({"timestamp": times, "sensor_id": "a", "used_kwh": 2.0})
    rows.loc[20, "used_kwh"] = np.nan
    power = demand.factory_power(rows, 1)
    assert power.index.tolist() == [ORIGIN, ORIGIN + pd.Timedelta(minutes=30)] and (power == 120.0).all()


def test_the_maximum_demand_comes_when_it_came_and_passes_a_contract_as_often_as_it_says(
    known: History, made: tables.Forecast, expected: demand.Demand
) -> None:
    assert f"{expected.at:%H:%M}" == "14:15" and expected.at.weekday() < 5
    came = demand.factory_power(native(history(ORIGIN + pd.Timedelta(minutes=42_300))), 15)
    highest = came[came.index >= ORIGIN].max()
    assert expected.p10 < expected.kw < expected.p90
    assert expected.kw == pytest.approx(highest, rel=0.05)
    mean = made.factory["native"]["used_kwh"].max() * 4
    assert expected.kw > mean, "the highest of a month is higher than the highest mean"
    assert expected.chance_over(0.0) == 1.0 and expected.chance_over(1e9) == 0.0
    assert expected.chance_over(expected.kw) == pytest.approx(0.5, abs=0.01)
    again = builders.expected(seed=7)
    assert again.kw == pytest.approx(expected.kw, rel=0.01)


def test_no_measured_day_is_said_and_not_guessed() -> None:
    times = pd.date_range(ORIGIN, periods=40, freq="15min")
    short = pd.DataFrame({"timestamp": times, "sensor_id": "a", "used_kwh": 1.0})
    with pytest.raises(TooLittleHistory, match="no whole day"):
        demand.past_days(demand.factory_power(short, 15), 15, "KR")


def test_days_are_ranked_with_their_reasons_in_both_languages(known: History, made: tables.Forecast) -> None:
    ranked = days.ranked(made.factory["day"], made.equipment["day"], tables.hours_of_days(made), known)
    by_day = {found.day: found for found in ranked}
    assert sorted(found.rank for found in ranked) == list(range(1, 32)), "the calendar month, day by day"
    top = min((f for f in ranked if f.rank), key=lambda f: f.rank)
    assert top.kwh == max(f.kwh for f in ranked) and top.reasons[0].code == "weekday"

    def said(day: date, language: str) -> str:
        return in_words(by_day[day].reasons, language, "KR", {})  # type: ignore[arg-type]

    holiday, after = date(2026, 3, 2), date(2026, 3, 3)
    assert by_day[holiday].reasons[0].code == "holiday"
    assert said(holiday, "ko").startswith("삼일절 대체 휴일")
    assert "Independence Movement Day" in said(holiday, "en")
    assert said(after, "ko").startswith("화요일") and "다음 날" in said(after, "ko")
    assert "the day after" in said(after, "en")
    assert said(date(2026, 3, 7), "en").startswith("Saturday")


def test_a_machine_that_moves_a_day_is_named() -> None:
    index = pd.date_range(ORIGIN, periods=24 * 14, freq="h")
    kwh = pd.DataFrame(10.0, index=index, columns=list(SENSORS))
    kwh.loc[(index.day == 11), "F-M2"] = 15.0
    flat = tables.build(kwh, bands(kwh), np.full((2, 24, 4), 0.25), "F", 15, 24 * 14 * 60)
    found = days.ranked(flat.factory["day"], flat.equipment["day"], tables.hours_of_days(flat), history())
    reason = next(f for f in found if f.day.day == 11).reasons[-1]
    assert (reason.code, reason.subject) == ("machine", "F-M2") and reason.pct > 30
    assert "Pump +" in in_words([reason], "en", "KR", {"F-M2": "Pump"})


def test_a_new_level_and_a_season_are_told_free_of_weekday_and_holidays() -> None:
    steady = history()
    assert days.month_reasons(steady, ORIGIN, 3) == ()
    lifted = steady.inputs["used_kwh"].to_numpy().copy()
    lifted[-24 * 28 :] *= 1.2
    march = (steady.hours.month == 3).nonzero()[0]
    lifted[march] *= 1.4
    changed = History(
        steady.hours, steady.used_kwh, steady.equipment, steady.inputs.assign(used_kwh=lifted), "KR", True
    )
    found = {reason.code: reason.pct for reason in days.month_reasons(changed, ORIGIN, 3)}
    assert found["level"] == pytest.approx(20, abs=2) and found["season"] == pytest.approx(33, abs=4)


def test_changes_are_by_day_and_only_against_what_was_measured(known: History, made: tables.Forecast) -> None:
    found = outlook.compared(builders.month(), known)
    per_day = made.factory["native"]["used_kwh"].sum() / 31
    for beside, month in ((found.last_month, "2026-02"), (found.last_year, "2025-03")):
        assert beside is not None and beside.month == month
        start = pd.Timestamp(f"{month}-01", tz="Asia/Seoul")
        then = known.between(start, start + pd.DateOffset(months=1)).factory_kwh
        assert beside.kwh == pytest.approx(then.sum())
        assert beside.change_pct == pytest.approx(100 * (per_day / (then.mean() * 24) - 1))
    assert found.last_month is not None and found.last_month.working_days == 17  # 20, three of them Seollal
    short = known.between(pd.Timestamp("2025-06-01", tz="Asia/Seoul"), ORIGIN)
    assert outlook.compared(builders.month(), short).last_year is None


def test_cost_emission_and_equipment_add_up(
    known: History, made: tables.Forecast, expected: demand.Demand
) -> None:
    found = summarise(made, builders.month(), known, PLANT, "F", builders.HORIZON_MINUTES, expected)
    cost, total = found.cost, found.kwh
    assert cost is not None and found.carbon is not None and found.demand is not None
    assert (found.calendar.days, found.calendar.whole_days, found.calendar.measured_kwh) == (31, 31, 0.0)
    first = made.factory["hour"]["used_kwh"].iloc[:705].sum()
    assert found.horizon_kwh == pytest.approx(first) and found.horizon_kwh < total
    assert sum(row.kwh for row in cost.by_load) == pytest.approx(total)
    hour = made.factory["hour"]
    day_time = hour["timestamp"].dt.hour.between(8, 19)
    energy = (hour["used_kwh"] * np.where(day_time, 150, 50)).sum()
    assert cost.energy == pytest.approx(energy)
    assert cost.demand == pytest.approx(1000 * expected.kw)
    assert cost.total == pytest.approx(energy + 1000 * expected.kw)
    assert found.carbon.tco2e == pytest.approx(total / 2000) and found.carbon.year == 2020
    machines = found.top_equipment
    assert [m.name for m in machines] == ["Press", "Pump"]
    assert sum(m.kwh for m in machines) == pytest.approx(total)
    assert sum(m.peak_share_pct or 0.0 for m in machines) == pytest.approx(100)
    assert found.kwh_p10 is not None and found.kwh_p90 is not None
    assert found.kwh_p10 < total < found.kwh_p90
    assert [d.date for d in found.days if d.rank == 1] == [found.peak_days[0].date]
    chance = found.demand.chance_over_contract
    assert (chance is not None and 0 < chance < 1) or found.demand.kw < 400


def test_a_fallback_is_the_better_baseline_with_a_band_that_holds(known: History) -> None:
    cut = ORIGIN - pd.Timedelta(days=28)
    found = fallback.forecast(known, cut, 28 * 24)
    truth = known.between(cut, ORIGIN).factory_kwh
    band = found.bands.hour[FACTORY]
    inside = (truth >= band["p10_kwh"].to_numpy()) & (truth <= band["p90_kwh"].to_numpy())
    assert found.name in fallback.BASELINES and 0.7 < inside.mean() <= 1
    assert set(found.bands.day) == {*SENSORS, FACTORY}
    with pytest.raises(TooLittleHistory, match="even by a baseline, needs 21 days"):
        fallback.forecast(known.last_days(20), ORIGIN, 24)


def test_no_fallback_and_no_demand_uses_a_value_after_the_origin(known: History) -> None:
    cut = ORIGIN - pd.Timedelta(days=28)
    planted = known.used_kwh.copy()
    planted[known.hours >= cut] = 1e6
    inputs = known.inputs.assign(used_kwh=np.where(known.hours >= cut, 2e6, known.factory_kwh))
    seen = History(known.hours, planted, known.equipment, inputs, "KR", True)
    clean, other = fallback.forecast(known, cut, 100), fallback.forecast(seen, cut, 100)
    pd.testing.assert_frame_equal(clean.kwh, other.kwh, check_exact=True)
    for sensor in clean.bands.hour:
        pd.testing.assert_frame_equal(clean.bands.hour[sensor], other.bands.hour[sensor], check_exact=True)
    assert fallback.recent_share(known, cut) == fallback.recent_share(seen, cut) == 1.0
    assert days.month_reasons(known, cut, 2) == days.month_reasons(seen, cut, 2)


def test_what_was_measured_stands_in_the_maximum_demand(expected: demand.Demand) -> None:
    at = pd.Timestamp("2026-03-02T10:15", tz="Asia/Seoul")
    higher = expected.at_least(expected.kw * 2, at)
    assert (higher.kw, higher.at) == (expected.kw * 2, at) and higher.p10 == higher.kw
    assert higher.chance_over(expected.kw * 1.5) == 1.0
    lower = expected.at_least(1.0, at)
    assert (lower.kw, lower.at) == (expected.kw, expected.at)


def test_a_budget_stands_beside_the_forecast_with_its_chance() -> None:
    band = (90.0, 100.0, 120.0)

    def kept(amount: float) -> float | None:
        budget = Budget(unit="kwh", every_month=amount)
        found = costs.budget_outlook(budget, "2026-03", band, 100.0, None, None)
        return None if found is None else found.chance_to_keep

    assert kept(100.0) == pytest.approx(0.5)
    assert kept(120.0) == pytest.approx(0.9) and kept(90.0) == pytest.approx(0.1)
    of_month = Budget(unit="kwh", by_month={"2026-04": 5.0})
    assert costs.budget_outlook(of_month, "2026-03", band, 100.0, None, None) is None
    assert costs.budget_outlook(None, "2026-03", band, 100.0, None, None) is None


def test_days_whose_difference_is_far_inside_the_band_are_alike() -> None:
    found = builders.summary_of(None)
    ranked = sorted((d for d in found.days if d.rank), key=lambda d: d.rank)
    near = 0.25 * (ranked[0].kwh_p90 - ranked[0].kwh_p10) / 2
    assert found.alike == sum(ranked[0].kwh - d.kwh <= near for d in ranked)


def test_a_month_before_the_first_prices_has_no_cost_and_says_why(
    known: History, made: tables.Forecast, expected: demand.Demand
) -> None:
    tariff = PLANT.tariffs["flat"]
    later = tariff.price_lists[0].model_copy(update={"valid_from": date(2030, 1, 1)})
    plant = PLANT.model_copy(
        update={"tariffs": {"flat": tariff.model_copy(update={"price_lists": (later,)})}}
    )
    found = summarise(made, builders.month(), known, plant, "F", builders.HORIZON_MINUTES, expected)
    assert found.cost is None and "its prices begin on 2030-01-01" in (found.no_cost or "")
    assert found.kwh > 0 and found.carbon is not None
