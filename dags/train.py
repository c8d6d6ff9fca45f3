"""Train: a model per factory, scored against baselines, registered in MLflow.

Runs on the 1st of each month, after the night's ingest, and when the monitor asks for it (Dag `retrain`). Each model
that is registered starts the forecast of its factory and month through the asset `fems_model`. Without a scheduler:
`fems train`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from fems.monitor import notices
from fems_airflow.assets import MODEL
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.groups import NAMES, groups_of, in_turn
from fems_airflow.metrics import measured
from fems_airflow.notify import RunNotifier
from fems_airflow.params import factories_param, known_params, note_nothing, or_nothing
from fems_airflow.queues import on_queue

DOCS = """
### A model per factory

**train_factory**, one per factory: reads the published hours, trains the one-step LSTM (the study's protocol) and the
month-ahead model, scores both on the last 42,300 minutes (month-ahead beside weekly naive and the hour-of-week profile
on the same window), refits on everything, logs the run to MLflow (experiment `fems-train`, a run a factory under the
run of its month) and registers `fems-<factory>` as `challenger`. It becomes `champion` where it is ahead of the one
that is, on the same window; the version's tag `promotion` says why, or why not. `fems promote` and `fems rollback`
overrule it.

A registered model starts the Dag `forecast` for its factory and month.

**Params:** *factories* (none chosen means all that have published data), *epochs*, *seed*, *reason*.

**When it is red:** `TooLittleHistory` says how many days are needed. `ServiceUnavailable` means that MLflow or MinIO
did not answer three times. The champion that was there keeps serving in either case.
"""

TOLD = RunNotifier({"train_factory": notices.of_group(notices.of_training)})


@dag(
    dag_id="train",
    description="Train, score and register each factory's model",
    doc_md=DOCS,
    schedule=CronPartitionTimetable("0 4 1 * *", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    deadline=done_within(hours=4),
    default_args=TASK_DEFAULTS,
    on_success_callback=TOLD,
    on_failure_callback=TOLD,
    params={
        "factories": factories_param(),
        "epochs": Param(
            50,
            type="integer",
            minimum=1,
            maximum=500,
            title="Epochs",
            description="Of the one-step LSTM at most; it stops once validation no longer improves.",
        ),
        "seed": Param(0, type="integer", minimum=0, title="Seed", description="Of every random choice."),
        "reason": Param(
            None,
            type=["null", "string"],
            title="Reason",
            description="Why; kept as a tag of the run in MLflow.",
        ),
    },
    tags=["fems", "train", "monthly"],
)
def train() -> None:
    @task
    def choose(params: dict | None = None, dag: object = None) -> list[list[str] | None]:
        """Choose the factories that were asked for, or all that have published data; a task each."""
        from fems.flows.platform import Platform
        from fems.flows.train import trainable

        platform = Platform.from_environment(role="training")
        factories = known_params(params, dag)["factories"] or trainable(platform)
        return or_nothing(groups_of(platform, factories, most=1))

    @task(
        outlets=[MODEL],
        pool="training",
        **on_queue("train"),
        execution_timeout=timedelta(hours=3),
        map_index_template=NAMES,
    )
    def train_factory(
        factories: list[str] | None, *, params: dict, outlet_events: Any, **context: Any
    ) -> dict | None:
        """Train a factory's model and say for which month it is meant; with more than fit, some in turn."""
        from fems.flows.platform import Platform
        from fems.flows.train import train_factory

        if factories is None:
            return note_nothing("no factory has published meter data yet")
        platform = Platform.from_environment(role="training")

        asked = {"epochs": params["epochs"], "seed": params["seed"], "reason": params["reason"] or ""}

        def train_one(factory: str) -> dict:
            trained = train_factory(platform, factory, dag_run=context["run_id"], **asked)
            return measured("train", trained.model_dump(mode="json"))

        outcome = in_turn(factories, train_one, context)
        for factory, trained in outcome["factories"].items():
            outlet_events[MODEL].add_partitions(f"{factory}|{trained['month']}")
        return outcome

    train_factory.expand(factories=choose())


train()
