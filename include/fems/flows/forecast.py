"""Forecast: a factory's horizon and calendar month, evaluated, then published with its headline and its report."""

import logging
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from fems import __version__
from fems.canonical import fingerprint as fingerprint_of
from fems.contracts.forecast import ForecastModel, ForecastSummary, HeldOut
from fems.contracts.horizon import HORIZON_MINUTES
from fems.contracts.outcomes import ForecastOutcome
from fems.errors import DataError, NoModel, TooLittleHistory, UnknownFormat
from fems.flows.evaluate import evaluate_forecast
from fems.flows.history import as_history, month_of, published_hours, published_months, with_tables
from fems.flows.machines import of_machines
from fems.flows.origin import origin_of, require_origin, require_unseen
from fems.flows.platform import Platform, timed
from fems.flows.report import write_report
from fems.forecast import fallback, tables
from fems.forecast.calendar_month import CalendarMonth, calendar_month, reach_minutes
from fems.forecast.demand import Demand, factory_power, interval, of_forecast, past_days
from fems.forecast.summary import summarise
from fems.lake import keys
from fems.lake.lake import Lake
from fems.model.floors import fit_floors
from fems.model.history import History
from fems.model.month_ahead.band import Bands

log = logging.getLogger(__name__)

_NATIVE_MONTHS = 7
"""Months of native data that a forecast looks at: six to draw the maximum demand from, and the running one."""


@dataclass(frozen=True)
class ForecastResult:
    """What was forecast, and by whom.

    Attributes:
        kwh: (T, E) by hour and sensor.
        bands: its quantiles.
        model: which forecast it, and why, where it is a baseline.
    """

    kwh: pd.DataFrame
    bands: Bands
    model: ForecastModel


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
    reach = reach_minutes(start, horizon_minutes)
    made = _predict(platform, factory_id, known, start, -(-reach // 60))
    fingerprint = _fingerprint(lake, factory_id, start)
    folder, there = _folder(lake, factory_id, start, horizon_minutes, made.model, fingerprint)
    if there is not None:
        log.info("factory %s: this forecast is there already, %s", factory_id, folder)
        return ForecastOutcome(summary=there, prefix=folder, report=keys.report_key(folder))

    recent = [m for m in published_months(lake, factory_id) if m <= month_of(start)][-_NATIVE_MONTHS:]
    native = lake.published("meter", "native", factory_id, recent)
    frame = native.select(["timestamp", "sensor_id", "used_kwh"]).to_pandas()
    frame = frame[frame["timestamp"] < start].astype({"sensor_id": "str"})
    frame = of_machines(frame, platform.plant.factory(factory_id).meter_tree)
    frame = frame[frame["sensor_id"].isin(made.kwh.columns)]
    shares = tables.shape_in_hour(frame, list(made.kwh.columns), grain_minutes)
    forecast = tables.build(made.kwh, made.bands, shares, factory_id, grain_minutes, reach)
    source = platform.source(factory_id, "meter")
    recent_kwh = known.factory_kwh[-24 * 28 :]
    quality = evaluate_forecast(platform.evaluator, source, forecast, start, reach, recent_kwh)
    month_tables = calendar_month(forecast, known, start, frame)
    demand = _demand(forecast, made.bands, month_tables, frame, known, grain_minutes)
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
        **dict(summarise(forecast, month_tables, known, plant, factory_id, horizon_minutes, demand)),
    )
    _publish(platform, folder, forecast, summary, month_tables, known)
    return ForecastOutcome(summary=summary, prefix=folder, report=keys.report_key(folder))


def _predict(
    platform: Platform, factory_id: str, known: History, origin: pd.Timestamp, hours: int
) -> ForecastResult:
    """Ask the champion; where there is none, or too little recent data for it, ask a baseline and say so.

    A service that does not answer is no reason for a baseline: that is retried.
    """
    share = fallback.recent_share(known, origin)
    try:
        champion = platform.tracking.load_champion(factory_id)
        trained_until = pd.Timestamp(champion.tags["trained_until"])
        require_unseen(factory_id, champion.version, trained_until, origin)
        if share < fallback.RECENT_SHARE:
            raise TooLittleHistory(
                f"only {100 * share:.0f} % of the last {fallback.RECENT_DAYS} days were measured"
            )
        model = champion.bundle.month_ahead
        bands = model.predict_bands(known, origin, hours)
        kwh = bands.forecast()
        about = ForecastModel(
            name=platform.tracking.model_name(factory_id),
            version=champion.version,
            trained_until=trained_until,
            notice=champion.notice,
            heldout=HeldOut.of_metrics(platform.tracking.champion_metrics(factory_id)[1]),
        )
        return ForecastResult(kwh, bands, about)
    except (NoModel, TooLittleHistory) as error:
        baseline = fallback.forecast(known, origin, hours)
        log.warning("factory %s: the baseline %s forecasts: %s", factory_id, baseline.name, error)
        code: Literal["no_model", "too_little_data"] = (
            "no_model" if isinstance(error, NoModel) else "too_little_data"
        )
        about = ForecastModel(
            name=baseline.name,
            version=baseline.name,
            trained_until=origin,
            fallback=str(error),
            fallback_code=code,
        )
        return ForecastResult(baseline.kwh, baseline.bands, about)


def _demand(
    forecast: tables.Forecast,
    bands: Bands,
    month: CalendarMonth,
    native: pd.DataFrame,
    known: History,
    grain_minutes: int,
) -> Demand | None:
    """The month's maximum demand, what was measured of it included; None where no whole day was measured of late."""
    feeds_in = bool(fit_floors(known.used_kwh).any())
    power = factory_power(native, grain_minutes)
    try:
        past = past_days(power, interval(grain_minutes), known.rest_country, feeds_in)
    except TooLittleHistory as error:
        log.warning("no maximum demand: %s", error)
        return None
    ahead = of_forecast(forecast, bands, past, known.rest_country, end=month.end)
    measured = power[power.index >= month.start]
    return (
        ahead
        if measured.empty
        else ahead.at_least(float(measured.max()), pd.Timestamp(measured.index[int(measured.argmax())]))
    )


def _fingerprint(lake: Lake, factory_id: str, origin: pd.Timestamp) -> str:
    """Of the published months that a forecast from an origin can see."""
    seen = {
        month: manifest.fingerprint
        for month, manifest in with_tables(lake, factory_id).items()
        if month <= month_of(origin)
    }
    return fingerprint_of(seen)


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
        DataError: the partition is not FACTORY|YYYY-MM; or, as TooLittleHistory, see `require_origin`.
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
        for factory_id in chosen:
            require_origin(platform, factory_id, month, origin)
    return [{"factory": factory_id, "month": month} for factory_id in chosen]
