"""Seasonal experts: plain forecasts of every hour of the coming days, for a gate to weigh.

Means of past days of the same kind, over a long or a short memory. A seasonal shape plus the level that the last
days had beside it, as a seasonal-trend decomposition (STL; Cleveland et al., 1990) puts them together, the level one
for the day or one an hour. A shape times such a level. Either with a level that goes on as it went, ever less. No
single memory serves every series: some want two days of level, others months.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fems.model.history import Floats
from fems.model.month_ahead import shapes, shutdowns
from fems.model.month_ahead.shapes import ObservedDays, decay_weights

# half-lives of the shape in weeks
_PLAIN = (1, 4, 26)
_APART = (1, 4, 26)
# half-lives of the shape in weeks and of the level in days
_LEVEL = ((4, 3), (13, 3), (26, 10))
_HOURLY = ((4, 3), (13, 8))
_TIMES = ((26, 1.5), (26, 3), (26, 10), (26, 30))
# half-lives of the shape in weeks, of the level and of the level that it is compared with in days, and the share of
# the slope that a day keeps
_PLUS_TREND: tuple[tuple[int, float, float, float], ...] = ((4, 3, 14, 0.95), (13, 3, 28, 0.97))
_TIMES_TREND: tuple[tuple[int, float, float, float], ...] = (
    (26, 1.5, 14, 0.9),
    (26, 3, 14, 0.95),
    (26, 3, 28, 0.97),
)

NAMES: tuple[str, ...] = (
    "last_week",
    *(f"plain_{weeks}w" for weeks in _PLAIN),
    *(f"holidays_apart_{weeks}w" for weeks in _APART),
    *(f"plus_level_{weeks}w_{days}d" for weeks, days in _LEVEL),
    *(f"plus_hourly_level_{weeks}w_{days}d" for weeks, days in _HOURLY),
    *(f"times_level_{weeks}w_{days}d" for weeks, days in _TIMES),
    *(f"plus_trend_{weeks}w_{days}d_{before}d" for weeks, days, before, _ in _PLUS_TREND),
    *(f"times_trend_{weeks}w_{days}d_{before}d" for weeks, days, before, _ in _TIMES_TREND),
)
_BASE_WEEKS = 26
STEADY = NAMES.index(f"holidays_apart_{_BASE_WEEKS}w")
"""The expert with the longest memory."""

_TREND_HALF_LIFE_DAYS = 5.0
"""Of the two-sided level that is taken off before the shape is measured, so that a drift does not blur it."""
_LEVEL_PSEUDO_DAYS = 0.5
_LEAST_RATIO, _MOST_RATIO = 0.2, 5.0


@dataclass(frozen=True)
class ExpertForecasts:
    """What the experts say from one origin.

    Attributes:
        future: (S, K, 24, E) kWh: S days from the origin's own day on, K experts in the order of `NAMES`.
        past: (P, 24, E) kWh: the usual shape of the last P days up to the origin's own, in hindsight.
    """

    future: Floats
    past: Floats


def predict_all(
    known: Floats,
    kinds: NDArray[np.int64],
    week: NDArray[np.int64],
    steps: int,
    past: int,
    holidays_off: bool,
) -> ExpertForecasts:
    """Ask every expert from one origin.

    Args:
        known: (D, 24, E) kWh, the last row is the origin's own day; NaN where missing or at and after the
            origin.
        kinds: (D + steps - 1,) kinds of the days, holidays apart.
        week: (D + steps - 1,) weekdays alone.
        steps: S days to forecast, the origin's own first.
        past: P days of hindsight.
        holidays_off: whether a holiday without precedent is taken to look like a Sunday, or like its weekday.
    """
    days = len(known)
    mask = np.isfinite(known)
    observed = ObservedDays(
        np.where(mask, known, 0.0),
        mask,
        kinds[:days],
        week[:days],
        shutdowns.find_shutdowns(known, kinds[:days]),
        holidays_off,
    )
    ahead = kinds[days - 1 :], week[days - 1 :]
    apart = {
        weeks: shapes.by_day_kind(observed, weeks)
        for weeks in {*_APART, _BASE_WEEKS, *(w for w, _ in _TIMES)}
    }
    usual = apart[_BASE_WEEKS]
    forecasts = [_last_week(known, steps)]
    forecasts += [shapes.by_weekday(observed, weeks)[ahead[1]] for weeks in _PLAIN]
    forecasts += [apart[weeks][ahead] for weeks in _APART]

    above = {weeks: _DailySums.of(observed, shape) for weeks, shape in apart.items()}
    detrended = observed.less(_trend(observed, above[_BASE_WEEKS]))
    seasonal = {weeks: shapes.by_day_kind(detrended, weeks) for weeks, _ in (*_LEVEL, *_HOURLY)}
    beside = {weeks: _DailySums.of(observed, shape) for weeks, shape in seasonal.items()}
    forecasts += [seasonal[w][ahead] + _level(observed, beside[w], half_life) for w, half_life in _LEVEL]
    forecasts += [
        seasonal[w][ahead] + _hourly_level(observed, beside[w], half_life) for w, half_life in _HOURLY
    ]
    forecasts += [apart[w][ahead] * _ratio(observed, above[w], half_life) for w, half_life in _TIMES]
    for weeks, *half_lives, kept in _PLUS_TREND:
        levels = [_level(observed, beside[weeks], half_life) for half_life in half_lives]
        forecasts.append(seasonal[weeks][ahead] + _onward(levels, half_lives, observed, steps, kept))
    for weeks, *half_lives, kept in _TIMES_TREND:
        ratios = [np.log(_ratio(observed, above[weeks], half_life)) for half_life in half_lives]
        grown = np.exp(_onward(ratios, half_lives, observed, steps, kept))
        forecasts.append(apart[weeks][ahead] * np.minimum(grown, _MOST_RATIO))
    future = np.maximum(np.stack([_or(each, usual[ahead]) for each in forecasts], axis=1), 0.0)
    return ExpertForecasts(future, usual[observed.kinds, observed.week][-past:])


def _last_week(known: Floats, steps: int) -> Floats:
    """(S, 24, E): the hour 7 k days earlier, k the smallest that lies before the origin; NaN if unknown."""
    days = len(known)
    out = np.full((steps, *known.shape[1:]), np.nan)
    for back in range(7, 7 * (steps // 7 + 3), 7):
        rows = np.arange(steps) + days - 1 - back
        usable = (rows >= 0) & (rows < days)
        out[usable] = _or(out[usable], known[rows[usable]])
    return out


@dataclass(frozen=True)
class _DailySums:
    """Days beside a shape: computed once, for all the memories that weigh them.

    Attributes:
        residual: (D, 24, E) kWh above the shape on ordinary days, 0 elsewhere.
        above: (D, E) its sum over the day's hours.
        expected: (D, E) kWh that the shape has in the ordinary hours.
    """

    residual: Floats
    above: Floats
    expected: Floats

    @classmethod
    def of(cls, observed: ObservedDays, shape: Floats) -> "_DailySums":
        usual = np.where(observed.ordinary, shape[observed.kinds, observed.week], 0.0)
        residual = np.where(observed.ordinary, observed.values - usual, 0.0)
        return cls(residual, residual.sum(axis=1), usual.sum(axis=1))


def _trend(observed: ObservedDays, days: _DailySums) -> Floats:
    """(D, E) kWh an hour above the shape, smoothed from both sides."""
    hours = observed.hours
    near = _two_sided(len(hours), _TREND_HALF_LIFE_DAYS)
    total = near @ days.above
    trend: Floats = total / np.maximum(near @ hours, 1e-6)
    return trend


@lru_cache(maxsize=8)
def _two_sided(days: int, half_life: float) -> Floats:
    at = np.arange(days)
    return decay_weights(np.abs(at[:, None] - at), half_life)


def _level(observed: ObservedDays, days: _DailySums, half_life: float) -> Floats:
    """(E,) kWh an hour above the shape of late."""
    weight = decay_weights(observed.age, half_life)
    total = weight @ days.above
    count = weight @ observed.hours
    level: Floats = total / (count + 24 * _LEVEL_PSEUDO_DAYS)
    return level


def _hourly_level(observed: ObservedDays, days: _DailySums, half_life: float) -> Floats:
    """(24, E) kWh above the shape of late, hour by hour."""
    weight = decay_weights(observed.age, half_life)
    total = np.tensordot(weight, days.residual, 1)
    count = np.tensordot(weight, observed.ordinary.astype(np.float64), 1)
    level: Floats = total / (count + _LEVEL_PSEUDO_DAYS)
    return level


def _ratio(observed: ObservedDays, days: _DailySums, half_life: float) -> Floats:
    """(E,) recent energy over what the shape would have had."""
    weight = decay_weights(observed.age, half_life)
    expected = weight @ days.expected
    seen = expected + weight @ days.above
    ratio = np.where(expected > 0, seen / np.where(expected > 0, expected, 1.0), 1.0)
    return np.clip(ratio, _LEAST_RATIO, _MOST_RATIO)


def _onward(
    levels: list[Floats], half_lives: list[float], observed: ObservedDays, steps: int, kept: float
) -> Floats:
    """(S, 1, E): a level that goes on as it went, each day by `kept` of the day before (Gardner, 1985).

    `levels` are the two of (E,) over a short and over a long memory, whose half-lives in days are `half_lives`.
    """
    (now, before), age = levels, [_mean_age(observed, half_life) for half_life in half_lives]
    slope = (now - before) / np.maximum(age[1] - age[0], 1.0)
    ahead = age[0] + np.cumsum(kept ** np.arange(steps))[:, None, None]
    onward: Floats = now + slope * ahead
    return onward


def _mean_age(observed: ObservedDays, half_life: float) -> Floats:
    """(E,) days between the origin and what a memory rests on."""
    weight = decay_weights(observed.age, half_life)[:, None] * observed.hours
    age: Floats = observed.age @ weight / np.maximum(weight.sum(axis=0), 1e-9)
    return age


def _or(values: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isfinite(values), values, otherwise)
