"""The object store's accounts: each role opens what it must, and nothing else."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio, MinioAdmin
from minio.commonconfig import CopySource
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error

from embedded.accounts import LAKE, MODELS, ROLES, access_key
from embedded.config import Config
from embedded.services import Service, by_name
from embedded.stack import Stack

pytestmark = [pytest.mark.services, pytest.mark.security]

Client = Callable[[str], Minio]
RAW, TABLE, FORECAST = (
    "raw/meter/factory=X/date=2026-01-01/a.csv",
    "processed/a.parquet",
    "forecasts/latest.json",
)


def refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except S3Error as error:
        assert error.code == "AccessDenied", error
        return True
    return False


def put(client: Minio, bucket: str, key: str) -> None:
    client.put_object(bucket, key, io.BytesIO(b"changed"), 7)


@pytest.fixture(autouse=True)
def filled(store: Client) -> Iterator[None]:
    root = store("root")
    for key in (RAW, TABLE, FORECAST, "quality/a.json", "quarantine/a", "monitor/a"):
        root.put_object(LAKE, key, io.BytesIO(b"kept"), 4)
    root.put_object(MODELS, "1/weights", io.BytesIO(b"kept"), 4)
    yield
    for bucket in (LAKE, MODELS):
        for item in root.list_objects(bucket, recursive=True):
            root.remove_object(bucket, item.object_name)


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"landing", "operator"}))
def test_raw_is_written_by_landing_alone(store: Client, role: str) -> None:
    client = store(role)
    assert refused(lambda: put(client, LAKE, RAW))
    assert refused(lambda: put(client, LAKE, "raw/new"))
    assert refused(lambda: client.copy_object(LAKE, RAW, CopySource(LAKE, TABLE)))
    assert store("root").get_object(LAKE, RAW).read() == b"kept"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_nobody_deletes_raw(store: Client, role: str) -> None:
    client = store(role)
    assert refused(lambda: client.remove_object(LAKE, RAW))
    assert store("root").get_object(LAKE, RAW).read() == b"kept"


@pytest.mark.parametrize(
    ("role", "may_write"),
    [
        ("landing", {"raw"}),
        ("ingest", {"processed", "quarantine", "quality"}),
        ("training", {"models", "quality"}),
        ("forecast", {"forecasts", "quality"}),
        ("monitor", {"forecasts", "monitor"}),
        ("pages", set()),
        ("mlflow", set()),
        ("logs", set()),
    ],
)
def test_each_role_writes_what_it_makes(store: Client, role: str, may_write: set[str]) -> None:
    rooms = {"raw", "models", "processed", "quarantine", "quality", "forecasts", "monitor"}
    written = {
        room for room in rooms if not refused(lambda room=room: put(store(role), LAKE, f"{room}/by-{role}"))
    }
    assert written == may_write


def test_pages_only_read_and_no_raw_files(store: Client) -> None:
    client = store("pages")
    assert client.get_object(LAKE, TABLE).read() == b"kept"
    assert refused(lambda: client.get_object(LAKE, RAW))
    assert refused(lambda: client.remove_object(LAKE, TABLE))


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"mlflow"}))
def test_only_mlflow_opens_the_models(store: Client, role: str) -> None:
    assert refused(lambda: store(role).get_object(MODELS, "1/weights"))
    assert refused(lambda: put(store(role), MODELS, "1/weights"))


def test_mlflow_opens_nothing_else(store: Client) -> None:
    client = store("mlflow")
    put(client, MODELS, "1/new")
    for key in (RAW, TABLE, FORECAST):
        assert refused(lambda key=key: client.get_object(LAKE, key))
        assert refused(lambda key=key: client.copy_object(MODELS, "1/stolen", CopySource(LAKE, key)))
    assert refused(lambda: list(client.list_objects(LAKE, recursive=True)))


@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_role_makes_accounts_or_buckets(services: Stack, store: Client, role: str) -> None:
    provider = StaticProvider(access_key(role), services.credentials.store_passwords[role])
    admin = MinioAdmin(endpoint=f"127.0.0.1:{services.config.minio_port}", credentials=provider, secure=False)
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        admin.policy_set("consoleAdmin", user=access_key(role))
    assert refused(lambda: store(role).make_bucket(f"by-{role}"))


WITH_WORKERS = by_name(Config.of(Path("/nowhere"), workers=1))


@pytest.mark.parametrize("service", WITH_WORKERS.values(), ids=WITH_WORKERS)
def test_no_service_gets_a_key_that_it_does_not_need(services: Stack, service: Service) -> None:
    secret = services.credentials
    text = "\n".join(service.env(replace(services.config, workers=1), secret).values())
    assert (secret.minio_password in text) == (service.name == "minio")
    assert secret.postgres_password not in text
    needs = {"mlflow": {"mlflow"}}.get(service.name, set())
    assert {role for role, word in secret.store_passwords.items() if word in text} == needs
    platform = secret.mlflow_platform_password in text
    assert platform == (service.name in ("mlflow", "worker-1"))
    assert (secret.valkey_password in text) == (service.name in ("scheduler", "worker-1"))
    assert (secret.mlflow_admin_password in text) == (service.name == "mlflow")
