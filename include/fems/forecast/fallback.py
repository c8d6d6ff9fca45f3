"""What forecasts where no model can: a named baseline, with a band from its own past errors."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fems.calendar import ONE_DAY, Days
from fems.errors import TooLittleHistory
from fems.model.baselines import hour_of_week_profile, weekly_naive
from fems.model.calendar_features import day_features
from fems.model.floors import fit_floors
from fems.model.history import Floats, History
from fems.model.month_ahead import band
from fems.model.month_ahead.band import Bands

Baseline = Callable[[History, pd.Timestamp, int], pd.DataFrame]
BASELINES: dict[str, Baseline] = {"weekly_naive": weekly_naive, "profile": hour_of_week_profile}

RECENT_DAYS = 14
RECENT_SHARE = 0.5
"""A model is asked only where this share of the factory's last hours was measured."""

_LEAST_DAYS = 21
_PAST_ORIGINS = 12
_AHEAD_DAYS = 28


@dataclass(frozen=True)
class Fallback:
    """A baseline's forecast.

    Attributes:
        name: of the baseline.
        kwh: (T, E) by hour and sensor.
        bands: its quantiles.
    """

    name: str
    kwh: pd.DataFrame
    bands: Bands


def recent_share(history: History, origin: pd.Timestamp) -> float:
    """Return the share of the last `RECENT_DAYS` days' hours in which the factory's energy is known."""
    recent = history.between(origin - pd.Timedelta(days=RECENT_DAYS), origin)
    return float(np.isfinite(recent.factory_kwh).sum() / (24 * RECENT_DAYS))


def forecast(history: History, origin: pd.Timestamp, horizon_hours: int) -> Fallback:
    """Forecast with the baseline whose past errors were smaller.

    Each is tried at up to 12 past origins, a week apart, up to four weeks ahead and with nothing known after them;
    those errors choose the baseline and make its band.

    Raises:
        TooLittleHistory: fewer than 21 days before the origin.
    """
    known = history.until(origin)
    if len(known.hours) < _LEAST_DAYS * 24:
        raise TooLittleHistory(
            f"a forecast from {origin:%Y-%m-%d %H:%M}, even by a baseline, needs {_LEAST_DAYS} days before it; "
            f"there are {len(known.hours) / 24:.1f}"
        )
    errors = {name: _past_errors(known, baseline) for name, baseline in BASELINES.items()}
    name = min(errors, key=lambda name: float(np.nanmean(errors[name][0] ** 2)))
    kwh = BASELINES[name](known, origin, horizon_hours)
    residual, days = errors[name]
    kinds = band.kinds_of(day_features(days.reshape(-1), known.country), known.holidays_off)
    first = days[:, 0].astype(np.int64)
    widths = band.fit(residual, kinds.reshape(days.shape), band.months_of(first))
    floor = fit_floors(known.used_kwh)
    return Fallback(name, kwh, band.around(kwh, widths, known.country, known.holidays_off, floor))


def _past_errors(known: History, baseline: Baseline) -> tuple[Floats, Days]:
    """Truth minus forecast: (O, 28, 24, E) kWh of whole days ahead of past origins, and (O, 28) the local days."""
    end = known.end.normalize()
    residuals, days = [], []
    for back in range(1, _PAST_ORIGINS + 1):
        origin = end - pd.Timedelta(days=7 * back)
        measured = known.until(origin)
        if len(measured.hours) < 14 * 24:
            break
        truth = known.between(origin, min(end, origin + pd.Timedelta(days=_AHEAD_DAYS)))
        kwh = baseline(measured, origin, len(truth.hours)).to_numpy()
        whole = min(len(kwh) // 24, _AHEAD_DAYS)
        error = np.full((_AHEAD_DAYS, 24, kwh.shape[1]), np.nan)
        error[:whole] = (truth.used_kwh - kwh)[: whole * 24].reshape(whole, 24, -1)
        residuals.append(error)
        first = np.datetime64(origin.tz_localize(None), "D")
        days.append(first + np.arange(_AHEAD_DAYS) * ONE_DAY)
    return np.stack(residuals), np.stack(days)
