"""Ingest: raw files of every collector into published native, hour and day tables.

Runs every night. It finds the partitions (a factory's feed and month) whose raw objects are not those that their
metadata names, and rebuilds these: new, late, corrected and repeated files need no hand, and with nothing new it does
nothing. Without a scheduler: `fems ingest`.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from fems_airflow.assets import INGESTED, PROCESSED
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.links import task_with_quality
from fems_airflow.metrics import measured
from fems_airflow.notify import RunNotifier
from fems_airflow.params import accept_param, factories_param, known_params, note_nothing, or_nothing

DOCS = """
### Raw files into published tables

1. **find_stale** compares the raw objects in MinIO with those that the published partitions were made of.
2. **ingest_factory**, one per factory that has news: decode, type, replace the abnormal, fill the missing, sum up to
   hours and days, evaluate with Great Expectations, publish. Rows that cannot be used go to `quarantine/`, each with
   its reason.

**Params:** *factories* to look at; none chosen means all. *accept*: publish also a month that has less than the
published one, or another level; without it such a month fails, and says what it would lose.

The link *Quality evaluation* under *Details* of a task leads to the factory's months: score by day, what was not met,
Data Docs.

**When it is red:** open the failed task's log; its last line says which object, row or expectation, and what to do.
`QualityFailed` means that a month was not published and that the last good one still stands. Nothing is lost: mend
the file (land a corrected one beside it) or the rule, and start the Dag again. `NeedsAcceptance` means that the month
would lose sensors, days or values that are published, or that its level is off by the factor of a unit: mend it, or
start the Dag again with *accept*.
"""


@dag(
    dag_id="ingest",
    description="Raw meter and steam-trap files into published hours and days",
    doc_md=DOCS,
    schedule=CronTriggerTimetable("30 2 * * *", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    deadline=done_within(hours=3),
    default_args=TASK_DEFAULTS,
    on_failure_callback=RunNotifier(),
    params={"factories": factories_param(), "accept": accept_param()},
    tags=["fems", "ingest", "nightly"],
)
def ingest() -> None:
    @task
    def find_stale(params: dict | None = None, dag: object = None) -> list[str | None]:
        """Find the factories that have raw objects which are not in their published tables."""
        from fems.flows.ingest import stale_factories
        from fems.flows.platform import Platform

        platform = Platform.from_environment(role="ingest")
        asked = known_params(params, dag)["factories"] or platform.plant.factories
        return or_nothing(stale_factories(platform, asked))

    @task_with_quality(
        outlets=[INGESTED], map_index_template="{{ task.op_kwargs['factory'] or 'nothing to do' }}"
    )
    def ingest_factory(
        factory: str | None,
        *,
        run_id: str,
        outlet_events: dict,
        params: dict | None = None,
        dag: object = None,
    ) -> dict | None:
        """Process, evaluate and publish a factory's stale partitions."""
        from fems.flows.ingest import ingest_factory
        from fems.flows.platform import Platform

        if factory is None:
            return note_nothing("every published month is made of the raw objects that are there")
        platform = Platform.from_environment(role="ingest")
        accept = bool(known_params(params, dag).get("accept"))
        outcome = ingest_factory(platform, factory, run=run_id, accept=accept)
        if outcome.partitions:
            outlet_events[INGESTED].add(
                PROCESSED, extra={"factory_id": factory, "months": list(outcome.months)}
            )
        return measured("ingest", outcome.model_dump(mode="json"))

    ingest_factory.expand(factory=find_stale())


ingest()
