"""Scores. Intervals whose truth is missing count in none of them."""

import numpy as np
from numpy.typing import ArrayLike

from fems.errors import DataError
from fems.model.history import Floats

ONE_STEP = "one-step"
"""Protocol of the study's Table 2: the next interval, from measured inputs up to it."""

MONTH_AHEAD = "month-ahead"
"""Protocol: the whole horizon from one origin, with no measured input at or after it."""


def _pairs(truth: ArrayLike, forecast: ArrayLike) -> tuple[Floats, Floats]:
    t, f = np.asarray(truth, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    known = np.isfinite(t)
    if not known.any():
        raise DataError("score: the truth is missing everywhere")
    return t[known], f[known]


def rmse(truth: ArrayLike, forecast: ArrayLike) -> float:
    """sqrt(mean((truth - forecast)^2)), kWh.

    Raises:
        DataError: no truth.
    """
    t, f = _pairs(truth, forecast)
    return float(np.sqrt(np.mean((t - f) ** 2)))


def rmse_scaled(truth: ArrayLike, forecast: ArrayLike, span: float) -> float:
    """RMSE / span: the RMSE of min-max scaled values.

    Args:
        truth: (T,) kWh.
        forecast: (T,) kWh.
        span: maximum minus minimum of the training data, kWh.

    Raises:
        DataError: no truth.
    """
    return rmse(truth, forecast) / span


def accuracy(truth: ArrayLike, forecast: ArrayLike, span: float) -> float:
    """100 (1 - RMSE scaled), %, as the study defines it.

    Raises:
        DataError: no truth.
    """
    return 100 * (1 - rmse_scaled(truth, forecast, span))


def mae(truth: ArrayLike, forecast: ArrayLike) -> float:
    """mean(|truth - forecast|), kWh.

    Raises:
        DataError: no truth.
    """
    t, f = _pairs(truth, forecast)
    return float(np.mean(np.abs(t - f)))


def r2(truth: ArrayLike, forecast: ArrayLike) -> float:
    """1 - sum((truth - forecast)^2) / sum((truth - mean(truth))^2); NaN where the truth is constant.

    Raises:
        DataError: no truth.
    """
    t, f = _pairs(truth, forecast)
    spread = float(np.sum((t - t.mean()) ** 2))
    return 1 - float(np.sum((t - f) ** 2)) / spread if spread > 0 else float("nan")


def total_error_pct(truth: ArrayLike, forecast: ArrayLike) -> float:
    """100 (sum(forecast) - sum(truth)) / sum(truth), %; above 0 where too much was forecast.

    Raises:
        DataError: no truth.
    """
    t, f = _pairs(truth, forecast)
    return float(100 * (f.sum() - t.sum()) / t.sum()) if t.sum() != 0 else float("nan")


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of the truth within low to high, 0 to 1.

    Raises:
        DataError: no truth.
    """
    t, below = _pairs(truth, low)
    _, above = _pairs(truth, high)
    return float(np.mean((t >= below) & (t <= above)))


def interval_score(truth: ArrayLike, low: ArrayLike, high: ArrayLike, missed: float = 0.2) -> float:
    """Mean interval score (Gneiting and Raftery, 2007), kWh: the width, plus 2 / `missed` times how far a miss is off.

    Smaller is better; a band is rewarded for being narrow and pays for what it does not hold.

    Args:
        truth: (T,) kWh.
        low: (T,) kWh.
        high: (T,) kWh.
        missed: share of the truth that the band may miss.

    Raises:
        DataError: no truth.
    """
    t, below = _pairs(truth, low)
    _, above = _pairs(truth, high)
    beyond = np.maximum(below - t, 0.0) + np.maximum(t - above, 0.0)
    return float(np.mean(above - below + 2 / missed * beyond))


def table(truth: ArrayLike, forecast: ArrayLike, span: float) -> dict[str, float]:
    """Return every score of one forecast.

    Raises:
        DataError: no truth.
    """
    return {
        "accuracy": accuracy(truth, forecast, span),
        "rmse_scaled": rmse_scaled(truth, forecast, span),
        "mae": mae(truth, forecast),
        "r2": r2(truth, forecast),
        "total_error_pct": total_error_pct(truth, forecast),
    }
