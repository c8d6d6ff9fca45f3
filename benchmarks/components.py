"""What the parts of the month-ahead forecast reach alone and mixed: `python -m benchmarks.components`.

For development. Every part forecasts every window, and what lies up to a year before it from past origins as in
training; that is kept in a file a window, so that another mix or another band is scored in seconds. Development series
and windows are those of `series_of`; what is reported (`benchmarks.model`) is not among them.
"""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from benchmarks import model, others
from embedded.config import Config
from fems.calendar import ONE_DAY
from fems.model import backtest, scores
from fems.model.baselines import hour_of_week_profile, weekly_naive
from fems.model.calendar_features import day_features
from fems.model.floors import fit_floors
from fems.model.history import Floats, History
from fems.model.month_ahead import band, mstl, shares, trees
from fems.model.month_ahead.daygrid import DayGrid
from fems.model.month_ahead.gate_inference import shipped_gate
from fems.model.month_ahead.train import TRUST, train_experts

PARTS = ("experts", "gate", "trees", "mstl", "weekly_naive", "profile")
"""`experts` are weighed by the prior alone, `gate` are the same weighed by the shipped LSTM."""
HOURS = 705
PAST_ORIGINS, EVERY_HOURS = 8, 15 * 24
WINDOWS = 4
BEFORE, SHIPPED = "0.6 experts, 0.3 trees, 0.1 mstl", "shipped"
FOLDS = 5


@dataclass(frozen=True)
class Window:
    """A window of a series.

    Attributes:
        series: its name.
        span: kWh, that accuracy is scaled by.
        hours: (T,) its hours.
        truth: (T,) kWh.
        parts: (T, P) kWh.
        past_truth: (O, T) kWh from past origins; NaN where missing.
        past_parts: (O, T, P) likewise.
        past_hours: (O,) the origins.
    """

    series: str
    span: float
    hours: pd.DatetimeIndex
    truth: Floats
    parts: Floats
    past_truth: Floats
    past_parts: Floats
    past_hours: pd.DatetimeIndex


def series_of(kind: str) -> dict[str, int]:
    """Return development series, and how many of the last windows of each are left out since they are reported."""
    if kind == "net":
        return {f"{name}-net": 0 for name in others.NET}
    simulated = {name: WINDOWS for name in model.reported_series()}
    return simulated | {name: 0 for name in others.DEVELOPMENT}


def measure(series: str, skip: int, back: int, folder: Path) -> None:
    """Forecast a window of a series with every part, and keep what came of it; `back` counts from the last, 0."""
    path = folder / f"{series}.{back}.npz"
    if path.exists():
        return
    started = perf_counter()
    history = model.history_of(series)
    (origin,) = backtest.origins(history, 1, HOURS, skip=skip + back)
    known = history.until(origin)
    parts = Parts(known, fit_floors(known.used_kwh))
    past = []
    for hours in range(HOURS, HOURS + PAST_ORIGINS * EVERY_HOURS, EVERY_HOURS):
        start = origin - pd.Timedelta(hours=hours)
        before = known.until(start)
        if len(before.hours) < 60 * 24:
            break
        past.append((start, known.factory_kwh[len(before.hours) :][:HOURS], parts.at(before, start)))
    truth = history.factory_kwh[len(known.hours) :][:HOURS]
    np.savez_compressed(
        path,
        span=backtest.training_span(known.factory_kwh),
        hours=pd.date_range(origin, periods=HOURS, freq="h").as_unit("ns").asi8,
        zone=str(origin.tz),
        truth=truth,
        parts=parts.at(known, origin).astype(np.float32),
        past_truth=np.array([p[1] for p in past]),
        past_parts=np.array([p[2] for p in past]).astype(np.float32),
        past_hours=np.array([p[0].as_unit("ns").value for p in past]),
    )
    print(f"{series} {back}: {perf_counter() - started:.1f} s", flush=True)


class Parts:
    """The parts, trained on what was known; `at` refits the trees, which must not have seen what follows."""

    def __init__(self, known: History, floor: Floats) -> None:
        trained = train_experts(known)
        self._experts = replace(trained, network=None, trust=0.0)
        self._gate = replace(trained, network=shipped_gate(), trust=1.0)
        self._floor = floor

    def at(self, known: History, origin: pd.Timestamp) -> Floats:
        """(T, P) kWh."""
        above, total, n = known.above(self._floor), self._floor.sum(), HOURS
        booster = trees.fit(above)
        boosted = np.full(n, np.nan) if booster is None else trees.predict(booster, above, origin, n)
        local = mstl.predict(above, origin, n)
        columns = [
            self._experts.predict(known, origin, n).sum(axis=1).to_numpy(),
            self._gate.predict(known, origin, n).sum(axis=1).to_numpy(),
            boosted + total,
            np.full(n, np.nan) if local is None else local + total,
            weekly_naive(known, origin, n).sum(axis=1).to_numpy(),
            hour_of_week_profile(known, origin, n).sum(axis=1).to_numpy(),
        ]
        return np.stack(columns, axis=1)


