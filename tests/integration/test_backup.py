"""A stack is backed up while it runs, and brought back elsewhere: tables, models and secrets are the same."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from minio import Minio

from embedded import postgres
from embedded.accounts import LAKE, LOGS, access_key
from embedded.backup import back_up, restore
from embedded.config import Config
from embedded.ports import free_ports
from embedded.stack import Stack
from fems.errors import ConfigError
from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.simulate import simulate

pytestmark = pytest.mark.services

FACTORY = "2160"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backup") / "copy"


@pytest.fixture
def platform(fems_environment: Stack, tmp_path: Path) -> Platform:
    platform = Platform.from_environment()
    if not platform.lake.manifests("meter", FACTORY):
        simulate(
            platform.plant, tmp_path, start=date(2025, 1, 1), months=1, seed=3, factories=[FACTORY], workers=1
        )
        land_tree(platform.lake, tmp_path)
        ingest_factory(platform, FACTORY)
    return platform


@pytest.fixture
def elsewhere(state_folder: Path) -> Iterator[Stack]:
    airflow, mlflow, minio = free_ports(3)
    made = Stack(Config.of(state_folder / "s", airflow_port=airflow, mlflow_port=mlflow, minio_port=minio))
    yield made
    made.down()


def test_what_was_backed_up_comes_back(
    services: Stack, platform: Platform, elsewhere: Stack, copy: Path
) -> None:
    import mlflow

    mlflow.set_tracking_uri(services.config.mlflow_url)
    experiment = mlflow.set_experiment("backup")
    with mlflow.start_run() as run:
        mlflow.log_metric("answer", 42)
        mlflow.log_text("kept", "note.txt")
    kept = {key: platform.lake.get(key) for key in platform.lake.part_keys("meter", FACTORY)}
    assert kept
    said: list[str] = []
    first = back_up(services, copy, said.append)
    assert first.copied == first.objects > len(kept)
    assert [line.split(":")[0] for line in said] == [f"database {name}" for name in postgres.DATABASES]
    assert copy.stat().st_mode & 0o777 == 0o700
    assert (copy / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert back_up(services, copy, said.append).copied == 0, "a second one copies what is new alone"

    done = restore(elsewhere, copy, said.append)
    assert (done.objects, done.changed) == (first.objects, 0)
    assert not elsewhere.running()
    assert elsewhere.credentials == services.credentials

    elsewhere.up(("storage", "tracking"))
    lake = Lake.connect(platform.settings.model_copy(update={"s3_endpoint": elsewhere.config.minio_url}))
    assert {key: lake.get(key) for key in kept} == kept
    assert stale_factories(replace(platform, lake=lake), [FACTORY]) == []
    mlflow.set_tracking_uri(elsewhere.config.mlflow_url)
    again = mlflow.MlflowClient().get_run(run.info.run_id)
    assert again.data.metrics == {"answer": 42} and again.info.experiment_id == experiment.experiment_id
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt") == "kept"
    # Each account still opens its own alone.
    secret = elsewhere.credentials
    pages = Minio(
        f"127.0.0.1:{elsewhere.config.minio_port}",
        access_key("pages"),
        secret.store_passwords["pages"],
        secure=False,
    )
    assert pages.get_object(LAKE, next(iter(kept))).read()


def test_what_went_since_goes_from_the_backup_too(services: Stack, platform: Platform, copy: Path) -> None:
    root = Minio(
        f"127.0.0.1:{services.config.minio_port}",
        services.credentials.minio_user,
        services.credentials.minio_password,
        secure=False,
    )
    root.put_object(LOGS, "tasks/a.log", io.BytesIO(b"said"), 4)
    assert back_up(services, copy, lambda text: None).copied == 1
    assert (copy / "objects" / LOGS / "tasks/a.log").read_bytes() == b"said"
    root.remove_object(LOGS, "tasks/a.log")
    back_up(services, copy, lambda text: None)
    assert not (copy / "objects" / LOGS / "tasks/a.log").exists()


def test_a_backup_does_not_go_over_something_else(services: Stack, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not yours")
    with pytest.raises(ConfigError, match="holds something that is no backup"):
        back_up(services, tmp_path, lambda text: None)
    assert (tmp_path / "mine.txt").read_text() == "not yours"


def test_a_restore_refuses_half_a_backup_and_a_stack_that_is_there(
    services: Stack, elsewhere: Stack, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no whole backup"):
        restore(elsewhere, tmp_path, lambda text: None)
    (tmp_path / "backup.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(ConfigError, match="holds a stack already"):
        restore(services, tmp_path, lambda text: None)
    (tmp_path / "backup.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ConfigError, match="format 99"):
        restore(elsewhere, tmp_path, lambda text: None)
