"""Whether the inputs have moved: the newest days against the span that a model was trained on.

Looked at are the daily means of every input of the model: each sensor's energy and the factory's measured columns,
public holidays left out. From each mean the training's mean of the same weekday is taken away. The distance between
what is left of the newest days and of the training's days is the Wasserstein distance W1 (Kantorovich; see Ramdas,
Garcia Trillos and Cuturi, "On Wasserstein two-sample testing", 2017), in standard deviations of the training's.

How far is too far, the training's own past says: each stretch of as many days in it is compared, in the same way, with
all days before it. A plant's days hang together and follow the seasons, so the usual tables of such tests, which
suppose independent days, would raise the alarm all the time. An input has moved where its distance is beyond `margin`
times the farthest that it ever was in training, and its mean changed by enough to matter: a sensor's energy by
`least_pct` of the factory's, a column of the factory by as much of its own.

W1 rather than Kolmogorov-Smirnov: KS ends at 1, and a stretch in which a season or a campaign once took it there would
let no later shift stand out. PSI needs bins, and 14 days fill no bins.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import Days, holidays_of, local_days, weekdays
from fems.model.history import Floats, History

LEAST_DAYS_BEFORE = 56
"""Days of training before the first stretch that the past is asked about."""

LEAST_STRETCHES = 8
"""Fewer say nothing of how far is usual."""

_WHOLE_DAY = 18  # hours; a day with fewer has no mean
_LEAST_SCALE = 0.02  # of the level: what moves by less of it does not matter, however quiet it was


@dataclass(frozen=True)
class Moved:
    """An input that has moved.

    Attributes:
        name: sensor ID, or the column of the whole factory.
        distance: W1 in standard deviations of the training's days.
        usual: the farthest that it was in training.
        change_pct: of its mean, % of the training's on the same weekdays.
    """

    name: str
    distance: float
    usual: float
    change_pct: float

    def __str__(self) -> str:
        return f"{self.name} {self.change_pct:+.0f} % ({self.distance / self.usual:.1f} times the farthest in training)"


def moved(
    history: History, trained_until: pd.Timestamp, days: int, margin: float, least_pct: float
) -> list[Moved]:
    """Return the inputs whose newest days are unlike the training span's, farthest first.

    Args:
        history: up to now.
        trained_until: the first instant that the model was not trained on.
        days: how many of the newest calendar days, holidays counted; a multiple of 7 holds each weekday as often.
        margin: times the farthest in training, above 1.
        least_pct: a smaller change of the mean does not matter.

    Returns:
        Empty where nothing moved, or where too few days were measured since, or too few before, to tell.
    """
    means, day = daily_means(history)
    until = pd.DatetimeIndex([trained_until.tz_convert(history.hours.tz)])
    split = int(np.searchsorted(day, local_days(until)[0]))
    if len(day) - split < days:
        return []
    means[holidays_of(history.country, day)] = np.nan
    weekday = weekdays(day)
    factory = abs(_mean(means["used_kwh"].to_numpy(dtype=np.float64)[:split]))
    found = []
    for name, values in means.items():
        column = values.to_numpy(dtype=np.float64)
        before, new = (column[:split], weekday[:split]), (column[-days:], weekday[-days:])
        distance, change = _distance(*before, *new)
        level = abs(_mean(column[:split]))
        whole = factory if name in history.equipment else level
        if not (level > 0 and whole > 0 and 100 * abs(change) / whole >= least_pct):
            continue
        usual = _usual(*before, days)
        if usual is not None and distance > margin * usual:
            found.append(Moved(str(name), distance, usual, 100 * change / level))
    return sorted(found, key=lambda m: -m.distance / m.usual)


def daily_means(history: History) -> tuple[pd.DataFrame, Days]:
    """Return (D, C) the daily mean of each input, NaN where too few hours were measured, and the (D,) local days.

    A lone sensor is the factory, and is not there twice. The day of the history's end is left out unless it is whole.
    """
    table = history.inputs.copy()
    if len(history.equipment) > 1:
        for e, sensor in enumerate(history.equipment):
            table[sensor] = history.used_kwh[:, e]
    day = local_days(history.hours)
    by_day = table.groupby(day)
    means = by_day.mean().where(by_day.count() >= _WHOLE_DAY)
    every = np.arange(day[0], day[-1] + 1) if history.hours[-1].hour == 23 else np.arange(day[0], day[-1])
    return means.reindex(every), every


def _usual(values: Floats, weekday: NDArray[np.int64], days: int) -> float | None:
    """The farthest that a stretch of training was from all days before it; None where too few can be looked at."""
    found = [
        _distance(values[:at], weekday[:at], values[at : at + days], weekday[at : at + days])[0]
        for at in range(LEAST_DAYS_BEFORE, len(values) - days + 1, 7)
    ]
    known = [distance for distance in found if np.isfinite(distance)]
    return max(known) if len(known) >= LEAST_STRETCHES and max(known) > 0 else None


def _distance(
    before: Floats, weekday_before: NDArray[np.int64], after: Floats, weekday_after: NDArray[np.int64]
) -> tuple[float, float]:
    """W1 of what weekdays leave over, in standard deviations of `before`, and the change of the mean."""
    from scipy.stats import wasserstein_distance

    level = np.array([_mean(before[weekday_before == w]) for w in range(7)])
    kept, new = before - level[weekday_before], after - level[weekday_after]
    kept, new = kept[np.isfinite(kept)], new[np.isfinite(new)]
    if len(kept) < 2 or 2 * len(new) < len(after):
        return float("nan"), float("nan")
    scale = max(float(np.std(kept)), _LEAST_SCALE * abs(_mean(before)))
    change = float(np.mean(new))
    return (float(wasserstein_distance(kept, new)) / scale if scale > 0 else float("nan")), change


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.mean(known)) if len(known) else float("nan")
