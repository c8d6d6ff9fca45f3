"""The real services: they start, keep to loopback, get up again after kill -9, and leave nothing behind."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

import psutil
import pytest
from minio import Minio

from embedded import postgres, volume
from embedded.config import Config
from embedded.ports import free_ports
from embedded.processes import descendants
from embedded.services import NotYet, by_name
from embedded.stack import Stack
from fems.errors import ConfigError, ServiceUnavailable

pytestmark = pytest.mark.services


def client(stack: Stack) -> Minio:
    secret = stack.credentials
    return Minio(
        f"127.0.0.1:{stack.config.minio_port}", secret.minio_user, secret.minio_password, secure=False
    )


def pid(stack: Stack, name: str) -> int:
    return stack.supervisor.states()[name]["pid"]


def wait_until(holds: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)


def healthy(stack: Stack, name: str) -> bool:
    try:
        info = stack.supervisor.states()[name]
        by_name(stack.config)[name].check(stack.config, info["start"])
        return info["statename"] == "RUNNING"
    except NotYet:
        return False


def kill_and_wait(stack: Stack, name: str) -> None:
    before = pid(stack, name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid(stack, name) not in (0, before) and healthy(stack, name))


def family(stack: Stack) -> list[psutil.Process]:
    process = stack.supervisor.process()
    assert process is not None
    return [process, *descendants(process)]


def listening(stack: Stack) -> set[tuple[str, int]]:
    ours = {process.pid for process in family(stack)}
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections("inet")
        if connection.pid in ours and connection.status == psutil.CONN_LISTEN
    }


def test_first_start_makes_buckets_databases_and_private_secrets(services: Stack) -> None:
    assert {bucket.name for bucket in client(services).list_buckets()} >= {"fems", "mlflow"}
    connection = postgres.connect(services.config, services.credentials, "airflow")
    assert connection.server_version >= 180000
    connection.close()
    assert (services.config.state / "credentials.json").stat().st_mode & 0o777 == 0o600


def test_only_loopback_and_only_the_named_ports_listen(services: Stack) -> None:
    config = services.config
    ports = {config.minio_port, config.mlflow_port, config.airflow_port}
    found = listening(services)
    assert {ip for ip, _ in found} == {"127.0.0.1"}
    assert {port for _, port in found} <= ports


def test_mlflow_keeps_artifacts_in_minio(fems_environment: Stack) -> None:
    import mlflow

    mlflow.set_tracking_uri(fems_environment.config.mlflow_url)
    mlflow.set_experiment("services")
    with mlflow.start_run():
        mlflow.log_metric("answer", 42)
        mlflow.log_text("kept", "note.txt")
    names = [item.object_name for item in client(fems_environment).list_objects("mlflow", recursive=True)]
    assert any(name and name.endswith("/note.txt") for name in names)


def test_an_object_outlives_a_killed_minio(services: Stack) -> None:
    import io

    client(services).put_object("fems", "kept", io.BytesIO(b"bytes"), 5)
    kill_and_wait(services, "minio")
    assert client(services).get_object("fems", "kept").read() == b"bytes"


def test_a_gateway_that_was_killed_with_its_locks_held_knows_its_accounts_at_once(services: Stack) -> None:
    services.supervisor.stop_programs(["minio"], 20)
    with closing(sqlite3.connect(volume.meta_file(services.config.state / "minio"))) as meta, meta:
        session = (
            10**6,
            int(time.time()) + 300,
            b"{}",
        )  # of the killed one; it counts as alive until it expires
        meta.execute("INSERT INTO jfs_session2 (sid, expire, info) VALUES (?, ?, ?)", session)
        meta.execute(
            "INSERT INTO jfs_flock (inode, sid, owner, ltype) SELECT inode, ?, 1, ? FROM jfs_node",
            (session[0], ord("W")),
        )
    services.supervisor.start_program("minio")
    wait_until(lambda: healthy(services, "minio"), 20)


def test_a_killed_postgres_comes_back_with_its_rows(services: Stack) -> None:
    def query(text: str) -> list[tuple[int]]:
        connection = postgres.connect(services.config, services.credentials)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(text)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    query("CREATE TABLE IF NOT EXISTS kept (n int); TRUNCATE kept; INSERT INTO kept VALUES (7)")
    kill_and_wait(services, "postgres")
    assert query("SELECT n FROM kept") == [(7,)]


def test_a_second_up_changes_nothing(services: Stack) -> None:
    before = {name: pid(services, name) for name in ("minio", "postgres", "mlflow")}
    services.up(("storage", "tracking"))
    assert {name: pid(services, name) for name in before} == before


def test_up_with_other_settings_is_refused_while_it_runs(services: Stack) -> None:
    other = Stack(Config.of(services.config.state, parallelism=7))
    with pytest.raises(ConfigError, match="already runs with other settings"):
        other.up(("storage",))


@pytest.fixture
def small(state_folder) -> Stack:  # type: ignore[no-untyped-def]
    airflow, mlflow, minio = free_ports(3)
    return Stack(Config.of(state_folder / "s", airflow_port=airflow, mlflow_port=mlflow, minio_port=minio))


def test_down_ends_all_it_started_keeps_the_data_and_says_when_nothing_runs(small: Stack) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        small.up(("storage",))
        key = small.credentials.minio_password
        everything = family(small)
        assert small.down()
        assert not [process for process in everything if process.is_running()]
        assert bystander.poll() is None
        assert not small.down()
        small.up(("storage",))
        assert small.credentials.minio_password == key
        small.down()
    finally:
        bystander.kill()
        bystander.wait()


def test_services_end_when_supervisord_is_killed_and_can_be_started_again(small: Stack) -> None:
    small.up(("storage",))
    everything = family(small)
    everything[0].kill()
    _, left = psutil.wait_procs(everything, 20)
    assert not left
    assert not small.running()
    small.up(("storage",))
    small.down()


def test_what_outlives_a_killed_supervisord_is_ended_and_nothing_else_is(small: Stack) -> None:
    small.up(("storage",))
    process = small.supervisor.process()
    assert process is not None
    process.kill()
    process.wait()
    stubborn = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(300)",
    ]
    # Of a session that is led by another process: as if the number had been given away.
    leader = subprocess.Popen(stubborn, start_new_session=True, cwd=small.config.state)
    elsewhere = subprocess.Popen(stubborn, start_new_session=True, cwd="/")
    try:
        pidfile = small.config.state / "supervisord.pid"
        pidfile.write_text(str(elsewhere.pid))
        assert not small.down() and elsewhere.poll() is None
        pidfile.write_text(str(leader.pid))
        assert small.down()
        leader.wait(10)
        assert elsewhere.poll() is None and not small.down()
    finally:
        for each in (leader, elsewhere):
            each.kill()
            each.wait()


def test_down_works_when_the_sockets_were_cleaned_away(small: Stack) -> None:
    small.up(("storage",))
    everything = family(small)
    shutil.rmtree(small.config.run)
    with pytest.raises(ServiceUnavailable, match="run `make down`"):
        small.up(("storage",))
    assert small.down()
    assert not [process for process in everything if process.is_running()]
    small.up(("storage",))
    small.down()


def test_a_service_that_cannot_start_is_named_with_its_log_and_nothing_stays(small: Stack) -> None:
    small.config.prepare()
    (small.config.state / "minio" / "meta").mkdir(parents=True)
    (small.config.state / "minio" / "meta" / "meta.db").write_text("this is no database")
    with pytest.raises(ServiceUnavailable, match=r"(?s)MinIO did not come up.*minio\.log.*database"):
        small.up(("storage",))
    assert not small.running()


@pytest.mark.e2e
def test_a_killed_scheduler_is_started_again_and_its_workers_are_cleared_away(airflow_stack: Stack) -> None:
    workers = descendants(psutil.Process(pid(airflow_stack, "scheduler")))
    assert workers
    kill_and_wait(airflow_stack, "scheduler")
    assert not [worker for worker in workers if worker.is_running()]
