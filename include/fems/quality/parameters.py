"""What suites leave open and only the platform knows: sensors, columns, limits, laws and the table's intervals.

A column and a limit stand once, in the definition book; suites name them, as `{"$PARAMETER": "limits"}`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.quality.checks import Limits
from fems.quality.grid import Grid
from fems.registry.book import Book, ColumnType
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Sensor
from fems.registry.rules import Consistency

GRAIN_MINUTES = {"hour": 60, "day": 1440}
_LONGEST_DAY = 1500
"""Minutes of the day on which summer time ends."""

_SHARE_LIMITS: dict[str, Limits] = {"coverage_pct": (0.0, 100.0), "estimated_pct": (0.0, 100.0)}


@dataclass(frozen=True)
class SuiteParameters:
    """What is known of a table. An expectation that needs one which is None is left out.

    Attributes:
        factory_id: whose table it is.
        sensors: those that have rows.
        grid: its intervals.
        limits: sensor -> column -> least and most.
        lower_limits: the same without the most: below them a forecast is none.
        columns: column -> type, in order.
        main_column: the column whose values decide what is covered.
        sums: column -> the native column that it is the sum of.
        min_coverage_pct: share of an interval that must be covered for it to have a value.
        laws: the book's laws between columns.
        laws_not_applied: law and sensor, where the sensor does not keep the law at all.
        max_estimated_pct: share of a sensor's values that may be replaced, filled or missing.
        max_level_change: how many times level or spread may differ from the months before.
        min_rhythm_gain: see `fems.quality.baseline.clock_shifts`.
        main_meter: the whole factory's meter. main_parts: the meters right behind it.
        meter_tree: meter -> those right behind it.
        usual_per_hour: of all sensors together, of late.
        hours: that the table covers.
    """

    factory_id: str | None = None
    sensors: tuple[str, ...] | None = None
    grid: Grid | None = None
    limits: dict[str, dict[str, Limits]] | None = None
    lower_limits: dict[str, dict[str, Limits]] | None = None
    columns: dict[str, ColumnType] | None = None
    main_column: str | None = None
    sums: dict[str, str] | None = None
    min_coverage_pct: float | None = None
    laws: dict[str, Consistency] | None = None
    laws_not_applied: tuple[tuple[str, str], ...] | None = None
    max_estimated_pct: float | None = None
    max_level_change: float | None = None
    min_rhythm_gain: float | None = None
    main_meter: str | None = None
    main_parts: tuple[str, ...] | None = None
    meter_tree: dict[str, tuple[str, ...]] | None = None
    usual_per_hour: float | None = None
    hours: float | None = None

    def to_gx(self) -> dict[str, object]:
        """Return those that are known, as Great Expectations takes suite parameters: plain lists and dictionaries."""
        known: dict[str, object] = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) is not None
        }
        if self.sensors is not None:
            known["sensors"] = list(self.sensors)
        if self.grid is not None:
            known["grid"] = asdict(self.grid)
        if self.columns is not None:
            known["column_names"] = list(self.columns)
        if self.laws is not None:
            known["laws"] = {name: law.model_dump() for name, law in self.laws.items()}
        return known


def of_partition(
    source: FactoryFeed, grain: str, first: date, last: date, laws_not_applied: Iterable[tuple[str, str]] = ()
) -> SuiteParameters:
    """Return the parameters of a partition's table.

    Args:
        source: the factory's feed: registry and book.
        grain: native, hour or day.
        first: first local day.
        last: last local day.
        laws_not_applied: law between columns and sensor, where the sensor does not keep the law at all.
    """
    book = source.book
    begin, end = (pd.Timestamp(day).tz_localize(source.zone) for day in (first, last + timedelta(days=1)))
    native, hourly = grain == "native", grain == "hour"
    coverage = {"hour": book.min_coverage.hour, "day": book.min_coverage.day}
    tree = source.plant.factory(source.factory_id).meter_tree
    of_meters = bool(tree.nodes) and {sensor.sensor_id for sensor in source.sensors} >= set(tree.top)
    behind = {node.sensors[0]: node.submeters for node in tree.branches if len(node.sensors) == 1}
    return SuiteParameters(
        factory_id=source.factory_id,
        sensors=tuple(sensor.sensor_id for sensor in source.sensors),
        grid=_grid(source, grain, begin, end),
        limits=_limits_by_sensor(source, grain),
        columns=book.table_columns(grain),
        main_column=book.main_column,
        sums=None if native else book.sums,
        min_coverage_pct=None if native else 100 * coverage[grain],
        laws=book.consistency if native and book.consistency else None,
        laws_not_applied=tuple(laws_not_applied) if native else None,
        max_estimated_pct=book.max_estimated_pct,
        max_level_change=book.month_to_month.max_level_change if hourly else None,
        min_rhythm_gain=book.month_to_month.min_rhythm_gain if hourly else None,
        main_meter=tree.main_meter if of_meters else None,
        main_parts=tree.top if of_meters and tree.main_meter is not None else None,
        meter_tree=behind if of_meters and behind else None,
    )


def _grid(source: FactoryFeed, grain: str, begin: pd.Timestamp, end: pd.Timestamp) -> Grid:
    minutes = GRAIN_MINUTES.get(grain, source.grain_minutes)
    return Grid(begin.isoformat(), end.isoformat(), minutes, source.zone, source.day_begins)


def _limits_by_sensor(source: FactoryFeed, grain: str) -> dict[str, dict[str, Limits]]:
    """Return the limits of each sensor's columns in a table, overrides applied."""
    limits = {
        source.sensors[i].sensor_id: _limits(rules.book, source.sensors[i], grain, source.grain_minutes)
        for rules in source.rules
        for i in rules.sensors.tolist()
    }
    if source.feed == "meter":  # a remainder may fall below zero, and several meters pass the limit of one
        none: dict[str, Limits] = dict.fromkeys(next(iter(limits.values()), {}), (None, None))
        tree = source.plant.factory(source.factory_id).meter_tree
        limits |= {
            node.column: none for node in tree.nodes if not node.is_plain and node.column not in limits
        }
    return limits


