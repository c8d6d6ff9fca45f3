"""Hours and days from the native grid."""

import math
from dataclasses import dataclass

import numpy as np

from fems.registry.book import Book

_AT_ONCE = 64
_MOSTLY = 0.5
"""A day of which more than this share is made says nothing of the machine."""


@dataclass(frozen=True)
class Summed:
    """An hour or day table on its own axis.

    Attributes:
        starts: int64, G: UTC seconds.
        columns: name -> float64, (S, G), NaN where coverage is too low.
        coverage_pct: float64, (S, G): share of the intervals that have the first column's value, in %.
        estimated_pct: float64, (S, G): share of the intervals whose value was replaced or filled, in %.
    """

    starts: np.ndarray
    columns: dict[str, np.ndarray]
    coverage_pct: np.ndarray
    estimated_pct: np.ndarray


def exact_sums(values: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Sum groups of neighbours as if in twice the precision, then rounded: to the last digit that float64 keeps.

    Compensated summation (Ogita, Rump and Oishi 2005, algorithm Sum2, on Knuth's TwoSum), all groups at once: the k-th
    members of every group are added together.

    Args:
        values: float64, (S, T), no NaN.
        begin: int64, G, rising from 0: where each group begins.

    Returns:
        float64, (S, G).
    """
    size = np.diff(np.append(begin, values.shape[1]))
    longest = int(size.max(initial=0))
    if (size == longest).all():
        members = np.ascontiguousarray(values.reshape(len(values), -1, longest).transpose(2, 1, 0))
    else:
        members = np.zeros((longest, len(begin), len(values)))
        for k in range(longest):
            some = np.flatnonzero(size > k)
            members[k, some] = values[:, begin[some] + k].T
    total, lost = _two_sums(members)
    sums = total + lost
    # Half-way between two floats, what `lost` itself has lost decides: such groups, and there are next to none, are
    # added up without any loss.
    rest, apart = np.abs(lost - (sums - total)), np.spacing(np.abs(sums))
    tie = np.isclose(2 * rest, apart, rtol=1e-6, atol=0) | np.isclose(4 * rest, apart, rtol=1e-6, atol=0)
    for group, row in zip(*np.nonzero(tie), strict=True):
        sums[group, row] = math.fsum(values[row, begin[group] : begin[group] + size[group]])
    return np.ascontiguousarray(sums.T)


def _two_sums(members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add arrays up: their sum as rounded, and what rounding lost of it.

    Args:
        members: float64, (n, ...).
    """
    blocks = -(-len(members) // _AT_ONCE)
    lost = np.zeros(members.shape[1:])
    if blocks > 1:  # few steps with large arrays cost less than many with small ones
        whole = np.zeros((_AT_ONCE * blocks, *members.shape[1:]))
        whole[: len(members)] = members
        members, rest = _two_sums(whole.reshape(_AT_ONCE, blocks, *members.shape[1:]))
        lost = rest.sum(axis=0)
    total = np.zeros_like(lost)
    now, part, other = np.empty_like(lost), np.empty_like(lost), np.empty_like(lost)
    for x in members:
        np.add(total, x, out=now)
        np.subtract(now, total, out=part)
        np.subtract(now, part, out=other)
        np.subtract(total, other, out=other)
        np.subtract(x, part, out=part)
        lost += np.add(other, part, out=other)
        total, now = now, total
    return total, lost


def without_mostly_made(values: np.ndarray, made: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return the values that hours and days are summed up from.

    On a day of which more than half is made, what is made counts neither as coverage nor as history.

    Args:
        values: float64, (C, S, T).
        made: bool, (C, S, T): replaced or filled, and no share of a known sum.
        begins: int64: where each local day begins.
    """
    if not made.any():
        return values
    length = np.diff(np.append(begins, values.shape[2]))
    mostly = np.add.reduceat(made, begins, axis=2, dtype=np.int64) > _MOSTLY * length
    if not mostly.any():
        return values
    return np.where(np.repeat(mostly, length, axis=2) & made, np.nan, values)


def aggregate(
    values: np.ndarray,
    estimated: np.ndarray,
    starts: np.ndarray,
    begin: np.ndarray,
    book: Book,
    min_coverage: float,
) -> Summed:
    """Sum up the grid by groups of neighbouring intervals.

    Args:
        values: float64, (C, S, T), NaN where missing.
        estimated: bool, (S, T): the first column's value is not the measured one.
        starts: int64, T: UTC seconds.
        begin: int64, G, rising from 0: where each group (an hour or a local day) begins.
        book: how each column is summed up.
        min_coverage: share of a group that must be there.
    """
    size = np.diff(np.append(begin, values.shape[2]))
    needed = np.ceil(min_coverage * size)
    names = book.value_columns
    there, count, zeroed = {}, {}, {}
    for j, name in enumerate(names):
        there[name] = ~np.isnan(values[j])
        full = bool(there[name].all())
        count[name] = (
            np.broadcast_to(size, (values.shape[1], len(begin)))
            if full
            else np.add.reduceat(there[name], begin, axis=1, dtype=np.int64)
        )
        zeroed[name] = values[j] if full else np.where(there[name], values[j], 0.0)
    out: dict[str, np.ndarray] = {}
    for j, (name, column) in enumerate(book.columns.items()):
        enough = count[name] >= needed
        for target, how in column.aggregate.items():
            if how == "sum":
                result = exact_sums(zeroed[name], begin)
            elif how == "max":
                result = np.fmax.reduceat(values[j], begin, axis=1)
            else:
                weight = (
                    zeroed[book.energy_column]
                    if how == "energy_weighted_mean" and book.energy_column
                    else None
                )
                result = _mean(zeroed[name], count[name], there[name], weight, begin)
                # a mean lies within the limits of what it is the mean of; its last bit may not
                result = np.clip(result, column.limits.min, column.limits.max)
            out[target] = np.where(enough, result, np.nan)
    main = names[0]
    return Summed(
        starts[begin],
        out,
        100.0 * count[main] / size,
        100.0 * np.add.reduceat(estimated, begin, axis=1, dtype=np.int64) / size,
    )


def _mean(
    zeroed: np.ndarray, count: np.ndarray, there: np.ndarray, weight: np.ndarray | None, begin: np.ndarray
) -> np.ndarray:
    """Return the mean of each group, weighted where there is a weight that is not 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = np.add.reduceat(zeroed, begin, axis=1) / count
        if weight is None:
            result: np.ndarray = plain
            return result
        weight = weight * there
        whole = np.add.reduceat(weight, begin, axis=1)
        return np.where(whole > 0, np.add.reduceat(weight * zeroed, begin, axis=1) / whole, plain)
