"""A stack with one simulated factory, on which stages are run and disturbed."""

import os
import threading
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

from embedded.stack import Stack
from faults.cells import MOMENTS, STAGES, Cell
from faults.inject import FAULTS
from faults.plant import FACTORY
from faults.results import NOT, Result, reruns
from faults.stage import EPOCHS, Worker
from faults.state import Observer, State
from fems import __version__
from fems.errors import FemsError

TRIES, PATIENCE_S = 4, 300.0
_SHORT_S = 8.0
FIRST, MONTHS = date(2025, 1, 1), 2
"""What is there before the monitored forecast is made; a month more is what it is measured by."""


class NoMeasure(Exception):
    """A stage, undisturbed, does not give what a disturbed one could be compared with; the text says what."""


class Bench:
    """A stack and its factory.

    Attributes:
        worker: runs the stages that Airflow does not run.
        notes: what a reader met in the last cell that was not whole.
    """

    def __init__(self, stack: Stack, disk: Path | None) -> None:
        self.stack, self.disk = stack, disk
        os.environ.update(stack.environment())  # the worker's, too
        self.observer = Observer(stack, FACTORY)
        self.worker = Worker()
        self.notes: list[str] = []
        self._unmeasured: dict[tuple[str, bool], NoMeasure] = {}
        self._undisturbed: dict[tuple[str, bool], tuple[State, float]] = {}

    def prepare(self, folder: Path, wanted: list[Cell]) -> None:
        """Land the factory's files and bring it to where each stage that is to be disturbed can be run."""
        stages = {(cell.stage, cell.by_dag) for cell in wanted}
        last = max(STAGES.index(stage) for stage, _ in stages)
        _land(folder, FIRST, MONTHS)
        self._require("ingest")
        if last >= STAGES.index("forecast"):
            self._require("train")
        if STAGES[last] == "monitor":
            self._require("forecast")
            # of this forecast a month will have been measured
            self.observer.keep_forecasts()
            _land(folder, date(FIRST.year, FIRST.month + MONTHS, 1), 1)
            self._require("ingest")
        for stage in STAGES:
            if (stage, False) in stages:
                with suppress(NoMeasure):  # its cells will say so
                    self.undisturbed(stage, by_dag=False)

    def undisturbed(self, stage: str, by_dag: bool) -> tuple[State, float]:
        """Run a stage undisturbed; return its result and how many seconds it takes."""
        key = stage, by_dag
        if key in self._unmeasured:
            raise self._unmeasured[key]
        if key not in self._undisturbed:
            took: list[float] = []
            states: list[State] = []
            while not took or (len(took) < 2 and took[0] < _SHORT_S):  # the first run fills caches
                self.observer.clear(stage)
                start = time.monotonic()
                self._require(stage, by_dag)
                took.append(time.monotonic() - start)
                states.append(self.observer.state(stage))
            if len(set(states)) > 1 or not states[0].rows:
                raise SystemExit(
                    f"error: {stage}, undisturbed, gives nothing, or not the same twice: {states}"
                )
            self._undisturbed[key] = (states[0], min(took))
        return self._undisturbed[key]

    def cell(self, cell: Cell) -> Result:
        """Disturb a stage once. A fault that came after its end is tried again, sooner."""
        stage = cell.stage
        wanted, seconds = self.undisturbed(stage, cell.by_dag)
        delay = seconds * MOMENTS[cell.moment]
        for _ in range(TRIES):
            self.observer.clear(stage)
            begun = time.monotonic()
            good, met = self._disturbed(cell, delay)
            if met:
                break
            delay /= 2
        self.healthy()
        # what a reader meets between the fault and the rerun must be whole, too
        self.notes = self.observer.half_written(stage, ended=good)
        tries = 1
        while not good and tries < TRIES:
            tries += 1
            good = self._run(stage, cell.by_dag)
            self.healthy()
        took = time.monotonic() - begun
        if tries > 1:
            self.notes += self.observer.half_written(stage, ended=good)
        found = self.observer.state(stage)
        return Result(
            met=met,
            lost=found.lost(wanted),
            half_written=len(self.notes),
            same=found.digest == wanted.digest,
            healed=reruns(tries - 1) if good else NOT,
            seconds=round(took, 1),
            version=__version__,
        )

    def healthy(self) -> None:
        """Wait until every service that was started answers."""
        deadline = time.monotonic() + PATIENCE_S
        while any(word not in ("healthy", "stopped") for _, word, _ in self.stack.status()):
            if time.monotonic() > deadline:
                raise SystemExit(f"error: the services do not come back: {self.stack.status()}")
            time.sleep(0.25)

    def _disturbed(self, cell: Cell, delay: float) -> tuple[bool, bool]:
        """Run a stage with a fault after some seconds; tell whether it ended well, and whether the fault met it."""
        task = None if cell.by_dag else self.worker.start(cell.stage, FACTORY)
        ended, met, done = threading.Event(), threading.Event(), threading.Event()

        def disturb() -> None:
            try:
                if not ended.wait(delay):
                    pid = (
                        task
                        if cell.service == "task"
                        else self.stack.supervisor.states()[cell.service]["pid"]
                    )
                    met.set()
                    FAULTS[cell.fault](pid or 0, self.disk or self.stack.config.state)
            finally:
                done.set()

        threading.Thread(target=disturb, daemon=True).start()
        good = self._dag_run(cell.stage) if task is None else self.worker.wait(task, PATIENCE_S)
        ended.set()
        done.wait(PATIENCE_S)
        return good, met.is_set()

    def _require(self, stage: str, by_dag: bool = False) -> None:
        if not self._run(stage, by_dag):
            raise NoMeasure(f"{stage} fails undisturbed; see above")

    def _run(self, stage: str, by_dag: bool) -> bool:
        return (
            self._dag_run(stage)
            if by_dag
            else self.worker.wait(self.worker.start(stage, FACTORY), PATIENCE_S)
        )

    def _dag_run(self, stage: str) -> bool:
        """Run a stage by its Dag; an API server that is gone for a while is asked again."""
        deadline, run_id = time.monotonic() + PATIENCE_S, ""
        conf = {"factories": [FACTORY], **({"epochs": EPOCHS} if stage == "train" else {})}
        while time.monotonic() < deadline:
            try:
                api = self.stack.airflow()
                run_id = run_id or api.trigger(stage, conf)
                state = api.run(stage, run_id)["state"]
                if state in ("success", "failed"):
                    return bool(state == "success")
            except FemsError:
                pass
            time.sleep(0.5)
        return False

    def unpause(self, dag_id: str) -> None:
        """Let a Dag run, once Airflow knows it."""
        api, deadline = self.stack.airflow(), time.monotonic() + PATIENCE_S
        while api.dag(dag_id) is None and time.monotonic() < deadline:
            time.sleep(1)
        api.unpause(dag_id)


def _land(folder: Path, start: date, months: int) -> None:
    """Simulate some months of the factory and land their files."""
    from fems.flows.land import land_tree
    from fems.flows.platform import Platform
    from fems.settings import settings
    from fems.simulate import simulate

    settings.cache_clear()
    platform, files = Platform.from_environment(), folder / f"files-{start}"
    simulate(platform.plant, files, start=start, months=months, seed=1, factories=[FACTORY], workers=1)
    land_tree(platform.lake, files)
