"""The state folder, PostgreSQL and the processes: what another user of the machine, or a service, can reach."""

import os
import pwd
import stat
import subprocess
import sys

import psutil
import psycopg2
import pytest

from embedded import postgres
from embedded.services import by_name
from embedded.stack import Stack
from fems.settings import ROOT

pytestmark = [pytest.mark.services, pytest.mark.security]

root_only = pytest.mark.skipif(
    os.geteuid() != 0, reason="services get users of their own where root starts them"
)


def test_nothing_of_the_state_folder_is_open_to_others(services: Stack) -> None:
    state = services.config.state
    assert stat.S_IMODE(state.stat().st_mode) in (0o700, 0o711)
    for entry in state.iterdir():
        assert not stat.S_IMODE(entry.lstat().st_mode) & 0o077, entry
    for folder in (services.config.logs, services.config.keys):
        for entry in folder.iterdir():
            assert not stat.S_IMODE(entry.lstat().st_mode) & 0o077, entry


def test_a_state_folder_of_an_earlier_version_is_closed(services: Stack) -> None:
    services.config.logs.chmod(0o755)
    services.config.prepare()
    assert stat.S_IMODE(services.config.logs.stat().st_mode) == 0o700


@pytest.mark.parametrize("account", ["postgres", "airflow", "mlflow"])
@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_postgres_lets_nobody_in_without_a_password(
    services: Stack, account: str, password: str | None
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host=str(services.config.postgres_socket), user=account, password=password, dbname="postgres"
        )


@pytest.mark.parametrize(
    ("account", "database"), [("mlflow", "airflow"), ("airflow", "mlflow"), ("airflow", "mlflow_auth")]
)
def test_an_account_opens_its_own_databases_alone(services: Stack, account: str, database: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(
            host=str(services.config.postgres_socket), user=account, dbname=database,
            password=postgres.password(services.credentials, account),
        )  # fmt: skip


@pytest.mark.parametrize("account", ["airflow", "mlflow"])
def test_an_account_runs_no_program(services: Stack, account: str) -> None:
    connection = postgres.connect(services.config, services.credentials, account)
    try:
        with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("COPY (SELECT 1) TO PROGRAM 'true'")
    finally:
        connection.close()


@root_only
@pytest.mark.parametrize("name", ["minio", "mlflow", "postgres"])
def test_each_service_has_a_user_of_its_own(services: Stack, name: str) -> None:
    process = psutil.Process(services.supervisor.states()[name]["pid"])
    assert process.uids().real == process.uids().effective != 0


@root_only
def test_mlflow_can_neither_write_a_dag_nor_read_a_secret(services: Stack) -> None:
    uid = psutil.Process(services.supervisor.states()["mlflow"]["pid"]).uids().real
    forbidden = [
        ("w", ROOT / "dags" / "planted.py"),
        ("w", ROOT / "include" / "fems" / "planted.py"),
        ("w", ROOT / "plugins" / "planted.py"),
        ("r", services.config.credentials_file),
        ("r", services.config.keys / "tasks.json"),
        ("r", services.config.logs / "minio.log"),
        ("r", services.config.state / "minio" / "meta" / "meta.db"),
    ]
    program = (
        "import sys\nfor mode, path in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    try: open(path, mode)\n    except PermissionError: print('refused')\n"
    )
    words = [str(word) for pair in forbidden for word in pair]
    group = pwd.getpwuid(uid).pw_gid
    outcome = subprocess.run(
        [sys.executable, "-S", "-c", program, *words], user=uid, group=group, extra_groups=[], cwd="/",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert outcome.stdout.split() == ["refused"] * len(forbidden)


def test_no_secret_stands_in_a_command_line(services: Stack) -> None:
    secret = services.credentials
    words = [
        secret.minio_password,
        secret.postgres_password,
        secret.mlflow_admin_password,
        *secret.store_passwords.values(),
    ]
    for name in ("minio", "postgres", "mlflow"):
        assert name in by_name(services.config)
        line = " ".join(psutil.Process(services.supervisor.states()[name]["pid"]).cmdline())
        assert not [word for word in words if word in line]
