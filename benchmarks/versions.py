"""What an ingest and a training take in this version and in an earlier one, on the same files, in turn.

Each version runs from a folder of its own on a local stack of its own, by its own commands at the shell. Airflow is not
in it: the start of its tasks is measured by `make demo`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil  # type: ignore[import-untyped]

from benchmarks.local_stack import clean_environment, free_config
from benchmarks.measurement import Measurement
from embedded.config import Config
from embedded.processes import descendants
from fems.errors import ConfigError
from fems.settings import ROOT

EARLIER, EARLIER_COMMIT = "0.4.0", "23ad60c"
MONTHS = 6
FACTORIES = ("1100", "1120", "2100", "2120", "2140", "2160")
TRAINED = ("1100", "2160")
"""One with a row a minute, one with a row in 15 minutes."""
EPOCHS = 10

_FEMS = """
try:
    from fems.cli.main import app
except ImportError:  # up to 0.4.0
    from fems.cli import app
app()
"""
_COMMANDS = {"fems": ["-c", _FEMS], "python": ["-c"]}
_LOOK = """
import sys, time
from fems.flows.ingest import stale_factories
from fems.flows.platform import Platform
platform = Platform.from_environment()
for _ in range(4):
    begun = time.perf_counter()
    assert not stale_factories(platform, sys.argv[1:])
    print(time.perf_counter() - begun)
"""


class Failed(ConfigError):
    """A version's command failed."""


@dataclass
class Version:
    """A version of the project, in a folder of its own, on a stack's state.

    Attributes:
        name: what it is called.
        code: its checkout.
        config: of the stack.
        environment: of its commands.
    """

    name: str
    code: Path
    config: Config
    environment: dict[str, str]

    @classmethod
    def of(cls, name: str, code: Path, config: Config) -> "Version":
        """Return a version that finds a stack, and nothing else of this process's environment."""
        own = clean_environment() | {
            # 0.4.0 needs LightGBM, which is among what `make bench` installs
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(code / "include"), os.environ.get("PYTHONPATH")])
            ),
            "FEMS_STATE_DIR": str(config.state),
            "FEMS_AIRFLOW_PORT": str(config.airflow_port),
            "FEMS_MLFLOW_PORT": str(config.mlflow_port),
            "FEMS_MINIO_PORT": str(config.minio_port),
        }
        return cls(name, code, config, own)

    def run(self, program: str, *words: str) -> str:
        """Run a command of this version: `fems`, a module's name, or `python` with a text; returns what it printed.

        Raises:
            Failed: it did.
        """
        command = [sys.executable, *_COMMANDS.get(program, ["-m", program]), *words]
        done = subprocess.run(
            command, env=self.environment, cwd=self.code, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"{self.name}: {program} {words}: {done.stdout[-800:]}{done.stderr[-1500:]}")
        return done.stdout

    def up(self, *groups: str) -> None:
        """Start services of its stack; its commands find them from then on."""
        self.run("embedded", "up", *(word for group in groups for word in ("--only", group)))
        for line in self.run("embedded", "env").splitlines():
            key, _, value = line.removeprefix("export ").partition("=")
            self.environment[key] = value.strip("'")

    def down(self) -> None:
        """Stop its stack."""
        self.run("embedded", "down")

    def core_seconds(self) -> float:
        """Return what its services that run now, and every command that ended, have taken of the cores."""
        supervisor = psutil.Process(int((self.config.state / "supervisord.pid").read_text()))
        times = [process.cpu_times() for process in descendants(supervisor)]
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(each.user + each.system for each in times) + ended.ru_utime + ended.ru_stime


def checkout(commit: str, into: Path) -> Path:
    """Lay a commit's files into a folder, and return it.

    Raises:
        ConfigError: this clone does not hold the commit.
    """
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, check=False, capture_output=True)
    if done.returncode:
        raise ConfigError(f"this clone does not hold commit {commit}: `git fetch --unshallow` brings it")
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", into], input=done.stdout, check=True)
    return into


