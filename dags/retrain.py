"""Retrain: a request for a factory's training into a run of the Dag `train`, with the reason on it.

Started by the asset `fems_retrain`, an event of which is a request. Without a scheduler: `fems train ID`.
"""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import TriggerRule, dag, task

from fems_airflow.assets import RETRAIN
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.notify import RunNotifier

DOCS = """
### A training that was asked for

**take** reads the requests, **start_training** starts a run of `train` for each, with the request's ID as the run's
and the reason as its note, and **mark** writes down that the training was started. The same request started twice is
the same run: it is skipped.

**When it is red:** `take` where a run was started by hand: nobody asked for a training; start `train` itself.
`start_training` fails where the Dag `train` is not there; `mark` where MinIO does not answer. Start
the failed task again, or leave it: the next `monitor` passes the request on again.
"""


@dag(
    dag_id="retrain",
    description="Starts the training that the monitor asked for",
    doc_md=DOCS,
    schedule=[RETRAIN],
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=TASK_DEFAULTS,
    on_failure_callback=RunNotifier(),
    tags=["fems", "train", "on request"],
)
def retrain() -> None:
    @task
    def take(triggering_asset_events: dict) -> list[dict]:
        """Read the requests that started this run, each once."""
        from fems.errors import ConfigError

        requests = {event.extra["id"]: event.extra for event in triggering_asset_events[RETRAIN]}
        if not requests:  # mapped over nothing, the rest would show as skipped, which says neither yes nor no
            raise ConfigError("no training was asked for; to train a factory, start the Dag `train`")
        return list(requests.values())

    def as_run(request: dict) -> dict:
        conf = {"factories": [request["factory_id"]], "reason": request["reason"]}
        return {"trigger_run_id": request["id"], "conf": conf, "note": request["reason"]}

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def mark(requests: list[dict]) -> None:
        """Write down that the trainings were started."""
        from fems.flows.monitor import now_utc, training_started
        from fems.flows.platform import Platform

        platform = Platform.from_environment(role="monitor")
        for request in requests:
            training_started(platform, request["factory_id"], request["id"], now_utc())

    requests = take()
    started = TriggerDagRunOperator.partial(
        task_id="start_training",
        trigger_dag_id="train",
        logical_date=None,
        skip_when_already_exists=True,
        doc_md="Start a run of `train` for a request; one that was started already is skipped.",
        map_index_template="{{ task.conf['factories'][0] }}",
    ).expand_kwargs(requests.map(as_run))
    started >> mark(requests)


retrain()
