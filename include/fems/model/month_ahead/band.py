"""The 80 % band around a forecast: by hours, by days and of the whole span, for every machine and the factory.

An error has two parts. One is the level's, which all hours of a month have in common: plants change from month to
month, and that is more than half of the squared error. The other is what days and hours err around it. The second is
taken from past origins, quantiles by kind of day and hour (split conformal prediction; Papadopoulos et al., 2002;
Romano et al., 2019). The first is seen once a month only, and too few months of one series tell how far a level may
move: its variance is drawn to what a day's error is worth on other series (empirical Bayes; Efron and Morris, 1973).

The parts are added as independent ones. Quantiles of hours do not add up to a day's, nor those of days to a month's:
each has its own. The band is as wide above the forecast as below: which way a level moved in a few past months tells
little of the month to come.
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

LEVEL_RATIO = 1.2
"""Standard deviation of a month's level error over that of a day's mean around it, on other series. Chosen, as the next
two, on development series: `python -m benchmarks.components`."""
LEVEL_MONTHS = 12.0
"""How many months of a factory's own the other series count as."""
WIDTH = 1.05
"""What both parts are taken times: the experts' weights were fitted on the origins that the errors are from."""

_Z = 1.2815515655446004
"""The standard normal's 90 % quantile."""
_OF_KIND = np.array([0, 0, 0, 0, 0, 1, 2, 2])
"""Weekday, Saturday, Sunday or holiday: residuals are too few to tell more apart."""
_LEAST = 20
_LEAST_HOURS = 20
"""A day with fewer known hours tells nothing of a day's energy."""
_LEAST_DAYS = 14
"""An origin with fewer known days after it tells nothing of a month's level."""
_MONTH_DAYS = 29.375
_FACTORS = (0.6, 3.0)


@dataclass(frozen=True)
class BandWidths:
    """How far the truth may be from a forecast, for E machines and last their factory, L = E + 1 levels.

    Attributes:
        hour: (L, 3, 24) kWh by kind of day and hour: half of the width that holds 80 % around the level.
        day: (L, 3) kWh by kind of day: likewise of a whole day's energy.
        level: (L,) kWh an hour: the standard deviation of the level's error.
    """

    hour: Floats
    day: Floats
    level: Floats


@dataclass(frozen=True)
class Bands:
    """A forecast's quantiles.

    Attributes:
        hour: sensor, or `FACTORY`, -> p10_kwh, p50_kwh, p90_kwh, indexed by the starts of the hours.
        day: likewise by local days; a part of a day at either end is a row of its own. p50_kwh is the
            forecast itself, p10_kwh <= p50_kwh <= p90_kwh, and none is negative but of machines that feed in.
        level: sensor, or `FACTORY`, -> kWh an hour: half of the width of the level's band, which a span of any length
            has in each of its hours.
        floor: sensor, or `FACTORY`, -> kWh an hour, at most 0, that no band falls below.
        shared: sensor, or `FACTORY`, -> 0 to 1, the share of a day's squared error that all days have in common.
    """

    hour: dict[str, pd.DataFrame]
    day: dict[str, pd.DataFrame]
    level: dict[str, float]
    floor: dict[str, float]
    shared: dict[str, float]

    def of_span(self, name: str, kwh: float, hours: int) -> tuple[float, float]:
        """Return the 10 % and 90 % quantile, kWh, of all the energy of a span.

        Args:
            name: sensor, or `FACTORY`.
            kwh: the forecast of the span's energy.
            hours: its length.
        """
        half = self.level[name] * hours
        return (min(max(kwh - half, self.floor[name] * hours), kwh), kwh + half)

    def forecast(self) -> pd.DataFrame:
        """Return the forecast itself: (T, E) kWh, indexed by hour, a column a machine."""
        return pd.DataFrame({name: table["p50_kwh"] for name, table in self.hour.items() if name != FACTORY})


def kinds_of(features: pd.DataFrame, holidays_off: bool) -> NDArray[np.int64]:
    """Return (D,) 0 for a weekday, 1 for a Saturday, 2 for a Sunday, of `calendar_features.day_features`.

    A holiday is a Sunday where the factory stops on it, and its weekday where it works on.
    """
    of_day = day_kinds(features) if holidays_off else features["weekday"].to_numpy()
    kinds: NDArray[np.int64] = _OF_KIND[np.minimum(of_day, HOLIDAY)]
    return kinds


def months_of(origin_days: NDArray[np.int64]) -> float:
    """Return how many months without overlap lie in those after origins on (O,) days."""
    return float(np.ptp(origin_days)) / _MONTH_DAYS + 1 if len(origin_days) else 0.0


def fit(residual: Floats, kinds: NDArray[np.int64], months: float) -> BandWidths:
    """Take errors from past origins apart into their level and what is around it.

    Args:
        residual: (O, D, 24, E) kWh, truth minus forecast of the machines on D days after each of O origins; NaN where
            missing.
        kinds: (O, D) kinds of the days.
        months: that the origins span together, which overlap.
    """
    # A meter that never reported has no error to add; where one that did is missing, the sum is missing.
    reporting = np.isfinite(residual).any(axis=(0, 1, 2))
    levels = np.concatenate([residual, residual[..., reporting].sum(axis=3, keepdims=True)], axis=3)
    fitted = [_fit_level(levels[..., level], kinds, months) for level in range(levels.shape[3])]
    hour, day, level = zip(*fitted, strict=True)
    return BandWidths(np.stack(hour), np.stack(day), np.array(level))


