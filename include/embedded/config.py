"""Where a stack keeps its state and which ports it uses; written down, so that every process of it agrees."""

import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fems.errors import ConfigError
from fems.settings import ROOT

# A Unix socket's path holds 107 characters on Linux, 103 on macOS; PostgreSQL's is the longest name here.
_LONGEST_RUN_DIR = 103 - len("/postgres/.s.PGSQL.5432.lock")


@dataclass(frozen=True)
class Config:
    """One stack. Two stacks with different state folders and ports run side by side.

    Args:
        state: the folder that everything lies in.
        run: the folder of its sockets.
        airflow_port: of Airflow's API server.
        mlflow_port: of MLflow.
        minio_port: of the object store.
        parallelism: how many tasks run at a time, on all workers together.
        workers: Celery's; none means that tasks are the scheduler's children (LocalExecutor).
        otlp: HOST:PORT of a collector of OpenTelemetry, which gets Airflow's metrics and ours; none if empty.
        dags: Airflow's Dags.
        plugins: Airflow's plugins.
        airflow_options: SECTION__KEY -> value, where a stack of tests has Airflow do otherwise.
    """

    state: Path
    run: Path
    airflow_port: int = 8080
    mlflow_port: int = 5000
    minio_port: int = 9000
    parallelism: int = 2
    workers: int = 0
    otlp: str = ""
    dags: Path = ROOT / "dags"
    plugins: Path = ROOT / "plugins"
    airflow_options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Path, **values: int | str | Path | dict[str, str]) -> "Config":
        """Return the configuration of a state folder, with the folder for sockets that belongs to it."""
        state = state.resolve()
        return cls(state, socket_dir(state), **values)  # type: ignore[arg-type]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Config":
        """Read FEMS_STATE_DIR, FEMS_PARALLELISM and the FEMS_*_PORT variables.

        Raises:
            ConfigError: a variable is no usable number.
        """
        return cls.of(
            Path(environment.get("FEMS_STATE_DIR") or ROOT / ".local"),
            airflow_port=_number(environment, "FEMS_AIRFLOW_PORT", 8080, 65535),
            mlflow_port=_number(environment, "FEMS_MLFLOW_PORT", 5000, 65535),
            minio_port=_number(environment, "FEMS_MINIO_PORT", 9000, 65535),
            parallelism=_number(environment, "FEMS_PARALLELISM", 2, 64),
            workers=_number(environment, "FEMS_WORKERS", 0, 16, lowest=0),
            otlp=_address(environment, "FEMS_OTLP"),
        )

    @classmethod
    def load(cls, state: Path) -> "Config":
        """Read the configuration that the running stack was started with.

        Raises:
            ConfigError: the folder holds none.
        """
        path = state.resolve() / "stack.json"
        try:
            values = json.loads(path.read_text())
            values |= {key: Path(values[key]) for key in ("state", "run", "dags", "plugins")}
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{path} cannot be read ({error}); run `make down`, delete it and start again"
            ) from error

    def save(self) -> None:
        """Write the configuration into the state folder."""
        values = {
            key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()
        }
        self.file.write_text(json.dumps(values, indent=2) + "\n")

    def prepare(self) -> None:
        """Make the folders, for their owner alone.

        Raises:
            ConfigError: the folder for sockets belongs to somebody else, or the state folder has a name that
                supervisord's configuration cannot hold.
        """
        if set(str(self.state)) & set("%;\"'\\\n"):
            raise ConfigError(
                f"FEMS_STATE_DIR: {str(self.state)!r} has one of the characters % ; \" ' \\ in it"
            )
        for folder in (self.state, self.logs, self.airflow_home, self.keys):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # PostgreSQL refuses to run as root; its own user has to pass through to its folder.
        passable = 0o711 if os.getuid() == 0 else 0o700
        self.state.chmod(passable)
        for entry in self.state.iterdir():
            if not entry.is_symlink() and entry.stat().st_uid == os.getuid():
                entry.chmod(0o700 if entry.is_dir() else 0o600)
        self.run.mkdir(mode=0o700, exist_ok=True)
        status = self.run.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise ConfigError(f"{self.run} is not ours: remove it, or set TMPDIR to a private folder")
        self.run.chmod(passable)

    @property
    def file(self) -> Path:
        """What `save` writes."""
        return self.state / "stack.json"

    @property
    def credentials_file(self) -> Path:
        """Every secret of the stack."""
        return self.state / "credentials.json"

    @property
    def logs(self) -> Path:
        """A log file a service."""
        return self.state / "logs"

    @property
    def keys(self) -> Path:
        """A file of object-store keys a service."""
        return self.state / "keys"

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.state / "airflow"

    @property
    def task_logs(self) -> Path:
        """Airflow's task logs."""
        return self.airflow_home / "logs"

    @property
    def postgres_socket(self) -> Path:
        """The folder of PostgreSQL's Unix socket; it listens nowhere else."""
        return self.run / "postgres"

    @property
    def valkey_socket(self) -> Path:
        """Valkey's Unix socket, in a folder of its own; it listens nowhere else."""
        return self.run / "valkey" / "valkey.sock"

    @property
    def supervisor_socket(self) -> Path:
        """Supervisord's Unix socket."""
        return self.run / "supervisor.sock"

    @property
    def airflow_url(self) -> str:
        """Where people and the REST API reach Airflow."""
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        """Where people and clients reach MLflow."""
        return f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def minio_url(self) -> str:
        """The S3 endpoint."""
        return f"http://127.0.0.1:{self.minio_port}"

    def database_url(self, name: str, account: str, password: str) -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql+psycopg2://{account}:{password}@/{name}?host={self.postgres_socket}"


def socket_dir(state: Path) -> Path:
    """Return the folder for a state folder's Unix sockets, whose paths may hold about 100 characters."""
    name = f"fems-{os.getuid()}-{hashlib.sha256(str(state).encode()).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()).resolve() / name
    return folder if len(str(folder)) <= _LONGEST_RUN_DIR else Path("/tmp") / name  # noqa: S108 - 0700, owner checked


def _address(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if text and not re.fullmatch(r"[\w.-]+:\d{1,5}", text):
        raise ConfigError(f"environment variable {name}: {text!r} is not HOST:PORT, such as 127.0.0.1:4318")
    return text


def _number(environment: Mapping[str, str], name: str, default: int, highest: int, lowest: int = 1) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise ConfigError(f"environment variable {name}: {text!r} is no number from {lowest} to {highest}")
    return int(text)
