"""Hours and days from the native grid."""

from dataclasses import dataclass

import numpy as np

from fems.book import Book


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


def aggregate(
    values: np.ndarray, estimated: np.ndarray, starts: np.ndarray, group: np.ndarray, book: Book
) -> Summed:
    """Sum up the grid by groups of neighbouring intervals.

    Args:
        values: float64, (S, T, C), NaN where missing.
        estimated: bool, (S, T): the first column's value is not the measured one.
        starts: int64, T.
        group: int, T, rising: the group (an hour or a local day) of each interval.
        book: how each column is summed up, and how much of a group must be there.
    """
    begin = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    size = np.diff(np.append(begin, len(group)))
    there = ~np.isnan(values)
    zeroed = np.where(there, values, 0.0)
    count = np.add.reduceat(there, begin, axis=1, dtype=np.int64)
    total = np.add.reduceat(zeroed, begin, axis=1)
    enough = count >= np.ceil(book.min_coverage * size)[None, :, None]
    names = list(book.columns)
    out: dict[str, np.ndarray] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for j, name in enumerate(names):
            for target, how in book.columns[name].aggregate.items():
                if how == "sum":
                    result = total[:, :, j]
                elif how == "max":
                    result = np.maximum.reduceat(
                        np.where(there[:, :, j], values[:, :, j], -np.inf), begin, axis=1
                    )
                else:
                    result = total[:, :, j] / count[:, :, j]
                    if how == "energy_weighted_mean":
                        energy = zeroed[:, :, names.index(book.energy_column or name)] * there[:, :, j]
                        weight = np.add.reduceat(energy, begin, axis=1)
                        weighted = np.add.reduceat(energy * zeroed[:, :, j], begin, axis=1)
                        result = np.where(weight > 0, weighted / weight, result)
                    # a mean lies within the limits of what it is the mean of; its last bit may not
                    result = np.clip(result, book.columns[name].limits.min, book.columns[name].limits.max)
                out[target] = np.where(enough[:, :, j], result, np.nan)
    return Summed(
        starts[begin],
        out,
        100.0 * count[:, :, 0] / size,
        100.0 * np.add.reduceat(estimated, begin, axis=1, dtype=np.int64) / size,
    )
