"""The last three months forecast from their origins, joined with the truth: `python -m benchmarks.forecast [SERIES]`.

Each series' model is refitted at the start of each of its last three calendar months, forecasts the month from what was
known then, and is joined with what came. All figures but those of `steel` are of simulated data. Results are
kept in .local/bench/forecast.json, so that a part can be measured at a time; the table is of all that is there, and
`show` measures nothing more.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import model
from benchmarks.measurement import Measurement, alone
from embedded.config import Config
from fems.contracts.horizon import HORIZON_MINUTES
from fems.forecast import demand as demands
from fems.forecast import tables
from fems.model import scores
from fems.model.backtest import training_span
from fems.model.baselines import hour_of_week_profile, weekly_naive
from fems.model.history import History
from fems.model.month_ahead.band import Bands
from fems.registry.plant import load_plant
from fems.settings import settings

MONTHS = 3
GRAIN = 15
HIGHEST = 5


@dataclass(frozen=True)
class Series:
    """A factory's truth: hours for the model, quarters of an hour for the maximum demand."""

    history: History
    native: pd.DataFrame


def rows(names: list[str] | None = None) -> list[Measurement]:
    """Measure the series, or some, and return a line a figure, the mean over all that was measured."""
    found = measured(names or _names())
    mean = pd.DataFrame(found).drop(columns=["series", "month"]).mean()
    n = len(found)
    lines = [
        Measurement(
            "month-ahead accuracy, last three months",
            round(mean["accuracy"], 2),
            peer,
            round(mean[peer], 2),
            round((100 - mean[peer]) / (100 - mean["accuracy"]), 3),
            "%",
            n,
        )
        for peer in ("weekly_naive", "profile")
    ]
    for name, unit in _FIGURES.items():
        lines.append(alone(f"forecast: {name.replace('_', ' ')}", round(mean[name], 2), unit, n))
    return lines


_FIGURES = {
    "coverage_hour_pct": "%",
    "coverage_day_pct": "%",
    "highest_days_hit": f"of {HIGHEST}",
    "abs_kwh_error_pct": "%",
    "abs_demand_error_pct": "%",
    "demand_in_band_pct": "%",
}


