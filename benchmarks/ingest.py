"""An ingest from the object store and back, beside a script in polars that does the least with the same objects.

Both are commands at the shell, the start of Python included, on one local gateway. What Airflow adds is in neither.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import polars as pl
import yaml
from minio import Minio

from benchmarks import agreement, data, flame
from benchmarks.ingest_script import OUT
from benchmarks.job import GRAINS
from benchmarks.local_stack import clean_environment, free_config, gateway_core_seconds
from benchmarks.measurement import Measurement
from benchmarks.registry import FACTORY, START, bench_plant, raw_files
from embedded.accounts import LAKE
from embedded.stack import Stack
from fems.errors import ConfigError
from fems.lake import keys
from fems.settings import ROOT, settings

MONTHS = 12
TURNS = 3
_OURS = ("processed/", "quarantine/", "quality/", "index/")
_INGEST = ("fems.cli.main", "ingest", FACTORY)
_RAW = keys.raw_prefix("meter", FACTORY)


def rows(bench: Path, progress: Callable[[str], None], months: int = MONTHS) -> list[Measurement]:
    """Ingest some months of eight meters, a row a minute, in turn; the first turn of each shows that they agree.

    Raises:
        ConfigError: a command failed.
        DataError: they do not agree; nothing was timed.
    """
    simulated = raw_files(bench)
    with tempfile.TemporaryDirectory(prefix="fems-bench-ingest-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o711)  # the gateway has a user of its own
        stack = Stack(free_config(folder / "state"))
        stack.up(("storage",))
        try:
            plant = data.first_months(simulated, months, folder / "in")
            both = _Both(stack, _registry(folder / "config"), plant)
            progress(f"{both.days} days of raw files are landed: {both.rows / 1e6:.1f} million rows")
            took = []
            for turn in range(TURNS + 1):
                took.append((both.ours(), both.peer()))
                if turn == 0:
                    both.agree(folder / "agree", simulated)
                progress(
                    "turn {}: ours {:.1f} s and {:.1f} core s, the script {:.1f} and {:.1f}".format(
                        turn, *took[-1][0], *took[-1][1]
                    )
                )
            both.draw(bench / "ingest.png")
            progress(f"where its time goes: {bench / 'ingest.png'}")
            return _lines(both.rows, took[1:])
        finally:
            stack.down()


class _Both:
    """Our command and the script, on one stack's lake."""

    def __init__(self, stack: Stack, registry: Path, plant: Path) -> None:
        secret = stack.credentials
        self._stack = stack
        self._address = f"127.0.0.1:{stack.config.minio_port}"
        self._keys = secret.minio_user, secret.minio_password
        self._client = Minio(self._address, *self._keys, secure=False)
        self._environment = clean_environment() | stack.environment() | {"FEMS_CONFIG_DIR": str(registry)}
        files = sorted(plant.glob(f"{_RAW}date=*/*.csv"))
        days = sorted({date.fromisoformat(file.parent.name.removeprefix("date=")) for file in files})
        self.days, self._end = len(days), days[-1] + timedelta(days=1)
        self.rows = sum(file.read_bytes().count(b"\n") - 1 for file in files)  # headers left out
        self._run("fems.cli.main", "land", str(plant))

    def ours(self) -> tuple[float, float]:
        """Ingest what is landed; return the seconds and the core seconds, the gateway's included."""
        self._remove(*_OURS)
        return self._run(*_INGEST)

    def draw(self, picture: Path) -> None:
        """Ingest once more, and draw a flame graph of our process: what its threads were at, 200 times a second."""
        self._remove(*_OURS)
        py_spy = shutil.which("py-spy", path=os.pathsep.join(f"{folder}/bin" for folder in sys.path))
        if py_spy is None:
            raise ConfigError("there is no py-spy: run this by `make bench`, which installs it")
        stacks = picture.with_suffix(".stacks")
        options = ["record", "--rate", "200", "--format", "raw", "--output", str(stacks), "--"]
        self._call([py_spy, *options, sys.executable, "-m", *_INGEST])
        seen = flame.tree(stacks.read_text())
        flame.draw(
            seen, f"Where the time of an ingest goes: {seen.samples / 200:.1f} s of all threads", picture
        )

    def peer(self) -> tuple[float, float]:
        """Let the script do it; return what `ours` does."""
        self._remove(OUT)
        job = {
            "address": self._address,
            "access_key": self._keys[0],
            "secret_key": self._keys[1],
            "bucket": LAKE,
            "raw": _RAW,
            "rated_kw": {s.sensor_id: s.rated_kw for s in bench_plant().sensors(FACTORY, "meter")},
            "zone": bench_plant().factory(FACTORY).timezone,
            "first": START.isoformat(),
            "end": self._end.isoformat(),
        }
        return self._run("benchmarks.ingest_script", json.dumps(job))

    def agree(self, folder: Path, simulated: Path) -> None:
        """Hold one's tables against the other's.

        Raises:
            DataError: they differ where no rule does.
        """
        for key in self._list("processed/", OUT):
            self._client.fget_object(LAKE, key, str(folder / key))
        for grain in GRAINS:
            parts = sorted((folder / OUT / grain).glob("*.parquet"))
            pl.concat(map(pl.read_parquet, parts)).write_parquet(folder / OUT / f"{grain}.parquet")
        agreement.require(folder, folder / OUT, simulated, "the script")
        shutil.rmtree(folder)

    def _run(self, module: str, *words: str) -> tuple[float, float]:
        begun, cores = perf_counter(), self._core_seconds()
        self._call([sys.executable, "-m", module, *words])
        return perf_counter() - begun, self._core_seconds() - cores

    def _call(self, command: list[str]) -> None:
        done = subprocess.run(
            command, env=self._environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ConfigError(f"{' '.join(command[:4])}: {done.stdout[-800:]}{done.stderr[-1500:]}")

    def _core_seconds(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return gateway_core_seconds(self._stack) + ended.ru_utime + ended.ru_stime

    def _list(self, *prefixes: str) -> list[str]:
        listings = [self._client.list_objects(LAKE, prefix=prefix, recursive=True) for prefix in prefixes]
        return [str(item.object_name) for listing in listings for item in listing]

    def _remove(self, *prefixes: str) -> None:
        for key in self._list(*prefixes):
            self._client.remove_object(LAKE, key)


def _registry(folder: Path) -> Path:
    """Write the registry of the benchmark's factory beside the definition book."""
    shutil.copytree(settings().definitions_dir, folder / "definitions")
    text = yaml.safe_dump(bench_plant().model_dump(mode="json", exclude_defaults=True), allow_unicode=True)
    (folder / "factories.yaml").write_text(text, encoding="utf-8")
    return folder


def _lines(rows: int, took: list[tuple[tuple[float, float], tuple[float, float]]]) -> list[Measurement]:
    found = []
    for position, unit in enumerate(("seconds", "core seconds")):
        ours, peer = (median(turn[side][position] for turn in took) for side in (0, 1))
        name = f"ingest of {rows / 1e6:.1f}M rows from the object store and back"
        script = f"script in polars {pl.__version__}"
        found.append(
            Measurement(name, round(ours, 1), script, round(peer, 1), round(peer / ours, 2), unit, len(took))
        )
    return found