def windows(folder: Path) -> Iterator[Window]:
    """Read what `measure` kept."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as kept:
            zone = str(kept["zone"])
            yield Window(
                path.stem.rpartition(".")[0],
                float(kept["span"]),
                pd.DatetimeIndex(kept["hours"]).tz_localize("UTC").tz_convert(zone),
                kept["truth"],
                kept["parts"],
                kept["past_truth"],
                kept["past_parts"],
                pd.DatetimeIndex(kept["past_hours"]).tz_localize("UTC").tz_convert(zone),
            )


def mixed(window: Window, fixed: tuple[float, ...], power: float) -> tuple[Floats, Floats]:
    """(T,) and (O, T) kWh: the parts by fixed shares, each cut by how much it erred from the last six past origins."""
    share = np.array(fixed, dtype=np.float64)
    if len(window.past_truth):
        squared = np.nanmean((window.past_parts[:6] - window.past_truth[:6, :, None]) ** 2, axis=(0, 1))
        best = np.nanmin(squared[share > 0])
        share = share * (best / np.maximum(squared, 1e-12)) ** power
    share = np.where(np.isfinite(share), share, 0.0)
    share /= share.sum()
    usable = share > 0
    return window.parts[:, usable] @ share[usable], window.past_parts[..., usable] @ share[usable]


def main() -> None:
    """Measure, then print accuracies of parts and of mixes: mean and standard error over series."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "development"
    folder = Config.from_environment().state / "bench" / "components" / kind
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    jobs = [
        (series, skip, back, folder) for back in range(WINDOWS) for series, skip in series_of(kind).items()
    ]
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        list(pool.map(measure, *zip(*jobs, strict=True)))
    report(list(windows(folder)))
    report_band(list(windows(folder)))


def shipped(window: Window) -> tuple[Floats, Floats]:
    """(T,) and (O, T) kWh: what the product mixes; the gate has half of the experts where it erred no more before."""
    fixed = shares.OF_MACHINES if _has_machines(window.series) else shares.OF_ONE_METER
    rest, trust = 1 - fixed.trees - fixed.mstl, 0.0
    if len(window.past_truth):
        prior, gate = window.past_parts[..., 0], window.past_parts[..., 1]
        error = [
            np.nanmean((kwh - window.past_truth) ** 2) for kwh in (prior, (1 - TRUST) * prior + TRUST * gate)
        ]
        trust = TRUST if error[1] <= error[0] else 0.0
    return mixed(window, (rest * (1 - trust), rest * trust, fixed.trees, fixed.mstl, 0, 0), shares.POWER)


def _has_machines(series: str) -> bool:
    return series[:1].isdigit()


def report(measured: list[Window]) -> None:
    """Print the table."""

    def by_shares(*fixed: float, power: float = 2.0) -> Callable[[Window], tuple[Floats, Floats]]:
        return lambda window: mixed(window, fixed, power)

    mixes = {part: by_shares(*(float(part == other) for other in PARTS), power=0.0) for part in PARTS}
    mixes |= {
        BEFORE: by_shares(6, 0, 3, 1, 0, 0),
        SHIPPED: shipped,
        "4:3:3": by_shares(4, 0, 3, 3, 0, 0),
        "4:3:3, the gate half of the experts": by_shares(2, 2, 3, 3, 0, 0),
        "3:3:3:3, the gate a part of its own": by_shares(3, 3, 3, 3, 0, 0),
        "4:3:3, power 1": by_shares(4, 0, 3, 3, 0, 0, power=1.0),
        "4:3:3, power 4": by_shares(4, 0, 3, 3, 0, 0, power=4.0),
        "4:3:3:1:1 with naive and profile": by_shares(4, 0, 3, 3, 1, 1),
        "4:3:3:1:1, power 4": by_shares(4, 0, 3, 3, 1, 1, power=4.0),
    }
    names = [window.series for window in measured]
    by_mix = {}
    for name, mix in mixes.items():
        accuracy = [100 * (1 - np.sqrt(np.nanmean((mix(w)[0] - w.truth) ** 2)) / w.span) for w in measured]
        by_mix[name] = accuracy
    by_window = pd.DataFrame(by_mix)
    table = by_window.groupby(names).mean()
    before = table[BEFORE]
    best = table[list(PARTS[1:])].drop(columns="mstl").max(axis=1)
    gain = table.sub(before, axis=0)
    shown = pd.DataFrame(
        {
            "accuracy": table.mean(),
            "gain": gain.mean(),
            "standard error": gain.std() / np.sqrt(len(table)),
            "mean rank": table.rank(axis=1, ascending=False).mean(),
            "worst gap to the best single": table.sub(best, axis=0).min(),
            "series over 0.3 behind it, %": 100 * (table.sub(best, axis=0) < -0.3).mean(),
        }
    )
    print(f"accuracy, month-ahead, {len(table)} development series, {len(measured)} windows")
    print(shown.round(3).to_string())
    print(f"\neach series\n{table[[*PARTS, BEFORE, SHIPPED]].round(2).to_string()}")
    _report_folds(measured, by_window)


