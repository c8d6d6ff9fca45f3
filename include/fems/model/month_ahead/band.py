"""The 80 % band around a forecast, for every machine and the factory, by the hour and by the day.

Split conformal prediction (Papadopoulos et al., 2002; Romano et al., 2019): quantiles of what past origins got wrong,
by kind of day and hour, give the band its shape, and one factor for all of it its width. Days have a band of their
own: quantiles of hours do not add up to a day's.

The band is as wide above the forecast as below: past origins overlap and show a few months, so which way a level moved
in them tells little of the month to come.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.model.calendar_features import HOLIDAY, day_features, day_kinds
from fems.model.history import Floats
from fems.model.month_ahead.daygrid import positions

LOW, HIGH = 0.1, 0.9
FACTORY = ""
"""The key of the factory among its sensors."""

_OF_KIND = np.array([0, 0, 0, 0, 0, 1, 2, 2])
"""Weekday, Saturday, Sunday or holiday: residuals are too few to tell more apart."""
_LEAST = 20
_LEAST_HOURS = 20
"""A day with fewer known hours says nothing of a day's energy."""
_FACTORS = (0.6, 3.0)


@dataclass(frozen=True)
class BandWidths:
    """What to add to a forecast, kWh, for E machines and last their factory, L = E + 1 levels.

    Attributes:
        hour: (L, 3, 24, 2) by kind of day and hour: the 10 % and the 90 % quantile.
        day: (L, 3, 2) by kind of day: those of a whole day's energy.
    """

    hour: Floats
    day: Floats


@dataclass(frozen=True)
class Bands:
    """A forecast's quantiles.

    Attributes:
        hour: sensor, or `FACTORY`, -> p10_kwh, p50_kwh, p90_kwh, indexed by the starts of the hours.
        day: likewise by local days; a part of a day at either end is a row of its own. p50_kwh is the
            forecast itself, p10_kwh <= p50_kwh <= p90_kwh, and none is negative but of machines that feed in.
    """

    hour: dict[str, pd.DataFrame]
    day: dict[str, pd.DataFrame]


def kinds_of(features: pd.DataFrame, holidays_off: bool) -> NDArray[np.int64]:
    """Return (D,) 0 for a weekday, 1 for a Saturday, 2 for a Sunday, of `calendar_features.day_features`.

    A holiday is a Sunday where the factory stops on it, and its weekday where it works on.
    """
    of_day = day_kinds(features) if holidays_off else features["weekday"].to_numpy()
    kinds: NDArray[np.int64] = _OF_KIND[np.minimum(of_day, HOLIDAY)]
    return kinds


def fit(residual: Floats, kinds: NDArray[np.int64]) -> BandWidths:
    """Take the quantiles by kind of day, then stretch them until they hold the share they should.

    Args:
        residual: (N, 24, E) kWh, truth minus forecast of the machines on N days ahead of past origins; NaN where
            missing.
        kinds: (N,) kinds of the days.
    """
    # A meter that never reported has no error to add; where one that did is missing, the sum is missing.
    reporting = np.isfinite(residual).any(axis=(0, 1))
    levels = np.concatenate([residual, residual[..., reporting].sum(axis=2, keepdims=True)], axis=2)
    known = np.isfinite(levels).sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.nansum(levels, axis=1) / np.where(known >= _LEAST_HOURS, known, np.nan)
    hour = [_offsets(levels[..., level], kinds) for level in range(levels.shape[2])]
    day = [_offsets(24 * mean[:, level, None], kinds)[:, 0] for level in range(levels.shape[2])]
    return BandWidths(np.stack(hour), np.stack(day))


def _offsets(residual: Floats, kinds: NDArray[np.int64]) -> Floats:
    """(N, H) -> (3, H, 2)."""
    out = np.zeros((3, residual.shape[1], 2))
    everything = np.nanquantile(residual, [LOW, HIGH]) if np.isfinite(residual).any() else np.zeros(2)
    for kind in range(3):
        of_kind = residual[kinds == kind]
        for hour in range(residual.shape[1]):
            known = of_kind[np.isfinite(of_kind[:, hour]), hour]
            out[kind, hour] = np.quantile(known, [LOW, HIGH]) if len(known) >= _LEAST else everything
    half = (out[..., 1:] - out[..., :1]) / 2
    return np.concatenate([-half, half], axis=-1) * _stretch(half[..., 0], residual, kinds)


def _stretch(half: Floats, residual: Floats, kinds: NDArray[np.int64]) -> float:
    """The factor with which a band of (3, H) half-widths holds its share of the residuals."""
    known = np.isfinite(residual)
    if not known.any():
        return 1.0
    need = np.abs(residual) / np.maximum(half[kinds], 1e-9)
    return float(np.clip(np.quantile(need[known], HIGH - LOW), *_FACTORS))


def around(kwh: pd.DataFrame, band: BandWidths, country: str, holidays_off: bool, floor: Floats) -> Bands:
    """Put the band around a forecast.

    Args:
        kwh: (T, E) indexed by tz-aware hour, a column a machine, in the order that `band` was fitted in.
        band: from `fit`.
        country: ISO 3166 code.
        holidays_off: whether the factory stops on public holidays.
        floor: (E,) kWh, at most 0, that no hour of a machine's band falls below.
    """
    hours = pd.DatetimeIndex(kwh.index)
    day, slot = positions(hours)
    days, row = np.unique(day, return_inverse=True)
    kinds = kinds_of(day_features(days, country), holidays_off)
    starts = hours.normalize().unique().rename(hours.name)
    by_hour, by_day = {}, {}
    names = [*map(str, kwh.columns), FACTORY]
    floors = np.append(floor, floor.sum())
    forecast = np.column_stack([kwh.to_numpy(dtype=np.float64), kwh.to_numpy(dtype=np.float64).sum(axis=1)])
    for level, name in enumerate(names):
        offset = band.hour[level][kinds[row], slot]
        by_hour[name] = _quantiles(forecast[:, level], offset, hours, floors[level])
        total = np.bincount(row, forecast[:, level]).astype(np.float64)
        summed = np.stack([np.bincount(row, offset[:, side]) for side in range(2)], axis=1)
        share = _shrink(band.hour[level].sum(axis=1), band.day[level])[kinds]
        length = np.bincount(row)
        by_day[name] = _quantiles(total, summed * _of_part(share, length), starts, floors[level] * length)
    return Bands(by_hour, by_day)


def _shrink(summed: Floats, day: Floats) -> Floats:
    """(3, 2): a whole day's offset over the sum of its hours' offsets, 1 where those are 0."""
    ratio: Floats = np.where(np.abs(summed) > 0, day / np.where(np.abs(summed) > 0, summed, 1.0), 1.0)
    return ratio


def _of_part(share: Floats, hours: NDArray[np.int64]) -> Floats:
    """(D, 2): what `share` of whole days is for days of fewer hours.

    Taken as if the errors of any two hours were equally correlated: n of them have the standard deviation
    sqrt(n + n (n - 1) rho) of one, and rho follows from the whole day.
    """
    count = hours[:, None].astype(np.float64)
    rho = (share**2 * 24 - 1) / 23
    part: Floats = np.sqrt(np.maximum((1 + (count - 1) * rho) / count, 0.0))
    return part


def _quantiles(kwh: Floats, offset: Floats, index: pd.DatetimeIndex, floor: Floats | float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "p10_kwh": np.maximum(kwh + offset[:, 0], floor),
            "p50_kwh": kwh,
            "p90_kwh": kwh + offset[:, 1],
        },
        index=index,
    )
