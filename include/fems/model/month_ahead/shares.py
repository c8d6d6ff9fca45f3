"""How much of the factory's sum each way of forecasting has: fixed shares, cut where one erred more in the past.

Forecasts that err differently cancel, and who erred least lately tells little of who will next month (the forecast
combination puzzle of Stock and Watson, 2004); so the shares start from fixed ones. But a way that does not suit a
series at all errs several times as much at every past origin, and that is no chance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fems.contracts.horizon import HORIZON_MINUTES
from fems.model.history import Floats, History
from fems.model.month_ahead import mstl, trees

POWER = 2
"""A way with twice the squared error of the best keeps a quarter of its share."""

_ORIGINS, _EVERY_HOURS = 6, 15 * 24
_HORIZON_HOURS = HORIZON_MINUTES // 60
_LEAST_DAYS = 60


@dataclass(frozen=True)
class Shares:
    """What trees and MSTL have in the factory's sum, 0 to 1; the rest is the experts'."""

    trees: float
    mstl: float


OF_ONE_METER = Shares(trees=0.3, mstl=0.3)
OF_MACHINES = Shares(trees=0.3, mstl=0.1)
"""Where there are machines, experts know more than trees and MSTL, which know the sum alone. Chosen on development
series: `python -m benchmarks.components`."""

NONE = Shares(trees=0.0, mstl=0.0)


def fixed(machines: int) -> Shares:
    """Return the shares before any is cut."""
    return OF_MACHINES if machines > 1 else OF_ONE_METER


def fit(
    history: History,
    experts: Callable[[History, pd.Timestamp, int], Floats],
    floor: Floats,
    *,
    seed: int = 0,
    threads: int = 1,
) -> Shares:
    """Cut the fixed shares by what each way got wrong from past origins, trees refitted at each.

    Args:
        history: one factory.
        floor: (E,) see `floors`.
        experts: (known, origin, hours) -> (hours,) kWh of the factory, without trees and MSTL.
        seed: of the trees.
        threads: of the trees.

    Returns:
        The fixed ones where there is too little before every origin.
    """
    start = fixed(len(history.equipment))
    squared: list[list[float]] = []
    for back in range(_HORIZON_HOURS, _HORIZON_HOURS + _ORIGINS * _EVERY_HOURS, _EVERY_HOURS):
        origin = history.end - pd.Timedelta(hours=back)
        known = history.until(origin)
        above = known.above(floor)
        truth = history.factory_kwh[len(known.hours) :][:_HORIZON_HOURS]
        if len(known.hours) < _LEAST_DAYS * 24 or not np.isfinite(truth).any():
            continue
        booster = trees.fit(above, seed=seed, threads=threads)
        local = mstl.predict(above, origin, len(truth))
        if booster is None or local is None:
            continue
        forecasts = (
            experts(known, origin, len(truth)),
            trees.predict(booster, above, origin, len(truth)) + floor.sum(),
            local + floor.sum(),
        )
        squared.append([float(np.nanmean((kwh - truth) ** 2)) for kwh in forecasts])
    if not squared:
        return start
    error = np.maximum(np.mean(squared, axis=0), 1e-12)
    share = np.array([1 - start.trees - start.mstl, start.trees, start.mstl]) * (error.min() / error) ** POWER
    share /= share.sum()
    return Shares(trees=float(share[1]), mstl=float(share[2]))
