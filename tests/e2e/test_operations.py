"""What operating it needs of Airflow: the page Operations, the Dags' last good runs, and old runs that go."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from dagruns import ended, start

from embedded.dagruns import last_runs
from embedded.retention import prune
from embedded.stack import Stack
from fems.flows.platform import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FACTORY = "2120"  # no test lands files of it: its ingest has nothing to do


@pytest.fixture(scope="module")
def runs(airflow_stack: Stack, airflow_platform: Platform) -> list[str]:
    made = []
    for _ in range(2):
        run_id = start(airflow_stack, "ingest", {"factories": [FACTORY]})
        assert ended(airflow_stack, "ingest", run_id)["state"] == "success"
        made.append(run_id)
    return made


def test_the_last_good_run_is_known_of_each_dag(airflow_stack: Stack, runs: list[str]) -> None:
    api = airflow_stack.airflow()
    seen = {dag.dag_id: dag for dag in last_runs(api)}
    assert {"ingest", "train", "forecast", "monitor", "traps", "retrain"} <= set(seen)
    newest = api.run("ingest", runs[-1])["end_date"]
    assert seen["ingest"].last_state == "success" and seen["ingest"].ok
    assert seen["ingest"].last_good is not None
    assert seen["ingest"].last_good >= datetime.fromisoformat(newest)


def test_the_page_shows_services_dags_and_data_to_who_is_logged_in(
    airflow_stack: Stack, runs: list[str]
) -> None:
    address = f"{airflow_stack.config.airflow_url}/fems/health"
    with httpx.Client(trust_env=False, timeout=120) as anyone:
        assert anyone.get(address).status_code == 401
        known = {"authorization": f"Bearer {airflow_stack.airflow().token()}"}
        page = anyone.get(address, headers=known, params={"lang": "en"})
    assert page.status_code == 200, page.text
    for words in (
        "object store",
        "MLflow",
        "Airflow scheduler",
        "/dags/ingest",
        "success",
        "GB free",
        FACTORY,
    ):
        assert words in page.text, words
    assert "운영 상태" in httpx.get(
        address, headers=known, params={"lang": "ko"}, trust_env=False, timeout=120
    ).text  # fmt: skip


def test_old_runs_and_their_logs_go_and_the_dags_stay(airflow_stack: Stack, runs: list[str]) -> None:
    api, said = airflow_stack.airflow(), list[str]()
    logs = airflow_stack.config.task_logs
    assert list(logs.rglob(f"run_id={runs[0]}/**/*.log"))
    later = datetime.now(UTC) + timedelta(days=2)
    prune(airflow_stack, said.append, log_days=1, run_days=1, dry_run=True, now=later)
    assert api.run("ingest", runs[0]) and list(logs.rglob(f"run_id={runs[0]}/**/*.log"))

    prune(airflow_stack, said.append, log_days=1, run_days=1, now=later)
    left = [run["dag_run_id"] for run in api.runs("ingest")]
    assert not set(runs) & set(left), "both were started by hand"
    assert api.dag("ingest"), said
    assert not list(logs.rglob(f"run_id={runs[0]}/**/*.log"))
    assert len(said) == 4 and "would go" in said[0] and "gone" in said[2]
