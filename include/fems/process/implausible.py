"""Levels that cannot be for a machine: against its rating, and against current times voltage."""

import numpy as np

from fems.process.unit_factors import FAR, factors
from fems.registry.laws import sample

_LEAST_CELLS = 8
_SQUARE_ROOT_3 = 3**0.5

VOLTAGES: dict[str, tuple[float, ...]] = {
    "KR": (380.0, 440.0), "JP": (200.0, 400.0), "US": (208.0, 480.0), "CA": (208.0, 480.0, 600.0),
}  # fmt: skip
"""Line-to-line volts of machines by country (IEC 60038); 400 V elsewhere."""

_USUAL_VOLTAGES = (400.0,)
_LOOKED_AT = 200
_LEAST_RISES = 12
_ABOVE_STEPS = 20
_LONG_MINUTES = 2 * 24 * 60
_WEEK_MINUTES = 7 * 24 * 60
_VARIED = 0.2
_LEAST_OF_RATED = 1 / 500
"""A machine that never uses this share of its rating all month is idle, or its file is in another unit."""


def off_by_rating(values: np.ndarray, rated_kw: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Find sensors whose level is about 1,000 times below their rating, though it rises and falls as of a machine.

    The steady trickle of a machine that stands still is none. What lies above the rating is found by the limits.

    Args:
        values: float64, (S, T).
        rated_kw: float64, S, NaN where there is no rating.
        grain_minutes: the interval.

    Returns:
        float64, S: the factor, 1 where there is no doubt.
    """
    off = np.ones(len(values))
    for sensor, series in enumerate(sample(values)):
        known = np.sort(series[series > 0])
        if len(known) < _LEAST_CELLS or not rated_kw[sensor] > 0:
            continue
        low, high = known[len(known) // 20], known[(19 * len(known)) // 20]
        if high * 60 / grain_minutes < _LEAST_OF_RATED * rated_kw[sensor] and high > 2 * low:
            off[sensor] = 1 / 1000
    return off


def only_rises(values: np.ndarray, grain_minutes: int) -> np.ndarray:
    """Find sensors whose values hardly ever fall and lie far above their own steps: no machine uses ever more.

    A rise within two days may be a machine's, where its steps are alike.

    Args:
        values: float64, (S, T).
        grain_minutes: the interval.

    Returns:
        bool, S.
    """
    rising = np.zeros(len(values), bool)
    for sensor, series in enumerate(values):
        known = series[~np.isnan(series)]
        minutes = len(known) * grain_minutes
        known = known[
            :: max(1, len(known) // _LOOKED_AT)
        ]  # a register that is read seldom rises all the same
        steps = np.diff(known)
        ups = steps[steps > 0]
        # an exchange or a roll-over a week, at most
        if len(ups) < _LEAST_RISES or (steps < 0).sum() > minutes // _WEEK_MINUTES:
            continue
        low, middle, high = np.quantile(ups, [0.1, 0.5, 0.9])
        varied = minutes >= _LONG_MINUTES or high - low > _VARIED * middle
        rising[sensor] = varied and np.median(known) > _ABOVE_STEPS * middle
    return rising


def off_by_voltage(
    active: np.ndarray, reactive: np.ndarray | None, current: np.ndarray, country: str, grain_minutes: int
) -> np.ndarray:
    """Find sensors whose energy and current make no voltage that a machine is fed with, but would by a unit's factor.

    The voltage is S / (sqrt(3) I), with S = sqrt(P^2 + Q^2), as of any three-phase load.

    Args:
        active: float64, (S, T): kWh.
        reactive: float64, (S, T): kVarh; None where the files carry none.
        current: float64, (S, T): A.
        country: ISO 3166 code, tells which voltages are usual.
        grain_minutes: the interval.

    Returns:
        float64, S: the factor, 1 where there is no doubt.
    """
    active, current = sample(active), sample(current)
    apparent = active if reactive is None else np.hypot(active, sample(reactive))
    least = (
        0.92 if reactive is not None else 0.7
    )  # without reactive energy it is the voltage x the power factor
    with np.errstate(invalid="ignore", divide="ignore"):
        volts = 1000 * apparent * (60 / grain_minutes) / (_SQUARE_ROOT_3 * current)
    off = np.ones(len(active))
    nominal = np.array(VOLTAGES.get(country, _USUAL_VOLTAGES))
    for sensor, series in enumerate(volts):
        known = np.sort(series[(series > 0) & (series < np.inf)])
        if len(known) < _LEAST_CELLS:
            continue
        middle = known[len(known) // 2]
        if known[(3 * len(known)) // 4] > 1.3 * known[len(known) // 4] or 90 <= middle <= 740:
            continue
        for factor in factors(grain_minutes):
            share = middle / factor / nominal
            low, high = (0.75, 1.25) if abs(np.log(factor)) > np.log(FAR) else (least, 1.08)
            if ((share > low) & (share < high)).any():
                off[sensor] = factor
                break
    return off
