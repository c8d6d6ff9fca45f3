"""How far to trust each expert before any network looks: what would have served best at past origins."""

import numpy as np
from numpy.typing import NDArray

from fems.model.history import Floats


def fit_prior(
    experts: NDArray[np.float32], target: NDArray[np.float32], *, rounds: int = 300, floor: float = 0.05
) -> Floats:
    """Find the convex mixture of experts with the least squared error.

    Exponentiated gradient descent on the simplex (Kivinen and Warmuth, 1997), started at equal weights: it
    stays near them where the data do not say otherwise.

    Args:
        experts: (N, S, K, 24) forecasts from N past origins.
        target: (N, S, 24) what came, NaN where it does not count.
        rounds: gradient steps.
        floor: share that is spread evenly in the end: past origins overlap and say less than they seem to,
            and a gate must still be able to wake an expert.

    Returns:
        (K,) weights above 0 that sum to 1.
    """
    count = experts.shape[2]
    known = np.isfinite(target)
    if not known.any():
        return np.full(count, 1 / count)
    error = np.moveaxis(experts, 2, -1)[known].astype(np.float64) - target[known][:, None]
    # With weights that sum to 1 the mixture's squared error is w' M w.
    moment = error.T @ error / len(error)
    step = 1.0 / max(float(np.trace(moment)) / count, 1e-12)
    weight = np.full(count, 1 / count)
    for _ in range(rounds):
        slope = 2 * moment @ weight
        weight = weight * np.exp(-step * (slope - slope.min()))
        weight /= weight.sum()
    mixed: Floats = (1 - floor) * weight + floor / count
    return mixed
