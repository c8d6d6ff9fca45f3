"""The shape of a week: weighted means by kind of day and hour, with what stands in where a kind was never seen."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fems.model.calendar_features import FESTIVAL, HOLIDAY
from fems.model.history import Floats

_TINY = 1e-3
_HOLIDAY_HALF_LIFE_DAYS = 7 * 52.0
_FESTIVAL_REACH = 2
"""Days before and after a festival on which a plant slows down or starts up, and says nothing of its level."""
_PSEUDO_COUNT = 1.0
"""Holidays are few: what stands in for them counts as this many of them."""


@dataclass(frozen=True)
class ObservedDays:
    """D days up to an origin, the last of them the origin's own.

    Attributes:
        values: (D, 24, E) kWh, 0 where missing.
        mask: (D, 24, E) whether measured.
        kinds: (D,) kinds of the days, holidays apart.
        week: (D,) weekdays alone.
        stopped: (D, E) stops that the calendar does not know.
        holidays_off: whether a holiday without precedent is taken to look like a Sunday, or like its weekday.
    """

    values: Floats
    mask: NDArray[np.bool_]
    kinds: NDArray[np.int64]
    week: NDArray[np.int64]
    stopped: NDArray[np.bool_]
    holidays_off: bool

    @property
    def age(self) -> Floats:
        """(D,) days before the origin's own."""
        return np.arange(len(self.values) - 1, -1, -1.0)

    @cached_property
    def ordinary(self) -> NDArray[np.bool_]:
        """(D, 24, E) measured on days that are neither holidays, nor next to a festival, nor stops."""
        usual = self.kinds < HOLIDAY
        for row in np.flatnonzero(self.kinds == FESTIVAL):
            usual[max(0, row - _FESTIVAL_REACH) : row + _FESTIVAL_REACH + 1] = False
        ordinary: NDArray[np.bool_] = self.mask & ~self.stopped[:, None, :] & usual[:, None, None]
        return ordinary

    @cached_property
    def hours(self) -> NDArray[np.int64]:
        """(D, E) how many hours of each day are ordinary."""
        hours: NDArray[np.int64] = self.ordinary.sum(axis=1)
        return hours

    def less(self, level: Floats) -> "ObservedDays":
        """Return the same days with a (D, E) level taken off."""
        return replace(self, values=np.where(self.mask, self.values - level[:, None, :], 0.0))


def decay_weights(age: Floats, half_life: float) -> Floats:
    """Return weights that halve every `half_life` days."""
    weight: Floats = 0.5 ** (age / half_life)
    return weight


def by_weekday(observed: ObservedDays, weeks: float) -> Floats:
    """(7, 24, E): mean of each weekday and hour, whatever the day was; recent weeks count more."""
    return _by_weekday(observed.values, observed.mask, observed.week, decay_weights(observed.age, 7 * weeks))


def by_day_kind(observed: ObservedDays, weeks: float) -> Floats:
    """(9, 7, 24, E): the shape of each kind of day, and within it of each weekday that it may fall on.

    Stops do not count. A festival and a single holiday are each drawn to the mean of all holidays, and that to
    what `ObservedDays.holidays_off` says.
    """
    by_week = _by_weekday(
        observed.values, observed.ordinary, observed.week, decay_weights(observed.age, 7 * weeks)
    )
    stand_in = np.broadcast_to(by_week[6], by_week.shape) if observed.holidays_off else by_week
    weight = decay_weights(observed.age, _HOLIDAY_HALF_LIFE_DAYS)

    def mean(days: NDArray[np.bool_], towards: Floats) -> Floats:
        total, count = _sums(observed.values, observed.mask, days * weight)
        drawn: Floats = (total + _PSEUDO_COUNT * towards) / (count + _PSEUDO_COUNT)
        return drawn

    pooled = mean(observed.kinds >= HOLIDAY, stand_in)
    holidays = [mean(observed.kinds == kind, pooled)[None] for kind in (HOLIDAY, FESTIVAL)]
    return np.concatenate([np.repeat(by_week[:, None], 7, axis=1), *holidays])


def _by_weekday(values: Floats, mask: NDArray[np.bool_], week: NDArray[np.int64], weight: Floats) -> Floats:
    """(7, 24, E): weighted means, falling back to the hour's mean and then to the mean of all."""
    total, count = _sums(np.where(mask, values, 0.0), mask, (week == np.arange(7)[:, None]) * weight)
    overall = _mean(total.sum(axis=(0, 1)), count.sum(axis=(0, 1)), 0.0)
    by_hour = _mean(total.sum(axis=0), count.sum(axis=0), overall)
    return _mean(total, count, by_hour)


def _sums(values: Floats, mask: NDArray[np.bool_], weight: Floats) -> tuple[Floats, Floats]:
    return np.tensordot(weight, values, 1), np.tensordot(weight, mask.astype(np.float64), 1)


def _mean(total: Floats, count: Floats, otherwise: Floats | float) -> Floats:
    mean: Floats = (total + _TINY * otherwise) / (count + _TINY)
    return mean
