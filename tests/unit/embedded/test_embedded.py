import json
import os
import re
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from embedded import credentials, environment
from embedded.__main__ import app
from embedded.accounts import ROLES
from embedded.config import Config, socket_dir
from embedded.ports import Wanted, free_ports, require_free
from embedded.services import QUEUES, by_name, closure
from embedded.stack import Stack
from embedded.supervision import Supervisor
from fems.errors import ConfigError
from fems.settings import ROOT


def test_settings_come_from_the_environment() -> None:
    config = Config.from_environment({"FEMS_STATE_DIR": "/x", "FEMS_AIRFLOW_PORT": "8180"})
    assert (config.state, config.airflow_port, config.mlflow_port) == (Path("/x"), 8180, 5000)


@pytest.mark.parametrize("text", ["no", "0", "70000", "-1"])
def test_a_wrong_port_names_its_variable(text: str) -> None:
    with pytest.raises(ConfigError, match="FEMS_MINIO_PORT"):
        Config.from_environment({"FEMS_MINIO_PORT": text})


def test_metrics_go_to_the_collector_that_is_named(tmp_path: Path) -> None:
    secret = credentials.Credentials.generate()
    assert not [k for k in environment.airflow(Config.of(tmp_path), secret) if "OTEL" in k]
    named = Config.from_environment({"FEMS_STATE_DIR": str(tmp_path), "FEMS_OTLP": "127.0.0.1:4318"})
    given = environment.airflow(named, secret)
    assert (
        given["AIRFLOW__METRICS__OTEL_HOST"] == "127.0.0.1" and given["AIRFLOW__METRICS__OTEL_PORT"] == "4318"
    )
    with pytest.raises(ConfigError, match="FEMS_OTLP"):
        Config.from_environment({"FEMS_OTLP": "http://x"})


def test_settings_survive_the_file(tmp_path: Path) -> None:
    config = Config.of(tmp_path, airflow_port=1234)
    config.save()
    assert Config.load(tmp_path) == config


def test_a_damaged_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(ConfigError, match=r"stack\.json"):
        Config.load(tmp_path)


def test_sockets_stay_short_however_deep_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 200)
    assert len(str(socket_dir(deep) / "postgres" / ".s.PGSQL.5432")) < 104
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert len(str(socket_dir(deep) / "postgres" / ".s.PGSQL.5432")) < 104


def test_a_state_folder_that_supervisord_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FEMS_STATE_DIR"):
        Config.of(tmp_path / "100%").prepare()


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    made = credentials.load_or_create(path)
    assert credentials.load_or_create(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert credentials.Credentials.generate() != made


def test_damaged_secrets_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"minio_user": "x"}))
    with pytest.raises(ConfigError, match=r"credentials\.json"):
        credentials.load_or_create(path)


def test_secrets_of_an_earlier_version_are_kept_and_the_new_ones_added(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    old = {name: f"old-{name}" for name in credentials._FIRST}
    path.write_text(json.dumps(old))
    made = credentials.load_or_create(path)
    assert made.minio_password == "old-minio_password" and made.fernet_key == "old-fernet_key"
    assert set(made.store_passwords) == set(ROLES) and len(made.postgres_password) > 20
    assert credentials.load_or_create(path) == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_taken_port_names_service_holder_and_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            require_free([Wanted(port, "MLflow", "FEMS_MLFLOW_PORT")])
    for part in (str(port), "MLflow", f"pid {os.getpid()}", "FEMS_MLFLOW_PORT"):
        assert part in str(caught.value)


def test_a_port_given_twice_names_both_variables() -> None:
    port = free_ports(1)[0]
    with pytest.raises(ConfigError, match="A_PORT or B_PORT"):
        require_free([Wanted(port, "A", "A_PORT"), Wanted(port, "B", "B_PORT")])


def test_up_with_a_taken_port_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("FEMS_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("FEMS_MINIO_PORT", str(port))
        outcome = CliRunner().invoke(app, ["up", "--only", "storage"])
    assert outcome.exit_code == 1
    assert len(outcome.stderr.strip().splitlines()) == 1
    assert not Stack.find().running()


def test_down_with_nothing_running_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEMS_STATE_DIR", str(tmp_path))
    outcome = CliRunner().invoke(app, ["down"])
    assert outcome.exit_code == 0
    assert "nothing is running" in outcome.stdout


def test_a_recycled_pid_is_not_taken_for_supervisord(tmp_path: Path) -> None:
    supervisor = Supervisor(Config.of(tmp_path))
    (tmp_path / "supervisord.pid").write_text(str(os.getpid()))
    assert supervisor.process() is None


def test_a_group_brings_what_it_needs(tmp_path: Path) -> None:
    config = Config.of(tmp_path)
    assert [s.name for s in closure(["tracking"], config)] == ["minio", "postgres", "mlflow"]
    assert [s.name for s in closure(["scheduler"], config)] == ["postgres", "api-server", "scheduler"]


def test_workers_bring_valkey_and_take_the_tasks_keys_from_the_scheduler(tmp_path: Path) -> None:
    none, two = Config.of(tmp_path), Config.of(tmp_path, workers=2, parallelism=4)
    secret = credentials.Credentials.generate()
    assert "valkey" not in by_name(none) and environment.scheduler(none, secret) == environment.tasks(
        none, secret
    )
    assert environment.airflow(none, secret)["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert {"valkey", "worker-1", "worker-2"} <= set(by_name(two))
    sent, taken = environment.scheduler(two, secret), environment.worker("worker-2", two, secret)
    assert sent["AIRFLOW__CORE__EXECUTOR"] == taken["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert "FEMS_S3_KEYS_FILE" not in sent and secret.mlflow_platform_password not in sent.values()
    assert taken["FEMS_S3_KEYS_FILE"] and taken["AIRFLOW__CELERY__WORKER_CONCURRENCY"] == "2"
    homes = {taken[name] for name in ("HOME", "AIRFLOW_HOME")}
    assert homes == {str(two.state / "worker-2")} and by_name(two)["worker-2"].scratch


def test_the_workers_listen_to_every_queue_that_a_task_waits_in() -> None:
    dags = "".join(
        path.read_text() for path in [*(ROOT / "dags").glob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    )
    assert set(re.findall(r'on_queue\("(\w+)"\)', dags)) == set(QUEUES)


def test_an_unknown_service_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"choose from storage, tracking, airflow, minio"):
        closure(["kafka"], Config.of(tmp_path))


def test_a_shells_own_airflow_settings_do_not_reach_the_services() -> None:
    kept = environment.clean(
        {"AIRFLOW__CORE__EXECUTOR": "X", "AWS_PROFILE": "p", "LANG": "C", "NO_PROXY": "a"}
    )
    assert "AIRFLOW__CORE__EXECUTOR" not in kept
    assert "AWS_PROFILE" not in kept
    assert kept["LANG"] == "C"
    assert kept["NO_PROXY"] == "a,127.0.0.1,localhost"
