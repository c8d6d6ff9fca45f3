"""Levels that are off by the factor of a unit: against a sensor's own days, its rating, and current times voltage.

A collector that changes from kWh to Wh, or writes kW where energy was, moves every value by one factor: 1,000, or the
number of intervals in an hour. No machine does that. Such a level is no measurement.
"""

from dataclasses import dataclass

import numpy as np

from fems.process.grid import Axis
from fems.process.implausible import off_by_rating, off_by_voltage, only_rises
from fems.process.unit_factors import FAR, factors
from fems.registry.book import Book

_CLOCKS = 48
"""So many times of day are compared: enough for a level, and cheap."""

_EARLIER = 4
_LEAST_DAYS = 5
_ROUGHLY = 1.45
_LEAST_CELLS = 8


@dataclass(frozen=True)
class OffLevel:
    """A level that is off by the factor of a unit.

    Attributes:
        column: its name.
        sensor: position among the sensors asked about.
        days: int64, positions of the days on the axis; None for all of them.
        factor: how many times too high the values are; below 1, too low; None of a register that nobody declared.
        against: what it was held against.
    """

    column: str
    sensor: int
    days: np.ndarray | None
    factor: float | None
    against: str


def undeclared_registers(values: dict[str, np.ndarray], book: Book, grain_minutes: int) -> list[OffLevel]:
    """Find energies that only rise, far above their own steps, as running registers do.

    Args:
        values: column -> float64, (S, T), of the columns that the files carry, without the registers of the mapping.
        book: the rules: a column whose rule `level` holds and that is summed up.
        grain_minutes: the interval.
    """
    return [
        OffLevel(name, sensor, None, None, "it only rises, as a running register does")
        for name, each in values.items()
        if book.columns[name].level and "sum" in book.columns[name].aggregate.values()
        for sensor in np.flatnonzero(only_rises(each, grain_minutes)).tolist()
    ]


def find_off_levels(
    values: dict[str, np.ndarray],
    book: Book,
    rated_kw: np.ndarray,
    country: str,
    axis: Axis,
    kinds: np.ndarray,
) -> list[OffLevel]:
    """Find the levels that cannot be, of the columns whose rule `level` holds.

    Args:
        values: column -> float64, (S, T), of the columns that the files carry; registers as energy.
        book: the rules.
        rated_kw: float64, S, NaN where there is no rating.
        country: ISO 3166 code, tells which voltages are usual.
        axis: the intervals.
        kinds: int8, days: see `fems.calendar.kinds_of_days`.
    """
    judged = [name for name in values if book.columns[name].level]
    energies = [name for name in judged if "sum" in book.columns[name].aggregate.values()]
    law = next((law for law in book.consistency.values() if law.law == "apparent"), None)
    current_name, active_name, reactive_name = law.columns if law is not None else ("", "", "")
    current, reactive = values.get(current_name), values.get(reactive_name)
    active = values.get(active_name, values.get(book.energy_column or ""))
    every: list[OffLevel] = []
    if current is not None and active is not None and energies:
        factor = off_by_voltage(active, reactive, current, country, axis.grain_minutes)
        every += _whole(energies, factor, "current x voltage")
    for name in judged:
        if book.columns[name].limits.max_of_rated is not None and name != reactive_name:
            every += _whole([name], off_by_rating(values[name], rated_kw, axis.grain_minutes), "its rating")
    for name in judged:
        known = factors(axis.grain_minutes) if name in energies else np.array([1 / 1000, 1000])
        off = days_off(values[name], current if name in energies else None, axis, kinds, known)
        for sensor, days in enumerate(off):
            for factor in np.unique(days[days != 1]).tolist():
                every.append(
                    OffLevel(name, sensor, np.flatnonzero(days == factor), factor, "its earlier days")
                )
    return every


def _whole(columns: list[str], factor: np.ndarray, against: str) -> list[OffLevel]:
    off = np.flatnonzero(factor != 1).tolist()
    return [OffLevel(name, s, None, float(factor[s]), against) for name in columns for s in off]