def _fit_level(residual: Floats, kinds: NDArray[np.int64], months: float) -> tuple[Floats, Floats, float]:
    """(O, D, 24) -> (3, 24), (3,), and the level's standard deviation."""
    known = np.isfinite(residual)
    hours = known.sum(axis=2)
    per_origin = known.sum(axis=(1, 2))
    total = np.where(known, residual, 0.0).sum(axis=(1, 2))
    shift = total / np.maximum(per_origin, 1)
    around = residual - shift[:, None, None]
    daily = np.where(known, around, 0.0).sum(axis=2) / np.maximum(hours, 1)
    daily = np.where(hours >= _LEAST_HOURS, daily, np.nan)
    of_day = float(np.nanmean(daily**2)) if np.isfinite(daily).any() else 0.0
    whole = shift[per_origin >= 24 * _LEAST_DAYS]
    own = float(np.mean(whole**2)) if len(whole) else 0.0
    count = months if len(whole) else 0.0
    variance = (count * own + LEVEL_MONTHS * LEVEL_RATIO**2 * of_day) / (count + LEVEL_MONTHS)
    flat = kinds.reshape(-1)
    hour = _half_widths(around.reshape(-1, residual.shape[2]), flat)
    day = _half_widths(24 * daily.reshape(-1, 1), flat)[:, 0]
    return WIDTH * hour, WIDTH * day, WIDTH * float(np.sqrt(variance))


def _half_widths(residual: Floats, kinds: NDArray[np.int64]) -> Floats:
    """(N, H) -> (3, H): by kind and hour, stretched until all together hold the share that they should."""
    known = np.isfinite(residual)
    if not known.any():
        return np.zeros((3, residual.shape[1]))
    size = np.abs(residual)
    half = np.full((3, residual.shape[1]), float(np.quantile(size[known], HIGH - LOW)))
    for kind in range(3):
        for hour in range(residual.shape[1]):
            rows = (kinds == kind) & known[:, hour]
            if rows.sum() >= _LEAST:
                half[kind, hour] = np.quantile(size[rows, hour], HIGH - LOW)
    need = size / np.maximum(half[kinds], 1e-9)
    return half * float(np.clip(np.quantile(need[known], HIGH - LOW), *_FACTORS))


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
    length = np.bincount(row)
    kinds = kinds_of(day_features(days, country), holidays_off)
    starts = hours.normalize().unique().rename(hours.name)
    values = kwh.to_numpy(dtype=np.float64)
    forecast = np.column_stack([values, values.sum(axis=1)])
    floors = np.append(floor, floor.sum())
    bands = Bands({}, {}, {}, {}, {})
    for level, name in enumerate([*map(str, kwh.columns), FACTORY]):
        own, shift = forecast[:, level], _Z * band.level[level]
        half = np.hypot(band.hour[level][kinds[row], slot], shift)
        bands.hour[name] = _quantiles(own, half, hours, floors[level])
        within = band.day[level][kinds] * _of_part(band.hour[level], band.day[level], kinds, length)
        by_day = np.bincount(row, own).astype(np.float64)
        bands.day[name] = _quantiles(by_day, np.hypot(within, shift * length), starts, floors[level] * length)
        bands.level[name], bands.floor[name] = float(shift), float(floors[level])
        common = (shift * length) ** 2
        bands.shared[name] = float(common.sum() / max(float((within**2 + common).sum()), 1e-12))
    return bands


def _of_part(hour: Floats, day: Floats, kinds: NDArray[np.int64], length: NDArray[np.int64]) -> Floats:
    """(D,): the half-width of a part of a day over a whole one's.

    Taken as if the errors of any two hours were equally correlated: n of them have the standard deviation
    sqrt(n + n (n - 1) rho) of one, and rho follows from the whole day.
    """
    count = length.astype(np.float64)
    summed = hour.sum(axis=1)
    share = np.where(summed > 0, day / np.where(summed > 0, summed, 1.0), 1.0)[kinds]
    rho = (share**2 * 24 - 1) / 23

    def size(n: Floats | float) -> Floats:
        return np.asarray(np.sqrt(np.maximum(n + n * (n - 1) * rho, 0.0)), dtype=np.float64)

    whole = size(24.0)
    part: Floats = np.where(whole > 0, size(count) / np.where(whole > 0, whole, 1.0), count / 24)
    return part


def _quantiles(kwh: Floats, half: Floats, index: pd.DatetimeIndex, floor: Floats | float) -> pd.DataFrame:
    return pd.DataFrame(
        {"p10_kwh": np.minimum(np.maximum(kwh - half, floor), kwh), "p50_kwh": kwh, "p90_kwh": kwh + half},
        index=index,
    )
