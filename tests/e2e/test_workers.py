"""Two Celery workers run the tasks; each is killed in the middle of one, and the other finishes it."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest
from dagruns import ended, start
from faults.state import Observer

from embedded.accounts import LOGS
from embedded.config import Config
from embedded.ports import free_ports
from embedded.processes import descendants
from embedded.services import by_name
from embedded.stack import Stack
from fems.flows.ingest import stale_factories
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.settings import settings
from fems.simulate import simulate

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

FACTORY, START, MONTHS = "2160", date(2025, 1, 1), 14
WORKERS = ("worker-1", "worker-2")


@pytest.fixture(scope="module")
def worker_stack() -> Iterator[Stack]:
    airflow, mlflow, minio = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="fems-test-") as state:
        made = Stack(
            Config.of(Path(state), airflow_port=airflow, mlflow_port=mlflow, minio_port=minio, workers=2)
        )
        # What an earlier life of the worker left on its disk is not what the next one works with.
        left = made.config.state / WORKERS[0] / "left"
        left.mkdir(parents=True)
        # Ten services start at once, and on two cores that others use as well the last takes its time.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("embedded.stack.PATIENCE", 900.0)
            made.up()
        yield made
        made.down()


@pytest.fixture(scope="module")
def platform(worker_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    before = dict(os.environ)
    os.environ.update(worker_stack.environment())
    settings.cache_clear()
    made = Platform.from_environment()
    folder = tmp_path_factory.mktemp("plant")
    simulate(made.plant, folder, start=START, months=MONTHS, seed=3, factories=[FACTORY], workers=1)
    land_tree(made.lake, folder)
    yield made
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()


def wait_for(what: str, ready: Callable[[], Any], patience: float = 600) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if result := ready():
            return result
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {patience} s")


def _is_task(process: psutil.Process, instance: dict[str, Any]) -> bool:
    try:
        return f"airflow worker -- {instance['id']}" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def worker_of(stack: Stack, instance: dict[str, Any]) -> psutil.Process | None:
    """The worker whose descendant runs a task instance."""
    states = stack.supervisor.states()
    for name in WORKERS:
        worker = psutil.Process(states[name]["pid"])
        for child in descendants(worker):
            if _is_task(child, instance):
                return worker
    return None


def running(stack: Stack, dag_id: str, run_id: str, task_id: str) -> dict[str, Any] | None:
    found = stack.airflow().task_instances(dag_id, run_id, task_id=task_id, state="running")
    return found[0] if found else None


def kill_worker_under(stack: Stack, dag_id: str, run_id: str, task_id: str, amid: Callable[[], Any]) -> str:
    """Kill, by its pid, the worker that runs a task, once it is in the middle of it; return its name."""
    instance = wait_for(f"{task_id} on a worker", lambda: running(stack, dag_id, run_id, task_id))
    worker = wait_for("its process", lambda: worker_of(stack, instance))
    name = next(n for n in WORKERS if stack.supervisor.states()[n]["pid"] == worker.pid)
    # From here on nothing is asked of a server before the kill: the task goes on meanwhile.
    wait_for("the middle of the task", amid)
    family = descendants(worker)
    tasks = [process for process in family if _is_task(process, instance)]
    worker.kill()
    # Nothing of it works on by itself, beside the worker that takes up the task. Children that idle end in their time.
    wait_for("the end of the task", lambda: not any(_runs(process) for process in tasks), patience=15)
    wait_for("the end of what it ran", lambda: not any(_runs(process) for process in family), patience=60)
    return name


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def tries(stack: Stack, dag_id: str, run_id: str, task_id: str) -> list[str]:
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/0/tries"
    return [each["state"] for each in stack.airflow().call("GET", path)["task_instances"]]


def events(stack: Stack, run_id: str) -> str:
    """What Airflow's audit log says of a run."""
    entries = stack.airflow().call("GET", "eventLogs", params={"run_id": run_id, "limit": 100})
    return "\n".join(f"{each['event']}: {each['extra']}" for each in entries["event_logs"])


def task_log(stack: Stack, dag_id: str, run_id: str, task_id: str, number: int) -> str:
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{number}"
    return str(stack.airflow().call("GET", path, params={"map_index": 0, "full_content": True}))