def _report_folds(measured: list[Window], by_window: pd.DataFrame) -> None:
    """Print what a mix reaches that is chosen without the series that it is scored on.

    Series are put in `FOLDS`. For every window that mix forecasts which did best on the windows of the other folds,
    without those that overlap it in time: they share its weather and its holidays.
    """
    names = sorted({window.series for window in measured})
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    mixes = [str(name) for name in by_window if name not in PARTS]
    of_mixes = by_window[mixes].to_numpy()
    begins = np.array([window.hours[0].timestamp() for window in measured])
    folds = np.array([fold[window.series] for window in measured])
    chosen, scored = [], []
    for i in range(len(measured)):
        others = (folds != folds[i]) & (np.abs(begins - begins[i]) >= HOURS * 3600)
        best = mixes[int(of_mixes[others].mean(axis=0).argmax())]
        chosen.append(best)
        scored.append(float(of_mixes[i, mixes.index(best)] - of_mixes[i, mixes.index(BEFORE)]))
    gain = pd.Series(scored).groupby([window.series for window in measured]).mean()
    print(
        f"\nchosen in {FOLDS} folds of series: gain {gain.mean():+.3f}, standard error "
        f"{gain.std() / np.sqrt(len(gain)):.3f}; chosen: {pd.Series(chosen).value_counts().to_dict()}"
    )


DAYS = 31


def report_band(measured: list[Window]) -> None:
    """Print what the band holds around the mix, fitted on what the experts got wrong from past origins."""
    rows = []
    for window in measured:
        country = _country(window.series)
        at = [pd.date_range(origin, periods=HOURS, freq="h") for origin in window.past_hours]
        residual = np.full((len(at), DAYS, 24, 1), np.nan)
        days = np.empty((len(at), DAYS), dtype="datetime64[D]")
        for i, hours in enumerate(at):
            grid = DayGrid.of(hours, (window.past_truth[i] - window.past_parts[i, :, 0])[:, None])
            residual[i, : len(grid.days)] = grid.values
            days[i] = grid.days[0] + np.arange(DAYS) * ONE_DAY
        kinds = band.kinds_of(day_features(days.reshape(-1), country), True).reshape(days.shape)
        widths = band.fit(residual, kinds, band.months_of(days[:, 0].astype(np.int64)))
        kwh = pd.DataFrame({"series": shipped(window)[0]}, index=window.hours)
        bands = band.around(kwh, widths, country, True, np.full(1, -np.inf))
        truth = pd.Series(window.truth, index=window.hours)
        hour, total = bands.hour[band.FACTORY], float(kwh["series"].sum())
        low, high = bands.of_span(band.FACTORY, total, HOURS)
        rows.append(
            {
                "hours": scores.coverage(truth, hour["p10_kwh"], hour["p90_kwh"]),
                "days": _days_held(truth, bands),
                "total": float(low <= truth.fillna(kwh["series"]).sum() <= high),
                "interval score, % of the span": 100
                * scores.interval_score(truth, hour["p10_kwh"], hour["p90_kwh"])
                / window.span,
            }
        )
    table = pd.DataFrame(rows)
    print(
        f"\nthe 80 % band on {len(table)} development windows: share held, and the interval score (Gneiting, Raftery)"
    )
    print(table.mean().round(3).to_string())
    print(
        f"windows with under 60 % of their hours in it: {int((table['hours'] < 0.6).sum())} of {len(table)}"
    )
    print(f"the lowest: {table['hours'].min():.2f}")


def _days_held(truth: pd.Series, bands: band.Bands) -> float:
    hours = pd.DatetimeIndex(truth.index)
    daily = truth.groupby(hours.normalize()).sum(min_count=23)
    day = bands.day[band.FACTORY]
    return scores.coverage(daily, day["p10_kwh"], day["p90_kwh"])


def _country(series: str) -> str:
    return "KR" if series[:1].isdigit() or series == "steel" else "DE"


if __name__ == "__main__":
    main()
