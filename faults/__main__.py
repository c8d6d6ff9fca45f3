"""`python -m faults`: a table of every fault, service, stage and moment, and what became of the data.

Each stage is run once undisturbed; then again for each fault, from the same beginning. A stage that ends in an error is
started again, once the services are healthy, as Airflow's retries and a person would. The disk is a small one in memory
where root may mount one; elsewhere the full disk is left out, and the table says so.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from embedded.config import Config
from embedded.ports import free_ports
from embedded.stack import Stack
from faults import inject, plant
from faults.plant import FACTORY
from faults.stage import STAGES, Worker
from faults.state import Observer, State

MOMENTS = {"start": 0.1, "middle": 0.5, "end": 0.9}
NEEDED = {
    "ingest": ("minio", "task"),
    "train": ("minio", "postgres", "mlflow", "task"),
    "forecast": ("minio", "postgres", "mlflow", "task"),
    "monitor": ("minio", "postgres", "mlflow", "task"),
}
"""The services that a stage talks to; `task` is the stage's own process."""
AIRFLOW = ("postgres", "scheduler", "api-server", "dag-processor", "triggerer")
"""Where a stage does not talk to them itself, it is run by its Dag."""
_COLUMNS = ("stage", "service", "fault", "moment", "met", "lost", "broken", "same", "healed", "seconds")
TRIES, PATIENCE_S, _SHORT_S = 4, 300.0, 60.0

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


