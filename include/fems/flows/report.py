"""The report of a forecast: made where the forecast is published, kept beside its tables, and made anew when asked."""

from typing import Any

import pandas as pd

from fems.contracts.traps import LEAKS, TrapState
from fems.errors import DataError
from fems.flows.history import as_history, published_hours
from fems.flows.platform import Platform
from fems.flows.traps import published_traps
from fems.forecast.reasons import Language
from fems.forecast.tables import Forecast
from fems.lake import keys
from fems.lake.lake import Lake
from fems.model.history import History
from fems.report.content import Content, track_record
from fems.report.page import opened_in, render
from fems.report.workbook import workbook
from fems.traps.words import STATE_WORDS

REPORT, WORKBOOK = "report.html", "forecast.xlsx"
GRAINS = ("native", "hour", "day")
_PAST_MONTHS = 3
_A_DAY = {
    "steam_kg": "kg_day",
    "steam_kg_low": "kg_day_low",
    "steam_kg_high": "kg_day_high",
    "fuel_kwh": "fuel_kwh_day",
    "cost": "cost_day",
}


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
        _open_traps(platform, factory_id),
    )


def _open_traps(platform: Platform, factory_id: str) -> tuple[dict[str, Any], ...]:
    """Return the open events of the factory's steam traps, with what they lose on a usual day."""
    tables = published_traps(platform.lake, factory_id)
    if tables is None:
        return ()
    factory = platform.plant.factory(factory_id)
    days = tables[0].to_pandas()
    found = []
    for row in tables[1].to_pylist():
        trap = factory.steam_traps.get(row["trap_id"])
        if row["end"] is not None or trap is None:
            continue
        state = TrapState(row["kind"])
        lost = days[(days["event_id"] == row["event_id"]) & days["steam_kg"].notna()].tail(7)
        mean = {name: float(lost[name].astype(float).mean()) if len(lost) else None for name in _A_DAY}
        found.append(
            {
                **{
                    name: row[name]
                    for name in ("trap_id", "start", "confidence", "reason", "reason_ko", "currency")
                },
                "name": trap.name,
                "name_ko": trap.name_ko or trap.name,
                "state": STATE_WORDS[state][0],
                "state_ko": STATE_WORDS[state][1],
                "leak": state in LEAKS,
                **{short: mean[name] for name, short in _A_DAY.items()},
            }
        )
    return tuple(sorted(found, key=lambda row: -(row["cost_day"] or row["kg_day"] or 0.0)))


def _table(lake: Lake, name: str) -> pd.DataFrame:
    return lake.read_table(f"{name}.parquet").to_pandas()
