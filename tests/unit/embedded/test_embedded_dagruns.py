import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embedded import dagruns

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> str:
    return (T0 + timedelta(seconds=seconds)).isoformat()


def instance(state: str, **values: Any) -> dict[str, Any]:
    defaults = {
        "dag_id": "train", "dag_run_id": "r1", "task_id": "train_factory", "map_index": -1, "try_number": 1,
        "rendered_map_index": None,
    }  # fmt: skip
    return {**defaults, "state": state, **values}


def test_progress_counts_tasks_and_names_what_runs() -> None:
    text = dagruns.progress_text(
        [
            instance("success", task_id="choose"),
            instance("success", map_index=0, rendered_map_index="1100"),
            instance("running", map_index=1, rendered_map_index="1120"),
            instance("up_for_retry", map_index=2),
        ]
    )
    assert text == "choose 1/1; train_factory 1/3 (1 up_for_retry, 1120)"


def test_a_run_with_nothing_to_do_says_so() -> None:
    idle = instance("success", map_index=0, rendered_map_index="nothing to do")
    assert (
        dagruns.progress_text([instance("success", task_id="choose"), idle])
        == "choose 1/1; train_factory: nothing to do"
    )


def test_a_failure_names_dag_run_task_index_log_and_error(tmp_path: Path) -> None:
    failed = instance("failed", map_index=2, rendered_map_index="2100", try_number=3)
    path = tmp_path / "dag_id=train/run_id=r1/task_id=train_factory/map_index=2/attempt=3.log"
    path.parent.mkdir(parents=True)
    records = [
        {"level": "info", "event": "begun"},
        {
            "level": "error",
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "NoModel", "exc_value": "none"}],
        },
    ]
    path.write_text("no JSON\n" + "\n".join(map(json.dumps, records)))
    [told] = dagruns.failures([failed, instance("success")], tmp_path)
    for part in (
        "Dag train",
        "run r1",
        "task train_factory",
        "map index 2 (2100)",
        str(path),
        "NoModel: none",
    ):
        assert part in told
    assert "begun" not in told


def test_a_task_without_a_log_says_so(tmp_path: Path) -> None:
    assert "never" in dagruns.errors_in(tmp_path / "no.log")[0]


def test_overhead_is_the_time_of_runs_in_which_none_of_our_code_ran() -> None:
    runs = [{"queued_at": at(0), "end_date": at(50)}, {"queued_at": at(40), "end_date": at(100)}]
    instances = [
        instance("success", start_date=at(1), end_date=at(4)),
        instance("success", start_date=at(5), end_date=at(45), our_seconds=37),
        instance("success", start_date=at(7), end_date=at(30), our_seconds=20),
        instance("success", start_date=at(51), end_date=at(96), our_seconds=41.5),
        instance("skipped", start_date=None, end_date=None),
    ]
    told = dagruns.overhead(runs, instances, 200.0, T0)
    assert told == {"seconds": 21.5, "share": 0.1075, "dag_run_seconds": 100.0, "task_start_seconds": 3.17}


def test_what_has_not_ended_ends_now() -> None:
    now = T0 + timedelta(seconds=9)
    assert dagruns.merged_seconds([dagruns.interval({"start_date": at(2), "end_date": None}, now)]) == 7.0
