"""The 80 % band around a factory's forecast, calibrated on what rolling origins got wrong.

Split conformal prediction (Papadopoulos et al., 2002; Romano et al., 2019): quantiles of the residuals by kind
of day and hour give the band its shape, and one factor for all of it its width.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.model.calendar import HOLIDAY, day_features, day_kinds
from fems.model.daygrid import positions
from fems.model.history import Floats

LOW, HIGH = 0.1, 0.9

_OF_KIND = np.array([0, 0, 0, 0, 0, 1, 2, 2])
"""Weekday, Saturday, Sunday or holiday: residuals are too few to tell more apart."""
_LEAST = 20
_SHARE = 0.86
"""Of the past residuals that the band is to hold, so that it holds 80 % of those to come.

The origins overlap and come from one year: they show fewer months than there are to come. Chosen on windows before
the last four of the steel file and of the simulated factories.
"""
_FACTORS = (0.6, 2.5)


@dataclass(frozen=True)
class Band:
    """What to add to a forecast.

    Attributes:
        offsets: (3, 24, 2) kWh by kind of day and hour: the 10 % and the 90 % quantile.
    """

    offsets: Floats


def kinds_of(features: pd.DataFrame) -> NDArray[np.int64]:
    """Return (D,) 0 for a weekday, 1 for a Saturday, 2 for a Sunday or holiday, of `calendar.day_features`."""
    kinds: NDArray[np.int64] = _OF_KIND[np.minimum(day_kinds(features), HOLIDAY)]
    return kinds


def fit(residual: Floats, kinds: NDArray[np.int64]) -> Band:
    """Take the quantiles by kind of day and hour, then stretch them until they hold the share they should.

    Args:
        residual: (N, 24) kWh, truth minus forecast of past origins; NaN where missing.
        kinds: (N,) kinds of the days.
    """
    out = np.zeros((3, 24, 2))
    everything = np.nanquantile(residual, [LOW, HIGH]) if np.isfinite(residual).any() else np.zeros(2)
    for kind in range(3):
        of_kind = residual[kinds == kind]
        for hour in range(24):
            known = of_kind[np.isfinite(of_kind[:, hour]), hour]
            out[kind, hour] = np.quantile(known, [LOW, HIGH]) if len(known) >= _LEAST else everything
    out[..., 0], out[..., 1] = np.minimum(out[..., 0], 0.0), np.maximum(out[..., 1], 0.0)
    return Band(out * _stretch(out, residual, kinds))


def _stretch(offsets: Floats, residual: Floats, kinds: NDArray[np.int64]) -> float:
    """The factor with which the band holds its share of the residuals."""
    known = np.isfinite(residual)
    if not known.any():
        return 1.0
    low, high = offsets[kinds, :, 0], offsets[kinds, :, 1]
    need = np.where(residual > 0, residual / np.maximum(high, 1e-9), residual / np.minimum(low, -1e-9))
    return float(np.clip(np.quantile(need[known], _SHARE), *_FACTORS))


def around(kwh: pd.Series, band: Band, country: str) -> pd.DataFrame:
    """Put the band around a forecast.

    Args:
        kwh: indexed by tz-aware hour.
        band: from `fit`.
        country: ISO 3166 code.

    Returns:
        kwh, p10_kwh, p90_kwh; not negative, and the forecast lies within.
    """
    day, slot = positions(pd.DatetimeIndex(kwh.index))
    days, row = np.unique(day, return_inverse=True)
    offset = band.offsets[kinds_of(day_features(days, country))[row], slot]
    return pd.DataFrame(
        {"kwh": kwh, "p10_kwh": np.maximum(kwh + offset[:, 0], 0.0), "p90_kwh": kwh + offset[:, 1]}
    )
