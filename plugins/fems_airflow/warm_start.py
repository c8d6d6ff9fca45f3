"""What most tasks import is imported once, by the scheduler, before it forks the workers whose children the tasks are.

LocalExecutor forks a task from a worker and a worker from the scheduler: what is imported there is there in each task,
its memory shared. What starts threads when it is imported, or at its first use here, may not be on the list, nor may
the package itself: whoever changes it expects the next task to run the change. Celery's and Kubernetes' workers are
programs of their own, and import for themselves.
"""

import importlib
import logging
from typing import Any

from airflow.listeners import hookimpl
from airflow.sdk.configuration import conf

log = logging.getLogger(__name__)

LIBRARIES = ("pandas", "pyarrow.parquet", "minio", "great_expectations", "mlflow")


@hookimpl
def on_starting(component: Any) -> None:
    """Import the libraries in a scheduler that forks its tasks."""
    if getattr(component, "job_type", None) != "SchedulerJob":
        return
    if not conf.get("core", "executor").startswith("LocalExecutor"):
        return
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except Exception:  # a task that needs it says so in its own log
            log.exception("%s cannot be imported ahead of the tasks", name)
