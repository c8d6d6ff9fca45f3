"""The month-ahead model beside its peers, on the same windows, refitted at each: `python -m benchmarks.model`.

The real steel file where it is there, and the six simulated factories without faults; with `others` for a name of a
series, those of `benchmarks.others`. `python -m benchmarks.model one-step` scores the study's protocol on them instead,
steel by the hour and by the quarter of an hour.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import others
from benchmarks.measurement import Measurement
from embedded.config import Config
from fems.canonical import to_json
from fems.model import backtest
from fems.model.backtest import LSTM, MONTH_AHEAD, PERSISTENCE, BacktestResult
from fems.model.history import MEASURED, History
from fems.registry.plant import Plant, load_plant
from fems.settings import settings

START, MONTHS, SEED = date(2025, 1, 1), 14, 1
WINDOWS = 4
HOUR, QUARTER = pd.Timedelta(hours=1), pd.Timedelta(minutes=15)
STEEL = Path(os.environ.get("FEMS_STEEL_FILE", "../shared/data/steel/Steel_industry_data.csv"))


@dataclass(frozen=True)
class Job:
    """A backtest: a series, how many of its last windows are left out, and a seed."""

    series: str
    skip: int = 0
    seed: int = 0


def rows(skip: int = 0) -> list[Measurement]:
    """Backtest every series; a line a series, ours beside the best of the others.

    The ratio is of the scaled RMSE: over 1 where ours is the smaller.

    Args:
        skip: so many of the last windows are left out; designs are chosen with 4, and reported with 0.
    """
    month_ahead = [_line(job.series, found) for job, found in tables(reported_series(), skip).items()]
    return [*month_ahead, *(_one_step_line(name, found) for name, found in one_step().items())]


def one_step() -> dict[str, BacktestResult]:
    """Return what `backtest.one_step` says of each series, in two processes."""
    names = [*reported_series(), *(["steel, 15 minutes"] if STEEL.exists() else [])]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return dict(zip(names, pool.map(_one_step, names), strict=True))


def tables(series: list[str], skip: int = 0, seeds: int = 1) -> dict[Job, BacktestResult]:
    """Return what `backtest.month_ahead` says of each series, in two processes."""
    jobs = [Job(name, skip, seed) for name in series for seed in range(seeds)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return dict(zip(jobs, pool.map(_backtest, jobs), strict=True))


def simulated(plant: Plant, factory_id: str) -> History:
    """Return the clean hours of a simulated factory."""
    from fems.simulate.calendar import Grid
    from fems.simulate.truth import month_truth, months_of

    factory = plant.factory(factory_id)
    end, months = months_of(START, MONTHS)
    parts = []
    for first, after in zip(months, [*months[1:], end], strict=True):
        grid = Grid(factory.timezone, first, (after - first).days)
        truth = month_truth(factory_id, factory, "meter", grid, grain=15, seed=SEED)
        for i, equipment in enumerate(factory.equipment.values()):
            quarters = truth.values[:, i].reshape(-1, 4, len(MEASURED))
            hours = pd.DataFrame(quarters.sum(axis=1), columns=list(MEASURED))
            means = ["power_factor_pct", "current_a"]
            hours[means] = quarters.mean(axis=1)[:, [MEASURED.index(name) for name in means]]
            parts.append(
                hours.assign(timestamp=truth.starts[::4], factory_id=factory_id, sensor_id=equipment.sensor)
            )
    return History.from_hour_table(
        pd.concat(parts),
        country=factory.country,
        holidays_off=factory.holidays_off,
        shifts=factory.shifts if "shifts" in factory.model_fields_set else None,
    )


def steel(path: Path, step: pd.Timedelta = HOUR) -> History:
    """Return the hours, or quarters, of the steel file (UCI Machine Learning Repository, data set 851, CC BY 4.0)."""
    table = pd.read_csv(path, encoding="utf-8-sig")
    ends = pd.to_datetime(table["date"], format="%d/%m/%Y %H:%M")
    # A day's last row is labelled 00:00 of that day, and a row's time is its end.
    ends += pd.to_timedelta(((ends.dt.hour == 0) & (ends.dt.minute == 0)).astype(int), unit="D")
    starts = (ends - pd.Timedelta(minutes=15)).dt.tz_localize("Asia/Seoul")
    by_hour = table.assign(timestamp=starts).set_index("timestamp").resample(step)
    hours = pd.DataFrame(
        {
            "used_kwh": by_hour["Usage_kWh"].sum(),
            "power_factor_pct": by_hour["Lagging_Current_Power_Factor"].mean(),
            "reactive_kvarh": by_hour["Lagging_Current_Reactive_Power_kVarh"].sum(),
        }
    ).reset_index()
    return History.from_hour_table(hours.assign(factory_id="steel", sensor_id="steel-M01"), step=step)


def reported_series() -> list[str]:
    """Return the series whose last windows are reported: the simulated factories, and the steel file if it is there."""
    plant = load_plant(settings().factories_file)
    names = [key for key, factory in plant.factories.items() if factory.simulated]
    return [*names, "steel"] if STEEL.exists() else names


def history_of(series: str) -> History:
    """Return the hours of a series by its name."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if series in (*others.NAMES, *others.DEVELOPMENT) or series.endswith("-net"):
        return others.history(series)
    if series.startswith("steel"):
        return steel(STEEL, QUARTER if series != "steel" else HOUR)
    return simulated(load_plant(settings().factories_file), series)


