"""Monitor: past forecasts beside what was measured since, and whether a model still fits its factory."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa

from fems.contracts.monitoring import ComingPeak, PeakNotice, Standing, TrainingRequest
from fems.contracts.outcomes import MonitorOutcome
from fems.contracts.track_record import FACTORY
from fems.errors import DataError
from fems.flows.history import as_history, published_hours
from fems.flows.platform import Platform, timed
from fems.lake import keys
from fems.lake.lake import Lake
from fems.model.history import History
from fems.monitor import behind, drift, peaks, record, requests
from fems.monitor.record import Past
from fems.tracking import Tracking

log = logging.getLogger(__name__)

_FIGURES = ("accuracy", "weekly_naive_accuracy", "bias_pct", "coverage_80")


@dataclass(frozen=True)
class MonitorResult:
    """What the monitor found of a factory.

    Attributes:
        track_record: the table, a row a forecast and sensor.
        champion: the version that forecasts; None where there is none.
        standing: how it did of late beside weekly naive; None while it has too few measured days.
        moved: the inputs that are unlike its training's.
        reason: why training is wanted; None if it is not.
        end: the first instant after the measured data.
    """

    track_record: pd.DataFrame
    champion: str | None
    standing: Standing | None
    moved: list[drift.Moved]
    reason: str | None
    end: pd.Timestamp


def look(platform: Platform, factory_id: str) -> MonitorResult:
    """Join a factory's past forecasts with what was measured since, keep the table, and judge the champion.

    Raises:
        TooLittleHistory: nothing is published yet.
        DataError: a publish was cut off, or a forecast's table is broken.
        ServiceUnavailable: MLflow or MinIO does not answer.
    """
    rules = platform.plant.monitoring
    history = as_history(platform, factory_id, published_hours(platform, factory_id))
    joined = [record.join(past, history) for past in past_forecasts(platform.lake, factory_id, history)]
    rows = [row for one in joined for row in record.rows(one)]
    table = record.table(rows, str(history.hours.tz))
    _log_versions(platform.tracking, factory_id, table)
    if len(joined):
        data = pa.Table.from_pandas(table, preserve_index=False)
        platform.lake.forecasts.write_track_record(factory_id, data)
    newest = record.newest(rows)
    if newest is not None:
        platform.lake.forecasts.write_measured(newest)

    champion = platform.tracking.find_champion(factory_id)
    if champion is None:
        return MonitorResult(table, None, None, [], None, history.end)
    version, tags = champion
    stands = behind.standing(joined, version, rules.behind_days, history.end)
    until = pd.Timestamp(tags["trained_until"])
    moved = drift.moved(history, until, rules.drift_days, rules.drift_margin, rules.drift_least_pct)
    reasons = [
        stands.behind(rules.behind_margin) if stands else None,
        _drift_reason(moved, version, rules.drift_days),
    ]
    reason = "; ".join(filter(None, reasons)) or None
    return MonitorResult(table, version, stands, moved, reason, history.end)


@timed
def monitor_factory(platform: Platform, factory_id: str, now: datetime, run_id: str) -> MonitorOutcome:
    """Look at a factory, and write down the request for training and the peak that are to be passed on.

    Done again by the same run it returns the same; nothing is asked or told twice by another.

    Args:
        platform: where the forecasts and the measured hours are.
        factory_id: the factory.
        now: tz-aware.
        run_id: who looks.

    Raises:
        TooLittleHistory, DataError, ServiceUnavailable: as `look`.
    """
    result = look(platform, factory_id)
    return MonitorOutcome(
        factory_id=factory_id,
        forecasts=int((result.track_record["sensor_id"] == FACTORY).sum()),
        champion=result.champion,
        standing=result.standing,
        moved=tuple(str(moved) for moved in result.moved),
        reason=result.reason,
        request=_request(platform, factory_id, result.reason, now),
        peak=_peak(platform, factory_id, result.end, run_id),
    )


def training_started(platform: Platform, factory_id: str, request_id: str, now: datetime) -> None:
    """Mark a request's training as started, so that the request is not passed on again."""
    monitoring = platform.lake.monitoring
    kept = monitoring.requests(factory_id)
    monitoring.write_requests(factory_id, requests.started(kept, request_id, now))


