"""The 80 % band around a factory's forecast: quantiles of what rolling origins got wrong."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.model.calendar import HOLIDAY, Days, day_kinds
from fems.model.daygrid import positions
from fems.model.history import Floats

LOW, HIGH = 0.1, 0.9

_OF_KIND = np.array([0, 0, 0, 0, 0, 1, 2, 2])
"""Weekday, Saturday, Sunday or holiday: residuals are too few to tell more apart."""


def kinds_of(days: Days, country: str) -> NDArray[np.int64]:
    """Return (D,) 0 for a weekday, 1 for a Saturday, 2 for a Sunday or holiday."""
    kinds: NDArray[np.int64] = _OF_KIND[np.minimum(day_kinds(days, country), HOLIDAY)]
    return kinds


def fit(seen: Floats, seen_kinds: NDArray[np.int64], held: Floats, held_kinds: NDArray[np.int64]) -> Floats:
    """Take the quantiles by kind of day and hour, widened until held-out residuals fit too.

    Args:
        seen: (N, 24) kWh, truth minus forecast, of origins that were trained on; NaN where missing.
        seen_kinds: (N,) kinds of the days.
        held: (H, 24) likewise, of origins that were held out.
        held_kinds: (H,).

    Returns:
        (3, 24, 2) kWh to add to the forecast: the 10 % and the 90 % quantile.
    """
    residual, kinds = np.concatenate([seen, held]), np.concatenate([seen_kinds, held_kinds])
    out = np.zeros((3, 24, 2))
    everything = np.nanquantile(residual, [LOW, HIGH]) if np.isfinite(residual).any() else np.zeros(2)
    for kind in range(3):
        of_kind = residual[kinds == kind]
        for hour in range(24):
            known = of_kind[np.isfinite(of_kind[:, hour]), hour]
            out[kind, hour] = np.quantile(known, [LOW, HIGH]) if len(known) >= 20 else everything
    return out * _widening(out, held, held_kinds)


def _widening(quantiles: Floats, held: Floats, kinds: NDArray[np.int64]) -> float:
    """The least factor, 1 to 2, with which the band holds its share of the held-out residuals."""
    low, high = quantiles[kinds, :, 0], quantiles[kinds, :, 1]
    known = np.isfinite(held)
    if not known.any():
        return 1.0
    need = np.where(held > 0, held / np.maximum(high, 1e-9), held / np.minimum(low, -1e-9))[known]
    return float(np.clip(np.quantile(need, HIGH - LOW), 1.0, 2.0))


def around(kwh: pd.Series, quantiles: Floats, country: str) -> pd.DataFrame:
    """Put the band around a forecast.

    Args:
        kwh: indexed by tz-aware hour.
        quantiles: from `fit`.
        country: ISO 3166 code.

    Returns:
        kwh, p10_kwh, p90_kwh; not negative, and the forecast lies within.
    """
    hours = pd.DatetimeIndex(kwh.index)
    day, slot = positions(hours)
    offset = quantiles[kinds_of(day, country), slot]
    return pd.DataFrame(
        {
            "kwh": kwh,
            "p10_kwh": np.maximum(kwh + np.minimum(offset[:, 0], 0.0), 0.0),
            "p90_kwh": kwh + np.maximum(offset[:, 1], 0.0),
        }
    )
