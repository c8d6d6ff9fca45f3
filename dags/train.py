"""Train: a model per factory, scored against baselines, registered in MLflow.

Runs on the 1st of each month, after the night's ingest, and when the monitor asks for it (Dag `retrain`). Each model
that is registered starts the forecast of its factory and month through the asset `fems_model`. Without a scheduler:
`fems train`.
"""

from datetime import timedelta

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from fems.monitor import notices
from fems_airflow.assets import MODEL
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
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

TOLD = RunNotifier({"train_factory": notices.of_training})


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
    def choose(params: dict | None = None, dag: object = None) -> list[str | None]:
        """Choose the factories that were asked for, or all that have published data."""
        from fems.flows.platform import Platform
        from fems.flows.train import trainable

        platform = Platform.from_environment(role="training")
        return or_nothing(known_params(params, dag)["factories"] or trainable(platform))

    @task(
        outlets=[MODEL],
        pool="training",
        **on_queue("train"),
        execution_timeout=timedelta(hours=3),
        map_index_template="{{ task.op_kwargs['factory'] or 'nothing to do' }}",
    )
    def train_factory(factory: str | None, *, params: dict, run_id: str, outlet_events: dict) -> dict | None:
        """Train a factory's model and say for which month it is meant."""
        from fems.flows.platform import Platform
        from fems.flows.train import train_factory

        if factory is None:
            return note_nothing("no factory has published meter data yet")
        platform = Platform.from_environment(role="training")
        outcome = train_factory(
            platform,
            factory,
            epochs=params["epochs"],
            seed=params["seed"],
            dag_run=run_id,
            reason=params["reason"] or "",
        )
        outlet_events[MODEL].add_partitions(f"{factory}|{outcome.month}")
        return measured("train", outcome.model_dump(mode="json"))

    train_factory.expand(factory=choose())


train()