def days_off(
    energy: np.ndarray, current: np.ndarray | None, axis: Axis, kinds: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Find days whose level is off a sensor's own earlier days by the factor of a unit.

    Each day is held, time of day by time of day, against the nearest earlier days of its kind that were not off
    themselves. A factor near 1, such as 4, counts only where the whole day moved by just this factor, and the current,
    where there is one, did not.

    Args:
        energy: float64, (S, T).
        current: float64, (S, T); None where the files carry none.
        axis: the intervals.
        kinds: int8, days: see `fems.calendar.kinds_of_days`.
        known: factors of units.

    Returns:
        float64, (S, days): the factor, 1 where the day is as it should be.
    """
    possible = np.log(known)
    least = np.abs(possible).min() - np.log(_ROUGHLY)
    profiles = _profiles(energy, axis)
    levels = _levels(profiles)
    off = np.ones(levels.shape)
    good = ~np.isnan(levels)
    if good.all() and not _may_be_off(levels, kinds, least):
        return off
    currents = None if current is None else _profiles(current, axis)
    judged, widest = np.zeros(len(energy), np.int64), np.zeros(len(energy))
    for day in range(1, len(axis.days)):
        earlier = np.flatnonzero(kinds[:day] == kinds[day])[::-1]
        nearest = good[:, earlier]
        nearest &= np.cumsum(nearest, axis=1) <= _EARLIER
        count = nearest.sum(axis=1)
        usual = np.where(nearest, levels[:, earlier], 0).sum(axis=1) / np.maximum(count, 1)
        step = np.where(count > 0, np.abs(levels[:, day] - usual), np.nan)
        some = np.flatnonzero(step > least)  # the others can't be off: no need to look closer
        if len(some):
            moved = _moved(profiles[some], day, earlier, nearest[some])
            own = None if currents is None else _moved(currents[some], day, earlier, nearest[some])
            known_ups = np.where(judged < _LEAST_DAYS, np.inf, widest)[some]
            off[some, day] = _factor(moved, own, possible, known_ups)
        good[:, day] &= off[:, day] == 1
        sound = good[:, day] & ~np.isnan(step)
        judged += sound
        widest[sound] = np.maximum(widest, step)[sound]
    return off


def _may_be_off(levels: np.ndarray, kinds: np.ndarray, least: float) -> bool:
    """Tell at once whether any day is far enough from the days of its kind before it; all levels are known."""
    for kind in np.unique(kinds):
        sums = np.cumsum(levels[:, kinds == kind], axis=1)
        days = np.arange(1, sums.shape[1])
        count = np.minimum(days, _EARLIER)
        before = sums[:, :-1].copy()
        before[:, _EARLIER:] -= sums[:, : max(0, before.shape[1] - _EARLIER)]
        step = np.abs(np.diff(sums, axis=1) - before / count)
        if (step > least * 0.999).any():  # sums are rounded
            return True
    return False


def _levels(profiles: np.ndarray) -> np.ndarray:
    """Return the logarithm of each day's upper quartile, float64, (S, days); NaN where nothing was measured."""
    ascending = np.sort(profiles, axis=2)  # NaN last
    count = (~np.isnan(ascending)).sum(axis=2)
    at = np.minimum(count * 3 // 4, profiles.shape[2] - 1)
    result: np.ndarray = np.log(np.take_along_axis(ascending, at[:, :, None], axis=2)[:, :, 0])
    return result


def _profiles(values: np.ndarray, axis: Axis) -> np.ndarray:
    """Return some times of day of each day, float64, (S, days, K); NaN where nothing was measured or it was not > 0."""
    at = axis.at_clock[:, :: max(1, axis.at_clock.shape[1] // _CLOCKS)]
    picked = np.where(at >= 0, values[:, at], np.nan)
    return np.where(picked > 0, picked, np.nan)


@dataclass(frozen=True)
class _Moved:
    """How far a day lies from earlier ones.

    Attributes:
        middle: float64, S: median of the logarithms of the day over the earlier days, NaN where too few are known.
        spread: float64, S: between their quartiles.
    """

    middle: np.ndarray
    spread: np.ndarray


def _moved(profiles: np.ndarray, day: int, earlier: np.ndarray, nearest: np.ndarray) -> _Moved:
    """Hold a day against the mean of the same times on earlier days.

    Args:
        profiles: float64, (S, days, K).
        day: which.
        earlier: int64, E: days before it.
        nearest: bool, (S, E): which of them count for each sensor.
    """
    past = profiles[:, earlier]
    there = ~np.isnan(past) & nearest[:, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, past, 0).sum(axis=1) / there.sum(axis=1)
        ratio = np.sort(np.log(profiles[:, day] / mean), axis=1)  # NaN last
    count = (~np.isnan(ratio)).sum(axis=1)
    low, middle, high = (
        np.take_along_axis(ratio, (count * quarter // 4)[:, None].clip(max=ratio.shape[1] - 1), axis=1)[:, 0]
        for quarter in (1, 2, 3)
    )
    return _Moved(np.where(count >= _LEAST_CELLS, middle, np.nan), high - low)


def _factor(moved: _Moved, own: _Moved | None, possible: np.ndarray, widest: np.ndarray) -> np.ndarray:
    """Return the factor by which each sensor's day is off, float64, S; 1 where it is not.

    Args:
        moved: of the energy.
        own: of the current; None where there is none.
        possible: logarithms of the factors.
        widest: float64, S: the widest move of a day so far, inf where too few days are known.
    """
    stays = np.zeros(len(moved.middle), bool)
    middle = moved.middle
    if own is not None:
        stays = np.abs(own.middle) < np.log(1.5)
        # a current that is far off itself, as by a decimal mark, tells nothing
        runs_otherwise = ~stays & (np.abs(own.middle) < np.log(FAR))
        middle = np.where(stays, middle - own.middle, np.where(runs_otherwise, np.nan, middle))
    known = np.nan_to_num(middle)
    factor = possible[np.abs(possible[:, None] - known).argmin(axis=0)]
    distance = np.abs(known - factor)
    # A machine that starts, or rests, moves by 60, too: a loose fit tells only where the current stays, or by 1,000.
    size = np.abs(factor)
    loose = (distance < np.log(2.2)) & (moved.spread < np.log(3))
    loose &= (size > np.log(900)) | (stays & (size > np.log(FAR)))
    tight = (distance < np.log(1.08)) & (moved.spread < np.where(stays, np.log(1.3), np.log(1.15)))
    tight &= stays | (size > 4 * widest)  # far beyond what its days ever do
    is_off = (loose | tight) & ~np.isnan(middle)
    return np.where(is_off, np.exp(factor), 1.0)
