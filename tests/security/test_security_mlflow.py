"""MLflow's door: nobody comes in without a login, and nobody leads the server to files or buckets but its own."""

import io
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from callers import Mlflow
from minio import Minio

from embedded import postgres
from embedded.stack import Stack
from fems.settings import ROOT

pytestmark = [pytest.mark.services, pytest.mark.security]

API, AJAX, ARTIFACTS = "api/2.0/mlflow", "ajax-api/2.0/mlflow", "api/2.0/mlflow-artifacts/artifacts"


def name() -> str:
    return f"attack-{uuid.uuid4().hex[:8]}"


def made_experiment(mlflow: Mlflow) -> str:
    answer = mlflow(f"{API}/experiments/create", {"name": name()})
    assert answer.status == 200, answer.text
    return str(answer.json["experiment_id"])


def made_run(mlflow: Mlflow, experiment: str) -> str:
    answer = mlflow(f"{API}/runs/create", {"experiment_id": experiment})
    assert answer.status == 200, answer.text
    return str(answer.json["run"]["info"]["run_id"])


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        (f"{API}/experiments/search?max_results=9", "GET", None),
        (f"{API}/experiments/create", "POST", {"name": "x"}),
        (
            f"{API}/registered-models/alias",
            "POST",
            {"name": "fems-1100", "alias": "champion", "version": "1"},
        ),
        (f"{API}/registered-models/delete", "DELETE", {"name": "fems-1100"}),
        (f"{ARTIFACTS}/1/x", "PUT", b"x"),
        (f"{ARTIFACTS}?path=", "GET", None),
        ("graphql", "POST", {"query": "{ __typename }"}),
        ("get-artifact?run_uuid=x&path=x", "GET", None),
        (f"{AJAX}/upload-artifact?run_uuid=x&path=x", "POST", b"x"),
        ("v1/traces", "POST", b"{}"),
        ("", "GET", None),
    ],
)
@pytest.mark.parametrize("user", ["", "platform"])
def test_nobody_comes_in_without_the_right_password(
    mlflow: Mlflow, path: str, method: str, body: object, user: str
) -> None:
    # A user of its own for each try: after five wrong passwords a user has to wait.
    answer = mlflow(path, body, user=user and name(), method=method, password="wrong")
    assert answer.status in (401, 403), answer.text
    assert "experiment" not in answer.text


FOREIGN = [
    (ROOT / "dags").as_uri(),
    str(ROOT / "dags"),
    "dags",
    "FILE:///tmp/x",
    "s3://fems/processed",
    "S3://mlflow/other",
    "http://127.0.0.1:9/x",
    "ftp://127.0.0.1/x",
    "mlflow-artifacts://127.0.0.1:9/x",
    "mlflow-artifacts:/../../fems",
    "runs:/x/y",
]


@pytest.mark.parametrize("location", FOREIGN)
@pytest.mark.parametrize("user", ["platform", "admin"])
def test_an_experiment_elsewhere_is_refused(mlflow: Mlflow, location: str, user: str) -> None:
    for key in ("artifact_location", "artifactLocation"):
        wanted = name()
        answer = mlflow(f"{API}/experiments/create", {"name": wanted, key: location}, user=user)
        assert answer.status == 400, answer.text
        assert mlflow(f"{API}/experiments/get-by-name?experiment_name={wanted}").status == 404


@pytest.mark.parametrize("source", FOREIGN[:-1])
def test_a_model_from_elsewhere_is_refused(mlflow: Mlflow, source: str) -> None:
    model = name()
    assert mlflow(f"{API}/registered-models/create", {"name": model}).status == 200
    body = {"name": model, "source": source, "run_id": made_run(mlflow, made_experiment(mlflow))}
    answer = mlflow(f"{API}/model-versions/create", body)
    assert answer.status == 400, answer.text


