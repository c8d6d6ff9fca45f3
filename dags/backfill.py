"""Backfill: many months of some factories behind the nights: years of raw files, or all of them after a new rule.

Started by the asset `fems_backlog`, with the factories of which a night has left months, or by hand. Without a
scheduler: `fems ingest ID`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from fems_airflow.assets import BACKLOG, INGESTED
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.groups import NAMES, groups_of, in_turn, tell_published
from fems_airflow.links import task_with_quality
from fems_airflow.metrics import measured
from fems_airflow.notify import RunNotifier
from fems_airflow.params import factories_param, known_params, note_nothing, or_nothing

DOCS = """
### Months that the nights left

**backfill_factory**, one per factory: rebuilds all of its stale months, the oldest first. The pool `backfill` holds how
many run at a time (one, unless somebody gives it more), and whatever the other Dags want to start comes first.

**How far it is:** the grid counts the factories; a task's log counts its months (`14 of 60 months`). What is published
is published: a task that is stopped, killed or started again goes on with what is left.

**Params:** *factories*; none chosen means those of the events that started the run, or all.

**When it is red:** as for the Dag `ingest`: open the failed task's log; its last line says which object, row or
expectation, and what to do. Start the failed task again.
"""


@dag(
    dag_id="backfill",
    description="Many months of some factories, behind the night's work",
    doc_md=DOCS,
    schedule=[BACKLOG],
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=7),
    default_args=TASK_DEFAULTS | {"priority_weight": 1},
    on_failure_callback=RunNotifier(),
    params={"factories": factories_param()},
    tags=["fems", "ingest", "on request"],
)
def backfill() -> None:
    @task
    def choose(
        triggering_asset_events: dict | None = None, params: dict | None = None, dag: object = None
    ) -> list[list[str] | None]:
        """Choose the factories that were asked for, or those that a night has left months of, or all; a task each."""
        from fems.flows.platform import Platform

        platform = Platform.from_environment(role="ingest")
        registered = list(platform.plant.factories)
        events = (triggering_asset_events or {}).get(BACKLOG, [])
        left = {factory for event in events for factory in event.extra.get("factories", [])}
        asked = known_params(params, dag)["factories"] or [each for each in registered if each in left]
        return or_nothing(groups_of(platform, asked or registered, most=1))

    @task_with_quality(
        outlets=[INGESTED], pool="backfill", execution_timeout=timedelta(hours=12), map_index_template=NAMES
    )
    def backfill_factory(
        factories: list[str] | None, *, run_id: str, outlet_events: Any, **context: Any
    ) -> dict | None:
        """Rebuild all stale months of a factory, the oldest first."""
        from fems.flows.ingest import ingest_factory
        from fems.flows.platform import Platform

        if factories is None:
            return note_nothing("no factory is registered")
        platform = Platform.from_environment(role="ingest")

        def backfill_one(factory: str) -> dict:
            outcome = ingest_factory(platform, factory, run=run_id, everything=False)
            return measured("ingest", outcome.model_dump(mode="json"))

        outcome = in_turn(factories, backfill_one, context)
        tell_published(outcome, outlet_events)
        return outcome

    backfill_factory.expand(factories=choose())


backfill()
