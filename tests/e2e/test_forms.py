"""Each Dag's form, opened and submitted in a real browser as an operator; and what is refused before anything runs."""

import time
from collections.abc import Iterator

import httpx
import pytest
from browser import CHROMIUM, Browser
from dagruns import ended, start

from embedded.airflow_api import AirflowApi
from embedded.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DAGS = ("ingest", "train", "forecast", "monitor", "retrain", "traps", "backfill")


@pytest.fixture(scope="module")
def operator(airflow_stack: Stack) -> AirflowApi:
    secret = airflow_stack.credentials
    return AirflowApi(airflow_stack.config.airflow_url, "operator", secret.airflow_operator_password)


@pytest.fixture(scope="module")
def browser(airflow_stack: Stack, operator: AirflowApi) -> Iterator[Browser]:
    made_browser = Browser()
    made_browser.remember(airflow_stack.config.airflow_url, "_token", operator.token())
    yield made_browser
    made_browser.close()


def wait_for(browser: Browser, script: str, what: str, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not browser.run(script):
        assert time.monotonic() < deadline, f"{what}: {browser.run('document.body.innerText')[:500]}"
        time.sleep(0.2)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to submit the forms with")
@pytest.mark.parametrize("dag_id", DAGS)
def test_a_dags_form_is_submitted(
    airflow_stack: Stack, operator: AirflowApi, browser: Browser, dag_id: str
) -> None:
    deadline = time.monotonic() + 120
    while operator.dag(dag_id) is None:
        assert time.monotonic() < deadline
        time.sleep(1)
    before = {run["dag_run_id"] for run in operator.runs(dag_id)}
    browser.open(f"{airflow_stack.config.airflow_url}/dags/{dag_id}", 1440)
    button = "document.querySelector('[data-testid=trigger-dag-{}]')"
    wait_for(browser, f"!!{button.format('button')}", "no button to trigger with")
    browser.run(f"{button.format('button')}.click()")
    submit = button.format("submit")
    wait_for(browser, f"!!{submit} && !{submit}.disabled", "the form opens with Trigger disabled")
    browser.run(f"{submit}.click()")
    deadline, new = time.monotonic() + 30, set()
    while not new:
        assert time.monotonic() < deadline, browser.run("document.body.innerText")[:500]
        new = {run["dag_run_id"] for run in operator.runs(dag_id)} - before
        time.sleep(0.5)
    (run_id,) = new
    # What it would do is not this test's: it is ended as an operator ends a run.
    operator.call("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})
    operator.call("PATCH", f"dags/{dag_id}", json={"is_paused": True})


@pytest.mark.parametrize(
    ("dag_id", "conf", "named"),
    [
        ("ingest", {"factories": ["nobody"]}, "nobody"),
        ("train", {"factories": ["nobody"]}, "nobody"),
        ("train", {"epochs": 0}, "0"),
        ("forecast", {"month": "2026-13"}, "2026-13"),
        ("forecast", {"horizon_minutes": 61}, "61"),
    ],
)
def test_a_wrong_value_is_refused_as_the_run_is_started(
    airflow_stack: Stack, operator: AirflowApi, dag_id: str, conf: dict[str, object], named: str
) -> None:
    answer = httpx.post(
        f"{airflow_stack.config.airflow_url}/api/v2/dags/{dag_id}/dagRuns",
        json={"logical_date": None, "conf": conf},
        headers={"authorization": f"Bearer {operator.token()}"}, trust_env=False, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 400 and named in answer.text


def test_a_month_that_cannot_be_forecast_fails_in_the_first_task(airflow_stack: Stack) -> None:
    run_id = start(airflow_stack, "forecast", {"factories": ["2120"], "month": "1999-01"})
    assert ended(airflow_stack, "forecast", run_id)["state"] == "failed"
    tasks = airflow_stack.airflow().task_instances("forecast", run_id)
    states = {task["task_id"]: task["state"] for task in tasks}
    assert states == {"targets": "failed", "forecast_factory": "upstream_failed"}
    log = airflow_stack.airflow().call(
        "GET", f"dags/forecast/dagRuns/{run_id}/taskInstances/targets/logs/1", params={"full_content": True}
    )
    assert "factory 2120 has no published meter data; run ingest first" in str(log)


def test_a_training_that_nobody_asked_for_fails_in_the_first_task(airflow_stack: Stack) -> None:
    run_id = start(airflow_stack, "retrain", {})
    assert ended(airflow_stack, "retrain", run_id)["state"] == "failed"
    tasks = airflow_stack.airflow().task_instances("retrain", run_id)
    states = {task["task_id"]: task["state"] for task in tasks}
    assert states["take"] == "failed" and "skipped" not in states.values(), states
    log = airflow_stack.airflow().call(
        "GET", f"dags/retrain/dagRuns/{run_id}/taskInstances/take/logs/1", params={"full_content": True}
    )
    assert "start the Dag `train`" in str(log)


def test_nothing_new_is_a_green_task_that_says_so(airflow_stack: Stack) -> None:
    run_id = start(airflow_stack, "ingest", {"factories": ["2120"]})
    assert ended(airflow_stack, "ingest", run_id)["state"] == "success"
    (task,) = airflow_stack.airflow().task_instances("ingest", run_id, task_id="ingest_factories")
    assert (task["state"], task["rendered_map_index"]) == ("success", "nothing to do")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to look at the pages with")
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("factory/nobody", "nobody"),
        ("report/2120/2026-13", "month"),
        ("report/2120/2026-03?model=v99", "v99"),
        ("report/2120?colour=red", "colour"),
        ("no/such/page", ""),
    ],
)
def test_a_wrong_address_is_a_page_with_one_clear_line(
    airflow_stack: Stack, browser: Browser, path: str, words: str
) -> None:
    browser.open(f"{airflow_stack.config.airflow_url}/fems/{path}", 390)
    assert browser.run("document.querySelectorAll('h1').length") == 1
    line = browser.run("document.querySelector('main p').innerText")
    assert words in line and "\n" not in line
    assert browser.run("document.querySelectorAll('main li a').length") > 0, "it leads on to the factories"
