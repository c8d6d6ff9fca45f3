"""The instant that a forecast starts from."""

import re

import pandas as pd

from fems.errors import DataError, TooLittleHistory
from fems.flows.history import month_of


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
                "--origin forecasts from an earlier instant, `fems backtest` scores the past"
            )
    if asked > end:
        raise TooLittleHistory(
            f"factory {factory_id}: published data ends at {end:%Y-%m-%d %H:%M}, before {asked:%Y-%m-%d %H:%M}; "
            "run ingest first"
        )
    return asked


def _instant(written: str, end: pd.Timestamp) -> pd.Timestamp:
    try:
        found = pd.Timestamp(written)
        found = found.tz_localize(end.tz) if found.tz is None else found.tz_convert(end.tz)
    except ValueError as error:
        raise DataError(f"origin {written!r}: write a full hour such as 2026-03-01T00:00") from error
    if pd.isna(found) or found != found.floor("h"):
        raise DataError(f"origin {written!r}: write a full hour such as 2026-03-01T00:00")
    return found
