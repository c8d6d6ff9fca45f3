"""Values with no fault on record: each must be published as it was measured."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.truth.case import REPLACED, Case
from fems.contracts.manifest import FLAGS


@dataclass(frozen=True)
class Sound:
    """How sound values fared.

    Attributes:
        name: see `Case.name`.
        count: sound values.
        wrong: those that were replaced, filled, left out or changed, with what helps to see why.
        refused: those that are not there, and the run says why, see `Case.in_doubt`.
    """

    name: str
    count: int
    wrong: pd.DataFrame
    refused: int


def judged(case: Case) -> Sound:
    """Find sound values that did not come out as they went in.

    Returns:
        Of each: sensor_id, timestamp, column, truth, published, flag, rule; of_p99, the true value as a share of the
        sensor's 99th percentile; repeats, how many minutes the true value stood still; beside, which faults its row or
        the one before has.
    """
    sound = ~case.touched
    refused = sound & case.in_doubt
    sensor, step, column = np.nonzero(sound & ~refused & ((case.flags >= REPLACED) | ~case.right))
    high = np.quantile(case.truth, 0.99, axis=1)
    near = case.faults[case.faults["kind"] != "late_file"]
    by_row = near.groupby(["sensor", "step"])["kind"].agg(lambda kinds: "+".join(sorted(set(kinds))))
    with np.errstate(divide="ignore", invalid="ignore"):
        of_p99 = case.truth[sensor, step, column] / high[sensor, column]
    names = np.array(case.sensors)[sensor], np.array(case.sheet.columns)[column]
    wrong = pd.DataFrame(
        {
            "name": case.name,
            "sensor_id": names[0],
            "timestamp": case.starts[step].tz_convert(case.sheet.zone).tz_localize(None),
            "column": names[1],
            "truth": case.truth[sensor, step, column],
            "published": case.published[sensor, step, column],
            "flag": np.array(FLAGS)[case.flags[sensor, step, column]],
            "rule": [
                case.causes.get(key, "") for key in zip(names[0], case.starts[step], names[1], strict=True)
            ],
            "of_p99": np.round(of_p99, 3),
            "repeats": [
                _run(case.truth[s, :, c], int(t)) * case.sheet.grain
                for s, t, c in zip(sensor, step, column, strict=True)
            ],
            "beside": [
                by_row.get((s, t)) or by_row.get((s, t - 1)) or "" for s, t in zip(sensor, step, strict=True)
            ],
        }
    )
    return Sound(case.name, int(sound.sum()), wrong, int(refused.sum()))


def _run(series: NDArray[np.float64], at: int) -> int:
    """Length of the run of equal values around a place."""
    other = np.flatnonzero(series != series[at])
    after = np.searchsorted(other, at)
    begin = other[after - 1] if after > 0 else -1
    end = other[after] if after < len(other) else len(series)
    return int(end - begin - 1)
