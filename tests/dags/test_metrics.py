"""The platform's figures leave a task by Airflow's own way out: a collector gets them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from fems.contracts.manifest import RowCounts
from fems.contracts.outcomes import IngestOutcome
from fems.settings import ROOT

TASK = """
import os, sys
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
stats.initialize(factory=get_stats_factory(), export_legacy_names=False)  # as a task's process does
from fems_airflow.metrics import measured
import json
print(json.dumps(measured("ingest", json.loads(sys.argv[1]))))
sys.stdout.flush()
os._exit(0)  # as a task's process ends
"""


@pytest.fixture
def collector() -> Iterator[tuple[int, dict[str, tuple[float, dict[str, str]]]]]:
    """An OTLP receiver on loopback: its port, and what came in by name."""
    got: dict[str, tuple[float, dict[str, str]]] = {}

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportMetricsServiceRequest.FromString(body)
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.gauge.data_points:
                            tags = {a.key: a.value.string_value for a in point.attributes}
                            got[metric.name] = (point.as_double or float(point.as_int), tags)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, got
    server.shutdown()


def test_a_collector_gets_rows_and_seconds_of_an_ingest(
    collector: tuple[int, dict[str, tuple[float, dict[str, str]]]], tmp_path: object
) -> None:
    port, got = collector
    rows = RowCounts(read=10, published=7, quarantined=2, duplicate=1)
    outcome = IngestOutcome(
        factory_id="2160", partitions=1, rows=rows, months=("meter 2025-01",), seconds=1.5
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT / 'plugins'}",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "AIRFLOW__METRICS__OTEL_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__OTEL_PORT": str(port),
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", TASK, outcome.model_dump_json()],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert outcome.model_validate_json(done.stdout.splitlines()[-1]) == outcome
    assert {name: value for name, (value, _) in got.items() if ".fems." in name} == {
        "airflow.fems.ingest.seconds": 1.5,
        "airflow.fems.ingest.partitions": 1,
        "airflow.fems.ingest.rows_read": 10,
        "airflow.fems.ingest.rows_published": 7,
        "airflow.fems.ingest.rows_quarantined": 2,
        "airflow.fems.ingest.rows_duplicate": 1,
    }
    assert got["airflow.fems.ingest.rows_read"][1]["factory"] == "2160"


def test_what_is_not_known_is_not_sent() -> None:
    sys.path.insert(0, str(ROOT / "plugins"))
    from fems_airflow.metrics import figures

    assert dict(figures("monitor", {"seconds": 2.0, "standing": None})) == {"seconds": 2.0}
    trained = {"seconds": 3.0, "metrics": {"month_ahead.accuracy": 91.0}}
    assert dict(figures("train", trained)) == {"seconds": 3.0, "accuracy_month_ahead": 91.0}
