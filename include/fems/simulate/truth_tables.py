"""The truth that a simulation keeps aside, as tables: values, the faults of the files, the events of the traps."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from fems.simulate.streams import Floats
from fems.simulate.truth import MonthTruth

_UTC = pa.timestamp("us", tz="UTC")
_FAULTS = pa.schema(
    {
        "kind": pa.string(),
        "timestamp": _UTC,
        "sensor_id": pa.string(),
        "column": pa.string(),
        "key": pa.string(),
        "written": pa.string(),
    }
)
_EVENTS = pa.schema(
    {
        "kind": pa.string(),
        "trap_id": pa.string(),
        "sensor_id": pa.string(),
        "line": pa.string(),
        "start": _UTC,
        "end": _UTC,
        "severity": pa.float64(),
    }
)


def value_table(
    clean: Floats,
    starts: pd.DatetimeIndex,
    factory_id: str,
    timezone: str,
    sensors: Sequence[str],
    names: Sequence[str],
) -> pa.Table:
    """Return the values without faults, a row a step and sensor.

    Args:
        clean: shape (steps, sensors, columns), in the feed's units.
        starts: each step's begin.
        factory_id: the factory.
        timezone: its zone.
        sensors: names of the second axis.
        names: names of the third.
    """
    steps, count, _ = clean.shape
    times = starts.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    columns: dict[str, pa.Array] = {
        "timestamp": pa.array(np.repeat(times, count), pa.timestamp("us")).cast(
            pa.timestamp("us", tz=timezone)
        ),
        "factory_id": pa.DictionaryArray.from_arrays(
            np.zeros(steps * count, np.int32), pa.array([factory_id])
        ),
        "sensor_id": pa.DictionaryArray.from_arrays(
            np.tile(np.arange(count, dtype=np.int32), steps), pa.array(sensors)
        ),
    }
    for i, name in enumerate(names):
        columns[name] = pa.array(clean[:, :, i].reshape(-1))
    return pa.table(columns)


def event_table(truth: MonthTruth, zone: str) -> pa.Table:
    """Return a month's events of the traps, their times as instants of a zone."""

    def instant(local: datetime) -> pd.Timestamp:
        return pd.Timestamp(local).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")

    rows = [
        {**asdict(event), "start": instant(event.start), "end": instant(event.end)} for event in truth.events
    ]
    return pa.Table.from_pylist(rows, schema=_EVENTS)


def fault_table(
    records: list[tuple[str, pd.Timestamp, str | None, str | None, str, str | None]],
) -> pa.Table:
    """Return the faults that were put into the files: kind, time, sensor, column, object, what was written."""
    columns = list(zip(*records, strict=True)) or [()] * len(_FAULTS)
    columns[1] = tuple(time.to_pydatetime().astimezone(UTC) for time in columns[1])
    return pa.table(
        [pa.array(values, kind.type) for values, kind in zip(columns, _FAULTS, strict=True)], schema=_FAULTS
    )
