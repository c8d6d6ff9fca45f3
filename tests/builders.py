"""What several tests are built of: a plant, raw files and days of it, bands, a small factory and its forecast."""

from collections.abc import Callable
from dataclasses import fields
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from fems.contracts.forecast import ForecastModel, ForecastQuality, ForecastSummary, HeldOut
from fems.contracts.horizon import HORIZON_MINUTES
from fems.contracts.raw_object import RawObject
from fems.flows.platform import Platform
from fems.forecast import demand, fallback, tables
from fems.forecast.calendar_month import CalendarMonth, calendar_month, reach_minutes
from fems.forecast.summary import summarise
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.model.history import History
from fems.model.month_ahead.band import FACTORY, Bands
from fems.raw.decode import decode
from fems.raw.decoded import DecodedObject, OddCells
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.report.content import Content, track_record
from fems.settings import Settings, settings

HEADER = "timestamp,factory_id,sensor_id,used_kwh,power_factor_pct,current_a,active_kwh,reactive_kvarh"
DAY = date(2025, 3, 4)


def plant(**mapping: object) -> Plant:
    return Plant.model_validate(
        {
            "mappings": {"m": {"time_format": "%Y-%m-%d %H:%M:%S", **mapping}},
            "factories": {
                "F": {
                    "name": "F",
                    "name_ko": "F",
                    "grain": {"meter": "15min"},
                    "mapping": {"meter": "m"},
                    "equipment": {
                        "E1": {"name": "Pump", "kind": "pump", "sensor": "F-M01", "rated_kw": 100},
                        "E2": {"name": "Press", "kind": "press", "sensor": "F-M02", "rated_kw": 400},
                    },
                }
            },
        }
    )


BOOK = load_book(settings().definitions_dir, "meter")
SOURCE = FactoryFeed.of(plant(), BOOK, "F")


def row(
    time: str = "2025-03-04 00:00:00", sensor: str = "F-M01", used: str = "1.5", factory: str = "F"
) -> str:
    return f"{time},{factory},{sensor},{used},90,10,1.5,0.7"


def day_lines(day: date = DAY, sensor: str = "F-M01", base: float = 5.0) -> list[str]:
    times = pd.date_range(day, periods=96, freq="15min")
    return [
        f"{t},F,{sensor},{base + i % 7 + i / 100:.2f},90.0,{20 + i % 5 + i / 100:.2f},"
        f"{base + i % 7:.2f}1,{2 + i / 96:.3f}"
        for i, t in enumerate(times)
    ]


FOUR_DAYS = [date(2025, 3, d) for d in range(1, 5)]


def both_sensors(day: date) -> list[str]:
    return day_lines(day) + day_lines(day, sensor="F-M02", base=20)


def land(platform: Platform, day: date, lines: list[str] | bytes, name: str = "meter.csv") -> None:
    data = lines if isinstance(lines, bytes) else ("\n".join([HEADER, *lines]) + "\n").encode()
    platform.lake.store.put(keys.raw_key("meter", "F", day, name), data)


def landed(folder: Path) -> Platform:
    """The small plant's platform on a folder, with four days of files and nothing ingested."""
    made = Platform(Lake(FolderStore(folder)), plant(), Settings())
    for day in FOUR_DAYS:
        land(made, day, both_sensors(day))
    return made


def feed_in(zone: str, grain: str = "15min") -> FactoryFeed:
    """The small plant's meters in another zone and interval, their files with any time format."""
    written = plant(time_format=None).model_dump()
    written["factories"]["F"] |= {"timezone": zone, "country": "DE", "grain": {"meter": grain}}
    return FactoryFeed.of(Plant.model_validate(written), BOOK, "F")


def day_file(source: FactoryFeed, day: date, value: Callable[[pd.Timestamp, int], object]) -> DecodedObject:
    """A local day's file with offsets; `value`: of the time and the position in the day."""
    start, end = (pd.Timestamp(d).tz_localize(source.zone) for d in (day, day + timedelta(days=1)))
    times = pd.date_range(start, end, freq=f"{source.grain_minutes}min", inclusive="left")
    lines = [f"{t.isoformat()},F-M01,{value(t, i)}" for i, t in enumerate(times)]
    data = ("\n".join(["timestamp,sensor_id,used_kwh", *lines]) + "\n").encode()
    return decode(RawObject(f"raw/meter/factory=F/date={day}/a.csv", "e", len(data), day), data, source)


def raw(i: int, data: bytes) -> RawObject:
    day = DAY + timedelta(days=i % 3)
    return RawObject(f"raw/meter/factory=F/date={day}/{i}.csv", f"e{i}", len(data), day)


def same(a: DecodedObject, b: DecodedObject) -> bool:
    def plain(value: object) -> object:
        if isinstance(value, OddCells):
            order = np.lexsort((value.columns, value.rows))
            return [value.rows[order].tolist(), value.columns[order].tolist(), value.texts[order].tolist()]
        if isinstance(value, np.ndarray):
            return value.shape, value.astype(str).tolist()
        if isinstance(value, list):
            return [(line.line, line.reason, line.text) for line in value]
        return value

    return all(plain(getattr(a, f.name)) == plain(getattr(b, f.name)) for f in fields(DecodedObject))


def bands(kwh: pd.DataFrame) -> Bands:
    whole = pd.concat([kwh, kwh.sum(axis=1).rename(FACTORY)], axis=1)
    days = whole.groupby(pd.DatetimeIndex(whole.index).normalize()).sum()

    def of(table: pd.DataFrame, width: float) -> dict[str, pd.DataFrame]:
        return {
            str(name): pd.DataFrame(
                {
                    "p10_kwh": table[name] * (1 - width),
                    "p50_kwh": table[name],
                    "p90_kwh": table[name] * (1 + width),
                }
            )
            for name in table
        }

    return Bands(of(whole, 0.3), of(days, 0.1), {}, {}, {})


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
    return demand.of_forecast(
        forecast(), fallback.forecast(known(), ORIGIN, 705).bands, past, "KR", seed=seed
    )


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
