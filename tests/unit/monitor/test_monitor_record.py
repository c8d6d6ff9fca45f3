"""The track record: past forecasts joined with the truth, and champions that fell behind weekly naive."""

import numpy as np
import pandas as pd
import pytest

from fems.contracts.monitoring import Standing
from fems.contracts.track_record import COLUMNS, FACTORY
from fems.model import scores
from fems.model.baselines import weekly_naive
from fems.model.history import History
from fems.monitor import behind, record
from fems.monitor.record import Past

ZONE = "Asia/Seoul"
START = pd.Timestamp("2025-03-03", tz=ZONE)
ORIGIN = START + pd.Timedelta(days=28)


def history(days: int = 42, holes: tuple[int, ...] = ()) -> History:
    rng = np.random.default_rng(1)
    hours = pd.date_range(START, periods=24 * days, freq="h")
    week = 20 + 10 * np.sin(2 * np.pi * np.arange(24 * days) / 168)
    used = np.column_stack([week, 0.5 * week]) + rng.normal(0, 1, (24 * days, 2))
    used[list(holes), 0] = np.nan
    table = pd.DataFrame(used, index=hours)
    inputs = pd.DataFrame({"used_kwh": table.sum(axis=1, skipna=False)}, index=hours)
    return History(hours, used, ("m1", "m2"), inputs)


def forecast(
    values: pd.DataFrame | float,
    hours: int = 705,
    origin: pd.Timestamp = ORIGIN,
    version: str = "3",
    **band: float,
) -> Past:
    index = pd.date_range(origin, periods=hours, freq="h", name="timestamp")
    if isinstance(values, float):
        kwh = pd.DataFrame({"m1": values, "m2": values / 2}, index=index)
    else:
        kwh = values.reindex(index)
    kwh[FACTORY] = kwh.sum(axis=1)
    low = pd.DataFrame({FACTORY: kwh[FACTORY] - band["low"]}) if band else pd.DataFrame()
    high = pd.DataFrame({FACTORY: kwh[FACTORY] + band["high"]}) if band else pd.DataFrame()
    return Past("f", f"{origin:%Y-%m}", origin, version, kwh, low, high)


def test_a_row_says_what_its_columns_promise() -> None:
    known = history()
    rows = record.rows(record.join(forecast(25.0, low=100.0, high=5.0), known))
    assert [row.sensor_id for row in rows] == [FACTORY, "m1", "m2"]
    truth = known.factory_kwh[24 * 28 :]
    before = known.factory_kwh[: 24 * 28]
    factory = rows[0]
    assert factory.hours == len(truth) == 24 * 14
    assert factory.until == known.end and factory.origin == ORIGIN and factory.model_version == "3"
    assert factory.actual_kwh == pytest.approx(truth.sum())
    assert factory.forecast_kwh == pytest.approx(37.5 * len(truth))
    assert factory.bias_pct == pytest.approx(100 * (37.5 * len(truth) / truth.sum() - 1))
    rmse = np.sqrt(np.mean((truth - 37.5) ** 2))
    assert factory.accuracy == pytest.approx(100 * (1 - rmse / (before.max() - before.min())))
    naive = weekly_naive(known, ORIGIN, len(truth)).sum(axis=1)
    assert factory.weekly_naive_accuracy == pytest.approx(
        scores.accuracy(truth, naive, before.max() - before.min())
    )
    assert factory.coverage_80 == pytest.approx(np.mean((truth <= 42.5) & (truth >= -62.5)))
    assert np.isnan(rows[1].coverage_80), "no band of the machine was published"


def test_the_newest_row_of_the_factory_is_kept_in_short() -> None:
    known = history()
    later = forecast(25.0, origin=ORIGIN + pd.Timedelta(days=7), version="4")
    rows = [row for past in (later, forecast(25.0)) for row in record.rows(record.join(past, known))]
    newest = record.newest(rows)
    assert newest is not None and (newest.model_version, newest.hours) == ("4", 24 * 7)
    assert newest.coverage_80 is None, "no band was published"
    assert newest.naive_ahead, "a constant is no match for last week"
    assert record.newest([]) is None


