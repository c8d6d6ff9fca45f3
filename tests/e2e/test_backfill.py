"""Airflow rebuilds months that a night left, in a run that an event of the night's starts."""

import time
from datetime import date
from pathlib import Path

import pytest
from dagruns import ended

from embedded.stack import Stack
from fems.flows.ingest import stale_factories
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.simulate import simulate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FACTORY, MONTHS = "2140", 4


def test_an_event_of_the_night_starts_the_backfill(
    airflow_stack: Stack, airflow_platform: Platform, tmp_path: Path
) -> None:
    platform, api = airflow_platform, airflow_stack.airflow()
    simulate(
        platform.plant,
        tmp_path,
        start=date(2023, 1, 1),
        months=MONTHS,
        seed=3,
        factories=[FACTORY],
        workers=1,
    )
    land_tree(platform.lake, tmp_path)
    while api.dag("backfill") is None:
        time.sleep(1)
    api.unpause("backfill")
    (backlog,) = [
        a for a in api.call("GET", "assets", params={"limit": 100})["assets"] if a["name"] == "fems_backlog"
    ]
    api.call("POST", "assets/events", json={"asset_id": backlog["id"], "extra": {"factories": [FACTORY]}})
    deadline = time.monotonic() + 120
    while not (runs := api.runs("backfill")) and time.monotonic() < deadline:
        time.sleep(1)
    run = ended(airflow_stack, "backfill", runs[0]["dag_run_id"])
    assert run["state"] == "success"
    (task,) = api.task_instances("backfill", run["dag_run_id"], task_id="backfill_factory")
    assert (task["rendered_map_index"], task["pool"], task["priority_weight"]) == (FACTORY, "backfill", 1)
    done = api.returned(task)["factories"][FACTORY]["months"]
    assert done[:MONTHS] == [f"meter 2023-{month:02d}" for month in range(1, MONTHS + 1)], "the oldest first"
    assert stale_factories(platform, [FACTORY]) == []
    log = api.call(
        "GET",
        f"dags/backfill/dagRuns/{run['dag_run_id']}/taskInstances/backfill_factory/logs/{task['try_number']}",
        params={"map_index": task["map_index"], "full_content": True},
    )
    assert f"({MONTHS} of {MONTHS} months)" in str(log), "how far it is stands in the log"