@pytest.fixture
def planted(services: Stack, mlflow: Mlflow, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A run whose artifacts lie elsewhere, as a database may hold it that was made before the door was closed."""

    def plant(location: str) -> str:
        run = made_run(mlflow, made_experiment(mlflow))
        connection = postgres.connect(services.config, services.credentials, "mlflow")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("UPDATE runs SET artifact_uri = %s WHERE run_uuid = %s", (location, run))
        finally:
            connection.close()
        return run

    yield plant


def test_a_location_that_is_there_already_is_not_written(
    mlflow: Mlflow, planted: Callable[[str], str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    run = planted(tmp_path.as_uri())
    answer = mlflow(f"{AJAX}/upload-artifact?run_uuid={run}&path=dag.py", b"import os", user="admin")
    assert answer.status >= 400
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("location", ["file:///etc", "/etc", "s3://fems/raw"])
def test_a_location_that_is_there_already_is_not_read(
    mlflow: Mlflow, planted: Callable[[str], str], store: Callable[[str], Minio], location: str
) -> None:
    store("root").put_object("fems", "raw/hostname", io.BytesIO(b"secret"), 6)
    run = planted(location)
    answer = mlflow(f"get-artifact?run_uuid={run}&path=hostname", user="admin")
    assert answer.status >= 400 and "secret" not in answer.text
    assert mlflow(f"{API}/artifacts/list?run_id={run}", user="admin").status >= 400


@pytest.mark.parametrize("path", ["../fems/raw/x", "..%2f..%2fx", "%2e%2e/x", "/etc/x"])
def test_uploads_stay_in_the_servers_own_bucket(
    mlflow: Mlflow, store: Callable[[str], Minio], path: str
) -> None:
    before = {item.object_name for item in store("root").list_objects("fems", recursive=True)}
    mlflow(f"{ARTIFACTS}/{path}", b"x", method="PUT", user="admin")
    assert {item.object_name for item in store("root").list_objects("fems", recursive=True)} == before


def test_a_reader_reads_and_changes_nothing(mlflow: Mlflow) -> None:
    experiment = made_experiment(mlflow)
    run, model = made_run(mlflow, experiment), name()
    assert mlflow(f"{API}/registered-models/create", {"name": model}).status == 200
    assert mlflow(f"{API}/experiments/get?experiment_id={experiment}", user="reader").status == 200
    found = mlflow(f"{API}/runs/search", {"experiment_ids": [experiment]}, user="reader")
    assert found.status == 200 and [one["info"]["run_id"] for one in found.json["runs"]] == [run]
    for path, method, body in [
        ("experiments/create", "POST", {"name": name()}),
        ("experiments/delete", "POST", {"experiment_id": experiment}),
        ("runs/create", "POST", {"experiment_id": experiment}),
        ("runs/log-metric", "POST", {"run_id": run, "key": "accuracy", "value": 99, "timestamp": 1}),
        ("registered-models/create", "POST", {"name": name()}),
        ("registered-models/delete", "DELETE", {"name": model}),
        ("registered-models/alias", "POST", {"name": model, "alias": "champion", "version": "1"}),
        ("users/create", "POST", {"username": name(), "password": "long-enough-word"}),
        ("users/update-password", "PATCH", {"username": "admin", "password": "long-enough-word"}),
    ]:
        assert mlflow(f"{API}/{path}", body, user="reader", method=method).status == 403, path
    assert (
        mlflow(f"{ARTIFACTS}/{experiment}/{run}/artifacts/x", b"x", user="reader", method="PUT").status == 403
    )


def test_the_platform_is_no_administrator(mlflow: Mlflow) -> None:
    body = {"username": name(), "password": "long-enough-word"}
    assert mlflow(f"{API}/users/create", body).status == 403
    promoted = {"username": "platform", "is_admin": True}
    assert mlflow(f"{API}/users/update-admin", promoted, method="PATCH").status == 403
    granted = {"username": "reader", "resource_type": "experiment", "resource_pattern": "*"}
    grant = mlflow("api/3.0/mlflow/users/permissions/grant", granted | {"permission": "MANAGE"})
    assert grant.status == 403 and "administrator" in grant.text


@pytest.mark.parametrize(
    "part",
    [
        "gateway/mlflow/v1/x",
        "gateway/mlflow-artifacts/mlflow/invocations",
        "ajax-api/3.0/mlflow/gateway/secrets/create",
        "api/2.0/mlflow/gateway-proxy",
        "api/2.0/mlflow/webhooks",
        "api/2.0/mlflow/webhooks/mlflow-artifacts/test",
        "ajax-api/3.0/mlflow/scorer/invoke",
        "ajax-api/3.0/mlflow/genai/evaluate/invoke",
        "ajax-api/3.0/mlflow/issues/invoke",
        "ajax-api/3.0/mlflow/prompt-optimization/jobs",
        "ajax-api/3.0/mlflow/demo/generate",
        "ajax-api/3.0/mlflow/review-queues/create",
        "api/3.0/mlflow/datasets/create",
        "api/3.0/mlflow/traces",
        "v1/traces",
    ],
)
def test_what_is_not_used_is_switched_off(mlflow: Mlflow, part: str) -> None:
    assert mlflow(part, {}, user="admin").status == 403


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1:1", "https://example.org", "null"]
)
def test_a_page_of_another_origin_is_refused(mlflow: Mlflow, origin: str) -> None:
    search = f"{API}/experiments/search?max_results=1"
    assert mlflow(search, user="admin", headers={"Origin": origin}).status == 403
    assert mlflow(search, user="admin", headers={"Origin": mlflow.url}).status == 200


def test_another_host_name_is_refused(mlflow: Mlflow) -> None:
    answer = mlflow(f"{API}/experiments/search?max_results=1", headers={"Host": "rebound.example.org"})
    assert answer.status == 403


def test_wrong_passwords_are_slowed_and_do_not_lock_the_user_out(mlflow: Mlflow) -> None:
    search = f"{API}/experiments/search?max_results=1"
    assert mlflow(search, user="reader").status == 200
    tried = [mlflow(search, user="reader", password=f"guess {i}") for i in range(12)]
    assert [answer.status for answer in tried[:5]] == [401] * 5
    assert {answer.status for answer in tried[6:]} == {429}
    assert int(tried[-1].headers["retry-after"]) >= 1
    assert mlflow(search, user="reader").status == 200


def test_the_address_that_a_request_claims_does_not_count(mlflow: Mlflow) -> None:
    search = f"{API}/experiments/search?max_results=1"
    user = name()  # of its own: the failures of another test do not count
    tried = [
        mlflow(search, user=user, password=f"{i}", headers={"X-Forwarded-For": f"10.0.0.{i}"}).status
        for i in range(12)
    ]
    assert tried[:5] == [401] * 5 and set(tried[6:]) == {429}


def test_two_logins_in_one_request_are_refused(services: Stack, mlflow: Mlflow) -> None:
    experiment = made_experiment(mlflow)
    path = f"/{ARTIFACTS}/{experiment}/{made_run(mlflow, experiment)}/artifacts/x"
    connection = HTTPConnection("127.0.0.1", services.config.mlflow_port, timeout=60)
    connection.putrequest("PUT", path)
    for user, password in (("reader", mlflow.passwords["reader"]), ("platform", "wrong")):
        login = b64encode(f"{user}:{password}".encode()).decode()
        connection.putheader("Authorization", f"Basic {login}")
    connection.putheader("Content-Length", "1")
    connection.endheaders(b"x")
    answer = connection.getresponse()
    assert answer.status == 403 and b"one Authorization" in answer.read()


@pytest.mark.parametrize("path", ["../../x", "..%2f..%2fx", "/etc/passwd", "%2e%2e/x", "file:///etc/passwd"])
def test_no_path_leads_out_of_a_run(mlflow: Mlflow, path: str) -> None:
    run = made_run(mlflow, made_experiment(mlflow))
    for asked in (
        f"get-artifact?run_uuid={run}&path={path}",
        f"{API}/artifacts/list?run_id={run}&path={path}",
        f"{API}/logged-models/x/artifacts/files?artifact_file_path={path}",
        f"api/2.0/mlflow-artifacts/presigned/{path}",
        f"get-artifact?run_uuid=../{run}&path=x",
    ):
        answer = mlflow(asked)
        assert answer.status >= 400 and "root:" not in answer.text, asked
