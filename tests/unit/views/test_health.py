"""`fems health` and its page: what is late, what does not answer, and nothing where all is well."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fems.errors import ConfigError
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.registry.plant import load_plant
from fems.settings import settings
from fems.simulate import simulate
from fems.views.health import DagHealth, health
from fems.views.pages import health_page

FACTORY, MORNING = "2160", datetime(2025, 2, 1, 1, tzinfo=UTC)  # ten o'clock in Seoul, the day after the last


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, object]]:
    """A server that answers as MLflow's and Airflow's health addresses do; what it says can be changed."""
    said: dict[str, object] = {
        "/health": "OK",
        "/api/v2/monitor/health": {
            "metadatabase": {"status": "healthy"},
            "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2025-02-01T00:59:58+00:00"},
            "triggerer": {"status": None},
        },
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(said[self.path]).encode())

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}"
    yield said
    server.shutdown()


@pytest.fixture(scope="module")
def platform(answers: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("plant")
    url = str(answers["url"])
    configured = settings().model_copy(
        update={"mlflow_uri": url, "airflow_url": url, "s3_disk": tmp_path_factory.getbasetemp()}
    )
    plant = load_plant(configured.factories_file)
    made = Platform(Lake.in_folder(folder / "lake"), plant, configured)
    simulate(plant, folder, start=date(2025, 1, 1), months=1, seed=3, factories=[FACTORY], workers=1)
    land_tree(made.lake, folder)
    ingest_factory(made, FACTORY)
    return made


def test_a_plant_at_work_needs_nobody(platform: Platform) -> None:
    seen = health(platform, MORNING, [DagHealth("ingest", "success", MORNING)], [FACTORY])
    assert seen.ok
    assert [each.name for each in seen.services] == [
        "object store", "MLflow", "Airflow API server", "Airflow metadatabase", "Airflow scheduler",
    ]  # fmt: skip
    (factory,) = seen.factories
    assert (factory.last_day, factory.lag_days, factory.forecast_month) == (date(2025, 1, 31), 1, None)
    assert factory.ingested_at is not None and seen.disk is not None and seen.disk.free_mb > 0


def test_late_data_a_red_dag_and_a_dead_service_each_need_a_look(
    platform: Platform, answers: dict[str, object]
) -> None:
    later = MORNING.replace(day=3)
    assert not health(platform, later, factory_ids=[FACTORY]).ok
    assert health(platform, later, factory_ids=[FACTORY]).factories[0].lag_days == 3
    assert not health(platform, MORNING, [DagHealth("ingest", "failed", MORNING)], [FACTORY]).ok
    healthy = answers["/api/v2/monitor/health"]
    answers["/api/v2/monitor/health"] = {"scheduler": {"status": "unhealthy"}}
    try:
        seen = health(platform, MORNING, factory_ids=[FACTORY])
    finally:
        answers["/api/v2/monitor/health"] = healthy
    assert [each.name for each in seen.services if not each.ok] == ["Airflow scheduler"]
    gone = replace(
        platform, settings=platform.settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"})
    )
    (dead,) = [each for each in health(gone, MORNING, factory_ids=[FACTORY]).services if not each.ok]
    assert dead.name == "MLflow" and "does not answer" in dead.detail


def test_a_factory_without_data_or_with_a_record_of_another_version_is_named(platform: Platform) -> None:
    (empty,) = health(platform, MORNING, factory_ids=["1120"]).factories
    assert not empty.ok and empty.last_day is None
    key = keys.manifest_key("meter", FACTORY, "2025-01")
    kept = platform.lake.get(key)
    assert kept is not None
    platform.lake.store.put(key, kept.replace(b'"format":', b'"format": 99, "was":'))
    try:
        (broken,) = health(platform, MORNING, factory_ids=[FACTORY]).factories
    finally:
        platform.lake.store.put(key, kept)
    assert not broken.ok and "fems ingest" in broken.problem
    with pytest.raises(ConfigError):
        health(platform, MORNING, factory_ids=["none"])


@pytest.mark.parametrize(("language", "words"), [("ko", "모두 정상입니다"), ("en", "Everything is at work")])
def test_the_page_says_it_in_both_languages(platform: Platform, language: str, words: str) -> None:
    seen = health(platform, MORNING, [DagHealth("ingest", "success", MORNING)], [FACTORY])
    page = health_page(seen, language, "/fems", "")  # type: ignore[arg-type]
    assert words in page and "2025-01-31" in page and "/dags/ingest" in page
    assert "<script" not in page and "http://" not in page.replace(platform.settings.mlflow_uri, "")
    late = health_page(health(platform, MORNING.replace(day=9), factory_ids=[FACTORY]), language, "/fems", "")  # type: ignore[arg-type]
    assert words not in late


def test_what_is_asked_for_needs_no_heavy_import() -> None:
    import subprocess
    import sys

    heavy = "{'tensorflow', 'mlflow', 'great_expectations'}"
    code = f"import fems.views.health, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
