"""What the model is compared with: MSTL and boosted trees, as their users write them, on the factory's sum."""

import numpy as np
import pandas as pd

from fems.model.floors import fit_floors
from fems.model.history import Floats, History
from fems.model.month_ahead import trees
from fems.model.month_ahead.daygrid import horizon_hours

_DAY, _WEEK = 24, 168


def mstl(history: History, origin: pd.Timestamp, count: int) -> pd.Series:
    """Forecast by multiple seasonal-trend decomposition (Bandara et al., 2021), daily and weekly, with an ETS trend.

    statsforecast's, with its defaults. It takes no gap: a missing hour gets the value of a week before.

    Returns:
        (count,) kWh of the factory, indexed by hour.
    """
    from statsforecast.models import MSTL  # type: ignore[import-untyped]

    known = history.until(origin)
    forecast = MSTL(season_length=[_DAY, _WEEK]).forecast(trees.filled(known), h=count)["mean"]
    return pd.Series(np.maximum(forecast, _floor(known).sum()), index=horizon_hours(origin, count))


def xgboost(
    history: History, origin: pd.Timestamp, count: int, *, seed: int = 0, threads: int = 1
) -> pd.Series:
    """Forecast by XGBoost's trees alone, see `trees`.

    Returns:
        (count,) kWh of the factory, indexed by hour.
    """
    known = history.until(origin)
    floor = _floor(known)
    above = known.above(floor)
    booster = trees.fit(above, seed=seed, threads=threads)
    if booster is None:
        return pd.Series(np.nanmean(known.factory_kwh), index=horizon_hours(origin, count))
    kwh = trees.predict(booster, above, origin, count) + floor.sum()
    return pd.Series(kwh, index=horizon_hours(origin, count))


def _floor(known: History) -> Floats:
    """(E,) all of it on the first machine: peers know the factory's sum alone."""
    floor = np.zeros(len(known.equipment))
    floor[0] = fit_floors(known.factory_kwh[:, None])[0]
    return floor
