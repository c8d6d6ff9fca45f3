"""The services: how each is started, what it needs to run first, and how it shows that it works."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from embedded import accounts, credentials, environment, postgres, valkey, volume
from embedded.config import Config
from embedded.credentials import Credentials
from fems.errors import ConfigError, FemsError
from fems.lake.store import check_account

Group = Literal["storage", "tracking", "airflow"]
Env = Callable[[Config, Credentials], dict[str, str]]


class NotYet(Exception):
    """A service does not work yet; the text says how it shows."""


@dataclass(frozen=True)
class Service:
    """One supervised program."""

    name: str
    title: str
    group: Group
    needs: tuple[str, ...]
    command: Callable[[Config], list[str]]
    env: Env
    check: Callable[[Config, float], None]
    """Given the configuration and when the program was started (epoch seconds); raises NotYet."""
    port: Callable[[Config], int] | None = None
    variable: str = ""
    user: str = ""
    """Whom it runs as, in a folder of its own name, where root starts it."""
    scratch: bool = False
    """Whether it begins with an empty folder of its own name, its home."""
    stop_signal: Literal["TERM", "INT"] = "TERM"


def program(name: str) -> str:
    """Return the path of a command of this virtual environment."""
    return str(Path(sys.executable).parent / name)


def closure(names: Iterable[str], config: Config) -> list[Service]:
    """Return services with all that they need, in an order that works.

    Raises:
        ConfigError: there is no such service or group.
    """
    graph: dict[str, tuple[str, ...]] = {}
    todo: list[str] = []
    service = by_name(config)
    for name in names:
        members = [s.name for s in service.values() if name in (s.name, s.group)]
        if not members:
            known = ", ".join([*dict.fromkeys(s.group for s in service.values()), *service])
            raise ConfigError(f"there is no service or group {name!r}: choose from {known}")
        todo += members
    while todo:
        name = todo.pop()
        graph[name] = service[name].needs
        todo += [need for need in graph[name] if need not in graph]
    return [service[name] for name in TopologicalSorter(graph).static_order()]


# Proxies of the environment are not for loopback.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _get(url: str) -> bytes:
    try:
        with _opener.open(url, timeout=10) as answer:
            return answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise NotYet(f"{url}: {error}") from error


def _minio_serves(config: Config, started: float) -> None:
    """It answers; and where its accounts were made, it knows them: after a start they take it some seconds."""
    _get(f"{config.minio_url}/minio/health/live")
    if not accounts.made(config.state / "minio"):
        return
    key = credentials.load(config.credentials_file).store_passwords["landing"]
    try:
        check_account(config.minio_url, accounts.access_key("landing"), key, accounts.LAKE)
    except FemsError as error:
        raise NotYet(str(error)) from error


def _postgres_answers(config: Config, started: float) -> None:
    import psycopg2  # type: ignore[import-untyped]

    try:
        connection = postgres.connect(config, credentials.load(config.credentials_file))
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise NotYet(str(error).strip()) from error


def _mlflow_healthy(config: Config, started: float) -> None:
    _get(f"{config.mlflow_url}/health")


def _airflow_healthy(part: str) -> Callable[[Config, float], None]:
    def check(config: Config, started: float) -> None:
        import json

        health: dict[str, dict[str, Any]] = json.loads(_get(f"{config.airflow_url}/api/v2/monitor/health"))
        status = health[part]["status"]
        if status != "healthy":
            raise NotYet(f"{part} is {status}")
        # The heartbeat of the process before this one does not count.
        beat = health[part].get(f"latest_{part}_heartbeat")
        if beat and datetime.fromisoformat(beat).timestamp() < started:
            raise NotYet(f"{part} has not sent a heartbeat yet")

    return check


def _valkey_answers(config: Config, started: float) -> None:
    from redis.exceptions import RedisError

    try:
        with valkey.client(config, credentials.load(config.credentials_file)) as client:
            client.ping()
    except RedisError as error:
        raise NotYet(str(error)) from error


def _worker_answers(name: str) -> Callable[[Config, float], None]:
    def check(config: Config, started: float) -> None:
        from kombu.exceptions import OperationalError

        broker = valkey.address(config, credentials.load(config.credentials_file))
        try:
            if not valkey.worker_answers(broker, name):
                raise NotYet("it does not answer on Valkey")
        except OperationalError as error:
            raise NotYet(f"Valkey: {error}") from error

    return check


def _gateway(config: Config) -> list[str]:
    return [
        program("juicefs"), "gateway", "--no-agent", "--multi-buckets",
        "--keep-etag", "--object-meta", "--object-tag",
        "--no-banner", "--no-usage-report", "--backup-meta", "0",
        # The local object store is itself a folder on this disk: a cache would hold everything twice.
        "--cache-size", "0", "--cache-dir", str(config.state / "minio" / "cache"),
        "--log", str(config.state / "minio" / "juicefs.log"),
        # It always opens a port for metrics, unless that port can't be had: an address kept for documentation
        # (RFC 5737) is nobody's, so it logs one line and goes on without.
        "--metrics", "192.0.2.1:9567",
        f"sqlite3://{volume.meta_file(config.state / 'minio')}", f"127.0.0.1:{config.minio_port}",
    ]  # fmt: skip


def _mlflow_server(config: Config) -> list[str]:
    return [
        sys.executable, "-m", "guards.mlflow_server", "--host", "127.0.0.1", "--port", str(config.mlflow_port),
    ]  # fmt: skip


def _airflow(*words: str) -> Callable[[Config], list[str]]:
    return lambda config: [program("airflow"), *words]


def _airflow_daemon(
    name: str,
    title: str,
    *options: str,
    env: Env = environment.airflow,
    needs: tuple[str, ...] = ("api-server",),
) -> Service:
    health = _airflow_healthy(name.replace("-", "_"))
    return Service(name, title, "airflow", needs, _airflow(name, *options), env, health)


def _worker(name: str) -> Service:
    # It serves no logs: they go to the object store at each task's end, and no port is opened.
    words = ("celery", "worker", "--celery-hostname", name, "--queues", ",".join(QUEUES), "--skip-serve-logs")
    return Service(
        name=name,
        title=name.replace("worker-", "Airflow worker "),
        group="airflow",
        needs=("api-server", "valkey"),
        command=_airflow(*words),
        env=partial(environment.worker, name),
        check=_worker_answers(name),
        scratch=True,
    )


QUEUES = ("ingest", "train")
"""What tasks wait in; `fems_airflow.queues` says which task waits where."""

_VALKEY = Service(
    name="valkey",
    title="Valkey",
    group="storage",
    needs=(),
    command=lambda config: [],  # embedded.valkey runs it
    env=lambda config, secret: {},
    check=_valkey_answers,
)


_ALWAYS = (
    Service(
        name="minio",
        title="MinIO",
        group="storage",
        needs=(),
        command=_gateway,
        env=lambda config, secret: environment.minio(secret),
        check=_minio_serves,
        user="fems-minio",
        port=lambda config: config.minio_port,
        variable="FEMS_MINIO_PORT",
    ),
    Service(
        name="postgres",
        title="PostgreSQL",
        group="storage",
        needs=(),
        command=lambda config: [],  # embedded.postgres runs it
        env=lambda config, secret: {},
        check=_postgres_answers,
        stop_signal="INT",  # fast shutdown; TERM would wait for every client to leave
    ),
    Service(
        name="mlflow",
        title="MLflow",
        group="tracking",
        needs=("minio", "postgres"),
        command=_mlflow_server,
        env=environment.mlflow,
        check=_mlflow_healthy,
        user="fems-mlflow",
        port=lambda config: config.mlflow_port,
        variable="FEMS_MLFLOW_PORT",
    ),
    Service(
        name="api-server",
        title="Airflow API server",
        group="airflow",
        needs=("postgres",),
        command=_airflow("api-server"),
        env=environment.pages,
        check=_airflow_healthy("metadatabase"),
        port=lambda config: config.airflow_port,
        variable="FEMS_AIRFLOW_PORT",
    ),
)


def services(config: Config) -> tuple[Service, ...]:
    """Return the services of a stack: with workers, Valkey and each of them, too."""
    names = [f"worker-{number}" for number in range(1, config.workers + 1)]
    return (
        *_ALWAYS,
        *([_VALKEY] if names else []),
        # Tasks talk to the API server from their first second on.
        _airflow_daemon(
            "scheduler",
            "Airflow scheduler",
            "--skip-serve-logs",
            env=environment.scheduler,
            needs=("api-server", "valkey") if names else ("api-server",),
        ),
        _airflow_daemon("dag-processor", "Airflow Dag processor"),
        _airflow_daemon("triggerer", "Airflow triggerer", "--skip-serve-logs"),
        *(_worker(name) for name in names),
    )


def by_name(config: Config) -> dict[str, Service]:
    """Return the services of a stack by their names."""
    return {service.name: service for service in services(config)}
