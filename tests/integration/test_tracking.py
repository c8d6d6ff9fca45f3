"""Runs, versions and champions on a real MLflow server."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import holds_pickle

from embedded.ports import free_ports
from embedded.stack import Stack
from fems import tracking
from fems.errors import DataError, NoModel, ServiceUnavailable
from fems.lake import keys
from fems.lake.lake import Lake
from fems.model import promotion
from fems.model.history import History
from fems.model.train import TrainedFactory, train_factory
from fems.settings import settings
from fems.tracking.rest import models_page

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("fems_environment")]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROMOTED = promotion.Decision(True, "the first model of this factory")
REFUSED = promotion.Decision(False, "less than 0.1 ahead; v2 stays")


def hour_table(factory_id: str, days: int = 60) -> pd.DataFrame:
    hours = pd.date_range("2025-01-01", periods=24 * days, freq="h", tz="Asia/Seoul")
    random = np.random.default_rng(2)
    shape = 10 + 30 * ((hours.hour > 7) & (hours.hour < 18) & (hours.day_of_week < 5))
    parts = [
        pd.DataFrame(
            {
                "timestamp": hours,
                "factory_id": factory_id,
                "sensor_id": f"{factory_id}-M0{sensor}",
                "used_kwh": shape * sensor + random.gamma(2.0, 2.0, len(hours)),
                "power_factor_pct": 92.0,
            }
        )
        for sensor in (1, 2)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def trained() -> TrainedFactory:
    return train_factory(History.from_hour_table(hour_table("T")), epochs=1)


def mlflow_server() -> tracking.Tracking:
    return tracking.Tracking.connect(settings())


def scored(trained: TrainedFactory, ours: float) -> TrainedFactory:
    return replace(trained, metrics={**trained.metrics, "month_ahead.accuracy": ours})


def train(
    trained: TrainedFactory, factory_id: str, decision: promotion.Decision = PROMOTED, month: str = "2026-03"
) -> tracking.Registered:
    with mlflow_server().training_run(
        factory_id, month, tags={"dag_run": "manual__1"}, params={"epochs": 1, "seed": 0}
    ) as run:
        run.log_data(
            hour_table(factory_id), {"2026-02": {"fingerprint": "abc", "book_version": "def"}}, "abcdef"
        )
        for epoch, figures in enumerate(trained.curves["one_step"], start=1):
            run.log_epoch("one_step", epoch, figures)
        return run.register(trained, hour_table(factory_id), decision, NOW)


def test_what_is_registered_comes_back_and_forecasts_the_same(
    trained: TrainedFactory, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import mlflow
    from mlflow import MlflowClient

    made = train(scored(trained, 90.0), "T")
    assert (made.version, made.alias) == ("1", tracking.CHAMPION)
    champion = mlflow_server().load_champion("T")
    assert champion.version == "1" and champion.tags["month"] == "2026-03" and champion.run_id == made.run_id
    history = champion.bundle.history(hour_table("T"))
    pd.testing.assert_frame_equal(
        champion.bundle.month_ahead.predict(history, history.end, 705),
        trained.month_ahead.predict(history, history.end, 705),
        check_exact=True,
    )
    assert mlflow_server().has_champion("T")
    version, metrics = mlflow_server().champion_metrics("T")
    assert version == "1" and metrics["month_ahead.accuracy"] == 90.0

    client = MlflowClient(settings().mlflow_uri)
    run = client.get_run(made.run_id)
    assert run.info.status == "FINISHED"
    tags = {
        "factory": "T",
        "month": "2026-03",
        "dag_run": "manual__1",
        "level": "factory",
        "model_version": "1",
    }
    assert tags.items() <= run.data.tags.items()
    assert run.data.tags["promotion"] == "champion: the first model of this factory"
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert (parent.data.tags["level"], parent.info.run_name) == ("month", "2026-03")
    files = {file.path for file in client.list_artifacts(made.run_id)}
    assert {"backtest.json", "holdout.csv", "data", "figures"} <= files
    mlflow.set_experiment(tracking.EXPERIMENT)
    table = mlflow.load_table("backtest.json", run_ids=[made.run_id])
    assert (
        set(table["method"]) == {"month_ahead", "weekly_naive", "profile"} and table["accuracy"].notna().all()
    )
    requirements = Path(
        mlflow.artifacts.download_artifacts(
            f"models:/{made.model}/1/requirements.txt", dst_path=str(tmp_path)
        )
    ).read_text()
    assert all("==" in line for line in requirements.split())
    assert "tensorflow" not in requirements  # the month ahead does without
    described = run.data.tags["mlflow.note.content"]
    assert described.startswith("Version 1 of fems-T. **champion.** the first model of this factory.")
    assert all(
        method in described for method in ("| month_ahead ", "| weekly_naive ", "| profile ", "persistence")
    )
    assert [m.step for m in client.get_metric_history(made.run_id, "one_step.loss")] == [1]
    figures = {file.path for file in client.list_artifacts(made.run_id, "figures")}
    assert figures == {"figures/learning_curve.png", "figures/month_ahead_holdout.png"}
    told = "".join(capfd.readouterr())
    assert "View run" not in told and "Downloading" not in told


def test_each_promotion_and_refusal_is_kept_with_its_reason(trained: TrainedFactory) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(settings().mlflow_uri)

    def tags(version: str) -> dict[str, str]:
        return dict(client.get_model_version("fems-W", version).tags)

    def aliases() -> dict[str, str]:
        return {k: str(v) for k, v in client.get_registered_model("fems-W").aliases.items()}

    for decision in (PROMOTED, promotion.Decision(True, "90.20 against 90.00 of v1"), REFUSED):
        train(trained, "W", decision)
    assert aliases() == {"champion": "2", "challenger": "3"}
    assert (
        tags("1")["champion_until"] == NOW.isoformat() and tags("1")["promotion"] == "retired: v2 took over"
    )
    assert (tags("2")["promotion"], tags("2")["champion_before"]) == (
        "champion: 90.20 against 90.00 of v1",
        "1",
    )
    assert tags("3")["promotion"] == f"challenger: {REFUSED.reason}"

    assert mlflow_server().promote("W").version == "3"  # the challenger
    assert aliases() == {"champion": "3"} and tags("3")["promotion"] == "champion: promoted by hand"
    assert (
        tags("3")["event.20260301T000000Z"] == f"challenger: {REFUSED.reason}"
    )  # the refusal is not forgotten
    with pytest.raises(DataError, match="champion already"):
        mlflow_server().promote("W", "3")
    with pytest.raises(NoModel, match="version 9"):
        mlflow_server().promote("W", "9")
    with pytest.raises(NoModel, match="no challenger"):
        mlflow_server().promote("W")
    assert mlflow_server().rollback("W").version == "2"
    assert mlflow_server().load_champion("W").version == "2"
    assert tags("2")["promotion"] == "champion: rolled back from v3"
    assert tags("3")["promotion"] == "retired: rolled back to v2"
    assert mlflow_server().rollback("W").version == "1"
    with pytest.raises(NoModel, match="no champion before version 1"):
        mlflow_server().rollback("W")


def test_a_champion_that_was_changed_gives_way_to_the_one_before(
    trained: TrainedFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can write to MLflow can change a model there, but not its manifest in the lake."""
    lake = Lake.connect(settings())
    first, second = (train(trained, "C") for _ in range(2))
    assert mlflow_server().load_champion("C").version == second.version
    assert mlflow_server().load_champion("C").notice is None
    manifest = lake.model_manifest("C", second.run_id)
    assert manifest is not None and {"scalers.json", "bundle.json"} <= set(manifest.files)
    # What is in MLflow is another than was trained, which is the same as another manifest for what is there.
    other = dict(manifest.files)
    other["scalers.json"] = replace(other["scalers.json"], sha256="0" * 64)
    lake.write_model_manifest("C", second.run_id, replace(manifest, files=other))
    champion = mlflow_server().load_champion("C")
    assert champion.version == first.version
    assert champion.notice is not None
    assert champion.notice.startswith(
        "v2 cannot be used (model bundle: scalers.json was changed after training"
    )
    assert champion.notice.endswith("v1, the last good champion, forecasts")
    assert "v2 cannot be used" in caplog.text
    assert mlflow_server().rollback("C").version == "1"
    with pytest.raises(DataError, match=r"scalers.json was changed"):
        mlflow_server().promote("C", "2")
    for made in (first, second):
        lake.store.put(keys.model_manifest_key("C", made.run_id), b"{}")
    with pytest.raises(NoModel, match=r"v1 cannot be used .*no manifest of a model.*train it again"):
        mlflow_server().load_champion("C")


