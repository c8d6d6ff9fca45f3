"""Monitor: past forecasts beside what was measured since; training is asked for where a model no longer fits.

Runs every morning, after the night's ingest. By the clock and not by the asset `fems_processed`: one run tells of all
factories at once, and a night that brought no data is looked at, too. Without a scheduler: `fems monitor`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from fems.monitor import notices
from fems_airflow.assets import ASKED, RETRAIN
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.groups import NAMES, groups_of, in_turn
from fems_airflow.metrics import measured
from fems_airflow.notify import RunNotifier
from fems_airflow.params import factories_param, known_params, note_nothing, or_nothing

DOCS = """
### How the forecasts did, and whether the models still fit

**monitor_factories**, one per group of factories with published data: joins every past forecast with what was measured
since and keeps the table `forecasts/factory=<id>/track_record.parquet` (accuracy, bias, coverage of the band, beside
weekly naive from the same origin, by equipment); logs the figures to the model's version in MLflow; and asks for
training where the champion has fallen behind weekly naive, or its inputs have moved away from what it was trained on.

A request is an event of the asset `fems_retrain`; the Dag `retrain` starts the training. There is at most one a
factory in the days that `monitoring.ask_every_days` of factories.yaml names. One message tells of all requests and
coming peaks.

**Params:** *factories* to look at; none chosen means all that have published data.

**When it is red:** open the failed task's log; its last line says what to do. Nothing but the track record and the
requests depends on this Dag: forecasts go on. Start it again; it does not ask or tell twice.
"""

TOLD = RunNotifier({"monitor_factories": notices.of_group(notices.of_monitor)})


@dag(
    dag_id="monitor",
    description="Past forecasts beside the truth; asks for training where a model no longer fits",
    doc_md=DOCS,
    schedule=CronTriggerTimetable("30 5 * * *", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    deadline=done_within(hours=1),
    default_args=TASK_DEFAULTS,
    on_success_callback=TOLD,
    on_failure_callback=TOLD,
    params={"factories": factories_param()},
    tags=["fems", "monitor", "daily"],
)
def monitor() -> None:
    @task
    def choose(params: dict | None = None, dag: object = None) -> list[list[str] | None]:
        """Choose the factories that were asked for, or all that have published data, in groups."""
        from fems.flows.platform import Platform
        from fems.flows.train import trainable

        platform = Platform.from_environment(role="monitor")
        factories = known_params(params, dag)["factories"] or trainable(platform)
        return or_nothing(groups_of(platform, factories))

    @task(outlets=[ASKED], map_index_template=NAMES)
    def monitor_factories(
        factories: list[str] | None, *, run_id: str, outlet_events: Any, **context: Any
    ) -> dict | None:
        """Judge the forecasts of some factories, and ask for training where it is due."""
        from fems.flows.monitor import monitor_factory, now_utc
        from fems.flows.platform import Platform

        if factories is None:
            return note_nothing("no factory has published meter data yet")
        platform = Platform.from_environment(role="monitor")

        def monitor_one(factory: str) -> dict:
            outcome = monitor_factory(platform, factory, now_utc(), run_id)
            return measured("monitor", outcome.model_dump(mode="json"))

        outcome = in_turn(factories, monitor_one, context)
        for result in outcome["factories"].values():
            if result["request"]:
                outlet_events[ASKED].add(RETRAIN, extra=result["request"])
        return outcome

    monitor_factories.expand(factories=choose())


monitor()