def _one_step(series: str) -> BacktestResult:
    return backtest.one_step(history_of(series))


def _backtest(job: Job) -> BacktestResult:
    history = history_of(job.series)
    methods = backtest.all_methods(seed=job.seed)
    if job.seed:
        methods = {MONTH_AHEAD: methods[MONTH_AHEAD]}
    return backtest.month_ahead(history, methods, count=WINDOWS, skip=job.skip)


def _one_step_line(series: str, result: BacktestResult) -> Measurement:
    ours, theirs = (result.mean[name]["rmse_scaled"] for name in (LSTM, PERSISTENCE))
    name = f"one-step accuracy, {series}" + ("" if series.startswith("steel") else " (simulated)")
    accuracies = round(100 * (1 - ours), 2), PERSISTENCE, round(100 * (1 - theirs), 2)
    return Measurement(name, *accuracies, round(theirs / ours, 3), "%", 1)


def _line(series: str, result: BacktestResult) -> Measurement:
    mean = result.mean
    ours = mean[MONTH_AHEAD]["rmse_scaled"]
    peer = min((name for name in mean if name != MONTH_AHEAD), key=lambda name: mean[name]["rmse_scaled"])
    theirs = mean[peer]["rmse_scaled"]
    name = f"month-ahead accuracy, {series}" + ("" if series == "steel" else " (simulated)")
    accuracies = round(100 * (1 - ours), 2), peer, round(100 * (1 - theirs), 2)
    return Measurement(name, *accuracies, round(theirs / ours, 3), "%", WINDOWS)


def main() -> None:
    """Print a table a figure: series down, methods across.

    Arguments: windows to skip, seeds, series (`others` for all of those); or one-step.
    """
    if sys.argv[1:] == ["one-step"]:
        return _print_one_step()
    skip, seeds = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 0), (2, 1)))
    asked = sys.argv[3:] or reported_series()
    found = tables(list(others.NAMES) if asked == ["others"] else asked, skip, seeds)
    first = {job.series: result for job, result in found.items() if job.seed == 0}
    for figure in ("accuracy", "mae", "r2", "abs_total_error_pct", "coverage_80"):
        shown = {name: {m: v[figure] for m, v in r.mean.items() if figure in v} for name, r in first.items()}
        frame = pd.DataFrame(shown).T
        print(f"\n{figure}, month-ahead, {WINDOWS} windows, the last {skip} left out")
        print(pd.concat([frame, frame.mean().to_frame("mean").T]).round(2).to_string())
    lows = [w.scores[MONTH_AHEAD]["coverage_80"] for r in first.values() for w in r.windows]
    narrow = sum(share < 0.6 for share in lows)
    print(f"\nlowest coverage of a window: {min(lows):.2f}; windows below 0.6: {narrow} of {len(lows)}")
    print("seconds a fit and forecast:", json.dumps(_seconds(first)))
    if seeds > 1:
        for name in first:
            scored = [r.mean[MONTH_AHEAD]["accuracy"] for job, r in found.items() if job.series == name]
            print(
                f"{name}: month_ahead over {seeds} seeds {np.mean(scored):.3f}, spread {np.ptp(scored):.3f}"
            )
    out = Config.from_environment().state / "bench" / "model.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(to_json([{"job": asdict(job), **result.to_json()} for job, result in found.items()]))
    print(f"each window's scores: {out}")


def _print_one_step() -> None:
    found = one_step()
    figures = {
        name: {
            **{method: result.mean[method]["accuracy"] for method in (LSTM, PERSISTENCE)},
            "r2": result.mean[LSTM]["r2"],
            "seconds": result.train_seconds[LSTM],
        }
        for name, result in found.items()
    }
    frame = pd.DataFrame(figures).T
    simulated_mean = frame[[not name.startswith("steel") for name in frame.index]].mean()
    print("accuracy, one-step, the last 42,300 minutes")
    print(pd.concat([frame, simulated_mean.to_frame("mean of the simulated").T]).round(2).to_string())


def _seconds(found: dict[str, BacktestResult]) -> dict[str, float]:
    methods = next(iter(found.values())).train_seconds
    return {m: round(float(np.mean([r.train_seconds[m] for r in found.values()])), 1) for m in methods}


if __name__ == "__main__":
    main()