def test_the_month_shows_the_mean_of_its_factories(trained: TrainedFactory) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(settings().mlflow_uri)
    for factory_id, ours in (("P1", 90.0), ("P2", 80.0), ("P1", 92.0)):  # the newest of a factory counts
        run = client.get_run(train(scored(trained, ours), factory_id, month="2032-01").run_id)
        assert run.data.metrics["accuracy"] == ours
        assert (
            run.data.params["gate.dropout"] == "0.2"
            and "LSTM(50)" in run.data.params["one_step.architecture"]
        )
        assert run.data.params["one_step.epochs"] == "1"
        (dataset,) = (given.dataset for given in run.inputs.dataset_inputs)
        assert (dataset.name, dataset.digest) == (f"{factory_id} hours", "abcdef")
        version = client.get_model_version(f"fems-{factory_id}", run.data.tags["model_version"])
        assert version.description and version.description.startswith("**champion.**")
    parent = client.get_run(mlflow_server().month_run("2032-01"))
    assert parent.data.metrics["accuracy"] == 86.0 and parent.data.metrics["factories"] == 2
    assert parent.data.metrics["accuracy.one_step"] == run.data.metrics["one_step.accuracy"]


def test_trainings_that_start_at_once_all_succeed(trained: TrainedFactory) -> None:
    """Twenty, of an experiment and a month that are not there yet."""
    from mlflow import MlflowClient

    client = MlflowClient(settings().mlflow_uri)
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    if experiment is not None:
        client.rename_experiment(experiment.experiment_id, f"before-{time.time_ns()}")

    def start(i: int) -> str:
        with mlflow_server().training_run(f"R{i}", "2033-01", params={"epochs": 1}) as run:
            run.log_epoch("one_step", 1, {"loss": 1.0})
        return run.run_id

    with ThreadPoolExecutor(20) as pool:
        runs = list(pool.map(start, range(20)))
    assert {client.get_run(run).info.status for run in runs} == {"FINISHED"}
    assert len({client.get_run(run).data.tags["mlflow.parentRunId"] for run in runs}) == 1
    made = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert made is not None and "accuracy.weekly_naive" in made.tags["mlflow.note.content"]


