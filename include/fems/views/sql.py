"""Published tables as SQL views: a door for analysts, read-only, in the factories' local time."""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from fems.errors import ConfigError
from fems.flows.history import with_tables
from fems.flows.machines import remainders
from fems.flows.platform import Platform
from fems.flows.traps import published_traps
from fems.traps.tables import TRAP_DAY, TRAP_EVENTS
from fems.views.forecasts import forecast_table

LIMITS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "memory_limit": "4GB",
    "temp_directory": "",  # what does not fit is refused, not written to disk
}
EQUIPMENT = pa.schema(
    [(name, pa.string()) for name in ("factory_id", "equipment_id", "name", "name_ko", "kind", "sensor_id")]
    + [("rated_kw", pa.float64())]
)
FACTORY = pa.schema(
    [(name, pa.string()) for name in ("factory_id", "name", "name_ko", "country", "timezone", "tariff")]
    + [("contract_kw", pa.float64()), ("simulated", pa.bool_())]
)


def query(platform: Platform, statement: str) -> pa.Table:
    """Run one SQL statement of DuckDB over the views that it names.

    Nothing outside the views can be read or written: the database lies in memory, and files, addresses, extensions and
    the variables of this program are shut off. A statement takes 4 GB at most.

    Args:
        platform: where the published data is.
        statement: SQL; the views are those of `VIEWS` and of `of_feeds`.

    Returns:
        The rows. `local_time` is the factory's clock without a zone, `timestamp` the instant in UTC.

    Raises:
        ConfigError: the statement cannot be run; says where it is wrong.
    """
    import duckdb

    with duckdb.connect(":memory:", config=LIMITS) as connection:
        views = VIEWS | of_feeds(platform)
        for name, make in views.items():
            if re.search(rf"\b{name}\b", statement, re.IGNORECASE):
                connection.register(name, make(platform))
        connection.execute("SET TimeZone = 'UTC'; SET lock_configuration = true")
        try:
            answer = connection.sql(statement)
            rows = None if answer is None else answer.to_arrow_table()
        except duckdb.Error as error:
            raise ConfigError(f"{error}; the views are {', '.join(views)}") from error
    if rows is None:
        raise ConfigError(f"write a SELECT; the views are {', '.join(views)}")
    return rows


def of_feeds(platform: Platform) -> dict[str, Callable[[Platform], pa.Table]]:
    """Return the views of the feeds that the plant has besides its meters: `gas_hour`, `gas_day` and so on."""
    feeds = {feed for factory_id in platform.plant.factories for feed in platform.plant.feeds(factory_id)}
    return {
        f"{feed}_{grain}": _measured(feed, grain)
        for feed in sorted(feeds - {"meter"})
        for grain in ("hour", "day")
    }


def _measured(feed: str, grain: str) -> Callable[[Platform], pa.Table]:
    def make(platform: Platform) -> pa.Table:
        parts = []
        for factory_id in platform.plant.factories:
            months = [
                month
                for month, manifest in platform.lake.manifests(feed, factory_id).items()
                if not manifest.empty
            ]
            if months:
                table = platform.lake.published(feed, grain, factory_id, months)
                parts.append(_named(platform, factory_id, table))
        return _together(parts, pa.schema([("local_time", pa.timestamp("us")), ("factory_id", pa.string())]))

    return make


def _meter_remainder(platform: Platform) -> pa.Table:
    parts = []
    for factory_id, factory in platform.plant.factories.items():
        tree, months = factory.meter_tree, list(with_tables(platform.lake, factory_id))
        if months and (tree.branches or tree.main_meter is not None):
            hours = platform.lake.published("meter", "hour", factory_id, months)
            frame = remainders(hours.select(["timestamp", "sensor_id", "used_kwh"]).to_pandas(), tree)
            parts.append(_named(platform, factory_id, pa.Table.from_pandas(frame, preserve_index=False)))
    return _together(parts, pa.schema([("local_time", pa.timestamp("us")), ("factory_id", pa.string())]))


