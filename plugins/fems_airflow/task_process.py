"""A task's process ends with the worker that looks after it; Airflow calls this in the task's process.

A task runs in a process under the worker's. Where the worker is killed, for want of memory for example, that process
would work on, for hours in a training, with nobody to tell, while Airflow gives the task to another worker: two that
train one factory, and a model registered twice.
"""

import ctypes
import signal
import sys
from typing import Any

from airflow.listeners import hookimpl

_PR_SET_PDEATHSIG = 1


@hookimpl
def on_task_instance_running(previous_state: Any, task_instance: Any) -> None:
    """Ask Linux to kill this process when its parent dies; no other system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