def test_hours_without_truth_count_nowhere() -> None:
    gone = tuple(range(24 * 28, 24 * 28 + 30))
    rows = {row.sensor_id: row for row in record.rows(record.join(forecast(25.0), history(holes=gone)))}
    assert rows["m1"].hours == 24 * 14 - 30 == rows[FACTORY].hours
    assert rows["m2"].hours == 24 * 14


def test_what_was_not_measured_yet_has_no_row() -> None:
    known = history(days=28)
    assert record.rows(record.join(forecast(25.0), known)) == []
    later = record.rows(record.join(forecast(25.0), history(days=29)))
    assert {row.hours for row in later} == {24}


def test_the_scale_comes_from_before_the_origin_alone() -> None:
    calm = history()
    used = calm.used_kwh.copy()
    used[24 * 28 + 5] *= 100  # measured after the origin
    wild = History(
        calm.hours, used, calm.equipment, pd.DataFrame({"used_kwh": used.sum(axis=1)}, index=calm.hours)
    )
    spans = [record.join(forecast(25.0), known).span for known in (calm, wild)]
    pd.testing.assert_series_equal(*spans)


def test_without_a_week_before_the_origin_only_naive_is_unknown() -> None:
    early = START + pd.Timedelta(days=3)
    (row, *_) = record.rows(record.join(forecast(25.0, origin=early), history()))
    assert np.isnan(row.weekly_naive_accuracy) and np.isfinite(row.accuracy)


def test_a_machine_that_is_no_longer_there_has_no_row() -> None:
    gone = forecast(25.0)
    gone.kwh.insert(0, "old", 3.0)
    assert "old" not in {row.sensor_id for row in record.rows(record.join(gone, history()))}


def test_the_table_has_its_columns_in_order_with_and_without_rows() -> None:
    rows = record.rows(record.join(forecast(25.0, version="10"), history()))
    earlier = record.rows(record.join(forecast(20.0, origin=ORIGIN - pd.Timedelta(days=7)), history()))
    table = record.table([*rows, *earlier], ZONE)
    assert tuple(table.columns) == COLUMNS
    assert table["origin"].is_monotonic_increasing and str(table["until"].dt.tz) == ZONE
    assert tuple(record.table([], ZONE).columns) == COLUMNS


def naive_but(error: float, known: History) -> pd.DataFrame:
    """The truth with an error of so many kWh on each machine."""
    truth = pd.DataFrame(known.used_kwh, index=known.hours, columns=list(known.equipment))
    return truth + error


def stands(known: History, *pasts: Past, version: str = "3") -> Standing | None:
    return behind.standing([record.join(past, known) for past in pasts], version, 7, known.end)


def test_a_champion_that_is_worse_for_days_on_end_is_behind() -> None:
    known = history()
    found = stands(known, forecast(naive_but(15.0, known)))
    assert found is not None and found.days == 7 and found.worse_days == 7
    said = found.behind(1.0)
    assert said is not None and "v3" in said and "7 days" in said
    assert found.behind(margin=95.0) is None


def test_a_champion_that_is_better_is_not() -> None:
    known = history()
    found = stands(known, forecast(naive_but(0.1, known)))
    assert found is not None and found.worse_days == 0 and found.behind(0.0) is None


def test_one_odd_day_does_not_do_it() -> None:
    known = history()
    odd = naive_but(0.0, known)
    odd.iloc[-24 * 3 : -24 * 2] += 200
    found = stands(known, forecast(odd))
    assert found is not None and found.accuracy < found.weekly_naive - 1 and found.worse_days == 1
    assert found.behind(1.0) is None


def test_fewer_days_than_the_set_time_say_nothing() -> None:
    known = history(days=28 + 6)
    assert stands(known, forecast(naive_but(50.0, known))) is None
    assert stands(history(), forecast(naive_but(50.0, history())), version="4") is None


def test_days_long_ago_say_nothing_of_today() -> None:
    known = history(days=90)
    assert stands(known, forecast(naive_but(50.0, known), hours=24 * 10)) is None


def test_the_newest_forecast_of_a_day_counts() -> None:
    known = history()
    first = forecast(naive_but(50.0, known))
    second = forecast(naive_but(0.1, known), origin=ORIGIN + pd.Timedelta(days=4))
    found = stands(known, second, first)
    assert found is not None and found.worse_days == 0
