"""Whole months that are off the one before by the factor of a unit: no day of theirs could tell."""

import numpy as np

from fems.contracts.evaluation import Profile
from fems.process.unit_factors import FAR, factors, times
from fems.registry.feed import FactoryFeed


def months_off(now: Profile, before: Profile, source: FactoryFeed) -> list[str]:
    """Find sensors whose hours are off an earlier month's by the factor of a unit, a line each.

    Median and 95th percentile have moved by the same factor, and the current, where there is one, has not.

    Args:
        now: what the month's hours look like.
        before: what those of the newest accepted month do.
        source: registry and book.
    """
    possible = np.log(factors(source.grain_minutes))
    law = next((law for law in source.book.consistency.values() if law.law == "apparent"), None)
    current = law.columns[0] if law is not None else ""
    books = {source.sensors[i].sensor_id: group.book for group in source.rules for i in group.sensors}
    lines = []
    for sensor in now.keys() & before.keys() & books.keys():
        for name, column in books[sensor].columns.items():
            if not column.level or "sum" not in column.aggregate.values():
                continue
            moved = _log_ratios(now[sensor].get(name), before[sensor].get(name))
            if not len(moved):
                continue
            own = _log_ratios(now[sensor].get(current), before[sensor].get(current))
            factor = _month_factor(moved, own, possible)
            if factor != 1:
                lines.append(f"{sensor} {name} is {times(factor)} that of the month before")
    return sorted(lines)


def _log_ratios(now: tuple[float, ...] | None, before: tuple[float, ...] | None) -> np.ndarray:
    """Return the logarithms of the upper quantiles' ratios; empty where there are none above 0."""
    if now is None or before is None or min(*now[1:], *before[1:]) <= 0:
        return np.empty(0)
    result: np.ndarray = np.log(np.array(now[1:]) / np.array(before[1:]))
    return result


def _month_factor(moved: np.ndarray, own: np.ndarray, possible: np.ndarray) -> float:
    """Return the factor by which both quantiles moved, 1 where they did not; `own`: those of the current."""
    near = np.log(1.05)
    if len(own) and np.abs(own).max() < np.log(1.5):
        moved, near = moved - own, np.log(1.15)
    elif len(own) and np.abs(own).max() < np.log(FAR):  # the machine itself runs otherwise
        return 1.0
    factor = possible[np.abs(possible - moved.mean()).argmin()]
    if abs(factor) > np.log(900):
        near = np.log(2.2)
    return float(np.exp(factor)) if np.abs(moved - factor).max() < near else 1.0
