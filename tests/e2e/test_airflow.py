"""Airflow's own scheduler runs the three Dags on a small plant and on a slice of the real file."""

import os
import signal
import time
from datetime import date
from pathlib import Path

import httpx
import psutil
import pytest
from dagruns import ended, start
from support import STEEL, needs_steel

from embedded.stack import Stack
from fems.flows.ingest import stale_factories
from fems.flows.land import land_file, land_tree
from fems.flows.offline import process_folder
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.store import FolderStore
from fems.simulate import simulate
from fems.views.published import quarantined
from fems.views.status import factory_status

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

START, MONTHS = date(2025, 1, 1), 3


@pytest.fixture(scope="module")
def platform(airflow_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("plant")
    simulate(
        airflow_platform.plant,
        folder,
        start=START,
        months=MONTHS,
        seed=3,
        factories=["2160", "1120"],
        workers=1,
    )
    land_tree(airflow_platform.lake, folder)
    return airflow_platform


def steel_slice(folder: Path, days: int) -> Path:
    lines = STEEL.read_bytes().split(b"\n")
    path = folder / "steel_slice.csv"
    path.write_bytes(b"\n".join(lines[: 1 + 96 * days]) + b"\n")
    return path


@needs_steel
def test_raw_files_become_a_forecast(airflow_stack: Stack, platform: Platform, tmp_path: Path) -> None:
    book = platform.book("meter")
    land_file(platform.lake, platform.plant, book, "steel", steel_slice(tmp_path, 80), date(2026, 1, 1))
    bad = {
        "cut.csv": b"timestamp,factory_id,sensor_id,used_kwh\n2025-02-03 00:00:00,2160,2160-M01,1\n2025-02-03 00:15",
        "empty.csv": b"",
        "picture.csv": b"\x89PNG\r\n\x1a\n0000",
        "other.csv": b"timestamp,factory_id,sensor_id,used_kwh\n2025-02-03 00:00:00,1120,1120-M01,1\n",
    }
    for name, data in bad.items():
        platform.lake.store.put(keys.raw_key("meter", "2160", date(2025, 2, 3), name), data)
    factories = ["1120", "2160", "steel"]

    run = ended(airflow_stack, "ingest", start(airflow_stack, "ingest", {"factories": factories}))
    assert run["state"] == "success"
    for factory in factories:
        rows = factory_status(factory, platform).rows
        assert rows.read == rows.published + rows.quarantined + rows.duplicate > 0
    assert factory_status("steel", platform).rows.read == 96 * 80
    reasons = {r.object.rsplit("/", 1)[1]: r.reason for r in quarantined(platform, "2160", "meter")}
    assert set(bad) <= set(reasons)
    assert "PNG" in reasons["picture.csv"] and "1120" in reasons["other.csv"]

    since = time.time()
    start(airflow_stack, "forecast", {"factories": ["2160"], "month": "2025-02"})  # in the past: it says so
    api = airflow_stack.airflow()
    api.unpause("forecast")
    run = ended(airflow_stack, "train", start(airflow_stack, "train", {"factories": factories, "epochs": 2}))
    assert run["state"] == "success"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        runs = {r["partition_key"]: r["state"] for r in api.runs("forecast") if r["partition_key"]}
        if len(runs) == 3 and set(runs.values()) <= {"success", "failed"}:
            break
        time.sleep(2)
    assert runs == {"1120|2025-04": "success", "2160|2025-04": "success", "steel|2018-03": "success"}
    assert time.time() > since

    # April to its end; steel's origin is in the middle of March, and 42,300 minutes reach past its end.
    for factory, rows in {"1120": 2880, "2160": 2880, "steel": 2820}.items():
        status = factory_status(factory, platform)
        assert status.forecast.rows == rows
        assert (status.forecast.kwh or 0) > 0 and len(status.forecast.peak_days) == 3
        assert status.model_version == "1"
        assert all(dict(status.accuracy).values())

    (by_model,) = [r for r in api.runs("forecast") if r["partition_key"] == "1120|2025-04"]
    links = api.call(
        "GET",
        f"dags/forecast/dagRuns/{by_model['dag_run_id']}/taskInstances/forecast_factory/links",
        params={"map_index": 0},
    )
    report = httpx.get(
        links["extra_links"]["Report"],
        headers={"authorization": f"Bearer {api.token()}", "accept-language": "en"},
        trust_env=False,
        timeout=60,  # the first page brings pandas into the API server
    )
    assert report.status_code == 200 and "1120" in report.text and "<svg" in report.text
    made = "/fems/report/1120/2025-04?origin=2025-04-01T00%3A00&model=v1&horizon=42300"
    assert links["extra_links"]["Report"].endswith(made), "the very forecast that the run made"

    manual = [r for r in api.runs("forecast") if not r["partition_key"]]
    assert [ended(airflow_stack, "forecast", r["dag_run_id"])["state"] for r in manual] == ["failed"]
    failed = api.task_instances("forecast", manual[0]["dag_run_id"], task_id="targets")
    assert [(t["state"], t["try_number"]) for t in failed] == [("failed", 1)], (
        "a month in the past is refused by the first task, and not worth a retry"
    )

    trained = {t["rendered_map_index"]: t for t in api.task_instances("train", run["dag_run_id"])}["2160"]
    log = api.call(
        "GET",
        f"dags/train/dagRuns/{run['dag_run_id']}/taskInstances/train_factory/logs/1",
        params={"map_index": trained["map_index"], "full_content": True},
    )["content"]
    events = [str(line.get("event")) for line in log]
    for said in ("one_step: epoch 1 of at most 2", "backtest: 2025-03-02", "model version 1"):
        assert any(said in event for event in events), said
    assert len(events) < 60, "the log tells what happens, and little else"


@needs_steel
def test_the_shell_makes_the_same_bytes_with_no_service(platform: Platform, tmp_path: Path) -> None:
    lake = platform.lake
    for factory in ("1120", "2160"):
        folder, out = tmp_path / factory, tmp_path / f"{factory}-out"
        rooms = [
            f"{room}/{feed}/"
            for feed in platform.plant.feeds(factory)
            for room in ("processed", "quarantine")
        ]
        for feed in platform.plant.feeds(factory):
            for item in lake.store.list(f"raw/{feed}/factory={factory}/"):
                (folder / item.key).parent.mkdir(parents=True, exist_ok=True)
                (folder / item.key).write_bytes(lake.store.get(item.key))
        process_folder(folder, factory, out, "meter", progress=print)
        airflow_s = {
            item.key: lake.store.get(item.key)
            for room in rooms
            for item in lake.store.list(room)
            if f"factory={factory}/" in item.key
        } | {keys.package_key(factory): lake.store.get(keys.package_key(factory))}
        local = FolderStore(out)
        shell_s = {
            i.key: local.get(i.key) for room in ("processed/", "quarantine/") for i in local.list(room)
        }
        assert len(airflow_s) > 20 and shell_s == airflow_s


@needs_steel
def test_a_second_ingest_does_nothing(airflow_stack: Stack, platform: Platform) -> None:
    assert stale_factories(platform, ["1120", "2160", "steel"]) == []
    run_id = start(airflow_stack, "ingest", {"factories": ["1120", "2160", "steel"]})
    assert ended(airflow_stack, "ingest", run_id)["state"] == "success"
    instances = airflow_stack.airflow().task_instances("ingest", run_id)
    assert {i["task_id"]: i["state"] for i in instances} == {
        "find_stale": "success",
        "ingest_factories": "success",
    }


def test_a_killed_scheduler_costs_nothing(airflow_stack: Stack, platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "plant"
    simulate(platform.plant, folder, start=START, months=6, seed=3, factories=["2100"], workers=1)
    land_tree(platform.lake, folder)
    run_id = start(airflow_stack, "ingest", {"factories": ["2100"]})
    api, deadline = airflow_stack.airflow(), time.monotonic() + 120
    while not platform.lake.manifests("meter", "2100") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stale_factories(platform, ["2100"]), "the run was over before it could be stopped"

    pid = airflow_stack.supervisor.states()["scheduler"]["pid"]
    os.kill(pid, signal.SIGKILL)
    assert ended(airflow_stack, "ingest", run_id)["state"] == "success"
    assert airflow_stack.supervisor.states()["scheduler"]["pid"] != pid and not psutil.pid_exists(pid)
    assert stale_factories(platform, ["2100"]) == []
    for feed in platform.plant.feeds("2100"):
        for grain in ("native", "hour", "day"):
            months = sorted(platform.lake.manifests(feed, "2100"))
            assert len(months) == 6
            platform.lake.published(feed, grain, "2100", months)  # raises where a publish is half done
    del api
