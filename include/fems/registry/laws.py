"""Laws between columns, as the definition book states them: where a law can be judged, and where it is broken.

Processing takes out the values that break a law; the evaluation counts the rows that still do. Both ask here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from fems.registry.rules import Consistency

_SAMPLE = 4096


@dataclass(frozen=True)
class LawCheck:
    """What one law says of each reading.

    Attributes:
        judged: bool, (S, T): the reading has what the law needs, and enough energy for it to mean anything.
        broken: bool, (S, T): a judged reading breaks the law.
    """

    judged: np.ndarray
    broken: np.ndarray


def sample(values: np.ndarray) -> np.ndarray:
    """Return every k-th interval, about 4,096 of each sensor: enough for a level, and cheap.

    Args:
        values: float64, (S, T).
    """
    return values[:, :: max(1, values.shape[1] // _SAMPLE)]


def usual_levels(values: np.ndarray) -> np.ndarray:
    """Return each sensor's usual level, its 99th percentile over a sample; NaN where it measured nothing.

    Args:
        values: float64, (S, T).
    """
    levels = np.full(len(values), np.nan)
    for s, series in enumerate(sample(values)):
        measured = series[~np.isnan(series)]
        if not len(measured):  # a sensor that seldom reports
            measured = values[s][~np.isnan(values[s])]
        if len(measured):
            rank = int(0.99 * (len(measured) - 1))
            levels[s] = np.partition(measured, rank)[rank]
    return levels


def check_laws(
    values: Mapping[str, np.ndarray],
    laws: Mapping[str, Consistency],
    usual: Mapping[str, np.ndarray],
    slack: float = 1.0,
) -> dict[str, LawCheck]:
    """Judge readings by the book's laws.

    Args:
        values: column -> float64, (S, T), of the columns that the files carry.
        laws: the book's; one with a column that the files don't carry is left out.
        usual: column -> float64, S, see `usual_levels`; of the columns that are energies.
        slack: how many times the book's tolerance a reading may be off.

    Returns:
        law -> what it says of each reading.
    """

    @cache
    def apparent(active: str, reactive: str) -> np.ndarray:
        size: np.ndarray = np.hypot(values[active], values[reactive])
        return size

    def check(law: Consistency) -> LawCheck:
        if law.law == "equal":
            return _equal(law, values, usual, slack)
        name, active, reactive = law.columns
        energy = apparent(active, reactive)
        judged = (energy > (law.above_of_usual * usual[active])[:, None]) & ~np.isnan(values[name])
        if law.law == "power_factor":
            off = np.abs(
                values[name] / 100 - np.abs(values[active]) / energy
            )  # what flows out has a factor, too
        else:
            off = np.abs(_of_own_median(values[name] / energy) - 1)
        return LawCheck(judged, judged & (off > slack * law.tolerance))

    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            name: check(law) for name, law in laws.items() if all(column in values for column in law.columns)
        }


def _equal(
    law: Consistency, values: Mapping[str, np.ndarray], usual: Mapping[str, np.ndarray], slack: float
) -> LawCheck:
    a, b = (values[name] for name in law.columns)
    size = np.maximum(np.abs(a), np.abs(b))
    judged = size > (law.above_of_usual * usual[law.columns[1]])[:, None]
    return LawCheck(judged, judged & (np.abs(a - b) > slack * law.tolerance * size))


def _of_own_median(ratio: np.ndarray) -> np.ndarray:
    """Return a ratio over each sensor's own median of it."""
    medians = [
        np.median(each[~np.isnan(each)]) if (~np.isnan(each)).any() else np.nan for each in sample(ratio)
    ]
    quotient: np.ndarray = ratio / np.array(medians)[:, None]
    return quotient