def _limits(book: Book, sensor: Sensor, grain: str, grain_minutes: int) -> dict[str, Limits]:
    rated = np.array([np.nan if sensor.rated_kw is None else sensor.rated_kw])
    longest = {"hour": 60, "day": _LONGEST_DAY}.get(grain, grain_minutes)
    limits: dict[str, Limits] = {} if grain == "native" else dict(_SHARE_LIMITS)
    for name, column in book.columns.items():
        low = column.limits.min
        high = float(column.upper_limits(rated, grain_minutes)[0])
        if grain == "native":
            limits[name] = (low, high if np.isfinite(high) else None)
            continue
        for target, how in column.aggregate.items():
            most = high * longest / grain_minutes if how == "sum" else high
            # a sum of what may be below zero has no least that the book knows
            least = low if how != "sum" or low is None or low >= 0 else None
            limits[target] = (least, most if np.isfinite(most) else None)
    return limits


def of_table(
    table: pd.DataFrame, source: FactoryFeed, grain: str, laws_not_applied: Iterable[tuple[str, str]] = ()
) -> SuiteParameters:
    """Return the parameters for a table of which only the file is at hand: its days are those that it has rows of."""
    local = table["timestamp"].dt.tz_convert(source.zone)
    return of_partition(source, grain, local.min().date(), local.max().date(), laws_not_applied)


def of_forecast(
    source: FactoryFeed, grain: str, origin: pd.Timestamp, horizon_minutes: int, recent: NDArray[np.float64]
) -> SuiteParameters:
    """Return the parameters of a forecast's table, a row a machine and interval.

    Args:
        source: the factory's meters: registry and book.
        grain: native, hour or day.
        origin: where it starts; the table of days has a row for the day that it is in.
        horizon_minutes: how far it goes.
        recent: float64, kWh by hour of the whole factory as measured before the origin, NaN where missing.
    """
    begin = origin.normalize() if grain == "day" else origin
    main = source.book.main_column
    measured = recent[~np.isnan(recent)]
    limits = _limits_by_sensor(source, grain)
    return SuiteParameters(
        factory_id=source.factory_id,
        sensors=_machines(source),
        grid=_grid(source, grain, begin, origin + pd.Timedelta(minutes=horizon_minutes)),
        limits={sensor: {main: each[main]} for sensor, each in limits.items()},
        lower_limits={sensor: {main: (each[main][0], None)} for sensor, each in limits.items()},
        main_column=main,
        usual_per_hour=float(measured.mean()) if len(measured) else 0.0,
        hours=horizon_minutes / 60,
    )


def of_training(source: FactoryFeed, hours: pd.DataFrame) -> SuiteParameters:
    """Return the parameters of what a model is trained on, from its first hour to its last.

    Args:
        source: the factory's meters: registry and book.
        hours: a row a machine and hour.
    """
    begin, end = hours["timestamp"].min(), hours["timestamp"].max() + pd.Timedelta(hours=1)
    return replace(
        of_table(hours, source, "hour"), sensors=_machines(source), grid=_grid(source, "hour", begin, end)
    )


def _machines(source: FactoryFeed) -> tuple[str, ...]:
    return source.plant.factory(source.factory_id).meter_tree.columns
