"""The whole: starts the services in an order that works, each waited for by its own health check."""

import fcntl
import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

from embedded import accounts, credentials, environment, postgres, room, volume
from embedded.airflow_api import AirflowApi
from embedded.config import Config
from embedded.credentials import Credentials
from embedded.ports import Wanted, require_free
from embedded.services import NotYet, Service, closure, program, services
from embedded.supervision import Supervisor, log_file
from fems.errors import ConfigError, ServiceUnavailable

GROUPS = ("storage", "tracking", "airflow")
# Seconds. A cold disk reads a gigabyte of Python before Airflow says anything.
PATIENCE = 240.0

Report = Callable[[str, float], None]
"""Told the title of each step that is done, and its seconds."""


@dataclass(frozen=True)
class Step:
    """Something that `up` does, once the steps it comes after are done."""

    title: str
    after: set[str]
    action: Callable[[], None]


class Stack:
    """The services of one state folder.

    Everything that `up` starts is a child of one supervisord, which `down` ends with all its children.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.supervisor = Supervisor(config)
        self._given_up = threading.Event()

    @classmethod
    def find(cls) -> "Stack":
        """Return the stack of the environment's state folder, as it was started if it runs."""
        wanted = cls(Config.from_environment())
        return cls(Config.load(wanted.config.state)) if wanted.running() else wanted

    @property
    def credentials(self) -> Credentials:
        """The secrets made at the first start.

        Raises:
            ConfigError: it was never started.
        """
        return credentials.load(self.config.credentials_file)

    def running(self) -> bool:
        """Tell whether the stack's supervisord runs."""
        return self.supervisor.process() is not None

    def up(self, only: Sequence[str] = GROUPS, report: Report = lambda title, seconds: None) -> None:
        """Start services and what they need; those that run are left alone.

        Raises:
            ConfigError: a port is taken, or the stack runs with other settings. Nothing was started.
            ServiceUnavailable: the disk is full, or a service did not come up. What this call started is stopped again.
        """
        wanted = closure(only, self.config)
        self.config.prepare()
        if missing := room.shortage(self.config.state):
            raise ServiceUnavailable(missing)
        with private_files(), _lock(self.config.state / "stack.lock"):
            fresh = not self.running()
            if fresh:
                self.supervisor.end_left_behind()
                require_free(_wanted(self.config, wanted))
                self._write_secrets()
                self.config.save()
                self.supervisor.start()
            else:
                self._join(wanted)
            try:
                self._take(self._steps(wanted), report)
            except BaseException:
                if fresh:
                    self.supervisor.shutdown()
                raise

    def down(self) -> bool:
        """Stop everything that `up` started, and only that. Returns False if nothing ran."""
        if not self.running():
            return self.supervisor.end_left_behind()
        with _lock(self.config.state / "stack.lock"):
            self.supervisor.shutdown()
        return True

    def environment(self) -> dict[str, str]:
        """Return the variables with which `fems` and `airflow` at a shell work on this stack."""
        return environment.shell(self.config, self.credentials)

    def airflow(self) -> AirflowApi:
        """Return a client of Airflow's REST API, logged in as admin."""
        return AirflowApi(self.config.airflow_url, "admin", self.credentials.airflow_password)

    def status(self) -> list[tuple[Service, str, str]]:
        """Return each service with its state in a word and a detail: its pid, or what is wrong."""
        if not self.running():
            return [(service, "stopped", "") for service in services(self.config)]
        states, missing = self.supervisor.states(), room.shortage(self.config.state)
        rows = []
        for service in services(self.config):
            info = states[service.name]
            word, detail = info["statename"].lower(), info["spawnerr"]
            if info["statename"] == "RUNNING" and missing:
                word, detail = "unhealthy", missing
            elif info["statename"] == "RUNNING":
                try:
                    service.check(self.config, info["start"])
                    word, detail = "healthy", f"pid {info['pid']}"
                except NotYet as error:
                    word, detail = "unhealthy", str(error)
            rows.append((service, word, detail))
        return rows

    def _join(self, services: Iterable[Service]) -> None:
        running = Config.load(self.config.state)
        if running != self.config:
            raise ConfigError(
                f"the stack in {self.config.state} already runs with other settings "
                f"(Airflow on {running.airflow_port}, MLflow on {running.mlflow_port}, "
                f"MinIO on {running.minio_port}, parallelism {running.parallelism}, workers {running.workers}): "
                f"run `make down` first, or use the same FEMS_* variables"
            )
        states = self.supervisor.states()
        require_free(_wanted(self.config, [s for s in services if states[s.name]["pid"] == 0]))

    def _write_secrets(self) -> None:
        secret = credentials.load_or_create(self.config.credentials_file)
        files = {
            self.config.airflow_home / "passwords.json": secret.airflow_passwords,
            self.config.keys / "tasks.json": accounts.keys(secret.store_passwords, accounts.TASKS),
            self.config.keys / "pages.json": accounts.keys(secret.store_passwords, ["pages"]),
        }
        for path, content in files.items():
            credentials.write_private(path, json.dumps(content) + "\n")

    def _steps(self, services: Sequence[Service]) -> dict[str, Step]:
        """Return the steps to take, by name."""
        # What a service needs beyond its process before others may use it.
        setups: dict[str, tuple[str, Callable[[], None]]] = {
            "minio": ("buckets and accounts", self._create_accounts),
            "postgres": ("databases", lambda: postgres.create_databases(self.config, self.credentials)),
            "api-server": ("Airflow's settings", self._set_up_airflow),
        }
        steps: dict[str, Step] = {}
        for service in services:
            before = {setups[need][0] if need in setups else need for need in service.needs}
            if service.name == "api-server":
                steps["migration"] = Step("Airflow's tables", before, self._migrate)
                before = {"migration"}
            steps[service.name] = Step(service.title, before, partial(self._start, service))
            if service.name in setups:
                name, action = setups[service.name]
                steps[name] = Step(name, {service.name}, action)
        return steps

    def _take(self, steps: dict[str, Step], report: Report) -> None:
        """Take steps side by side, each when those it waits for are done. Raises the first failure."""
        order = TopologicalSorter({name: step.after for name, step in steps.items()})
        order.prepare()
        running: dict[Future[float], str] = {}
        self._given_up.clear()
        with ThreadPoolExecutor(max_workers=len(steps)) as threads:
            try:
                while order.is_active():
                    for name in order.get_ready():
                        running[threads.submit(_timed, steps[name].action)] = name
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        name = running.pop(future)
                        report(steps[name].title, future.result())
                        order.done(name)
            except BaseException:
                self._given_up.set()  # the other steps stop waiting, and so does this block's end
                raise

    def _start(self, service: Service) -> None:
        if service.name == "minio":
            volume.create(self.config.state / "minio", program("juicefs"))
        self.supervisor.start_program(service.name)
        deadline = time.monotonic() + PATIENCE
        trouble = "it is still starting"
        while time.monotonic() < deadline and not self._given_up.is_set():
            info = self.supervisor.states()[service.name]
            if info["statename"] in ("FATAL", "EXITED"):
                trouble = info["spawnerr"] or "it ended"
                break
            if info["statename"] in ("STARTING", "RUNNING"):
                try:
                    return service.check(self.config, info["start"])
                except NotYet as error:
                    trouble = str(error)
            time.sleep(0.25)
        path = log_file(self.config, service.name)
        raise ServiceUnavailable(
            f"{service.title} did not come up ({trouble}). See {path}; its last lines:\n{tail(path, 12)}"
        )

    def _create_accounts(self) -> None:
        """Make MinIO's buckets and accounts; what they were last made from is kept, for it costs a second."""
        secret, folder = self.credentials, self.config.state / "minio"
        wanted = accounts.digest(secret.store_passwords)
        if accounts.made(folder) == wanted:
            return
        accounts.apply(
            self.config.minio_url, secret.minio_user, secret.minio_password, secret.store_passwords
        )
        credentials.write_private(folder / accounts.MARK, wanted)

    def _migrate(self) -> None:
        """Bring Airflow's tables to this version; the database itself says which version it is at."""
        wanted = f"airflow {version('apache-airflow')}"
        if postgres.note(self.config, self.credentials, "airflow") == wanted:
            return
        path = log_file(self.config, "migrate")
        with path.open("wb") as out:
            outcome = subprocess.run(
                [program("airflow"), "db", "migrate"],
                env=environment.clean() | self.environment(),
                cwd=self.config.state,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
            )
        if outcome.returncode:
            raise ServiceUnavailable(
                f"`airflow db migrate` failed. See {path}; its last lines:\n{tail(path, 12)}"
            )
        postgres.note(self.config, self.credentials, "airflow", wanted)

    def _set_up_airflow(self) -> None:
        """Make the pools and, where there are workers, say where the logs of their tasks go."""
        api = self.airflow()
        api.ensure_pool("training", 2, "Training runs at a time: each takes a core or more")
        api.ensure_pool("backfill", 1, "Factories that are backfilled at a time, behind the night's work")
        if self.config.workers:
            api.ensure_connection(environment.log_connection(self.config, self.credentials))


def tail(path: Path, lines: int) -> str:
    """Return a file's last lines."""
    try:
        with path.open(errors="replace") as file:
            return "".join(deque(file, lines)).rstrip()
    except OSError:
        return "(no log)"


def _wanted(config: Config, services: Iterable[Service]) -> list[Wanted]:
    return [Wanted(s.port(config), s.title, s.variable) for s in services if s.port]


@contextmanager
def private_files() -> Iterator[None]:
    """Let every file that is made be its owner's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one command at a time change a stack."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"another command is starting or stopping the stack ({path} is locked): wait for it"
            ) from error
        yield


def _timed(action: Callable[[], None]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start
