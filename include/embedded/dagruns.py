"""Dag runs seen from outside: how far one is, why one failed, and how much of its time was waiting."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from embedded.airflow_api import AirflowApi
from fems.views.health import DagHealth

Interval = tuple[datetime, datetime]

NOTHING = "nothing to do"
"""The name of a mapped task that was started although there is nothing for it (`fems_airflow.params`)."""
_RUNNING_NOW = {"running", "deferred"}


def last_runs(api: AirflowApi) -> list[DagHealth]:
    """Return, for each Dag of the platform, how its last run that ended did, and when the last good one ended."""

    def newest(dag_id: str, *states: str) -> Mapping[str, Any] | None:
        asked = {"state": list(states), "order_by": "-end_date", "limit": 1}
        runs = api.call("GET", f"dags/{dag_id}/dagRuns", params=asked)["dag_runs"]
        return runs[0] if runs else None

    seen = []
    for dag in api.call("GET", "dags", params={"tags": ["fems"], "limit": 100})["dags"]:
        last, good = newest(dag["dag_id"], "success", "failed"), newest(dag["dag_id"], "success")
        ended = datetime.fromisoformat(good["end_date"]) if good else None
        seen.append(DagHealth(dag["dag_id"], last["state"] if last else None, ended))
    return seen


def progress_text(instances: Iterable[Mapping[str, Any]]) -> str:
    """Return how far a run is: per task, done of total, and the names of what runs now (factories)."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for instance in instances:
        tasks.setdefault(instance["task_id"], []).append(instance)
    parts = []
    for task_id, found in tasks.items():
        states = Counter(instance["state"] for instance in found)
        done = states["success"] + states["skipped"]
        idle = all(i["state"] == "skipped" or name_of(i).strip() == NOTHING for i in found)
        text = f"{task_id}: nothing to do" if idle else f"{task_id} {done}/{len(found)}"
        extra = [f"{states[s]} {s}" for s in ("failed", "upstream_failed", "up_for_retry") if states[s]]
        running = [name_of(instance) for instance in found if instance["state"] in _RUNNING_NOW]
        named = ", ".join([*extra, *filter(None, sorted(running))])
        parts.append(f"{text} ({named})" if named else text)
    return "; ".join(parts) or "waiting for a place"


def name_of(instance: Mapping[str, Any]) -> str:
    """Return a mapped task instance's own name, as the UI shows it; empty if it is not mapped."""
    if instance.get("rendered_map_index"):
        return str(instance["rendered_map_index"])
    return "" if instance["map_index"] < 0 else f"map index {instance['map_index']}"


def log_path(logs: Path, instance: Mapping[str, Any]) -> Path:
    """Return the log file of a task instance's last try."""
    folder = (
        logs
        / f"dag_id={instance['dag_id']}"
        / f"run_id={instance['dag_run_id']}"
        / f"task_id={instance['task_id']}"
    )
    if instance["map_index"] >= 0:
        folder /= f"map_index={instance['map_index']}"
    return folder / f"attempt={instance['try_number']}.log"


def failures(instances: Iterable[Mapping[str, Any]], logs: Path) -> list[str]:
    """Return a paragraph for each task that failed: where it is, its log file and the log's errors."""
    return [
        f"Dag {instance['dag_id']}, run {instance['dag_run_id']}, task {instance['task_id']}"
        + (f", map index {instance['map_index']} ({name_of(instance)})" if instance["map_index"] >= 0 else "")
        + f", try {instance['try_number']}\n  log: {log_path(logs, instance)}\n"
        + "\n".join(f"  {line}" for line in errors_in(log_path(logs, instance)))
        for instance in instances
        if instance["state"] == "failed"
    ]


def errors_in(path: Path, most: int = 5) -> list[str]:
    """Return the last errors of a task's log (JSON, a record a line), exceptions in a line each."""
    found: list[str] = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return [
            "(no log here: the task may never have started; of one that ran on a worker it is in Airflow)"
        ]
    for line in lines:
        with suppress(ValueError, AttributeError):
            record = json.loads(line)
            if record.get("level") in ("error", "critical"):
                raised = [
                    f"{e.get('exc_type')}: {e.get('exc_value')}" for e in record.get("error_detail") or []
                ]
                found += [str(record.get("event")), *raised]
    return found[-most:] or lines[-most:]


def interval(item: Mapping[str, Any], now: datetime, start: str = "start_date") -> Interval | None:
    """Return when a run or a task instance began and ended; one that has not ended ends now."""
    if not item.get(start):
        return None
    end = datetime.fromisoformat(item["end_date"]) if item.get("end_date") else now
    return datetime.fromisoformat(item[start]), end


def merged_seconds(intervals: Iterable[Interval | None]) -> float:
    """Return how long at least one of the intervals lasted."""
    total, reached = 0.0, None
    for start, end in sorted(i for i in intervals if i is not None):
        begin = start if reached is None else max(start, reached)
        if end > begin:
            total += (end - begin).total_seconds()
        reached = end if reached is None else max(reached, end)
    return total


def our_code(instance: Mapping[str, Any], now: datetime) -> Interval | None:
    """Return when a task instance ran our code: the last `our_seconds` of it. What went before is Airflow's."""
    whole = interval(instance, now)
    if whole is None or "our_seconds" not in instance:
        return None
    return max(whole[0], whole[1] - timedelta(seconds=instance["our_seconds"])), whole[1]


def overhead(
    runs: Sequence[Mapping[str, Any]],
    instances: Sequence[Mapping[str, Any]],
    demo_seconds: float,
    now: datetime,
) -> dict[str, float]:
    """Return what Airflow itself took of the demo's wall time.

    seconds: the wall time in which at least one Dag run was queued or running and no task of any of them ran
    our code: scheduling, queueing, starting a worker and its imports of Airflow, marking runs done. The small
    tasks that only choose factories count as Airflow's in whole. Time counts once, however many runs wait.
    share: these seconds of the demo's wall time.
    dag_run_seconds: the wall time in which at least one Dag run was queued or running.
    task_start_seconds: the mean, over the tasks that ran our code, of their seconds that were not our code's.

    Args:
        runs: Dag runs as the REST API gives them.
        instances: their task instances; `our_seconds` where a flow said how long it took.
        demo_seconds: wall time of the whole demo.
        now: stands for the end of what has not ended.
    """
    in_runs = merged_seconds(interval(run, now, "queued_at") for run in runs)
    in_our_code = merged_seconds(our_code(instance, now) for instance in instances)
    starts = [
        (whole[1] - whole[0]).total_seconds() - i["our_seconds"]
        for i in instances
        if "our_seconds" in i and (whole := interval(i, now)) is not None
    ]
    idle = max(0.0, in_runs - in_our_code)
    return {
        "seconds": round(idle, 1),
        "share": round(idle / demo_seconds, 4) if demo_seconds else 0.0,
        "dag_run_seconds": round(in_runs, 1),
        "task_start_seconds": round(sum(starts) / len(starts), 2) if starts else 0.0,
    }
