"""docker-compose.yaml and Dockerfile, checked as far as that goes without an engine (`make containers` has one)."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from embedded import container_secrets
from fems import __version__
from fems.settings import ROOT

COMPOSE = ROOT / "docker-compose.yaml"
DOCKERFILE = ROOT / "Dockerfile"
TEXT = COMPOSE.read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
ONE_SHOT = {"postgres-init", "minio-init", "airflow-init"}


def interpolated(text: str) -> str:
    """Return the file as an engine reads it, with the variables' defaults and a word for each secret."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "secret", re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    # The parser takes a tag or a digest; an engine takes both, and the digest counts.
    return re.sub(r"@sha256:[0-9a-f]{64}", "", text)


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_compose_file_keeps_the_specification() -> None:
    parsed = compose_spec.PyOptions(apply_merge=True).from_yaml(interpolated(TEXT))
    parsed.validate()
    assert set(parsed.service_names()) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_published_ports_are_bound_to_loopback(name: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_every_image_is_pinned() -> None:
    base = re.findall(r"^ARG BASE=(\S+)\nFROM \$\{BASE\}$", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(base) == 1
    for image in [*base, *(service["image"] for service in SERVICES.values())]:
        _, _, tag = image.partition("@")[0].rpartition(":")
        assert re.search(r"\d+\.\d+|RELEASE\.\d", tag), image
        ours = image.startswith("fems-forecast:")
        assert tag == __version__ if ours else "@sha256:" in image, image


def test_no_secret_stands_in_a_file_or_in_an_environment() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY|ROOT_USER|CONN|DATABASE_URI|STORE_URI", key):
                given = str(value).removeprefix("cat ")
                assert given.startswith("/run/secrets/") or key.endswith(("ACCESS_KEY_ID", "CONN_ID")), key
                if given.startswith("/run/secrets/"):
                    assert given.removeprefix("/run/secrets/") in service["secrets"], key


def test_each_service_gets_the_secrets_that_it_needs_and_no_others() -> None:
    """MinIO's root is MinIO's and its init's alone; no service but PostgreSQL's has its superuser."""
    holders = {
        name: {s for s in SERVICES if name in SERVICES[s].get("secrets", [])} for name in DOCUMENT["secrets"]
    }
    assert holders["minio_root_password"] == holders["minio_root_user"] == {"minio", "minio-init"}
    assert holders["store_keys_all"] == {"minio-init"}
    assert holders["postgres_password"] == {"postgres", "postgres-init"}
    assert holders["store_keys_tasks"] == {"scheduler", "worker"}
    assert holders["valkey_password"] == {"valkey"} and holders["valkey_url"] == {"scheduler", "worker"}
    assert holders["airflow_connections"] == {"airflow-init"}
    assert holders["store_keys_pages"] == {"api-server"}
    assert holders["store_key_mlflow"] == holders["mlflow_admin_password"] == {"mlflow"}
    assert holders["mlflow_platform_password"] == {"mlflow", "scheduler", "worker"}
    assert all(holders.values())


@pytest.mark.parametrize("name", SERVICES)
def test_containers_write_nowhere_else_and_have_no_rights_to_spare(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert name in ONE_SHOT or service["mem_limit"]
    assert any(str(place).startswith("/tmp") for place in service["tmpfs"])
    assert not [volume for volume in service.get("volumes", []) if "docker.sock" in str(volume)]


def test_make_env_writes_a_file_for_every_secret_and_changes_none_later(tmp_path: Path) -> None:
    folder = tmp_path / ".secrets"
    assert container_secrets.write(folder)
    written = container_secrets.read(folder)
    assert set(written) == set(DOCUMENT["secrets"]) and all(written.values())
    for name, item in DOCUMENT["secrets"].items():
        assert item == {"file": f"${{FEMS_SECRETS:-.secrets}}/{name}"}
    # The folder shuts others out; a container's user reads the file that is mounted from it.
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    assert not container_secrets.write(folder)
    assert container_secrets.read(folder) == written
    assert ".secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_secrets_are_files_because_a_read_only_container_takes_no_others() -> None:
    assert all(service["read_only"] for service in SERVICES.values())
    assert not [item for item in DOCUMENT["secrets"].values() if "environment" in item]


def test_make_env_keeps_what_an_earlier_version_wrote_into_env(tmp_path: Path) -> None:
    earlier = tmp_path / ".env"
    earlier.write_text("MINIO_ROOT_PASSWORD='old-word'\nFEMS_AIRFLOW_PORT=8180\n")
    assert container_secrets.write(tmp_path / ".secrets")
    made = container_secrets.read(tmp_path / ".secrets")
    assert made["minio_root_password"] == "old-word" and "fems_airflow_port" not in made
    assert made["airflow_database_password"] in made["airflow_database_url"]
    assert made["valkey_password"] in made["valkey_url"]
    assert json.loads(made["store_keys_tasks"])["ingest"] == json.loads(made["store_keys_all"])["ingest"]


@pytest.mark.parametrize("name", SERVICES)
def test_services_restart_and_show_their_health(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


def test_one_version_of_each_image() -> None:
    named = {}
    for service in SERVICES.values():
        repository = service["image"].partition("@")[0].rpartition(":")[0]
        assert named.setdefault(repository, service["image"]) == service["image"]


def test_the_image_holds_what_the_dags_need_and_does_not_run_as_root() -> None:
    text = DOCKERFILE.read_text()
    for folder in ("include", "expectations", "dags", "plugins", "kubernetes"):
        assert re.search(rf"^COPY {folder} ", text, re.MULTILINE), folder
        assert f"!{folder}" in (ROOT / ".dockerignore").read_text().splitlines()
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] not in ("root", "0")
