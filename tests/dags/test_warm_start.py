"""Tasks that are forked from the scheduler find what they import."""

import os
import subprocess
import sys

import pytest

from fems.settings import ROOT

_STARTING = """
import sys, threading
from types import SimpleNamespace
from fems_airflow import warm_start
if len(sys.argv) > 2:
    warm_start.LIBRARIES = tuple(sys.argv[2:])
missing = [name for name in warm_start.LIBRARIES if name not in sys.modules]
warm_start.on_starting(SimpleNamespace(job_type=sys.argv[1]))
print(missing, [name for name in missing if name not in sys.modules], threading.active_count())
print(sorted({"fems", "tensorflow", "keras"} & {name.partition(".")[0] for name in sys.modules}))
"""


def start(job_type: str, executor: str, *libraries: str) -> tuple[str, str]:
    env = os.environ | {
        "PYTHONPATH": str(ROOT / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": executor,
        "AIRFLOW__CORE__PLUGINS_FOLDER": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", _STARTING, job_type, *libraries],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported, others = done.stdout.splitlines()[-2:]
    return imported, others


def test_a_scheduler_that_forks_its_tasks_imports_once_and_starts_no_thread() -> None:
    imported, others = start("SchedulerJob", "LocalExecutor")
    assert "great_expectations" in imported and imported.endswith("[] 1")
    assert others == "[]"  # the package itself is imported by each task, and TensorFlow by those that need it


@pytest.mark.parametrize(
    ("job_type", "executor"), [("SchedulerJob", "CeleryExecutor"), ("TriggererJob", "LocalExecutor")]
)
def test_what_forks_no_task_imports_nothing(job_type: str, executor: str) -> None:
    imported, _ = start(job_type, executor)
    before, after = imported.removesuffix(" 1").split("] ")
    assert "great_expectations" in before and f"{before}]" == after


def test_a_library_that_is_missing_stops_no_scheduler() -> None:
    imported, _ = start("SchedulerJob", "LocalExecutor", "no_such_library", "pandas")
    assert imported == "['no_such_library', 'pandas'] ['no_such_library'] 1"
