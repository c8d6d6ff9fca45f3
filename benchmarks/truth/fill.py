"""Filled and replaced values against the truth, beside a straight line over the same gaps."""

import numpy as np
import pandas as pd

from benchmarks.truth.case import MISSING, REPLACED, Case

SHORT_MINUTES = 60


def errors(case: Case) -> pd.DataFrame:
    """Return the errors of every value that was made and not measured, as shares of the sensor's mean.

    Returns:
        name, sensor_id, column, begin of the gap, gap (`short`, up to an hour, or `long`), ours, line: each made minus
        true value. The line joins the last measured value before the gap and the first one after it.
    """
    tables = []
    steps = np.arange(case.truth.shape[1])
    for sensor, column in np.ndindex(len(case.sensors), len(case.sheet.columns)):
        flags, truth = case.flags[sensor, :, column], case.truth[sensor, :, column]
        read = flags < REPLACED
        made = ~read & (flags != MISSING)
        mean = truth.mean()
        if not made.any() or not read.any() or mean == 0:
            continue
        line = np.interp(steps[made], steps[read], case.published[sensor, read, column])
        gap = np.cumsum(np.diff(read, prepend=read[0]))
        minutes = np.bincount(gap)[gap[made]] * case.sheet.grain
        begin = case.starts[np.searchsorted(gap, gap[made])]
        tables.append(
            pd.DataFrame(
                {
                    "name": case.name,
                    "sensor_id": case.sensors[sensor],
                    "column": case.sheet.columns[column],
                    "begin": begin.tz_convert(case.sheet.zone).tz_localize(None),
                    "gap": np.where(minutes <= SHORT_MINUTES, "short", "long"),
                    "ours": (case.published[sensor, made, column] - truth[made]) / mean,
                    "line": (line - truth[made]) / mean,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