def test_the_page_of_all_models_opens_with_their_figures(trained: TrainedFactory) -> None:
    from mlflow import MlflowClient

    run_id = train(trained, "V", month="2033-02").run_id
    address = models_page(settings().mlflow_uri)
    client = MlflowClient(settings().mlflow_uri)
    made = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert f"/experiments/{made.experiment_id}/runs" in address
    shown = json.loads(made.tags["mlflow.sharedViewState." + address.rpartition("=")[2]])
    runs = client.search_runs(
        [made.experiment_id], shown["searchFilter"], order_by=[f"{shown['orderByKey']} DESC"]
    )
    (ours,) = (run for run in runs if run.info.run_id == run_id)
    names = {column.split("`")[1] for column in shown["selectedColumns"]} - {"simulated"}  # a tag of the flow
    assert "accuracy" in names <= {**ours.data.metrics, **ours.data.tags}.keys()


def _open_and_close(factory_id: str) -> None:
    with mlflow_server().training_run(factory_id, "2026-03"):
        pass


def test_the_next_training_closes_a_run_whose_process_is_gone() -> None:
    from mlflow import MlflowClient

    script = (
        "from fems.tracking import Tracking; from fems.settings import settings; import os\n"
        "run = Tracking.connect(settings()).training_run('G', '2026-03')\n"
        "print(run.__enter__().run_id, flush=True); os._exit(9)"
    )
    dead = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True).stdout.strip()
    client = MlflowClient(settings().mlflow_uri)
    assert client.get_run(dead).info.status == "RUNNING"
    with mlflow_server().training_run("G", "2026-03") as alive, ThreadPoolExecutor(1) as pool:
        pool.submit(_open_and_close, "G").result()
        assert client.get_run(alive.run_id).info.status == "RUNNING"  # its process is there
    gone = client.get_run(dead)
    assert gone.info.status == "FAILED" and gone.data.tags["abandoned"]


def test_factories_that_start_at_once_share_one_run_of_the_month() -> None:
    from mlflow import MlflowClient

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: mlflow_server().month_run("2031-01"), range(4)))
    assert len(found) == 1
    client = MlflowClient(settings().mlflow_uri)
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.level = 'month' and tags.month = '2031-01'")
    assert [run.info.run_id for run in runs] == list(found)
    assert {mlflow_server().month_run("2031-01")} == found
    assert mlflow_server().month_run("2031-02") not in found


def test_a_failed_training_registers_nothing(trained: TrainedFactory) -> None:
    from mlflow import MlflowClient

    with pytest.raises(ZeroDivisionError), mlflow_server().training_run("F", "2026-03") as run:
        raise ZeroDivisionError
    client = MlflowClient(settings().mlflow_uri)
    assert client.get_run(run.run_id).info.status == "FAILED"
    assert not client.search_model_versions("name = 'fems-F'")
    with pytest.raises(NoModel, match="factory F has no champion"):
        mlflow_server().load_champion("F")
    assert not mlflow_server().has_champion("F")
    with pytest.raises(NoModel):
        mlflow_server().champion_metrics("F")


