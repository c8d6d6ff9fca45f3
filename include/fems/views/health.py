"""Is everything at work? The services, how old each factory's data is, the Dags' last good runs, the disk."""

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fems.errors import FemsError
from fems.flows.platform import Platform
from fems.lake.records import side_by_side

LATE_DAYS = 2
"""A factory whose newest measured day is so many days ago, or more, is late: its files come the day after."""
_TIMEOUT_S = 10
_LEAST_FREE_MB = 1024


@dataclass(frozen=True)
class ServiceHealth:
    """A service: whether it answers, and how fast or what is wrong."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class FactoryHealth:
    """How old a factory's data is.

    Attributes:
        last_day: newest day with measured values, None where nothing is published.
        lag_days: days from there to today, on the factory's calendar.
        ingested_at: the last evaluation of its newest month; ingest leaves a month alone that has nothing new.
        forecast_month: of the newest forecast.
        problem: what could not be read.
    """

    factory_id: str
    name: str
    name_ko: str
    last_day: date | None
    lag_days: int | None
    ingested_at: datetime | None
    forecast_month: str | None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether its data is there, and not late."""
        return not self.problem and self.lag_days is not None and self.lag_days < LATE_DAYS


@dataclass(frozen=True)
class DagHealth:
    """A Dag: its last run, and the end of the last one that succeeded."""

    dag_id: str
    last_state: str | None
    last_good: datetime | None

    @property
    def ok(self) -> bool:
        """Whether its last run that ended did well; a Dag that has not run yet is no trouble."""
        return self.last_state != "failed"


@dataclass(frozen=True)
class DiskHealth:
    """The disk under an object store of this machine."""

    folder: str
    free_mb: int
    total_mb: int

    @property
    def ok(self) -> bool:
        """Whether a night's work fits."""
        return self.free_mb >= _LEAST_FREE_MB


@dataclass(frozen=True)
class Health:
    """The whole."""

    made_at: datetime
    services: tuple[ServiceHealth, ...]
    factories: tuple[FactoryHealth, ...]
    dags: tuple[DagHealth, ...] = ()
    disk: DiskHealth | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing needs a person."""
        seen = [each.ok for group in (self.services, self.factories, self.dags) for each in group]
        return all(seen) and (self.disk is None or self.disk.ok)


def health(
    platform: Platform,
    now: datetime,
    dags: Iterable[DagHealth] = (),
    factory_ids: Iterable[str] | None = None,
) -> Health:
    """Ask every service and read every factory's newest records.

    Args:
        platform: what is asked.
        now: the time, with its zone.
        dags: from Airflow, which this package does not know.
        factory_ids: these alone; all that are registered if not given.

    Raises:
        ConfigError: a factory is not registered.
    """
    wanted = list(platform.plant.factories if factory_ids is None else factory_ids)
    services = _services(platform)
    if services[0].ok:
        factories = side_by_side(lambda factory_id: _factory(platform, factory_id, now), wanted)
    else:
        factories = [
            _unread(platform, factory_id, "the object store does not answer") for factory_id in wanted
        ]
    return Health(now, services, tuple(factories), tuple(dags), _disk(platform))


def _services(platform: Platform) -> tuple[ServiceHealth, ...]:
    checks: dict[str, Callable[[], object]] = {
        "object store": lambda: next(platform.lake.raw_keys(), None),
        "MLflow": lambda: _get(f"{platform.settings.mlflow_uri}/health"),
    }
    parts: list[ServiceHealth] = [_timed(name, check) for name, check in checks.items()]
    if platform.settings.airflow_url:
        parts += _airflow(platform.settings.airflow_url)
    return tuple(parts)


def _timed(name: str, check: Callable[[], object]) -> ServiceHealth:
    begun = time.perf_counter()
    try:
        check()
    except (FemsError, OSError, ValueError) as error:
        return ServiceHealth(name, False, str(error))
    return ServiceHealth(name, True, f"{1000 * (time.perf_counter() - begun):.0f} ms")


def _airflow(url: str) -> list[ServiceHealth]:
    """Ask Airflow's API server, which knows how its other parts are."""
    answers: list[Mapping[str, Mapping[str, str | None]]] = []
    api = _timed(
        "Airflow API server",
        lambda: answers.append(json.loads(_get(f"{url.rstrip('/')}/api/v2/monitor/health"))),
    )
    parts = [api]
    for answer in answers:
        parts += [
            ServiceHealth(
                f"Airflow {part.replace('_', ' ')}", state["status"] == "healthy", state["status"] or "?"
            )
            for part, state in answer.items()
            if state.get("status") is not None
        ]
    return parts


def _get(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url}: no http address")
    # A proxy of the environment is not for the platform's own services.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT_S) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.URLError as error:
        raise OSError(f"{url} does not answer: {error}") from error


def _factory(platform: Platform, factory_id: str, now: datetime) -> FactoryHealth:
    factory = platform.plant.factory(factory_id)
    lake = platform.lake
    try:
        months = lake.months("meter", factory_id)
        newest = lake.manifest("meter", factory_id, months[-1]) if months else None
        latest = lake.forecasts.latest(factory_id)
        last_day = (
            max((day for day, counts in newest.days.items() if counts.cells_measured), default=None)
            if newest
            else None
        )
        history = lake.evaluations.history("meter", factory_id, months[-1]) if months else []
    except FemsError as error:
        return _unread(platform, factory_id, f"{type(error).__name__}: {error}")
    return FactoryHealth(
        factory_id=factory_id,
        name=factory.name,
        name_ko=factory.name_ko,
        last_day=last_day,
        lag_days=(now.astimezone(ZoneInfo(newest.timezone)).date() - last_day).days
        if newest and last_day
        else None,
        ingested_at=history[0].evaluated_at if history else None,
        forecast_month=latest.month if latest else None,
    )


def _unread(platform: Platform, factory_id: str, problem: str) -> FactoryHealth:
    factory = platform.plant.factory(factory_id)
    return FactoryHealth(factory_id, factory.name, factory.name_ko, None, None, None, None, problem)


def _disk(platform: Platform) -> DiskHealth | None:
    folder = platform.settings.s3_disk
    if folder is None or not folder.exists():
        return None
    usage = shutil.disk_usage(folder)
    return DiskHealth(str(folder), usage.free // 2**20, usage.total // 2**20)
