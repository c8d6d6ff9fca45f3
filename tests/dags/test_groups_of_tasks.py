"""What a task does with its group of factories, from one try to the next; without a scheduler."""

import sys
from typing import Any

import pytest
from support import ROOT

from fems.errors import DataError, QualityFailed, ServiceUnavailable, SomeFailed, SomeRefused

sys.path.insert(0, str(ROOT / "plugins"))


class Memory(dict[str, Any]):
    """What Airflow keeps between tries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class TaskInstance:
    """Keeps what a task pushes."""

    def __init__(self) -> None:
        self.task_id, self.map_index, self.rendered_map_index = "ingest_factories", 0, "A, B, C"
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def attempt(errors: dict[str, Exception], memory: Memory, ti: TaskInstance) -> tuple[list[str], Any]:
    from fems_airflow.groups import in_turn

    tried: list[str] = []

    def work(factory: str) -> dict[str, Any]:
        tried.append(factory)
        if factory in errors:
            raise errors[factory]
        return {"seconds": 1.5, "factory_id": factory}

    try:
        return tried, in_turn(["A", "B", "C"], work, {"task_state_store": memory, "ti": ti})
    except SomeFailed as error:
        return tried, error


def test_a_factory_that_fails_stops_no_other_and_is_tried_again_alone() -> None:
    memory, ti = Memory(), TaskInstance()
    tried, error = attempt({"B": ServiceUnavailable("MinIO did not answer")}, memory, ti)
    assert tried == ["A", "B", "C"]
    assert not isinstance(error, DataError) and str(error).startswith("1 of 3 factories failed")
    assert set(ti.pushed["return_value"]["factories"]) == {"A", "C"}, "what the others brought is told"
    tried, outcome = attempt({}, memory, ti)
    assert tried == ["B"]
    assert set(outcome["factories"]) == {"A", "B", "C"} and outcome["seconds"] == 4.5
    assert attempt({}, memory, ti)[0] == ["A", "B", "C"], "who clears the task wants all of it again"


def test_bad_data_alone_is_not_worth_a_retry_and_each_is_told_of() -> None:
    from airflow.sdk import RetryAction

    from fems_airflow.defaults import RETRY_POLICY
    from fems_airflow.notify import FAILURE_KEY, keep_failure

    ti = TaskInstance()
    bad = {"A": QualityFailed("A's month"), "C": DataError("C's file")}
    _, error = attempt(bad, Memory(), ti)
    assert isinstance(error, SomeRefused)
    assert RETRY_POLICY.evaluate(error, 1, 4).action is RetryAction.FAIL
    keep_failure({"exception": error, "ti": ti})  # type: ignore[typeddict-item]
    assert ti.pushed[FAILURE_KEY]["errors"] == [
        {"about": "A", "error": "QualityFailed: A's month"},
        {"about": "C", "error": "DataError: C's file"},
    ]
    _, error = attempt(bad | {"B": OSError("connection reset")}, Memory(), ti)
    assert RETRY_POLICY.evaluate(error, 1, 4).action is not RetryAction.FAIL, "one of them may pass"


def test_a_missing_library_is_every_factory_s() -> None:
    with pytest.raises(ImportError):
        attempt({"A": ImportError("libgomp.so.1: cannot open shared object file")}, Memory(), TaskInstance())


def test_a_group_is_named_by_its_factories_and_a_large_one_in_short() -> None:
    from jinja2 import Environment

    from fems_airflow.groups import NAMES

    def name(factories: list[str] | None) -> str:
        return (
            Environment(autoescape=True)
            .from_string(NAMES)
            .render(task={"op_kwargs": {"factories": factories}})
        )

    assert name(None) == "nothing to do"
    assert name(["1100", "steel"]) == "1100, steel"
    assert name([f"N{i:02d}" for i in range(25)]) == "N00 to N24 (25)"
