"""Starting Dag runs on the test's Airflow, and waiting for them."""

import time

from embedded.stack import Stack


def ended(stack: Stack, dag_id: str, run_id: str, patience: float = 600) -> dict:
    api, deadline = stack.airflow(), time.monotonic() + patience
    while time.monotonic() < deadline:
        run = api.run(dag_id, run_id)
        if run["state"] in ("success", "failed"):
            return run
        time.sleep(1)
    raise AssertionError(
        f"{dag_id} {run_id} did not end in {patience} s: {api.task_instances(dag_id, run_id)}"
    )


def start(stack: Stack, dag_id: str, conf: dict) -> str:
    api = stack.airflow()
    deadline = time.monotonic() + 120
    while api.dag(dag_id) is None:
        assert not api.import_errors() and time.monotonic() < deadline
        time.sleep(1)
    api.unpause(dag_id)
    return api.trigger(dag_id, conf)
