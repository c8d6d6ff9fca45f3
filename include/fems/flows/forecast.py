"""Forecast: a factory's horizon and calendar month, evaluated, then published with its headline and its report."""

import logging

import pandas as pd
import pyarrow as pa

from fems import __version__
from fems.canonical import fingerprint as fingerprint_of
from fems.contracts.forecast import ForecastModel, ForecastSummary
from fems.contracts.horizon import HORIZON_MINUTES
from fems.contracts.outcomes import ForecastOutcome
from fems.errors import DataError, UnknownFormat
from fems.flows.evaluate import evaluate_forecast
from fems.flows.history import as_history, month_of, published_hours, with_tables
from fems.flows.origin import origin_of, require_origin
from fems.flows.plans import KnownPlan, known_plan
from fems.flows.platform import Platform, timed
from fems.flows.prediction import draw, native_before, predict
from fems.flows.report import write_report
from fems.forecast import tables
from fems.forecast.calendar_month import CalendarMonth, reach_minutes
from fems.lake import keys
from fems.lake.lake import Lake
from fems.model.history import History

log = logging.getLogger(__name__)


@timed
def forecast_factory(
    platform: Platform,
    factory_id: str,
    month: str | None = None,
    horizon_minutes: int = HORIZON_MINUTES,
    origin: str | None = None,
) -> ForecastOutcome:
    """Forecast a factory and publish the result, the report included.

    It goes to the horizon, or to the end of the origin's calendar month where that is later. The horizon is what is
    scored; the summary and the report are of the month. A forecast that is there already, of the same origin, horizon,
    model and data, is left as it is, and so is the pointer to the newest one.

    Args:
        platform: where the data is and the forecast goes.
        factory_id: the factory.
        month: see `origin_of`; the month after the published data if neither is given.
        horizon_minutes: how far what is scored goes.
        origin: see `origin_of`.

    Raises:
        ConfigError: the factory is not registered.
        TooLittleHistory: no published data up to the origin, or too little even for a baseline.
        DataError: month, origin or horizon is wrong, or the champion has seen what it is to forecast.
        QualityFailed: the forecast itself failed its suite and was not published.
    """
    lake, plant = platform.lake, platform.plant
    grain_minutes = plant.grain_minutes(factory_id, "meter")
    tables.check_horizon(horizon_minutes, grain_minutes)
    history = as_history(platform, factory_id, published_hours(platform, factory_id))
    start = origin_of(history.end, factory_id, month, origin)
    known = history.until(start)
    plan = known_plan(platform, factory_id)
    made = predict(platform, factory_id, known, start, horizon_minutes, plan.plan)
    fingerprint = _fingerprint(lake, factory_id, start, plan)
    folder, there = _folder(lake, factory_id, start, horizon_minutes, made.model, fingerprint)
    if there is not None:
        log.info("factory %s: this forecast is there already, %s", factory_id, folder)
        return ForecastOutcome(summary=there, prefix=folder, report=keys.report_key(folder))

    native = native_before(platform, factory_id, start, list(made.kwh.columns))
    drawn = draw(platform, factory_id, made, known, start, horizon_minutes, native)
    source = platform.source(factory_id, "meter")
    recent_kwh = known.factory_kwh[-24 * 28 :]
    reach = reach_minutes(start, horizon_minutes)
    quality = evaluate_forecast(platform.evaluator, source, drawn.forecast, start, reach, recent_kwh)
    summary = ForecastSummary(
        factory_id=factory_id,
        month=month_of(start),
        origin=start,
        horizon_minutes=horizon_minutes,
        model=made.model,
        data_fingerprint=fingerprint,
        code_version=__version__,
        simulated=plant.factory(factory_id).simulated,
        quality=quality,
        plans=made.plans,
        **dict(drawn.outlook),
    )
    _publish(platform, folder, drawn.forecast, summary, drawn.month, known)
    return ForecastOutcome(summary=summary, prefix=folder, report=keys.report_key(folder))


def _fingerprint(lake: Lake, factory_id: str, origin: pd.Timestamp, plan: KnownPlan) -> str:
    """Of the published months, and of the plans, that a forecast from an origin can see."""
    seen = {
        month: manifest.fingerprint
        for month, manifest in with_tables(lake, factory_id).items()
        if month <= month_of(origin)
    }
    planned = plan.fingerprint(origin)
    return fingerprint_of(seen | ({"plans": planned} if planned else {}))


def _folder(
    lake: Lake,
    factory_id: str,
    origin: pd.Timestamp,
    horizon_minutes: int,
    model: ForecastModel,
    fingerprint: str,
) -> tuple[str, ForecastSummary | None]:
    """Return where a forecast goes, so that it overwrites none, and its summary if it lies there whole.

    A baseline's folder bears its name, a model's its version. What another state of the data made for the same origin
    keeps its place, and the new one stands beside it under a name that bears the data's fingerprint. A forecast that
    another version of the package made is not read, and made anew in its place.
    """
    name = model.version if model.fallback else f"v{model.version}"
    for own in (name, f"{name}-{fingerprint}"):
        folder = keys.forecast_folder(factory_id, month_of(origin), origin, horizon_minutes, own)
        try:
            there = lake.forecasts.summary(folder)
        except UnknownFormat as error:
            log.warning("%s", error)
            there = None
        if there is None or there.data_fingerprint == fingerprint:
            break
    return folder, there


def _publish(
    platform: Platform,
    folder: str,
    forecast: tables.Forecast,
    summary: ForecastSummary,
    month: CalendarMonth,
    known: History,
) -> None:
    """Write the tables and the report, then the summary, which makes them one forecast; `latest` points to it last."""
    forecasts = platform.lake.forecasts
    for level, grains in (("equipment", forecast.equipment), ("factory", forecast.factory)):
        for grain, table in grains.items():
            data = pa.Table.from_pandas(table, preserve_index=False)
            forecasts.write_table(folder, level, grain, data, summary)
    write_report(platform, folder, summary, month, known)
    forecasts.write_summary(folder, summary)
    forecasts.point_to(folder, summary)


def targets(
    platform: Platform,
    partition: str | None,
    factories: list[str] | None,
    month: str | None,
    origin: str | None = None,
) -> list[dict[str, str | None]]:
    """Return what a run is to forecast; a month or an origin that a person asks for is looked at first.

    Args:
        platform: the registry, and the data, for a run that names no factory.
        partition: FACTORY|YYYY-MM of the run, None for a run by hand.
        factories: those asked for; none means every factory that has a champion.
        month: YYYY-MM, None for the month after the published data.
        origin: see `origin_of`.

    Raises:
        DataError: the partition is not FACTORY|YYYY-MM; or no factory can be forecast then (see `require_origin`).
        ConfigError: a factory is not registered.
    """
    if partition is not None:
        factory_id, separator, month = partition.partition("|")
        if not separator:
            raise DataError(f"partition {partition!r} is not FACTORY|YYYY-MM")
        factories = [factory_id]
    for factory_id in factories or []:
        platform.plant.factory(factory_id)
    chosen = factories or [f for f in platform.plant.factories if platform.tracking.has_champion(f)]
    if partition is None and (month is not None or origin is not None):
        refused: list[DataError] = []
        for factory_id in chosen:
            try:
                require_origin(platform, factory_id, month, origin)
            except DataError as error:
                refused.append(error)
        # Where one can be forecast, the others fail in tasks of their own.
        if refused and len(refused) == len(chosen):
            raise type(refused[0])("; ".join(map(str, refused)))
    return [{"factory": factory_id, "month": month} for factory_id in chosen]
