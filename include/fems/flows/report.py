"""The report of a forecast: made where the forecast is published, kept beside its tables, and made anew when asked."""

from typing import Any

import pandas as pd

from fems.errors import DataError
from fems.flows.history import as_history, published_hours
from fems.flows.platform import Platform
from fems.forecast.reasons import Language
from fems.forecast.tables import Forecast
from fems.lake import keys
from fems.lake.lake import Lake
from fems.model.history import History
from fems.report.content import Content, track_record
from fems.report.page import opened_in, render
from fems.report.workbook import workbook

REPORT, WORKBOOK = "report.html", "forecast.xlsx"
GRAINS = ("native", "hour", "day")
_PAST_MONTHS = 3


def write_report(
    platform: Platform, prefix: str, summary: dict[str, Any], forecast: Forecast, known: History
) -> None:
    """Make the page and the workbook of a forecast and store them beside its tables."""
    content = _content(platform, summary, forecast, known)
    platform.lake.store.put(prefix + REPORT, render(content).encode())
    platform.lake.store.put(prefix + WORKBOOK, workbook(content))


def report_html(
    platform: Platform, factory_id: str, month: str | None = None, language: Language = "ko"
) -> str:
    """Return the stored report of a factory's month.

    Args:
        platform: where it lies.
        factory_id: whose.
        month: YYYY-MM; of several forecasts of it the newest counts. The newest forecast's if not given.
        language: which it opens in.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no forecast, or no report, of the month.
    """
    prefix = forecast_prefix(platform, factory_id, month)
    page = platform.lake.get(prefix + REPORT)
    if page is None:
        raise DataError(f"{prefix}{REPORT} is not there; make it with `fems report {factory_id}`")
    return opened_in(page.decode(), language)


def renew_report(
    platform: Platform, factory_id: str, month: str | None = None, language: Language = "ko"
) -> str:
    """Make the report of a published forecast anew, with the track record as it is now, store and return it.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no forecast of the month.
    """
    prefix = forecast_prefix(platform, factory_id, month)
    summary = platform.lake.read_json(prefix + "summary.json")
    if summary is None or "days" not in summary:
        raise DataError(f"{prefix}summary.json is of an earlier version; forecast the month again")
    tables = Forecast(
        *(
            {g: _table(platform.lake, f"{prefix}{level}_{g}") for g in GRAINS}
            for level in ("equipment", "factory")
        )
    )
    history = as_history(platform, factory_id, published_hours(platform, factory_id))
    write_report(platform, prefix, summary, tables, history.until(pd.Timestamp(summary["origin"])))
    return report_html(platform, factory_id, summary["month"] if month else None, language)


def forecast_prefix(platform: Platform, factory_id: str, month: str | None = None) -> str:
    """Return where a factory's newest forecast, or the newest of a month, lies.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is none.
    """
    platform.plant.factory(factory_id)
    latest = platform.lake.read_json(keys.latest_key(factory_id))
    if latest is not None and month in (None, latest["month"]):
        return str(latest["prefix"])
    folder = keys.forecast_prefix(factory_id, month) if month else ""
    found = (
        sorted(k for k in platform.lake.store.keys(folder) if k.endswith("/summary.json")) if month else []
    )
    if not found:
        raise DataError(
            f"factory {factory_id} has no forecast{f' of {month}' if month else ''}; run forecast first"
        )
    return found[-1].removesuffix("summary.json")


def _content(platform: Platform, summary: dict[str, Any], forecast: Forecast, known: History) -> Content:
    factory_id = summary["factory_id"]
    origin = pd.Timestamp(summary["origin"]).tz_convert(known.hours.tz)
    past = known.between(origin.normalize() - pd.DateOffset(months=_PAST_MONTHS), origin)
    daily = pd.Series(past.factory_kwh, index=past.hours).resample("D").sum(min_count=20)
    try:
        track = platform.lake.read_table(keys.track_record_key(factory_id)).to_pandas()
    except KeyError:
        track = None
    return Content(
        platform.plant.factory(factory_id),
        summary,
        forecast,
        daily.tz_localize(None),
        track_record(track),
        platform.plant.grain_minutes(factory_id, "meter"),
    )


def _table(lake: Lake, name: str) -> pd.DataFrame:
    return lake.read_table(f"{name}.parquet").to_pandas()