def assert_told(stack: Stack, dag_id: str, run_id: str, task_id: str, killed: str) -> None:
    """The try whose worker was gone failed, a later one made it; Airflow's log and the supervisor's say so."""
    states = tries(stack, dag_id, run_id, task_id)
    assert len(states) >= 2 and states[-1] == "success", states
    said = events(stack, run_id)
    assert "heartbeat" in said, said
    supervised = (stack.config.logs / "supervisord.log").read_text()
    assert f"exited: {killed} (terminated by SIGKILL; not expected)" in supervised
    assert task_id in task_log(stack, dag_id, run_id, task_id, len(states))


def test_a_worker_begins_with_an_empty_disk_and_runs_tasks(worker_stack: Stack, platform: Platform) -> None:
    assert [name for name in WORKERS if name in by_name(worker_stack.config)] == list(WORKERS)
    home = worker_stack.config.state / WORKERS[0]
    assert not (home / "left").exists()
    run_id = start(worker_stack, "ingest", {"factories": ["1120"]})  # it has no files: only find_stale runs
    assert ended(worker_stack, "ingest", run_id)["state"] == "success"
    (instance,) = worker_stack.airflow().task_instances("ingest", run_id, task_id="find_stale")
    assert (instance["queue"], instance["executor"]) == ("ingest", None)
    path = f"dags/ingest/dagRuns/{run_id}/taskInstances/find_stale/logs/1"
    assert "find_stale" in str(worker_stack.airflow().call("GET", path, params={"full_content": True}))
    observer = Observer(worker_stack)

    def own_log() -> bool:
        logs = observer._client.list_objects(LOGS, prefix="tasks/", recursive=True)
        return any(each.object_name and f"run_id={run_id}" in each.object_name for each in logs)

    wait_for("the task's log, which is sent once the task is over", own_log, patience=60)
    own = [path for path in worker_stack.config.task_logs.rglob("*.log") if "dag_id=" in str(path)]
    assert own == [], "no task wrote where only this machine looks"


def test_an_ingest_outlives_its_worker(worker_stack: Stack, platform: Platform) -> None:
    lake = platform.lake
    run_id = start(worker_stack, "ingest", {"factories": [FACTORY]})
    killed = kill_worker_under(
        worker_stack, "ingest", run_id, "ingest_factories", lambda: lake.manifests("meter", FACTORY)
    )
    assert stale_factories(platform, [FACTORY]), "the run was over before its worker was killed"
    assert ended(worker_stack, "ingest", run_id)["state"] == "success"
    assert_told(worker_stack, "ingest", run_id, "ingest_factories", killed)
    assert stale_factories(platform, [FACTORY]) == []
    for feed in platform.plant.feeds(FACTORY):
        months = sorted(lake.manifests(feed, FACTORY))
        assert len(months) == MONTHS
        for grain in ("native", "hour", "day"):
            lake.published(feed, grain, FACTORY, months)  # raises where a publish is half done
    state = Observer(worker_stack).state("ingest", FACTORY)
    assert (state.lost, state.broken) == (0, 0)


def test_a_training_outlives_its_worker(worker_stack: Stack, platform: Platform) -> None:
    mlflow = platform.tracking.server.connect()

    def open_run() -> Any:
        experiment = mlflow.get_experiment_by_name("fems-train")
        if experiment is None:
            return None
        return mlflow.MlflowClient().search_runs(
            [experiment.experiment_id], f"attributes.status = 'RUNNING' and tags.factory = '{FACTORY}'"
        )

    run_id = start(worker_stack, "train", {"factories": [FACTORY], "epochs": 2})
    killed = kill_worker_under(worker_stack, "train", run_id, "train_factory", open_run)
    assert ended(worker_stack, "train", run_id)["state"] == "success"
    assert_told(worker_stack, "train", run_id, "train_factory", killed)
    (instance,) = worker_stack.airflow().task_instances("train", run_id, task_id="train_factory")
    assert instance["queue"] == "train"
    state = Observer(worker_stack).state("train", FACTORY)
    assert state.broken == 0, "a run that its worker left open is closed by the next try"
    assert mlflow.MlflowClient().get_model_version_by_alias(f"fems-{FACTORY}", "champion").version == "1"