def test_a_run_that_was_left_running_is_closed_by_the_next_try() -> None:
    """The task was killed, or MLflow was gone when it ended: nothing said so to the run."""
    from mlflow import MlflowClient

    client = MlflowClient(settings().mlflow_uri)
    with mlflow_server().training_run("R", "2026-03", tags={"dag_run": "one"}) as first:
        pass
    client.update_run(first.run_id, "RUNNING")
    with mlflow_server().training_run("R", "2026-03", tags={"dag_run": "other"}):
        assert client.get_run(first.run_id).info.status == "RUNNING"  # it may be at work elsewhere
    with mlflow_server().training_run("R", "2026-03", tags={"dag_run": "one"}) as second:
        assert client.get_run(first.run_id).info.status == "FAILED"
        assert client.get_run(second.run_id).info.status == "RUNNING"
    assert client.get_run(first.run_id).data.tags["abandoned"]


@pytest.fixture
def own_path() -> Iterator[None]:
    """Loading a logged model puts the code that it brought in front of our own; put that right again."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.mark.usefixtures("own_path")
def test_the_logged_model_serves_from_an_hour_table_and_holds_no_pickle(
    trained: TrainedFactory, tmp_path: Path
) -> None:
    import mlflow

    made = train(trained, "S")
    local = mlflow.artifacts.download_artifacts(
        f"models:/{made.model}/{made.version}", dst_path=str(tmp_path)
    )
    for path in Path(local).rglob("*"):
        assert path.suffix not in (".pkl", ".pickle")
        if path.is_file():
            assert not holds_pickle(path), path
    model = mlflow.pyfunc.load_model(local)
    example = tracking.as_text(
        hour_table("S").assign(sensor_id=lambda t: t["sensor_id"].str.replace("S", "T"))
    )
    served = model.predict(example, params={"horizon_minutes": 1440})
    history = History.from_hour_table(hour_table("T"))
    own = trained.month_ahead.predict(history, history.end, 24)
    assert len(served) == 48 and set(served["factory_id"]) == {"S"}
    np.testing.assert_array_equal(
        served.pivot(index="timestamp", columns="sensor_id", values="used_kwh").to_numpy(), own.to_numpy()
    )


@pytest.fixture
def served(trained: TrainedFactory, tmp_path: Path) -> Iterator[str]:
    """The URL of `mlflow models serve` on a champion, started as in a shell that activated the environment."""
    made = train(trained, "H")
    (port,) = free_ports(1)
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",  # it starts uvicorn by name
        "MLFLOW_TRACKING_URI": settings().mlflow_uri,
    }
    what = [
        "models",
        "serve",
        "-m",
        f"models:/{made.model}@champion",
        "-p",
        str(port),
        "--env-manager",
        "local",
    ]
    with (tmp_path / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [programs / "mlflow", *what],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 240
    try:
        while not _answers(f"{url}/ping"):
            said = (tmp_path / "serve.log").read_text()
            assert server.poll() is None and time.monotonic() < until, f"it does not serve: {said[-3000:]}"
            time.sleep(1)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def test_mlflow_serves_the_champion_over_http(trained: TrainedFactory, served: str) -> None:
    table = tracking.as_text(hour_table("T"))
    asked = {
        "dataframe_split": table.to_dict(orient="split", index=False),
        "params": {"horizon_minutes": 1440},
    }
    request = urllib.request.Request(
        f"{served}/invocations", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        rows = pd.DataFrame(json.load(answer)["predictions"])
    history = History.from_hour_table(hour_table("T"))
    own = trained.month_ahead.predict(history, history.end, 24)
    found = rows.pivot(index="timestamp", columns="sensor_id", values="used_kwh")
    assert list(found.columns) == list(own.columns)
    np.testing.assert_allclose(found.to_numpy(), own.to_numpy(), rtol=1e-6)


def test_no_server_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("FEMS_MLFLOW_URI", f"http://127.0.0.1:{port}")
    settings.cache_clear()
    with pytest.raises(ServiceUnavailable, match=str(port)):
        mlflow_server().load_champion("T")
    with pytest.raises(ServiceUnavailable), mlflow_server().training_run("T", "2026-03"):
        pass
    with pytest.raises(ServiceUnavailable):
        mlflow_server().rollback("T")


def test_a_model_that_cannot_be_stored_is_not_registered(
    trained: TrainedFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow goes away while the model is written: worth a retry, and the old champion serves on."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    train(trained, "D")

    def gone(*_: object, **__: object) -> None:
        raise MlflowException("connection lost")

    monkeypatch.setattr("mlflow.pyfunc.log_model", gone)
    with pytest.raises(ServiceUnavailable, match="connection lost"):
        train(trained, "D")
    client = MlflowClient(settings().mlflow_uri)
    assert [v.version for v in client.search_model_versions("name = 'fems-D'")] == ["1"]
    assert mlflow_server().load_champion("D").version == "1"


def test_the_server_is_the_embedded_one(services: Stack) -> None:
    assert settings().mlflow_uri == services.environment()["FEMS_MLFLOW_URI"]
