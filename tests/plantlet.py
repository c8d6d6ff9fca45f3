"""A small factory with two machines, its forecast and its report, for tests of what is said of a forecast."""

from functools import cache

import numpy as np
import pandas as pd

from fems.contracts.forecast import HORIZON_MINUTES, ForecastModel, ForecastQuality, ForecastSummary, HeldOut
from fems.forecast import demand, fallback, tables
from fems.forecast.calendar_month import CalendarMonth, calendar_month, reach_minutes
from fems.forecast.summary import summarise
from fems.model.history import History
from fems.registry.plant import Plant
from fems.report.content import Content, track_record

START, ORIGIN = pd.Timestamp("2025-01-01", tz="Asia/Seoul"), pd.Timestamp("2026-03-01", tz="Asia/Seoul")
SENSORS = ("F-M1", "F-M2")
PLANT = Plant.model_validate(
    {
        "mappings": {"csv": {}},
        "grid_emission": {"KR": [{"tco2e_per_mwh": 0.5, "year": 2020, "source": "a test"}]},
        "tariffs": {
            "flat": {
                "name": "Flat",
                "name_ko": "단일",
                "price_lists": [
                    {
                        "valid_from": "2015-01-01",
                        "source": "a test",
                        "demand_per_kw": 1000,
                        "seasons": [
                            {
                                "name": "all",
                                "months": list(range(1, 13)),
                                "per_kwh": {"light": 50, "maximum": 150},
                                "hours": {"light": ["20:00-08:00"], "maximum": ["08:00-20:00"]},
                            }
                        ],
                    }
                ],
            }
        },
        "factories": {
            "F": {
                "name": "Test",
                "name_ko": "시험",
                "grain": {"meter": "15min"},
                "mapping": {"meter": "csv"},
                "contract_kw": 400,
                "tariff": "flat",
                "equipment": {
                    "E1": {"name": "Press", "name_ko": "프레스", "kind": "press", "sensor": "F-M1"},
                    "E2": {"name": "Pump", "kind": "pump", "sensor": "F-M2"},
                },
            }
        },
    }
)


def history(end: pd.Timestamp = ORIGIN) -> History:
    times = pd.date_range(START, end, freq="h", inclusive="left")
    holiday = np.isin(
        times.tz_localize(None).normalize().to_numpy().astype("datetime64[D]"),
        np.array(["2026-01-01", "2026-02-16", "2026-02-17", "2026-02-18"], dtype="datetime64[D]"),
    )
    work = (times.day_of_week < 5) & (times.hour >= 8) & (times.hour < 20) & ~holiday
    noise = 1 + 0.02 * np.random.default_rng(0).standard_normal(len(times))
    kwh = np.where(work, 200.0, 20.0) * noise
    rows = [
        pd.DataFrame({"timestamp": times, "factory_id": "F", "sensor_id": sensor, "used_kwh": kwh * share})
        for sensor, share in zip(SENSORS, (0.7, 0.3), strict=True)
    ]
    return History.from_hour_table(pd.concat(rows), holidays_off=True)


def native(known: History, spike: float = 1.3) -> pd.DataFrame:
    """Quarters of an hour; the one from 14:15 holds more than the others."""
    shape = np.full((24, 4), 0.25)
    shape[14] = np.array([1.0, spike, 1.0, 1.0]) / (3 + spike)
    parts = []
    for i, sensor in enumerate(SENSORS):
        quarters = (known.used_kwh[:, i, None] * shape[known.hours.hour]).reshape(-1)
        times = pd.date_range(known.hours[0], periods=len(quarters), freq="15min")
        parts.append(pd.DataFrame({"timestamp": times, "sensor_id": sensor, "used_kwh": quarters}))
    return pd.concat(parts, ignore_index=True)


@cache
def known() -> History:
    """What was measured before the origin."""
    return history()


@cache
def forecast() -> tables.Forecast:
    """To the end of March 2026."""
    reach = reach_minutes(ORIGIN, HORIZON_MINUTES)
    said = fallback.forecast(known(), ORIGIN, reach // 60)
    shares = tables.shape_in_hour(native(known()), list(SENSORS), 15)
    return tables.build(said.kwh, said.bands, shares, "F", 15, reach)


@cache
def month() -> CalendarMonth:
    """March 2026, nothing of it measured."""
    return calendar_month(forecast(), known(), ORIGIN)


@cache
def expected(seed: int = 0) -> demand.Demand:
    past = demand.past_days(demand.factory_power(native(known()), 15), 15, "KR")
    made = forecast()
    day = made.factory["day"]
    quantiles = day[[f"used_kwh_{name}" for name in tables.QUANTILES]].to_numpy()
    local = pd.DatetimeIndex(day["timestamp"]).tz_localize(None).to_numpy().astype("datetime64[D]")
    return demand.expected(quantiles, tables.hours_of_days(made), local, "Asia/Seoul", past, "KR", seed)


TRACK = pd.DataFrame(
    {
        "factory_id": "F",
        "month": ["2026-01", "2026-01", "2026-02", "2026-02"],
        "origin": ["2026-01-01", "2026-01-01", "2026-02-01", "2026-02-01"],
        "model_version": ["1", "1", "2", "2"],
        "sensor_id": ["", "F-M1", "", ""],
        "until": ["2026-01-30", "2026-01-30", "2026-02-10", "2026-02-20"],
        "hours": 700,
        "actual_kwh": [50_000.0, 30_000.0, 20_000.0, 44_000.0],
        "forecast_kwh": [51_000.0, 31_000.0, 20_500.0, 43_000.0],
        "bias_pct": [2.0, 3.3, 2.5, -2.3],
        "accuracy": [93.0, 92.0, 90.0, 91.4],
        "weekly_naive_accuracy": [88.0, 87.0, 86.0, 85.2],
        "coverage_80": [0.81, 0.8, 0.7, 0.79],
    }
)


def summary_of(demanded: demand.Demand | None, fallback: str | None = None) -> ForecastSummary:
    return ForecastSummary(
        factory_id="F",
        month="2026-03",
        origin=ORIGIN,
        horizon_minutes=HORIZON_MINUTES,
        code_version="1",
        data_fingerprint="0",
        quality=ForecastQuality(critical_failed=0, warning_failed=0, findings=()),
        simulated=True,
        model=ForecastModel(
            name="profile" if fallback else "fems-F",
            version="3",
            trained_until=ORIGIN,
            fallback=fallback,
            fallback_code="no_model" if fallback else None,
            heldout=None
            if fallback
            else HeldOut(
                accuracy=91.2, weekly_naive=85.0, profile=90.1, total_error_pct=-11.6, coverage_80=0.48
            ),
        ),
        **dict(summarise(forecast(), month(), known(), PLANT, "F", HORIZON_MINUTES, demanded)),
    )


def content_of(
    demanded: demand.Demand | None,
    track: pd.DataFrame | None = None,
    fallback: str | None = None,
) -> Content:
    summary, measured = summary_of(demanded, fallback), known()
    past = pd.Series(measured.factory_kwh[-24 * 90 :], index=measured.hours[-24 * 90 :]).resample("D").sum()
    return Content(
        PLANT.factory("F"), summary, month().tables, past.tz_localize(None), track_record(track), 15, 0.2
    )
