"""The instant that a forecast starts from."""

import re

import pandas as pd

from fems.errors import DataError, NoModel, TooLittleHistory
from fems.flows.history import month_of, published_end
from fems.flows.platform import Platform
from fems.tracking.rest import champion_tags


def origin_of(end: pd.Timestamp, factory_id: str, month: str | None, origin: str | None) -> pd.Timestamp:
    """Return the instant that a forecast starts from.

    Args:
        end: the first instant after the published data.
        factory_id: whose.
        month: YYYY-MM; the forecast starts with it, or, if it is the running one, at `end`.
        origin: a full hour, ISO 8601, in the factory's zone unless it says which; goes before `month`.

    Raises:
        DataError: the month or origin is not written so, is in the past, or the two disagree.
        TooLittleHistory: published data does not reach it.
    """
    if month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise DataError(f"month {month!r}: write YYYY-MM")
    if origin is not None:
        asked = _instant(origin, end)
        if month is not None and month_of(asked) != month:
            raise DataError(f"origin {origin} is not in month {month}; give one of them")
    elif month is None or month_of(end) == month:
        return end
    else:
        asked = pd.Timestamp(f"{month}-01").tz_localize(end.tz)
        if asked < end:
            raise DataError(
                f"factory {factory_id}: month {month} is in the past, published data reaches {end:%Y-%m-%d %H:%M}; "
                "an origin forecasts from an earlier instant, `fems backtest` scores the past"
            )
    if asked > end:
        raise TooLittleHistory(
            f"factory {factory_id}: published data ends at {end:%Y-%m-%d %H:%M}, before {asked:%Y-%m-%d %H:%M}; "
            "run ingest first"
        )
    return asked


def require_origin(platform: Platform, factory_id: str, month: str | None, origin: str | None) -> None:
    """Look whether a forecast can start where it is asked to, by the newest published month alone.

    Raises:
        DataError, TooLittleHistory: as `origin_of`; or the champion has seen what it is to forecast.
    """
    asked = origin_of(published_end(platform, factory_id), factory_id, month, origin)
    try:
        version, tags = champion_tags(platform.settings.mlflow_uri, factory_id)
    except NoModel:  # a baseline forecasts
        return
    require_unseen(factory_id, version, pd.Timestamp(tags["trained_until"]), asked)


def require_unseen(factory_id: str, version: str, trained_until: pd.Timestamp, origin: pd.Timestamp) -> None:
    """Refuse a forecast by a model that has seen what it is to forecast.

    Raises:
        DataError: it has.
    """
    if trained_until > origin:
        raise DataError(
            f"factory {factory_id}: the champion v{version} was trained until {trained_until:%Y-%m-%d}, "
            f"and a forecast from {origin:%Y-%m-%d} would have seen what it forecasts; `fems backtest` scores the "
            "past"
        )


def _instant(written: str, end: pd.Timestamp) -> pd.Timestamp:
    try:
        found = pd.Timestamp(written)
        found = found.tz_localize(end.tz) if found.tz is None else found.tz_convert(end.tz)
    except ValueError as error:
        raise DataError(f"origin {written!r}: write a full hour such as 2026-03-01T00:00") from error
    if pd.isna(found) or found != found.floor("h"):
        raise DataError(f"origin {written!r}: write a full hour such as 2026-03-01T00:00")
    return found
