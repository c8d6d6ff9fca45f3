"""Machines that feed in: below what energy a meter that goes below zero is not forecast.

Energies are not negative, and every part of a forecast holds them at 0 or above: shapes are multiplied by levels, and a
ratio of energies means nothing where they change their sign. A machine with solar panels behind its meter draws less
than nothing at noon. Its hours are counted from the lowest that was measured, in training and in prediction, so that
all that holds for energies holds for them; the forecast is brought back by the same offset.
"""

import numpy as np

from fems.model.history import Floats

NEGATIVE_SHARE = 0.02
"""From this share of measured hours below zero on a machine feeds in; fewer are faults of its meter."""


def fit_floors(used_kwh: Floats) -> Floats:
    """Return (E,) kWh, at most 0: the lowest hour of a machine that feeds in, 0 of every other.

    Args:
        used_kwh: (T, E), NaN where missing.
    """
    known = np.isfinite(used_kwh)
    share = ((used_kwh < 0) & known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    lowest = np.where(known, used_kwh, 0.0).min(axis=0, initial=0.0)
    return np.where(share >= NEGATIVE_SHARE, lowest, 0.0)
