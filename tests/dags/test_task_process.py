"""A task does not outlive the worker that looks after it."""

import os
import subprocess
import sys

import psutil
import pytest

from fems.settings import ROOT

_WORKER = """
import os, sys, time
task = os.fork()
if task == 0:
    from fems_airflow import task_process
    task_process.on_task_instance_running(None, None)
    print(os.getpid(), flush=True)
    time.sleep(120)
    os._exit(0)
os.waitpid(task, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process of its parent's end")
def test_a_task_ends_with_its_worker() -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER], env=env, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        task = psutil.Process(int(worker.stdout.readline()))
        assert task.parent() == psutil.Process(worker.pid)
        worker.kill()
        worker.wait()
        _, alive = psutil.wait_procs([task], timeout=10)
    assert alive == [] or task.status() == psutil.STATUS_ZOMBIE
