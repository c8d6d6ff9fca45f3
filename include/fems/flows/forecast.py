"""Forecast: the champion's next 42,300 minutes, evaluated, then published with its headline."""

import re
from datetime import UTC
from typing import Any

import pandas as pd
import pyarrow as pa

from fems import __version__, tracking
from fems import lake as keys
from fems.errors import DataError, TooLittleHistory
from fems.flows.history import as_history, month_of, published_hours, published_months
from fems.flows.platform import Platform, timed
from fems.forecast import tables
from fems.lake import Lake
from fems.quality.evaluate import Evaluator

HORIZON_MINUTES = 42_300


def latest_key(factory_id: str) -> str:
    """Return the key of the pointer to a factory's newest forecast."""
    return f"forecasts/factory={factory_id}/latest.json"


def _origin(end: pd.Timestamp, month: str | None, factory_id: str) -> pd.Timestamp:
    """The first instant after the published data, or the start of the month asked for."""
    if month is None:
        return end
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise DataError(f"month {month!r}: write YYYY-MM")
    start = pd.Timestamp(f"{month}-01", tz=end.tz)
    if start > end:
        raise TooLittleHistory(
            f"factory {factory_id}: published data ends at {end:%Y-%m-%d %H:%M}, before {month}; run ingest first"
        )
    return end if month_of(end) == month else start


@timed
def forecast_factory(
    platform: Platform,
    factory_id: str,
    month: str | None = None,
    horizon_minutes: int = HORIZON_MINUTES,
) -> dict[str, Any]:
    """Forecast a factory and publish the result.

    Args:
        platform: where the data is and the forecast goes.
        factory_id: the factory.
        month: YYYY-MM; the forecast starts with it, or, if it is the running one, right after the last published
            data. The month after the published data if not given.
        horizon_minutes: how far.

    Returns:
        The summary that is stored beside the tables.

    Raises:
        NoModel: nothing is registered for the factory: run train first.
        TooLittleHistory: no published data up to the month.
        DataError: the month is not YYYY-MM, or the champion has seen it.
        QualityFailed: the forecast itself failed its suite and was not published.
    """
    lake, plant = platform.lake, platform.plant
    grain_minutes = plant.grain_minutes(factory_id, "meter")
    history = as_history(platform, factory_id, published_hours(platform, factory_id))
    origin = _origin(history.end, month, factory_id)
    known = history.until(origin)
    champion = tracking.load_champion(factory_id)
    trained_until = pd.Timestamp(champion.tags["trained_until"])
    if trained_until > origin:
        raise DataError(
            f"factory {factory_id}: the champion v{champion.version} was trained until {trained_until:%Y-%m-%d}, and a "
            f"forecast from {origin:%Y-%m-%d} would have seen what it forecasts; `fems backtest` scores the past"
        )
    horizon_hours = -(-horizon_minutes // 60)
    hours = champion.bundle.month_ahead.predict(known, origin, horizon_hours)
    band = champion.bundle.month_ahead.predict_band(known, origin, horizon_hours)

    recent = [m for m in published_months(lake, factory_id) if m <= month_of(origin)][-2:]
    native = lake.published("meter", "native", factory_id, recent).select(
        ["timestamp", "sensor_id", "used_kwh"]
    )
    frame = native.to_pandas()
    shares = tables.shape_in_hour(frame[frame["timestamp"] < origin], list(hours.columns), grain_minutes)
    forecast = tables.build(hours, band, shares, factory_id, grain_minutes, horizon_minutes)

    evaluator = Evaluator(platform.settings.expectations_dir)
    for grain, table in forecast.equipment.items():
        evaluator.evaluate(table, "forecast").require(
            f"factory {factory_id}, forecast {grain} from {origin:%Y-%m-%d}"
        )
    names = {e.sensor: e.name for e in plant.factory(factory_id).equipment.values()}
    summary = {
        "factory_id": factory_id,
        "month": month_of(origin),
        "origin": origin.isoformat(),
        "horizon_minutes": horizon_minutes,
        "model": {
            "name": tracking.model_name(factory_id),
            "version": champion.version,
            "trained_until": trained_until.isoformat(),
        },
        "code_version": __version__,
        **tables.headline(forecast, names),
    }
    _publish(lake, forecast, summary)
    return summary


def _publish(lake: Lake, forecast: tables.Forecast, summary: dict[str, Any]) -> None:
    """Write under origin, horizon and model, so that nothing else is overwritten; `latest` points to it last."""
    factory_id = summary["factory_id"]
    origin = pd.Timestamp(summary["origin"]).tz_convert(UTC).strftime("%Y%m%dT%H%MZ")
    prefix = (
        keys.forecast_prefix(factory_id, summary["month"])
        + f"origin={origin}/horizon={summary['horizon_minutes']}/model=v{summary['model']['version']}/"
    )
    for level, grains in (("equipment", forecast.equipment), ("factory", forecast.factory)):
        for grain, table in grains.items():
            data = pa.Table.from_pandas(table, preserve_index=False)
            data = data.replace_schema_metadata({b"fems": keys.to_json(summary)})
            lake.store.put(f"{prefix}{level}_{grain}.parquet", keys.to_parquet(data))
    lake.store.put(prefix + "summary.json", keys.to_json(summary))
    lake.store.put(latest_key(factory_id), keys.to_json({"prefix": prefix, **summary}))


def targets(
    platform: Platform, partition: str | None, factories: list[str] | None, month: str | None
) -> list[dict[str, str | None]]:
    """Return what a run is to forecast.

    Args:
        platform: the registry, and the models, for a run that names no factory.
        partition: FACTORY|YYYY-MM of the run, None for a run by hand.
        factories: those asked for; none means every factory that has a champion.
        month: YYYY-MM, None for the month after the published data.

    Raises:
        DataError: the partition is not FACTORY|YYYY-MM.
        ConfigError: a factory is not registered.
    """
    if partition is not None:
        factory_id, separator, month = partition.partition("|")
        if not separator:
            raise DataError(f"partition {partition!r} is not FACTORY|YYYY-MM")
        factories = [factory_id]
    for factory_id in factories or []:
        platform.plant.factory(factory_id)
    chosen = factories or [f for f in platform.plant.factories if tracking.has_champion(f)]
    return [{"factory": factory_id, "month": month} for factory_id in chosen]