class Bench:
    """A stack with one simulated factory, on which stages are run and disturbed."""

    def __init__(self, stack: Stack, disk: Path | None) -> None:
        self.stack, self.disk = stack, disk
        self.observer = Observer(stack)
        self.worker = Worker()
        self.undisturbed: dict[str, tuple[State, float]] = {}

    def prepare(self, stage: str, airflow: bool = False) -> tuple[State, float]:
        """Run a stage undisturbed; return its result and how many seconds it takes."""
        key = f"{stage}{airflow}"
        if key not in self.undisturbed:
            took: list[float] = []
            while not took or (len(took) < 2 and took[0] < _SHORT_S):  # the first run fills caches
                self.observer.clear(stage)
                start = time.monotonic()
                if not (self._dag_run(stage) if airflow else self._run(stage)):
                    raise SystemExit(f"error: {stage} fails undisturbed; see above")
                took.append(time.monotonic() - start)
            self.undisturbed[key] = (self.observer.state(stage, FACTORY), min(took))
        return self.undisturbed[key]

    def cell(self, stage: str, service: str, fault: inject.Fault, moment: str) -> dict[str, Any]:
        """Disturb a stage once; return the row of the table. A fault that came after its end is tried again, sooner."""
        airflow = service not in NEEDED[stage]
        wanted, seconds = self.prepare(stage, airflow)
        begun, delay, met = time.monotonic(), seconds * MOMENTS[moment], False
        for _ in range(TRIES):
            self.observer.clear(stage)
            good, met = self._disturbed(stage, service, fault, delay)
            if met:
                break
            delay /= 2
        tries = 1
        while not good and tries < TRIES:
            self._healthy()
            tries += 1
            good = self._dag_run(stage) if airflow else self._run(stage)
        self._healthy()
        found = self.observer.state(stage, FACTORY)
        return {
            "stage": stage, "service": service, "fault": fault.name, "moment": moment, "met": met,
            "lost": found.lost, "broken": found.broken, "same": found.digest == wanted.digest,
            "healed": "not" if not good else "by itself" if tries == 1 else f"by {tries - 1} rerun",
            "seconds": round(time.monotonic() - begun, 1),
        }  # fmt: skip

    def _disturbed(self, stage: str, service: str, fault: inject.Fault, delay: float) -> tuple[bool, bool]:
        """Run a stage with a fault after some seconds; tell whether it ended well, and whether the fault met it."""
        task = None if service not in NEEDED[stage] else self.worker.start(stage, FACTORY)
        ended, met, done = threading.Event(), threading.Event(), threading.Event()

        def disturb() -> None:
            if not ended.wait(delay):
                states = self.stack.supervisor.states()
                pid = task if service == "task" and task else states[service]["pid"]
                met.set()
                fault.inject(pid, self.disk or self.stack.config.state)
            done.set()

        threading.Thread(target=disturb, daemon=True).start()
        good = self._dag_run(stage) if task is None else self.worker.wait(task, PATIENCE_S)
        ended.set()
        done.wait(PATIENCE_S)
        return good, met.is_set()

    def _run(self, stage: str) -> bool:
        return self.worker.wait(self.worker.start(stage, FACTORY), PATIENCE_S)

    def _dag_run(self, stage: str) -> bool:
        """Run a stage by its Dag; a API server that is gone for a while is asked again."""
        from fems.errors import FemsError

        deadline, run_id = time.monotonic() + PATIENCE_S, ""
        conf = {"factories": [FACTORY], **({"epochs": 1} if stage == "train" else {})}
        while time.monotonic() < deadline:
            try:
                api = self.stack.airflow()
                run_id = run_id or api.trigger(stage, conf)
                state = api.run(stage, run_id)["state"]
                if state in ("success", "failed"):
                    return bool(state == "success")
            except FemsError:
                pass
            time.sleep(1)
        return False

    def _healthy(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while any(word not in ("healthy", "stopped") for _, word, _ in self.stack.status()):
            if time.monotonic() > deadline:
                raise SystemExit(f"error: the services do not come back: {self.stack.status()}")
            time.sleep(0.5)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of 2 GB in memory, None where none can be mounted."""
    folder.mkdir(mode=0o711)
    command = ["mount", "-t", "tmpfs", "-o", "size=2g,mode=711", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def prepare_factory(stack: Stack, folder: Path, months: int) -> None:
    """Simulate a factory and land its files."""
    from fems.flows.land import land_tree
    from fems.flows.platform import Platform
    from fems.settings import settings
    from fems.simulate import simulate

    os.environ.update(stack.environment())
    settings.cache_clear()
    platform = Platform.from_environment()
    files = folder / "files"
    simulate(
        platform.plant, files, start=date(2025, 1, 1), months=months, seed=1, factories=[FACTORY], workers=1
    )
    land_tree(platform.lake, files)


def cells(
    stages: Sequence[str], services: Sequence[str], moments: Sequence[str], full: bool
) -> Iterator[tuple[Any, ...]]:
    """Yield what is to be tried, in the order of the table."""
    for stage in stages:
        # Airflow runs every stage alike: what its services do to a run is tried on the quickest.
        for service in (*NEEDED[stage], *(AIRFLOW if stage == "ingest" else ())):
            if services and service not in services:
                continue
            kinds = [inject.KILL, inject.STOP]
            if full and service == "minio":
                kinds.append(inject.FULL)  # the disk is everybody's: once a stage
            for fault in kinds:
                for moment in moments:
                    yield stage, service, fault, moment


def main(
    services: Annotated[str, typer.Option(help="Names with commas between; all if empty.")] = "",
    stages: Annotated[str, typer.Option()] = ",".join(STAGES),
    moments: Annotated[str, typer.Option()] = ",".join(MOMENTS),
    months: Annotated[int, typer.Option(min=2, help="Of simulated data.")] = 2,
    minutes: Annotated[float, typer.Option(help="No new fault is begun after so long.")] = 90.0,
    report: Annotated[Path, typer.Option(help="Gets the rows as JSON.")] = Path(".local/faults.json"),
) -> None:
    """Try every fault and print the table; ends with 1 where anything was lost, half written, not healed or not met."""
    chosen = [name for name in services.split(",") if name]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="fems-faults-") as base:
        Path(base).chmod(0o711)
        plant.write(Path(base))
        os.environ["FEMS_CONFIG_DIR"] = base
        with small_disk(Path(base) / "disk") as disk:
            ports = free_ports(3)
            config = Config.of(
                (disk or Path(base)) / "state",
                airflow_port=ports[0],
                mlflow_port=ports[1],
                minio_port=ports[2],
            )
            stack = Stack(config)
            wanted = list(cells(stages.split(","), chosen, moments.split(","), disk is not None))
            by_airflow = any(service not in NEEDED[stage] for stage, service, _, _ in wanted)
            try:
                stack.up(("airflow", "tracking") if by_airflow else ("tracking",))
                prepare_factory(stack, Path(base), months)
                if by_airflow:
                    _unpause(stack, "ingest")
                bench = Bench(stack, disk)
                try:
                    _try_all(bench, wanted, minutes, rows)
                except KeyboardInterrupt:
                    out.print("interrupted: the table holds what was tried until then")
                finally:
                    bench.worker.stop()
            finally:
                stack.down()
    _show(rows, len(wanted), disk is not None)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(rows, indent=2) + "\n")
    bad = [row for row in rows if row["lost"] or row["broken"] or not row["same"] or row["healed"] == "not"]
    bad += [row for row in rows if not row["met"]]
    raise typer.Exit(1 if bad or not rows else 0)


def _unpause(stack: Stack, dag_id: str) -> None:
    api, deadline = stack.airflow(), time.monotonic() + PATIENCE_S
    while api.dag(dag_id) is None and time.monotonic() < deadline:
        time.sleep(1)
    api.unpause(dag_id)


def _try_all(
    bench: Bench, wanted: Sequence[tuple[Any, ...]], minutes: float, rows: list[dict[str, Any]]
) -> None:
    """Try one cell after the other, and add their rows to the table."""
    deadline = time.monotonic() + 60 * minutes
    for stage in dict.fromkeys(stage for stage, *_ in wanted):
        for earlier in STAGES[: STAGES.index(stage) + 1]:
            bench.prepare(earlier)
    for number, cell in enumerate(wanted, start=1):
        if time.monotonic() > deadline:
            break
        rows.append(bench.cell(*cell))
        out.print(f"{number}/{len(wanted)} " + ", ".join(f"{key} {value}" for key, value in rows[-1].items()))


def _show(rows: Sequence[dict[str, Any]], wanted: int, full: bool) -> None:
    table = Table(
        "stage",
        "service",
        "fault",
        "moment",
        "met it",
        "lost rows",
        "half written",
        "same digest",
        "healed",
        "s",
        box=None,
    )
    for row in rows:
        table.add_row(*(str(row[key]) for key in _COLUMNS))
    out.print(table)
    out.print(
        f"{len(rows)} of {wanted} tried"
        + ("" if full else "; no small disk could be mounted: disk full was not tried")
    )


if __name__ == "__main__":
    typer.run(main)
