"""What the REST interface hands out, as tables: factories, forecasts, peaks, quality, track record. In local time."""

import pyarrow as pa
import pyarrow.compute as pc

from fems.errors import DataError
from fems.flows.platform import Platform
from fems.views.forecasts import forecast_table
from fems.views.sql import VIEWS

PEAKS = pa.schema(
    [(name, pa.string()) for name in ("factory_id", "date")]
    + [("rank", pa.int64())]
    + [(name, pa.float64()) for name in ("kwh", "kwh_p10", "kwh_p90", "kw")]
    + [("reason_ko", pa.string()), ("reason_en", pa.string())]
)
QUALITY = pa.schema(
    [(name, pa.string()) for name in ("factory_id", "feed", "month")]
    + [("published", pa.bool_()), ("score", pa.float64())]
    + [(name, pa.int64()) for name in ("critical_failed", "warning_failed")]
)


def factories(platform: Platform) -> pa.Table:
    """Return the registry's factories, a row each."""
    return VIEWS["factory"](platform)


def forecasts(platform: Platform, factory_id: str) -> pa.Table:
    """Return every whole forecast of a factory, oldest month first.

    Raises:
        ConfigError: the factory is not registered.
    """
    platform.plant.factory(factory_id)
    return forecast_table(platform, [factory_id])


def forecast(platform: Platform, factory_id: str, grain: str) -> pa.Table:
    """Return the newest forecast of a factory by hour or day; a row without a sensor is the whole factory.

    Raises:
        ConfigError: the factory is not registered.
    """
    platform.plant.factory(factory_id)
    table = VIEWS[f"forecast_{grain}"](platform)
    return table.filter(pc.equal(table["factory_id"], factory_id))


def peaks(platform: Platform, factory_id: str) -> pa.Table:
    """Return the days of a factory's newest forecast by rank, the highest first, each with its reason.

    Raises:
        ConfigError: the factory is not registered.
        DataError: it has no forecast.
    """
    platform.plant.factory(factory_id)
    latest = platform.lake.forecasts.latest(factory_id)
    summary = None if latest is None else platform.lake.forecasts.summary(latest.prefix)
    if summary is None:
        raise DataError(f"factory {factory_id} has no forecast; run forecast first")
    ranked = sorted((day for day in summary.days if day.rank), key=lambda day: day.rank)
    rows = [
        {"factory_id": factory_id, **day.model_dump(include=set(PEAKS.names)), "date": day.date.isoformat()}
        for day in ranked
    ]
    return pa.Table.from_pylist(rows, PEAKS)


def quality(platform: Platform, factory_id: str) -> pa.Table:
    """Return the last evaluation of each month and feed of a factory.

    Raises:
        ConfigError: the factory is not registered.
    """
    rows = [
        {
            "factory_id": factory_id,
            "feed": feed,
            **record.model_dump(include=set(QUALITY.names) - {"feed", "factory_id"}),
        }
        for feed in platform.plant.feeds(factory_id)
        for record in platform.lake.evaluations.by_month(feed, factory_id).values()
    ]
    return pa.Table.from_pylist(rows, QUALITY)


def track_record(platform: Platform, factory_id: str) -> pa.Table:
    """Return how a factory's forecasts did; see `fems.contracts.track_record`.

    Raises:
        ConfigError: the factory is not registered.
        DataError: no forecast of it has been measured against yet.
    """
    platform.plant.factory(factory_id)
    table = platform.lake.forecasts.track_record(factory_id)
    if table is None:
        raise DataError(f"factory {factory_id}: no forecast has been measured against yet; run monitor")
    return table