def rows(
    progress: Callable[[str], None], months: int = MONTHS, factories: Sequence[str] = FACTORIES
) -> list[Measurement]:
    """Ingest the demo's simulated factories and train two of them, in both versions.

    Args:
        progress: told what is done.
        months: of raw files.
        factories: whose.
    """
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="fems-versions-") as scratch:
        folder = Path(scratch)
        earlier = Version.of(EARLIER, checkout(EARLIER_COMMIT, folder / "code"), free_config(folder / "e"))
        ours = Version.of("this version", ROOT, free_config(folder / "o"))
        plant = folder / "plant"
        chosen = {earlier.name: _options(factories), ours.name: list(factories)}
        earlier.run("fems", "simulate", str(plant), *chosen[earlier.name], "--months", str(months))
        started: list[Version] = []
        try:
            for version in (earlier, ours):
                started.append(version)
                version.up("storage", "tracking")
                version.run("fems", "land", str(plant))
                progress(f"{version.name}: its stack is up, {months} months of raw files are landed")
            for line in _measured(earlier, ours, chosen, factories):
                progress(f"{line.name}: {line.ours}, {line.peer} {line.peer_value}")
                found.append(line)
            return found
        finally:
            for version in started:
                version.down()


def _options(factories: Sequence[str]) -> list[str]:
    """Return how factories are chosen at the shell in the earlier version."""
    return [word for factory in factories for word in ("--factory", factory)]


def _measured(
    earlier: Version, ours: Version, chosen: dict[str, list[str]], factories: Sequence[str]
) -> Iterator[Measurement]:
    yield from _ingests(earlier, ours, chosen)
    yield _looks(earlier, ours, factories)
    for factory in TRAINED:
        yield from _trainings(earlier, ours, factory)


def _ingests(earlier: Version, ours: Version, chosen: dict[str, list[str]]) -> list[Measurement]:
    both = [_took(version, "ingest", *chosen[version.name]) for version in (earlier, ours)]
    published = [_status(version, chosen[version.name]) for version in (earlier, ours)]
    read = [sum(factory["rows"]["read"] for factory in each.values()) for each in published]
    if read[0] != read[1]:
        raise AssertionError(f"they did not read the same rows: {read}")
    return _lines(f"ingest of {read[1] / 1e6:.1f}M rows", *both)


def _looks(earlier: Version, ours: Version, factories: Sequence[str]) -> Measurement:
    """Look for news where there is none, as a night begins; a process's first look, which imports, is left out."""
    looks = [version.run("python", _LOOK, *factories).split() for version in (earlier, ours)]
    theirs, own = (median(map(float, each[1:])) for each in looks)
    name = f"a look at {len(factories)} factories with nothing new"
    return Measurement(name, round(own, 2), EARLIER, round(theirs, 2), round(theirs / own, 2), "s", 3)


def _trainings(earlier: Version, ours: Version, factory: str) -> list[Measurement]:
    name = f"training of factory {factory}, {EPOCHS} epochs"
    options = {earlier.name: _options([factory]), ours.name: [factory]}
    both = [
        _took(version, "train", *options[version.name], "--epochs", str(EPOCHS))
        for version in (earlier, ours)
    ]
    found = _lines(name, *both)
    theirs, own = (_status(v, options[v.name])[factory]["accuracy"] for v in (earlier, ours))
    for protocol in ("one_step", "month_ahead"):
        what = f"{name}: {protocol.replace('_', '-')} accuracy"
        values = round(own[protocol], 2), round(theirs[protocol], 2)
        found.append(Measurement(what, values[0], EARLIER, values[1], None, "accuracy", 1))
    return found


def _took(version: Version, *words: str) -> tuple[float, float]:
    """Return how long a command took, and how many core seconds, its services' included."""
    begun, cores = perf_counter(), version.core_seconds()
    version.run("fems", *words)
    return perf_counter() - begun, version.core_seconds() - cores


def _status(version: Version, options: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = json.loads(
        version.run("fems", "status", *options, "--json")
    )
    return found


def _lines(name: str, theirs: tuple[float, float], own: tuple[float, float]) -> list[Measurement]:
    return [
        Measurement(f"{name}: {unit}", round(o, 1), EARLIER, round(t, 1), round(t / o, 2), unit, 1)
        for unit, t, o in zip(("seconds", "core seconds"), theirs, own, strict=True)
    ]
