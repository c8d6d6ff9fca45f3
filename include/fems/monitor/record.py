"""The track record: past forecasts beside what was measured since, and beside weekly naive from the same origins."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fems.contracts.track_record import COLUMNS, FACTORY, MeasuredForecast, TrackRow
from fems.errors import TooLittleHistory
from fems.model import scores
from fems.model.baselines import weekly_naive
from fems.model.history import History


@dataclass(frozen=True)
class Past:
    """A forecast as it was published.

    Attributes:
        factory_id: the factory.
        month: YYYY-MM that it is filed under.
        origin: its first instant, tz-aware.
        model_version: of the registry, or the name of the baseline that stood in for a model.
        kwh: (T, S) whole hours from the origin on, a column a sensor and one for the factory.
        low: (T, up to S) 10 % quantiles, for the columns that have a band.
        high: as `low`, 90 %.
    """

    factory_id: str
    month: str
    origin: pd.Timestamp
    model_version: str
    kwh: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame


@dataclass(frozen=True)
class Joined:
    """A past forecast with the hours that were measured since.

    Attributes:
        past: the forecast.
        truth: as `past.kwh`, NaN where nothing was measured (yet).
        naive: as `past.kwh`, weekly naive from the same origin; None where there was no week before it.
        span: kWh by column, maximum minus minimum of the hours before the origin; NaN where it is nothing.
    """

    past: Past
    truth: pd.DataFrame
    naive: pd.DataFrame | None
    span: pd.Series


def measured(history: History) -> pd.DataFrame:
    """Return (T, S) kWh by hour, a column a sensor and one for the factory, as `Past.kwh`."""
    table = pd.DataFrame(history.used_kwh, index=history.hours, columns=list(history.equipment))
    table[FACTORY] = history.factory_kwh
    return table


def join(past: Past, history: History) -> Joined:
    """Put beside a forecast what was measured since, and what weekly naive would have said at its origin."""
    known = measured(history)
    before = known[known.index < past.origin]
    span = (before.max() - before.min()).reindex(past.kwh.columns)
    try:
        naive = weekly_naive(history, past.origin, len(past.kwh))
        naive[FACTORY] = naive.sum(axis=1)
        naive = naive.reindex(columns=past.kwh.columns)
    except TooLittleHistory:
        naive = None
    truth = known.reindex(index=past.kwh.index, columns=past.kwh.columns)
    return Joined(past, truth, naive, span.where(span > 0))


def rows(joined: Joined) -> list[TrackRow]:
    """Return a row for the factory and each sensor of which an hour was measured since the origin."""
    past, measured_rows = joined.past, []
    for sensor in (FACTORY, *(c for c in past.kwh.columns if c != FACTORY)):
        truth = joined.truth[sensor]
        known = truth.notna() & past.kwh[sensor].notna()
        if not known.any():
            continue
        actual, forecast = truth[known], past.kwh.loc[known, sensor]
        measured_rows.append(
            TrackRow(
                factory_id=past.factory_id,
                month=past.month,
                origin=past.origin,
                model_version=past.model_version,
                sensor_id=sensor,
                until=known[known].index[-1] + pd.Timedelta(hours=1),
                hours=int(known.sum()),
                actual_kwh=float(actual.sum()),
                forecast_kwh=float(forecast.sum()),
                bias_pct=scores.total_error_pct(actual, forecast),
                accuracy=scores.accuracy(actual, forecast, joined.span[sensor]),
                weekly_naive_accuracy=_naive_accuracy(joined, sensor, known),
                coverage_80=_coverage(joined, sensor, known),
            )
        )
    return measured_rows


def table(tracked: list[TrackRow], time_zone: str) -> pd.DataFrame:
    """Return rows as the table that is kept: ordered by origin, version and sensor, the times in the factory's zone."""
    shown = pd.DataFrame(tracked, columns=list(COLUMNS))
    for column in ("origin", "until"):
        shown[column] = pd.to_datetime(shown[column], utc=True).dt.tz_convert(time_zone).dt.as_unit("us")
    return shown.sort_values(["origin", "model_version", "month", "sensor_id"], ignore_index=True)


def newest(tracked: list[TrackRow]) -> MeasuredForecast | None:
    """Return the newest forecast of the whole factory; None where nothing was measured of any."""
    whole = [row for row in tracked if row.sensor_id == FACTORY]
    if not whole:
        return None
    last = max(whole, key=lambda row: (row.origin, row.until))._asdict()
    known = {name: last[name] for name in MeasuredForecast.model_fields if name in last}
    return MeasuredForecast.model_validate(
        {name: None if value != value else value for name, value in known.items()}
    )


def _naive_accuracy(joined: Joined, sensor: str, known: pd.Series) -> float:
    if joined.naive is None:
        return float("nan")
    naive = joined.naive.loc[known, sensor]
    return scores.accuracy(joined.truth.loc[known, sensor], naive, joined.span[sensor])


def _coverage(joined: Joined, sensor: str, known: pd.Series) -> float:
    low, high, truth = joined.past.low, joined.past.high, joined.truth[sensor]
    if sensor not in low or sensor not in high:
        return float("nan")
    inside = (truth >= low[sensor]) & (truth <= high[sensor])
    whole = known & low[sensor].notna() & high[sensor].notna()
    return float(np.mean(inside[whole])) if whole.any() else float("nan")
