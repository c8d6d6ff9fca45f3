"""Notifiers: what a run brought, told in one message at its end, and a deadline that was missed.

They gather; the words are the domain's (`fems.monitor.notices`), the ways out are connections (`channels`).
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier, Context, conf
from asgiref.sync import sync_to_async

from fems.errors import SomeFailed
from fems.monitor import notices
from fems.monitor.notices import Notice
from fems_airflow.channels import send

FAILURE_KEY = "failure"
_LONGEST = 1000


def keep_failure(context: Context) -> None:
    """Keep what a task failed with for the message at the end of its run; the task's `on_failure_callback`."""
    error, ti = context.get("exception"), context["ti"]
    if not isinstance(error, BaseException):  # its process died, and there is nothing to keep but that
        return
    where = f"{ti.task_id}_{ti.map_index}" if ti.map_index is not None and ti.map_index >= 0 else ti.task_id
    about = getattr(ti, "rendered_map_index", None) or ti.task_id
    errors = error.errors if isinstance(error, SomeFailed) else {about: error}
    kept = [
        {"about": each, "error": f"{type(its).__name__}: {its}"[:_LONGEST]} for each, its in errors.items()
    ]
    ti.xcom_push(key=FAILURE_KEY, value={"where": where, "errors": kept})


class RunNotifier(BaseNotifier):
    """Tell of a whole run in one message, once it has ended; a Dag's `on_failure_callback` or `on_success_callback`.

    Args:
        results: the mapped tasks whose return values may hold news, each with what makes notices of one.
    """

    def __init__(
        self, results: dict[str, Callable[[dict[str, Any]], Iterable[Notice]]] | None = None
    ) -> None:
        super().__init__()
        self.results = results or {}

    def notify(self, context: Context) -> None:
        """Gather what the run's tasks failed with and returned, and send it."""
        found = [*_failures(context), *self._news(context)]
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        message = notices.compose(found, run_url(dag_id, run_id))
        if message is not None:
            send(message)

    def _news(self, context: Context) -> list[Notice]:
        ti = context.get("ti")
        if ti is None:
            return []
        found: list[Notice] = []
        for task_id, tell in self.results.items():
            for result in ti.xcom_pull(task_ids=[task_id]):
                found.extend(tell(result) if result else [])
        return found


class DeadlineNotifier(BaseNotifier):
    """Tell that a run is late; the callback of a `DeadlineAlert`.

    Args:
        hours: after which it should have been done.
    """

    def __init__(self, hours: float, context: Context | None = None) -> None:
        super().__init__(context)
        self.hours = hours

    async def async_notify(self, context: Context) -> None:
        """Send it; the ways out are not asynchronous, and the triggerer's loop must not wait for them."""
        run: Any = context["dag_run"]  # as the scheduler passes it on: the REST API's form
        dag_id, run_id = run["dag_id"], run["dag_run_id"]
        message = notices.compose([notices.of_deadline(dag_id, run_id, self.hours)], run_url(dag_id, run_id))
        if message is not None:
            await sync_to_async(send)(message)


def run_url(dag_id: str, run_id: str) -> str:
    """Return where a person sees a run."""
    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return f"{base.rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def _failures(context: Context) -> list[Notice]:
    """What each failed task failed with; the run's own reason where no task is to blame."""
    reason = context.get("reason") or ""
    if reason == "success":
        return []
    dag_id, run_id, ti = context["dag"].dag_id, context["run_id"], context.get("ti")
    if ti is None:
        return [notices.of_run(dag_id, reason)]
    states = ti.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    failed = [where for where, state in states.items() if state == "failed"]
    if not failed:
        return [notices.of_run(dag_id, reason)]
    kept = ti.xcom_pull(task_ids=list(context["dag"].task_ids), key=FAILURE_KEY)
    known = {one["where"]: one["errors"] for one in kept if one}
    return [
        notices.of_failure(each["about"], each["error"])
        for where in sorted(failed)
        for each in known.get(where, [{"about": where, "error": None}])
    ]
