"""Airflow's own scheduler: drifted data in, one training asked for and started, with its reason, and no second one."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pandas as pd
import pytest

from embedded.stack import Stack
from fems import tracking
from fems.contracts.track_record import COLUMNS
from fems.flows.forecast import forecast_factory
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.flows.train import train_factory
from fems.settings import settings
from fems.simulate import simulate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FACTORY = "2100"
MEASURED = ["used_kwh", "active_kwh", "reactive_kvarh", "current_a"]
MONTHS, NEW_DAYS = (
    7,
    16,
)  # six to train on, and the start of the seventh in which the plant runs at less than half


@pytest.fixture(scope="module")
def platform(airflow_platform: Platform) -> Platform:
    return airflow_platform


@pytest.fixture(scope="module")
def drifted(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A champion of six months with its forecast, and half a month since in which all inputs moved; its version."""
    known, since = tmp_path_factory.mktemp("known"), tmp_path_factory.mktemp("since")
    simulate(
        platform.plant, known, start=date(2025, 1, 1), months=MONTHS, seed=3, factories=[FACTORY], workers=1
    )
    for path in sorted(known.rglob("date=2025-07-*/*")):
        moved = since / path.relative_to(known)
        if "raw/meter/" in path.as_posix() and int(path.parent.name[-2:]) <= NEW_DAYS:
            moved.parent.mkdir(parents=True, exist_ok=True)
            rows = pd.read_csv(path)
            rows[MEASURED] = rows[MEASURED].apply(pd.to_numeric, errors="coerce") * 0.45
            rows.to_csv(moved, index=False)
        path.unlink()
    land_tree(platform.lake, known)
    ingest_factory(platform, FACTORY)
    version = train_factory(platform, FACTORY, epochs=1).version
    forecast_factory(platform, FACTORY)
    land_tree(platform.lake, since)
    ingest_factory(platform, FACTORY)
    return version


@pytest.fixture
def webhook(airflow_stack: Stack) -> Iterator[list[dict[str, Any]]]:
    """What the connection `fems_webhook` received."""
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = {
        "connection_id": "fems_webhook",
        "conn_type": "http",
        "host": f"http://127.0.0.1:{server.server_port}",
    }
    airflow_stack.airflow().call("POST", "connections", json=connection)
    yield got
    airflow_stack.airflow().call("DELETE", "connections/fems_webhook")
    server.shutdown()


def wait(what: str, ready: Callable[[], Any], patience: float = 180) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = ready()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{what}: not within {patience} s")


def watched(stack: Stack) -> dict[str, Any]:
    """Run the Dag `monitor` for the factory, and return what its task returned."""
    api = stack.airflow()
    run_id = api.trigger("monitor", {"factories": [FACTORY]})
    wait("monitor", lambda: api.run("monitor", run_id)["state"] in ("success", "failed"))
    (instance,) = api.task_instances("monitor", run_id, task_id="monitor_factories")
    assert instance["state"] == "success"
    result: dict[str, Any] = api.returned(instance)["factories"][FACTORY]
    return result


def of(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The messages that tell something of a kind."""
    return [message for message in messages if kind in {notice["kind"] for notice in message["notices"]}]


def test_drift_starts_one_training_with_its_reason_and_no_second(
    airflow_stack: Stack, platform: Platform, drifted: str, webhook: list[dict[str, Any]]
) -> None:
    api = airflow_stack.airflow()
    for dag_id in ("monitor", "retrain", "train"):
        wait(f"Dag {dag_id}", lambda dag_id=dag_id: api.dag(dag_id))  # type: ignore[misc]
        if dag_id == "monitor":  # let loose last: within hours of its time of day it starts a run of its own
            continue
        api.unpause(dag_id)

    retrained = len(api.runs("retrain"))
    api.unpause("monitor")
    watched(airflow_stack)
    (request,) = platform.lake.monitoring.requests(FACTORY).requests
    reason = request.reason
    assert "inputs of the last 14 days moved" in reason

    def asked() -> list[dict[str, Any]]:
        mine = (run for run in api.runs("train") if run["dag_run_id"].startswith(f"asked__{FACTORY}__"))
        return [run for run in mine if run["dag_run_id"] >= request.id]  # the ID ends in its time

    (run,) = wait("a training", asked)
    assert run["dag_run_id"] == request.id
    assert run["conf"] == {"factories": [FACTORY], "reason": reason} and run["note"] == reason

    mlflow = tracking.Server(settings().mlflow_uri).connect()
    tag = f"tags.dag_run = '{run['dag_run_id']}'"
    (logged,) = wait("its run in MLflow", lambda: _runs(mlflow, tag), patience=240)
    assert logged.data.tags["reason"] == reason and logged.data.tags["factory"] == FACTORY
    # It has started, which is what was asked; the model that it would make is no affair of this test.
    api.call("PATCH", f"dags/train/dagRuns/{run['dag_run_id']}", json={"state": "failed"})

    (told,) = wait("the notice", lambda: of(webhook, "drift"))
    assert FACTORY in told["subject"] and reason in told["text"] and "/dags/monitor/runs/" in told["link"]

    wait("the mark", lambda: platform.lake.monitoring.requests(FACTORY).requests[0].started)
    again = watched(airflow_stack)
    assert again["reason"] and again["request"] is None
    time.sleep(5)  # an event would start `retrain` within a scheduler's loop, a second or two
    assert len(asked()) == 1 and len(api.runs("retrain")) == retrained + 1
    assert len(of(webhook, "drift")) == 1

    track = platform.lake.forecasts.track_record(FACTORY)
    assert track is not None
    table = track.to_pandas()
    assert tuple(table.columns) == COLUMNS
    whole = table[(table["sensor_id"] == "") & (table["model_version"] == drifted)]
    assert whole["hours"].tolist() == [24 * NEW_DAYS] and whole["bias_pct"].iloc[0] > 50
    version = mlflow.MlflowClient().get_model_version(tracking.model_name(FACTORY), drifted)
    assert float(version.tags["track_record.accuracy"]) == pytest.approx(whole["accuracy"].iloc[0], rel=1e-3)


def _runs(mlflow: Any, where: str) -> list[Any]:
    experiment = mlflow.get_experiment_by_name(tracking.EXPERIMENT)
    return mlflow.MlflowClient().search_runs([experiment.experiment_id], where)


def test_a_failed_run_is_one_message_for_all_its_factories(
    airflow_stack: Stack, platform: Platform, webhook: list[dict[str, Any]]
) -> None:
    api = airflow_stack.airflow()
    wait("Dag forecast", lambda: api.dag("forecast"))
    api.unpause("forecast")
    without_data = ["1100", "2120"]  # no other test lands meter files of these
    run_id = api.trigger("forecast", {"factories": without_data})
    wait("forecast", lambda: api.run("forecast", run_id)["state"] == "failed")
    (told,) = wait("the notice", lambda: of(webhook, "failed"))
    assert [one["about"].split()[0] for one in told["notices"]] == without_data
    assert all("TooLittleHistory: factory" in one["what"] for one in told["notices"])
    assert told["text"].count("To do:") == 1 and "/dags/forecast/runs/" in told["link"]