def _forecast(grain: str) -> Callable[[Platform], pa.Table]:
    def make(platform: Platform) -> pa.Table:
        parts = []
        for factory_id in platform.plant.factories:
            latest = platform.lake.forecasts.latest(factory_id)
            if latest is None:
                continue
            for level in ("equipment", "factory"):
                table = platform.lake.forecasts.table(latest.prefix, level, grain)
                table = table.replace_schema_metadata(None)
                if level == "factory":
                    table = table.append_column("sensor_id", pa.nulls(len(table), pa.string()))
                table = table.append_column("month", pa.array([latest.month] * len(table)))
                parts.append(_named(platform, factory_id, table))
        return _together(parts, pa.schema([("local_time", pa.timestamp("us")), ("factory_id", pa.string())]))

    return make


def _traps(which: int) -> Callable[[Platform], pa.Table]:
    def make(platform: Platform) -> pa.Table:
        parts = []
        for factory_id, factory in platform.plant.factories.items():
            tables = published_traps(platform.lake, factory_id) if factory.steam_traps else None
            if tables is not None:
                parts.append(tables[which])
        return _together(parts, (TRAP_DAY, TRAP_EVENTS)[which])

    return make


def _named(platform: Platform, factory_id: str, table: pa.Table) -> pa.Table:
    """Add the local time, and the names of the factory and the machine, as text."""
    factory = platform.plant.factory(factory_id)
    machines = {sensor: node.name for node in factory.meter_tree.nodes for sensor in node.sensors}
    machines |= factory.meter_tree.titles()
    for sensors_of_feed in factory.sensors.values():
        for sensor_id, sensor in sensors_of_feed.items():
            machine = factory.equipment.get(sensor.equipment or "")
            machines[sensor_id] = machine.name if machine else sensor.name
    local = pc.local_timestamp(table["timestamp"].cast(pa.timestamp("us", factory.timezone)))
    sensors = table["sensor_id"].cast(pa.string())
    named = {
        "local_time": local,
        "timestamp": table["timestamp"].cast(pa.timestamp("us", "UTC")),
        "factory_id": pa.array([factory_id] * len(table), pa.string()),
        "factory": pa.array([factory.name] * len(table), pa.string()),
        "sensor_id": sensors,
        "equipment": pa.array([machines.get(name) for name in sensors.to_pylist()], pa.string()),
    }
    others = {
        name: table[name].cast(pa.string()) if pa.types.is_dictionary(table[name].type) else table[name]
        for name in table.column_names
        if name not in named
    }
    return pa.table(named | others)


def _together(parts: list[pa.Table], empty: pa.Schema) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive") if parts else empty.empty_table()


def _equipment(platform: Platform) -> pa.Table:
    rows = [
        {
            "factory_id": factory_id,
            "equipment_id": equipment_id,
            "name": each.name,
            "name_ko": each.name_ko or each.name,
            "kind": each.kind,
            "sensor_id": each.sensor,
            "rated_kw": each.rated_kw,
        }
        for factory_id, factory in platform.plant.factories.items()
        for equipment_id, each in factory.equipment.items()
    ]
    return pa.Table.from_pylist(rows, EQUIPMENT)


def _factory(platform: Platform) -> pa.Table:
    rows = [
        {"factory_id": factory_id, **factory.model_dump(include=set(FACTORY.names))}
        for factory_id, factory in platform.plant.factories.items()
    ]
    return pa.Table.from_pylist(rows, FACTORY)


VIEWS: dict[str, Callable[[Platform], pa.Table]] = {
    "meter_hour": _measured("meter", "hour"),
    "meter_day": _measured("meter", "day"),
    "meter_remainder": _meter_remainder,
    "forecast": forecast_table,
    "forecast_hour": _forecast("hour"),
    "forecast_day": _forecast("day"),
    "trap_day": _traps(0),
    "trap_events": _traps(1),
    "equipment": _equipment,
    "factory": _factory,
}
"""The views: measured hours and days by meter; by hour what a meter measured and none of those behind it; every
forecast with the figures of its calendar month; the hours and days of each factory's newest forecast, from its origin
on, where a row without a sensor is the whole factory; states and events of steam traps; machines; factories."""
