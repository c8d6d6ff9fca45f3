"""What the administrator, the operator and the reader may do on the real API server: each what it should, and no more.

Twice: by the users of the services on one machine, and by those that compose makes, with its own authentication.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from support import ROOT

from embedded import environment, postgres
from embedded.ports import free_ports
from embedded.services import program
from embedded.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.security, pytest.mark.timeout(900)]

USERS = ("admin", "operator", "reader")
Login = Callable[[str], httpx.Client]


def client(url: str, user: str, password: str) -> httpx.Client:
    """A client that is logged in, as by the login page."""
    answer = httpx.post(
        f"{url}/auth/token", json={"username": user, "password": password}, trust_env=False, timeout=60
    )
    answer.raise_for_status()
    known = {"authorization": f"Bearer {answer.json()['access_token']}"}
    return httpx.Client(base_url=url, headers=known, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def embedded_login(airflow_stack: Stack) -> Login:
    passwords = airflow_stack.credentials.airflow_passwords
    return lambda user: client(airflow_stack.config.airflow_url, user, passwords[user])


@pytest.fixture(scope="module")
def compose_login(airflow_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """Airflow's API server with the authentication and the users of docker-compose.yaml, on a database of its own."""
    config, secret = airflow_stack.config, airflow_stack.credentials
    folder, (port,) = tmp_path_factory.mktemp("compose"), free_ports(1)
    url = f"http://127.0.0.1:{port}"
    connection = postgres.connect(config, secret)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS compose WITH (FORCE)")
        cursor.execute("CREATE DATABASE compose OWNER airflow")
    connection.close()
    variables = environment.clean() | environment.pages(config, secret) | compose_variables(port)
    variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = config.database_url(
        "compose", "airflow", secret.airflow_database_password
    )
    variables["AIRFLOW_HOME"] = str(folder)
    passwords = {user: f"word-of-{user}" for user in USERS}
    for user, password in passwords.items():
        (folder / f"airflow_{user}_password").write_text(password)
    (folder / "airflow_connections").write_text('{"fems_logs": {"conn_type": "aws"}}')
    log = (folder / "log").open("wb")
    subprocess.run(
        ["bash", "-ceu", f"{init_script(folder)}\nairflow dags reserialize"],
        env=variables, stdout=log, stderr=log, cwd=folder, check=True,
    )  # fmt: skip
    server = subprocess.Popen([program("airflow"), "api-server"], env=variables, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 240
        while True:
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
            try:
                if httpx.get(f"{url}/api/v2/monitor/health", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(1)
        yield lambda user: client(url, user, passwords[user])
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def compose_variables(port: int) -> dict[str, str]:
    """Return what docker-compose.yaml sets of Airflow's authentication, and where this server is."""
    given = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["x-airflow"]["environment"]
    own = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": given["AIRFLOW__CORE__AUTH_MANAGER"],
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": own,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{own}/execution/",
    }


def init_script(folder: Path) -> str:
    """Return what the service airflow-init runs, with its secrets in a folder."""
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    script = services["airflow-init"]["command"][-1]
    return script.replace("$$", "$").replace("/run/secrets", str(folder))


@pytest.fixture(scope="module", params=["embedded", pytest.param("compose", marks=pytest.mark.slow)])
def login(request: pytest.FixtureRequest) -> Login:
    made: Login = request.getfixturevalue(f"{request.param}_login")
    return made


@pytest.fixture(scope="module")
def clients(login: Login) -> Iterator[dict[str, httpx.Client]]:
    made = {user: login(user) for user in USERS}
    deadline = time.monotonic() + 120
    while made["admin"].get("/api/v2/dags/ingest").status_code != 200 and time.monotonic() < deadline:
        time.sleep(1)
    yield made
    for each in made.values():
        each.close()


CONNECTION = {"connection_id": "of_a_role", "conn_type": "http", "host": "http://127.0.0.1:9"}
VARIABLE = {"key": "of_a_role", "value": "x"}
POOL = {"name": "of_a_role", "slots": 1}


@pytest.mark.parametrize("user", USERS)
def test_everyone_reads_pages_reports_and_tables(clients: dict[str, httpx.Client], user: str) -> None:
    mine = clients[user]
    for path in (
        "/fems/",
        "/fems/quality",
        "/fems/factory/2160",
        "/fems/api/factories",
        "/fems/api/openapi.json",
    ):
        assert mine.get(path).status_code == 200, path
    assert mine.get("/fems/api/factories.csv").text.startswith('"factory_id"')
    assert {dag["dag_id"] for dag in mine.get("/api/v2/dags").json()["dags"]} >= {"ingest", "train"}
    assert mine.get("/api/v2/dags/ingest/dagRuns").status_code == 200


def test_the_reader_starts_and_changes_nothing(clients: dict[str, httpx.Client]) -> None:
    reader = clients["reader"]
    assert reader.post("/api/v2/dags/ingest/dagRuns", json={"logical_date": None}).status_code == 403
    assert reader.patch("/api/v2/dags/ingest", json={"is_paused": True}).status_code == 403
    assert reader.post("/api/v2/dags/ingest/clearTaskInstances", json={"dry_run": True}).status_code == 403
    assert reader.delete("/api/v2/dags/ingest").status_code == 403
    for path, body in (("connections", CONNECTION), ("variables", VARIABLE), ("pools", POOL)):
        assert reader.post(f"/api/v2/{path}", json=body).status_code == 403, path
    assert reader.get("/api/v2/connections").status_code == 403, (
        "a connection's host and login are no reader's"
    )
    assert reader.get("/api/v2/variables").status_code == 403


def test_the_operator_starts_and_marks_runs_and_changes_no_connection(
    clients: dict[str, httpx.Client],
) -> None:
    operator, reader = clients["operator"], clients["reader"]
    # Nothing runs: the Dag is paused, so the run waits in the queue until it is marked.
    assert operator.patch("/api/v2/dags/retrain", json={"is_paused": True}).status_code == 200
    started = operator.post("/api/v2/dags/retrain/dagRuns", json={"logical_date": None})
    assert started.status_code == 200, started.text
    run = f"/api/v2/dags/retrain/dagRuns/{started.json()['dag_run_id']}"
    assert reader.patch(run, json={"state": "failed"}).status_code == 403
    assert operator.patch(run, json={"state": "failed"}).status_code == 200
    assert operator.get(run).json()["state"] == "failed"
    for path, body in (("connections", CONNECTION), ("variables", VARIABLE), ("pools", POOL)):
        assert operator.post(f"/api/v2/{path}", json=body).status_code == 403, path
    assert operator.get("/api/v2/connections").status_code == 403


def test_the_administrator_changes_a_connection(clients: dict[str, httpx.Client]) -> None:
    admin = clients["admin"]
    assert admin.post("/api/v2/connections", json=CONNECTION).status_code == 201
    assert admin.delete("/api/v2/connections/of_a_role").status_code == 204


def test_nobody_gets_in_without_a_password(clients: dict[str, httpx.Client]) -> None:
    url = str(clients["admin"].base_url)
    for path in ("/fems/", "/fems/api/factories", "/api/v2/dags"):
        assert httpx.get(f"{url}{path}", trust_env=False, timeout=60).status_code == 401, path
    for user in USERS:
        tried = {"username": user, "password": user}
        assert httpx.post(f"{url}/auth/token", json=tried, trust_env=False, timeout=60).status_code == 401
