"""What suites leave open and only the platform knows: sensors, limits, laws and the partition's grid.

A limit stands once, in the definition book; suites name it, as `{"$PARAMETER": "limits"}`.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from fems.process.abnormal import upper_limits
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Sensor

GRAIN_MINUTES = {"hour": 60, "day": 1440}
_LONGEST_DAY = 1500
"""Minutes of the day on which summer time ends."""


def of_partition(
    source: FactoryFeed, grain: str, first: date, last: date, laws_not_applied: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Return the parameters of a partition's table.

    Args:
        source: the factory's feed: registry and book.
        grain: native, hour or day.
        first: first local day.
        last: last local day.
        laws_not_applied: law between columns and sensor, where the sensor does not keep the law at all.

    Returns:
        factory_id, sensors, grid (see `layout.grid_times`), limits (see `checks.within`), sums, min_coverage_pct,
        laws, laws_not_applied; and main_meter where the factory has one.
    """
    book = source.book
    minutes = GRAIN_MINUTES.get(grain, source.grain_minutes)
    begin, end = (pd.Timestamp(day).tz_localize(source.zone) for day in (first, last + timedelta(days=1)))
    found: dict[str, Any] = {
        "factory_id": source.factory_id,
        "sensors": [sensor.sensor_id for sensor in source.sensors],
        "grid": {
            "begin": begin.isoformat(),
            "end": end.isoformat(),
            "minutes": minutes,
            "timezone": source.zone,
        },
        "limits": {
            source.sensors[i].sensor_id: _limits(rules.book, source.sensors[i], grain, source.grain_minutes)
            for rules in source.rules
            for i in rules.sensors.tolist()
        },
        "sums": {
            target: name
            for name, column in book.columns.items()
            for target, how in column.aggregate.items()
            if how == "sum"
        },
        "min_coverage_pct": 100
        * {"hour": book.min_coverage.hour, "day": book.min_coverage.day}.get(grain, 0.0),
        "laws": {name: law.model_dump() for name, law in book.consistency.items()},
        "laws_not_applied": [list(each) for each in laws_not_applied],
    }
    main_meter = source.plant.factory(source.factory_id).main_meter
    if main_meter is not None and source.feed == "meter":
        found["main_meter"] = main_meter
    return found


def _limits(
    book: Book, sensor: Sensor, grain: str, grain_minutes: int
) -> dict[str, tuple[float | None, float | None]]:
    """Return the least and the most of each column of a table, as the book has them for one sensor."""
    rated = np.array([np.nan if sensor.rated_kw is None else sensor.rated_kw])
    longest = {"hour": 60, "day": _LONGEST_DAY}.get(grain, grain_minutes)
    found: dict[str, tuple[float | None, float | None]] = {}
    for name, column in book.columns.items():
        low = column.limits.min
        one = float(upper_limits(column, rated, grain_minutes)[0])
        if grain == "native":
            found[name] = (low, one if np.isfinite(one) else None)
            continue
        for target, how in column.aggregate.items():
            high = one * longest / grain_minutes if how == "sum" else one
            # a sum of what may be below zero has no least that the book knows
            found[target] = (
                low if how != "sum" or low is None or low >= 0 else None,
                high if np.isfinite(high) else None,
            )
    return found


def of_table(
    table: pd.DataFrame, source: FactoryFeed, grain: str, laws_not_applied: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Return the parameters for a table of which only the file is at hand: its days are those that it has rows of."""
    local = table["timestamp"].dt.tz_convert(source.zone)
    return of_partition(source, grain, local.min().date(), local.max().date(), laws_not_applied)


def of_forecast(
    source: FactoryFeed, grain: str, origin: pd.Timestamp, horizon_minutes: int, recent: np.ndarray
) -> dict[str, Any]:
    """Return the parameters of a forecast's table, a row a machine and interval.

    Args:
        source: the factory's meters: registry and book.
        grain: native, hour or day.
        origin: where it starts; the table of days has a row for the day that it is in.
        horizon_minutes: how far it goes.
        recent: float64, kWh by hour of the whole factory as measured before the origin, NaN where missing.

    Returns:
        factory_id, sensors, grid, limits (of used_kwh), usual_per_hour, hours.
    """
    end = origin + pd.Timedelta(minutes=horizon_minutes)
    begin = origin.normalize() if grain == "day" else origin
    machines = [sensor for sensor in source.sensors if sensor.equipment_id is not None]
    limits = {
        source.sensors[i].sensor_id: _limits(rules.book, source.sensors[i], grain, source.grain_minutes)
        for rules in source.rules
        for i in rules.sensors.tolist()
    }
    known = recent[~np.isnan(recent)]
    return {
        "factory_id": source.factory_id,
        "sensors": [sensor.sensor_id for sensor in machines],
        "grid": {
            "begin": begin.isoformat(),
            "end": end.isoformat(),
            "minutes": GRAIN_MINUTES.get(grain, source.grain_minutes),
            "timezone": source.zone,
        },
        "limits": {name: {"used_kwh": each["used_kwh"]} for name, each in limits.items()},
        "usual_per_hour": float(known.mean()) if len(known) else 0.0,
        "hours": horizon_minutes / 60,
    }


def of_training(source: FactoryFeed, hours: pd.DataFrame) -> dict[str, Any]:
    """Return the parameters of what a model is trained on, from its first hour to its last.

    Args:
        source: the factory's meters: registry and book.
        hours: a row a machine and hour.
    """
    found = of_table(hours, source, "hour")
    machines = [sensor.sensor_id for sensor in source.sensors if sensor.equipment_id is not None]
    end = hours["timestamp"].max() + pd.Timedelta(hours=1)
    return {
        **found,
        "sensors": machines,
        "grid": {**found["grid"], "begin": hours["timestamp"].min().isoformat(), "end": end.isoformat()},
    }
