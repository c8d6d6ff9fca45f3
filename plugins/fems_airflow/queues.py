"""Where a task runs, if tasks run on more than one machine."""

import os
from pathlib import Path
from typing import Any, Literal

Queue = Literal["ingest", "train"]


def on_queue(queue: Queue) -> dict[str, Any]:
    """Return the arguments of a task that name its queue.

    Celery's workers take tasks from the queues that they listen to; LocalExecutor knows of none. In Kubernetes a
    task's pod is made from the template of its queue, in the folder that FEMS_POD_TEMPLATES names.
    """
    arguments: dict[str, Any] = {"queue": queue}
    if folder := os.environ.get("FEMS_POD_TEMPLATES"):
        arguments["executor_config"] = {"pod_template_file": str(Path(folder) / f"{queue}.yaml")}
    return arguments
