"""`python -m faults`: a table of every fault, service, stage and moment, and what became of the data.

Each stage is run undisturbed; then again for each fault, from the same beginning. A stage that ends in an error is
started again, once the services are healthy, as Airflow's retries and a person would. The disk is a small one in memory
where root may mount one; elsewhere the full disk is left out. What was tried is kept in a file: the next call goes on
with what is left.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from minio.error import MinioException
from rich.console import Console
from urllib3.exceptions import HTTPError

from embedded.config import Config
from embedded.ports import free_ports
from embedded.stack import Stack
from faults import plant
from faults.bench import Bench, NoMeasure
from faults.cells import FULL, KILL, MOMENTS, SERVICES, STAGES, STOP, Cell, cells
from faults.results import Results
from fems.errors import FemsError

IMPATIENT = {
    # What a killed scheduler or task is noticed by: seconds, of a stack that is disturbed all the time.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "12",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "4",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "25",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "4",
}

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def _names(text: str, known: Sequence[str], what: str) -> list[str]:
    names = [name for name in text.split(",") if name] or list(known)
    if unknown := set(names) - set(known):
        raise SystemExit(
            f"error: there is no {what} {', '.join(sorted(unknown))}: choose from {', '.join(known)}"
        )
    return names


def main(
    services: Annotated[str, typer.Option(help=f"Of {', '.join(SERVICES)}; all if empty.")] = "",
    stages: Annotated[str, typer.Option(help=f"Of {', '.join(STAGES)}; all if empty.")] = "",
    moments: Annotated[str, typer.Option(help=f"Of {', '.join(MOMENTS)}; all if empty.")] = "",
    faults: Annotated[str, typer.Option(help=f"Of {KILL}, {STOP}, {FULL}; all if empty.")] = "",
    runner: Annotated[
        str,
        typer.Option(help="Of process (a stage runs by itself) and airflow (a Dag runs it); both if empty."),
    ] = "",
    minutes: Annotated[float, typer.Option(help="No new fault is begun after so long.")] = 600.0,
    report: Annotated[Path, typer.Option(help="Holds what was tried.")] = Path(".local/faults.json"),
    again: Annotated[bool, typer.Option("--again", help="Try also what went well before.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Try nothing; print the docs' table of the file.")
    ] = False,
) -> None:
    """Try what is left of the matrix and print the table.

    Ends with 1 where anything was lost, half written, not healed or not met, or was not tried.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is asked to end takes its stack along
    wanted = list(
        cells(
            _names(stages, STAGES, "stage"),
            _names(services, SERVICES, "service"),
            _names(moments, list(MOMENTS), "moment"),
            _names(faults, (KILL, STOP, FULL), "fault"),
        )
    )
    by_dag = {name == "airflow" for name in _names(runner, ("process", "airflow"), "runner")}
    wanted = [cell for cell in wanted if cell.by_dag in by_dag]
    results = Results(report)
    if show:
        out.print(results.markdown(wanted), markup=False)
    else:
        left = wanted if again else results.left(wanted)
        if left:
            _try(left, results, time.monotonic() + 60 * minutes)
        out.print(results.table(wanted))
    left = results.left(wanted)
    tried = sum(cell.key in results.of for cell in wanted)
    out.print(f"{tried} of {len(wanted)} tried, {len(wanted) - len(left)} of them well")
    raise typer.Exit(1 if left else 0)


def _try(wanted: list[Cell], results: Results, deadline: float) -> None:
    """Start a stack and try one cell after the other."""
    with tempfile.TemporaryDirectory(prefix="fems-faults-") as base:
        folder = Path(base)
        folder.chmod(0o711)
        plant.write(folder)
        os.environ["FEMS_CONFIG_DIR"] = base
        with small_disk(folder / "disk") as disk:
            if disk is None:
                out.print("no small disk could be mounted: disk full is not tried")
                wanted = [cell for cell in wanted if cell.fault != FULL]
            stack = _stack(disk or folder)
            dags = {cell.stage for cell in wanted if cell.by_dag}
            try:
                stack.up(("airflow", "tracking") if dags else ("tracking",))
                bench = Bench(stack, disk)
                try:
                    bench.prepare(folder, wanted)
                    for dag_id in dags:
                        bench.unpause(dag_id)
                    _try_each(bench, wanted, results, deadline)
                except KeyboardInterrupt:
                    out.print("interrupted: the table holds what was tried until then")
                finally:
                    bench.worker.stop()
            finally:
                stack.down()


def _try_each(bench: Bench, wanted: list[Cell], results: Results, deadline: float) -> None:
    for number, cell in enumerate(wanted, start=1):
        if time.monotonic() > deadline:
            break
        try:
            result = bench.cell(cell)
        except (NoMeasure, FemsError, MinioException, HTTPError) as error:
            out.print(f"{number}/{len(wanted)} {cell.key}: not tried: {error}", markup=False)
            continue
        results.keep(cell, result)
        word = "" if result.good else "  <-- look at this"
        out.print(f"{number}/{len(wanted)} {cell.key}: {result}{word}", markup=False)
        for note in bench.notes:
            out.print(f"  half written: {note}", markup=False)


def _stack(folder: Path) -> Stack:
    ports = free_ports(3)
    return Stack(
        Config.of(
            folder / "state",
            airflow_port=ports[0],
            mlflow_port=ports[1],
            minio_port=ports[2],
            airflow_options=IMPATIENT,
        )
    )


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


if __name__ == "__main__":
    typer.run(main)