def past_forecasts(lake: Lake, factory_id: str, history: History) -> list[Past]:
    """Return the forecasts of a factory of which anything can have been measured, one an origin and version.

    Of several horizons from one origin the longest counts, and then the one that was made first: those of corrected
    data lie beside it under longer names. A forecast without its summary was cut short, and is passed over; so is one
    whose summary cannot be read, with a warning that names it.
    """
    chosen: dict[tuple[pd.Timestamp, str, str], tuple[tuple[int, int], Past]] = {}
    for folder in lake.forecasts.folders(factory_id):
        match = keys.FORECAST_KEY.match(keys.summary_key(folder))
        try:
            summary = lake.forecasts.summary(folder) if match else None
        except DataError as error:
            log.warning("%s", error)
            continue
        if match is None or summary is None:
            continue
        origin = pd.Timestamp(summary.origin).tz_convert(history.hours.tz)
        if origin >= history.end:
            continue
        version, horizon = summary.model.version, int(match["horizon"])
        identity, rank = (origin, version, match["month"]), (horizon, -len(match["model"]))
        if identity in chosen and chosen[identity][0] >= rank:
            continue
        past = Past(factory_id, match["month"], origin, version, *(pd.DataFrame() for _ in range(3)))
        chosen[identity] = rank, _with_tables(lake, past, folder, horizon // 60)
    return [past for _, past in chosen.values() if len(past.kwh)]


def _with_tables(lake: Lake, past: Past, folder: str, hours: int) -> Past:
    """Read a forecast's whole hours; the last part of one is left out."""
    equipment = lake.forecasts.table(folder, "equipment", "hour").to_pandas()
    factory = lake.forecasts.table(folder, "factory", "hour").to_pandas().assign(sensor_id=FACTORY)
    rows = pd.concat([equipment.assign(sensor_id=equipment["sensor_id"].astype(str)), factory])
    zone = past.origin.tz

    def wide(column: str) -> pd.DataFrame:
        if column not in rows:
            return pd.DataFrame()
        laid_out = rows.pivot(index="timestamp", columns="sensor_id", values=column).tz_convert(zone)
        whole: pd.DataFrame = laid_out.iloc[:hours].dropna(axis=1, how="all")
        return whole

    return replace(past, kwh=wide("used_kwh"), low=wide("used_kwh_p10"), high=wide("used_kwh_p90"))


def _log_versions(tracking: Tracking, factory_id: str, table: pd.DataFrame) -> None:
    """Log each version's newest measured forecast to MLflow; baselines that stood in for a model have no version."""
    factory = table[(table["sensor_id"] == FACTORY) & table["model_version"].str.fullmatch(r"\d+")]
    for version, rows in factory.groupby("model_version"):
        newest = rows.iloc[-1]
        figures = {name: float(newest[name]) for name in _FIGURES}
        tracking.log_track_record(
            factory_id, str(version), figures, int(newest["hours"]), newest["until"].to_pydatetime()
        )


def _drift_reason(moved: list[drift.Moved], version: str, days: int) -> str | None:
    if not moved:
        return None
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    inputs = ", ".join(str(one) for one in moved[:3])
    return f"the inputs of the last {days} days moved away from what model v{version} was trained on: {inputs}{more}"


def _request(
    platform: Platform, factory_id: str, reason: str | None, now: datetime
) -> TrainingRequest | None:
    monitoring, every = platform.lake.monitoring, timedelta(days=platform.plant.monitoring.ask_every_days)
    earlier = monitoring.requests(factory_id)
    due = requests.due(earlier, factory_id, reason, now, every)
    if due is None:
        return None
    kept = requests.added(earlier, due)
    if kept is not earlier:
        monitoring.write_requests(factory_id, kept)
    log.info("factory %s: training is asked for: %s", factory_id, due.reason)
    return due


def _peak(platform: Platform, factory_id: str, end: pd.Timestamp, run_id: str) -> ComingPeak | None:
    """Return a coming peak once a forecast, and again to the run that was told it first."""
    lake = platform.lake
    latest = lake.forecasts.latest(factory_id)
    summary = lake.forecasts.summary(latest.prefix) if latest is not None else None
    if latest is None or summary is None:
        return None
    peak = peaks.coming(summary.demand, end.to_pydatetime(), platform.plant.monitoring.peak_chance)
    if peak is None:
        return None
    mark = PeakNotice(peak_of=latest.prefix, run_id=run_id)
    notified = lake.monitoring.peak_notice(factory_id)
    if notified is not None and notified.peak_of == mark.peak_of and notified.run_id != run_id:
        return None
    lake.monitoring.write_peak_notice(factory_id, mark)
    return peak


def now_utc() -> datetime:
    """Return the present, for the two doors."""
    return datetime.now(UTC)
