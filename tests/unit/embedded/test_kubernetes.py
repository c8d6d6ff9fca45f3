"""kubernetes/: the pods that Airflow's own code makes of it, and its values beside the chart's schema."""

import datetime
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.services import QUEUES
from fems import __version__
from fems.settings import ROOT

FOLDER = ROOT / "kubernetes"
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())


def pod_of(queue: str) -> Any:
    """The pod that KubernetesExecutor would start for a task of a queue."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    base = PodGenerator.deserialize_model_file(str(FOLDER / "pods" / f"{queue}.yaml"))
    return PodGenerator.construct_pod(
        dag_id="ingest", task_id="ingest_factory", pod_id="pod", try_number=1, kube_image="registry/fems:1",
        date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), args=["airflow"], pod_override_object=None,
        base_worker_pod=base, namespace="fems", scheduler_job_id="1", run_id="r", map_index=0,
    )  # fmt: skip


@pytest.mark.parametrize("queue", QUEUES)
def test_each_queue_has_a_pod_with_requests_and_limits_and_no_rights_to_spare(queue: str) -> None:
    spec = pod_of(queue).spec
    (container,) = spec.containers
    assert (container.name, container.image, container.args) == ("base", "registry/fems:1", ["airflow"])
    assert {"cpu", "memory"} <= set(container.resources.requests) and "memory" in container.resources.limits
    guard = container.security_context
    assert guard.read_only_root_filesystem and not guard.allow_privilege_escalation
    assert guard.capabilities.drop == ["ALL"] and spec.security_context.run_as_non_root
    assert not spec.automount_service_account_token


@pytest.mark.parametrize("queue", QUEUES)
def test_a_pod_begins_with_an_empty_disk_and_holds_no_key_but_its_own(queue: str) -> None:
    spec = pod_of(queue).spec
    assert not [v for v in spec.volumes if v.persistent_volume_claim or v.host_path]
    (keys,) = [v for v in spec.volumes if v.secret]
    assert {item.key for item in keys.secret.items} == {"store_keys_tasks", "mlflow_platform_password"}
    given = {env.name: env.value for env in spec.containers[0].env}
    assert not [name for name in given if re.search("SQL_ALCHEMY|FERNET|JWT|SECRET_KEY", name)]
    paths = [value for name, value in given.items() if re.search("PASSWORD|KEYS", name)]
    assert len(paths) == 2 and all(path.startswith("/run/secrets/fems/") for path in paths)


def test_the_dags_name_the_pod_of_their_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.syspath_prepend(str(ROOT / "plugins"))
    sys.modules.pop("fems_airflow.queues", None)
    from fems_airflow.queues import on_queue

    assert on_queue("train") == {"queue": "train"}
    named = {entry["name"]: entry["value"] for entry in VALUES["env"]}
    monkeypatch.setenv("FEMS_POD_TEMPLATES", named["FEMS_POD_TEMPLATES"])
    template = Path(on_queue("train")["executor_config"]["pod_template_file"])
    assert template == Path("/opt/fems/kubernetes/pods/train.yaml")
    assert re.search(r"^COPY kubernetes ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert (ROOT / "kubernetes" / "pods" / template.name).is_file()


def test_the_values_name_this_version_and_no_secret() -> None:
    assert VALUES["executor"] == "KubernetesExecutor"
    assert VALUES["images"]["airflow"] == VALUES["images"]["pod_template"]
    assert VALUES["images"]["airflow"]["tag"] == __version__
    pinned = (ROOT / "requirements.in").read_text()
    assert f"apache-airflow=={VALUES['airflowVersion']}" in pinned
    assert not VALUES["postgresql"]["enabled"] and not VALUES["logs"]["persistence"]["enabled"]
    assert not re.search(r"(password|secret_key|connection): *\S", (FOLDER / "values.yaml").read_text())


@pytest.mark.skipif(
    "FEMS_CHART_SCHEMA" not in os.environ,
    reason="FEMS_CHART_SCHEMA names no values.schema.json of the Airflow chart (650 kB, not kept here)",
)
def test_the_values_keep_the_charts_schema() -> None:
    import jsonschema

    schema = json.loads(Path(os.environ["FEMS_CHART_SCHEMA"]).read_text())
    jsonschema.validate(VALUES, schema)
