"""Seasonal experts: plain forecasts of every hour of the coming days, for a gate to weigh.

Each expert is a weighted mean of past days of the same kind, or such a shape times a recent level. An
expert that lacks history for a slot falls back to the mean of the hour, then to the mean of all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fems.model.calendar import HOLIDAY
from fems.model.history import Floats

# name -> half-life in weeks, and whether holidays stand apart from the weekdays
_PROFILES: dict[str, tuple[float, bool]] = {
    "weeks_2": (1.0, False),
    "weeks_8": (4.0, False),
    "weeks_26": (26.0, False),
    "weeks_2_holidays": (1.0, True),
    "weeks_4_holidays": (2.0, True),
    "weeks_8_holidays": (8.0, True),
    "weeks_26_holidays": (26.0, True),
    "weeks_104": (104.0, False),
    "weeks_104_holidays": (104.0, True),
}
# name -> half-lives in days of the level that scales the shape of BASE, and of its fading as the forecast
# goes on: a level of two days says something of tomorrow and nothing of the end of the month
_LEVELS: dict[str, tuple[float, float]] = {
    "level_2_days": (2.0, 7.0),
    "level_7_days": (7.0, 28.0),
    "level_28_days": (28.0, 112.0),
}

BASE = "weeks_26_holidays"
NAMES: tuple[str, ...] = ("last_week", *_PROFILES, *_LEVELS)
BASE_AT = NAMES.index(BASE)

_TINY = 1e-3
_HOLIDAY_HALF_LIFE_WEEKS = 52.0
# Holidays are few: the ordinary day that stands in for them counts as this many holidays.
_HOLIDAY_PSEUDO_COUNT = 1.0


@dataclass(frozen=True)
class Expertise:
    """What the experts say from one origin.

    Attributes:
        future: (S, K, 24, E) kWh: S days from the origin's own day on, K experts in the order of `NAMES`.
        past: (P, 24, E) kWh: what `BASE` says of the last P days up to the origin's own, in hindsight.
    """

    future: Floats
    past: Floats


def consult(
    known: Floats,
    kinds: NDArray[np.int64],
    kinds_by_week: NDArray[np.int64],
    steps: int,
    past: int,
    holidays_off: bool,
) -> Expertise:
    """Ask every expert from one origin.

    Args:
        known: (D, 24, E) kWh, the last row is the origin's own day; NaN where missing or at and after the
            origin.
        kinds: (D + steps - 1,) kinds of the days, holidays apart.
        kinds_by_week: (D + steps - 1,) weekdays alone.
        steps: S days to forecast, the origin's own first.
        past: P days of hindsight.
        holidays_off: whether a holiday without precedent is taken to look like a Sunday, or like its weekday.
    """
    days = len(known)
    age = np.arange(days - 1, -1, -1.0)
    mask = np.isfinite(known)
    values = np.where(mask, known, 0.0)
    target_kinds, target_weekdays = kinds[days - 1 :], kinds_by_week[days - 1 :]
    said: dict[str, Floats] = {"last_week": _last_week(known, steps)}
    shapes: dict[str, Floats] = {}
    for name, (half_life, apart) in _PROFILES.items():
        weight = 0.5 ** (age / (7 * half_life))
        if apart:
            shapes[name] = _by_kind(values, mask, kinds[:days], weight, age, holidays_off)
            said[name] = shapes[name][target_kinds, target_weekdays]
        else:
            said[name] = _profile(values, mask, kinds_by_week[:days], weight, 7)[target_weekdays]
    usual = shapes[BASE][kinds[:days], kinds_by_week[:days]]
    for name, (half_life, fading) in _LEVELS.items():
        excess = _level(values, mask, usual, 0.5 ** (age / half_life)) - 1
        left = 0.5 ** (np.arange(steps) / fading)
        said[name] = said[BASE] * (1 + left[:, None, None] * excess)
    future = np.stack([_or(said[name], said[BASE]) for name in NAMES], axis=1)
    return Expertise(future, usual[-past:])


def _last_week(known: Floats, steps: int) -> Floats:
    """(S, 24, E): the hour 7 k days earlier, k the smallest that lies before the origin; NaN if unknown."""
    days = len(known)
    out = np.full((steps, *known.shape[1:]), np.nan)
    for back in range(7, 7 * (steps // 7 + 3), 7):
        rows = np.arange(steps) + days - 1 - back
        usable = (rows >= 0) & (rows < days)
        out[usable] = _or(out[usable], known[rows[usable]])
    return out


def _profile(
    values: Floats, mask: NDArray[np.bool_], kinds: NDArray[np.int64], weight: Floats, groups: int
) -> Floats:
    """(G, 24, E): weighted means by kind and hour, falling back to the hour's mean and the overall mean."""
    member = (kinds[None, :] == np.arange(groups)[:, None]) * weight
    total, count = np.tensordot(member, values, 1), np.tensordot(member, mask.astype(float), 1)
    overall = _mean(total.sum(axis=(0, 1)), count.sum(axis=(0, 1)), 0.0)
    by_hour = _mean(total.sum(axis=0), count.sum(axis=0), overall)
    return _mean(total, count, by_hour)


def _by_kind(
    values: Floats,
    mask: NDArray[np.bool_],
    kinds: NDArray[np.int64],
    weight: Floats,
    age: Floats,
    holidays_off: bool,
) -> Floats:
    """(8, 7, 24, E): the profile of each kind of day, and within it of each weekday that it may fall on."""
    by_week = _profile(values, mask, kinds, weight, 7)
    out = np.repeat(by_week[:, None], 7, axis=1)
    stand_in = np.repeat(by_week[6:7], 7, axis=0) if holidays_off else by_week
    off = (kinds == HOLIDAY) * 0.5 ** (age / (7 * _HOLIDAY_HALF_LIFE_WEEKS))
    total, count = np.tensordot(off, values, 1), np.tensordot(off, mask.astype(float), 1)
    on_holiday = (total + _HOLIDAY_PSEUDO_COUNT * stand_in) / (count + _HOLIDAY_PSEUDO_COUNT)
    return np.concatenate([out, on_holiday[None]])


def _level(values: Floats, mask: NDArray[np.bool_], usual: Floats, weight: Floats) -> Floats:
    """(E,) recent energy over what the shape would have had, within 0.2 to 5."""
    seen = np.einsum("d,dhe->e", weight, values)
    expected = np.einsum("d,dhe->e", weight, np.where(mask, usual, 0.0))
    enough = np.einsum("d,dhe->e", weight, mask.astype(float)) > 1.0
    ratio = np.where(enough & (expected > 0), seen / np.where(expected > 0, expected, 1.0), 1.0)
    return np.clip(ratio, 0.2, 5.0)


def _mean(total: Floats, count: Floats, otherwise: Floats | float) -> Floats:
    return (total + _TINY * otherwise) / (count + _TINY)


def _or(values: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isfinite(values), values, otherwise)
