"""Writing the report of a forecast: where the forecast is published, and anew when asked."""

import pandas as pd

from fems.contracts.forecast import ForecastSummary
from fems.contracts.grains import GRAINS
from fems.contracts.trap_views import OpenTrap
from fems.contracts.traps import LEAKS, TrapState
from fems.errors import DataError
from fems.flows.history import as_history, published_hours, published_months
from fems.flows.machines import of_machines
from fems.flows.platform import Platform
from fems.flows.traps import currency, published_traps, rows_of_events
from fems.forecast.calendar_month import CalendarMonth, calendar_month
from fems.forecast.reasons import LANGUAGES
from fems.forecast.tables import Forecast
from fems.model.history import History
from fems.report.content import Content, track_record
from fems.report.page import render
from fems.report.workbook import workbook
from fems.traps.loss import usual_loss
from fems.traps.words import STATE_WORDS

_PAST_MONTHS = 3


def write_report(
    platform: Platform, folder: str, summary: ForecastSummary, month: CalendarMonth, known: History
) -> None:
    """Make the page and the workbooks of a forecast and store them beside its tables."""
    content = _content(platform, summary, month, known)
    platform.lake.forecasts.write_report(
        folder, render(content), {language: workbook(content, language) for language in LANGUAGES}
    )


def renew_report(platform: Platform, factory_id: str, month: str | None = None) -> str:
    """Make the report of a published forecast anew, with the track record as it is now.

    Args:
        platform: where it lies.
        factory_id: whose.
        month: YYYY-MM; of several forecasts of it the newest counts. The newest forecast's if not given.

    Returns:
        The folder of the forecast, where the report lies.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no forecast of the month, or its tables are gone.
        UnknownFormat: another version made it.
    """
    platform.plant.factory(factory_id)
    forecasts = platform.lake.forecasts
    folder = forecasts.newest(factory_id, month)
    summary = forecasts.summary(folder)
    if summary is None:
        raise DataError(f"{folder}: has no summary, so its forecast was cut short; run forecast again")
    try:
        equipment, factory = (
            {grain: forecasts.table(folder, level, grain).to_pandas() for grain in GRAINS}
            for level in ("equipment", "factory")
        )
    except KeyError as error:
        raise DataError(f"{error.args[0]}: is gone; run forecast for the month again") from error
    history = as_history(platform, factory_id, published_hours(platform, factory_id))
    origin = pd.Timestamp(summary.origin).tz_convert(history.hours.tz)
    known = history.until(origin)
    month_tables = calendar_month(
        Forecast(equipment, factory),
        known,
        origin,
        _native(platform, factory_id, summary.month, known.equipment),
    )
    write_report(platform, folder, summary, month_tables, known)
    return folder


def _native(platform: Platform, factory_id: str, month: str, sensors: tuple[str, ...]) -> pd.DataFrame | None:
    """What was measured of a month; None where nothing of it is published."""
    if month not in published_months(platform.lake, factory_id):
        return None
    table = platform.lake.published("meter", "native", factory_id, [month])
    frame = table.select(["timestamp", "sensor_id", "used_kwh"]).to_pandas().astype({"sensor_id": "str"})
    parts = of_machines(frame, platform.plant.factory(factory_id).meter_tree)
    machines: pd.DataFrame = parts[parts["sensor_id"].isin(sensors)]
    return machines


def _content(platform: Platform, summary: ForecastSummary, month: CalendarMonth, known: History) -> Content:
    origin = pd.Timestamp(summary.origin).tz_convert(known.hours.tz)
    past = known.between(origin.normalize() - pd.DateOffset(months=_PAST_MONTHS), origin)
    daily = pd.Series(past.factory_kwh, index=past.hours).resample("D").sum(min_count=20)
    track = platform.lake.forecasts.track_record(summary.factory_id)
    return Content(
        platform.plant.factory(summary.factory_id),
        summary,
        month.tables,
        daily.tz_localize(None),
        track_record(None if track is None else track.to_pandas()),
        platform.plant.grain_minutes(summary.factory_id, "meter"),
        platform.plant.monitoring.peak_chance,
        open_traps(platform, summary.factory_id),
    )


def open_traps(platform: Platform, factory_id: str) -> tuple[OpenTrap, ...]:
    """Return the open events of the factory's steam traps, with what they lose on a usual day."""
    tables = published_traps(platform.lake, factory_id)
    if tables is None:
        return ()
    factory = platform.plant.factory(factory_id)
    days = tables[0].to_pandas()
    found: list[OpenTrap] = []
    for row in rows_of_events(tables[1]):
        trap = factory.steam_traps.get(row["trap_id"])
        if row["end"] is not None or trap is None:
            continue
        state, usual = TrapState(row["kind"]), usual_loss(days, row["event_id"])
        found.append(
            {
                **usual,
                "trap_id": row["trap_id"],
                "name": trap.name,
                "name_ko": trap.name_ko or trap.name,
                "state": STATE_WORDS[state][0],
                "state_ko": STATE_WORDS[state][1],
                "start": row["start"],
                "confidence": row["confidence"],
                "reason": row["reason"],
                "reason_ko": row["reason_ko"],
                "currency": currency(factory, usual),
                "leak": state in LEAKS,
            }
        )
    return tuple(sorted(found, key=lambda row: -(row["cost_a_day"] or row["kg_a_day"] or 0.0)))