def measured(names: list[str]) -> list[dict[str, Any]]:
    """Return a row a series and month, of all that was ever measured, after measuring `names`."""
    jobs = [(name, back) for name in names for back in range(MONTHS, 0, -1)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        new = list(pool.map(_month, jobs))
    path = Config.from_environment().state / "bench" / "forecast.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    merged = {(r["series"], r["month"]): r for r in [*kept, *new]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(merged.values()), indent=1))
    return list(merged.values())


def _names() -> list[str]:
    plant = load_plant(settings().factories_file)
    names = [key for key, factory in plant.factories.items() if factory.simulated]
    return [*names, "steel"] if model.STEEL.exists() else names


def series(name: str) -> Series:
    """Return a series of `benchmarks.model` with its quarters of an hour."""
    if name == "steel":
        table = pd.read_csv(model.STEEL, encoding="utf-8-sig")
        ends = pd.to_datetime(table["date"], format="%d/%m/%Y %H:%M")
        ends += pd.to_timedelta(((ends.dt.hour == 0) & (ends.dt.minute == 0)).astype(int), unit="D")
        starts = (ends - pd.Timedelta(minutes=GRAIN)).dt.tz_localize("Asia/Seoul")
        quarters = pd.DataFrame({"timestamp": starts, "used_kwh": table["Usage_kWh"]})
        return Series(model.steel(model.STEEL), quarters.assign(sensor_id="steel-M01"))
    from fems.simulate.calendar import Grid
    from fems.simulate.truth import month_truth, months_of

    plant = load_plant(settings().factories_file)
    factory = plant.factory(name)
    end, months = months_of(model.START, model.MONTHS)
    parts = []
    for first, after in zip(months, [*months[1:], end], strict=True):
        grid = Grid(factory.timezone, first, (after - first).days)
        truth = month_truth(name, factory, "meter", grid, grain=GRAIN, seed=model.SEED)
        for i, machine in enumerate(factory.equipment.values()):
            kwh = truth.values[:, i, 0]
            parts.append(
                pd.DataFrame({"timestamp": truth.starts, "used_kwh": kwh, "sensor_id": machine.sensor})
            )
    return Series(model.simulated(plant, name), pd.concat(parts, ignore_index=True))


def _month(job: tuple[str, int]) -> dict[str, Any]:
    """Forecast one month of one series from its start and score it."""
    from fems.model.month_ahead.train import train_month_ahead

    name, back = job
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = series(name)
    origin = (found.history.end - pd.Timedelta(hours=1)).normalize().replace(day=1)
    origin -= pd.DateOffset(months=back - 1)
    end = min(origin + pd.DateOffset(months=1), origin + pd.Timedelta(minutes=HORIZON_MINUTES))
    hours = int((end - origin) / pd.Timedelta(hours=1))
    known, before = found.history.until(origin), found.native[found.native["timestamp"] < origin]
    begun = perf_counter()
    trained = train_month_ahead(known, threads=1)
    seconds = perf_counter() - begun
    bands = trained.predict_bands(known, origin, hours)
    kwh = bands.forecast()
    shares = tables.shape_in_hour(before, list(kwh.columns), GRAIN)
    made = tables.build(kwh, bands, shares, name, GRAIN, hours * 60)
    truth = found.history.between(origin, end)
    row = {"series": name, "month": f"{origin:%Y-%m}", "train_seconds": seconds}
    return row | _scored(made, truth, known, origin) | _demand(made, bands, found.native, known, origin, end)


def _scored(made: tables.Forecast, truth: History, known: History, origin: pd.Timestamp) -> dict[str, float]:
    hour, actual = made.factory["hour"], truth.factory_kwh
    span = training_span(known.factory_kwh)
    naive = weekly_naive(known, origin, len(actual)).sum(axis=1)
    profile = hour_of_week_profile(known, origin, len(actual)).sum(axis=1)
    day = made.factory["day"].set_index("timestamp")
    counted = tables.hours_of_days(made) == 24
    daily = pd.Series(actual, index=truth.hours).groupby(truth.hours.normalize()).sum()[counted]
    said = day["used_kwh"][counted]
    machines = made.equipment["hour"].pivot(index="timestamp", columns="sensor_id")
    inside = [
        scores.coverage(
            truth.used_kwh[:, truth.equipment.index(sensor)],
            machines["used_kwh_p10"][sensor].to_numpy(),
            machines["used_kwh_p90"][sensor].to_numpy(),
        )
        for sensor in truth.equipment
    ]
    error = scores.total_error_pct(actual, hour["used_kwh"])
    return {
        "accuracy": scores.accuracy(actual, hour["used_kwh"], span),
        "weekly_naive": scores.accuracy(actual, naive, span),
        "profile": scores.accuracy(actual, profile, span),
        "coverage_hour_pct": 100 * scores.coverage(actual, hour["used_kwh_p10"], hour["used_kwh_p90"]),
        "coverage_day_pct": 100
        * scores.coverage(daily, day["used_kwh_p10"][counted], day["used_kwh_p90"][counted]),
        "coverage_equipment_pct": 100 * float(np.mean(inside)),
        "highest_days_hit": float(
            len(set(daily.nlargest(HIGHEST).index) & set(said.nlargest(HIGHEST).index))
        ),
        "kwh_error_pct": error,
        "abs_kwh_error_pct": abs(error),
    }


def _demand(
    made: tables.Forecast,
    bands: Bands,
    native: pd.DataFrame,
    known: History,
    origin: pd.Timestamp,
    end: pd.Timestamp,
) -> dict[str, float]:
    country = known.country if known.holidays_off else None
    power = demands.factory_power(native, GRAIN)
    past = demands.past_days(power[power.index < origin], GRAIN, country)
    said = demands.of_forecast(made, bands, past, country)
    came = power[(power.index >= origin) & (power.index < end)]
    highest = float(came.max())
    error = 100 * (said.kw / highest - 1)
    return {
        "demand_kw": highest,
        "demand_error_pct": error,
        "abs_demand_error_pct": abs(error),
        "demand_in_band_pct": 100.0 * (said.p10 <= highest <= said.p90),
        "mean_path_demand_error_pct": 100 * (_of_means(made) / highest - 1),
        "last_month_demand_error_pct": 100
        * (
            float(power[(power.index >= origin - pd.Timedelta(days=30)) & (power.index < origin)].max())
            / highest
            - 1
        ),
    }


def _of_means(made: tables.Forecast) -> float:
    """The highest 15 minutes of the forecast itself, kW: what a plant would read without `demand`."""
    return float(made.factory["native"]["used_kwh"].max()) * 60 / GRAIN


def main() -> None:
    """Print the table of months and the means."""
    chosen = sys.argv[1:]
    table = pd.DataFrame(measured([] if chosen == ["show"] else chosen or _names()))
    table = table.sort_values(["series", "month"]).set_index(["series", "month"])
    print(table.round(1).to_string())
    print("\nmean by series\n" + table.groupby("series").mean().round(1).to_string())
    print("\nmean\n" + table.mean().round(2).to_string())


if __name__ == "__main__":
    main()
