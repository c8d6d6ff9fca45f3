"""How far to trust each expert before any network looks: what would have served best at past origins."""

import numpy as np
from numpy.typing import NDArray

from fems.model.history import Floats

BUCKETS = (0, 3, 10)
"""First days of the horizon's parts: a level of two days says something of tomorrow, little of the month's end."""

_ROUNDS = 300
_POWER = 32
_FLOOR = 0.02

Singles = NDArray[np.float32]


def bucket_of(steps: int) -> NDArray[np.int64]:
    """Return (S,) the part of the horizon that each day is in."""
    return np.searchsorted(np.array(BUCKETS), np.arange(steps), side="right") - 1


def fit_prior(experts: Singles, target: Singles) -> Floats:
    """Weigh the experts of one series by what they got wrong at past origins.

    The mean of two rules, in each part of the horizon. One is the convex mixture with the least squared error,
    found from equal weights by exponentiated gradient descent (Kivinen and Warmuth, 1997): it knows which errors
    cancel, and trusts what may be chance. Its moments are drawn half-way to those of the whole horizon. The
    other weighs by a power of the inverse squared error: it knows nothing of what cancels, and is steadier.

    Args:
        experts: (N, S, K, 24) forecasts from N past origins.
        target: (N, S, 24) what came, NaN where it does not count.

    Returns:
        (B, K) weights above 0, each row with the sum 1.
    """
    count, part = experts.shape[2], bucket_of(target.shape[1])
    whole = _moment(experts, target)
    out = np.full((len(BUCKETS), count), 1 / count)
    if whole is None:
        return out
    for bucket in range(len(BUCKETS)):
        own = _moment(experts[:, part == bucket], target[:, part == bucket])
        moment = whole if own is None else own
        weight = (_least_squares(_unit(moment) + _unit(whole)) + _inverse(moment)) / 2
        out[bucket] = (1 - _FLOOR) * weight + _FLOOR / count
    return out


def add_share(weights: Floats, experts: Singles, target: Singles, towards: int, share: float) -> Floats:
    """Give one expert a share beside what the weights give it, cut by the square of how much more it erred.

    Args:
        weights: (B, K) from `fit_prior`, of the same forecasts.
        experts: (N, S, K, 24) forecasts from N past origins.
        target: (N, S, 24) what came, NaN where it does not count.
        towards: which expert.
        share: 0 to 1, what it gets where it erred no more than the weights' mixture.

    Returns:
        (B, K) weights, each row with the sum 1.
    """
    out, part = weights.copy(), bucket_of(target.shape[1])
    for bucket, weight in enumerate(weights):
        moment = _moment(experts[:, part == bucket], target[:, part == bucket])
        mixed, alone = (1.0, 1.0) if moment is None else (weight @ moment @ weight, moment[towards, towards])
        given = share * min(1.0, mixed / alone) ** 2 if alone > 0 else share
        out[bucket] *= 1 - given
        out[bucket, towards] += given
    return out


def _moment(experts: Singles, target: Singles) -> Floats | None:
    """(K, K) mean product of the experts' errors: with weights w that sum to 1 the squared error is w' M w."""
    known = np.isfinite(target)
    if not known.any():
        return None
    error = np.moveaxis(experts, 2, -1)[known].astype(np.float64) - target[known][:, None]
    moment: Floats = error.T @ error / len(error)
    return moment


def _unit(moment: Floats) -> Floats:
    scaled: Floats = moment / max(float(np.trace(moment)), 1e-12)
    return scaled


def _least_squares(moment: Floats) -> Floats:
    count = len(moment)
    step = 1.0 / max(float(np.trace(moment)) / count, 1e-12)
    weight = np.full(count, 1 / count)
    for _ in range(_ROUNDS):
        slope = 2 * moment @ weight
        weight = weight * np.exp(-step * (slope - slope.min()))
        weight /= weight.sum()
    return weight


def _inverse(moment: Floats) -> Floats:
    squared = np.maximum(np.diag(moment), 1e-12)
    weight = (squared.min() / squared) ** _POWER
    normed: Floats = weight / weight.sum()
    return normed
