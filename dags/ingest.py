"""Ingest: raw files of every collector into published native, hour and day tables.

Runs every night. It finds the partitions (a factory's feed and month) whose raw objects are not those that their
metadata names, and rebuilds these: new, late, corrected and repeated files need no hand, and with nothing new it does
nothing. Without a scheduler: `fems ingest`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from fems_airflow.assets import BACKLOG, INGESTED, LEFT
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.groups import NAMES, groups_of, in_turn, tell_published
from fems_airflow.links import task_with_quality
from fems_airflow.metrics import measured
from fems_airflow.notify import RunNotifier
from fems_airflow.params import (
    accept_param,
    everything_param,
    factories_param,
    known_params,
    note_nothing,
    or_nothing,
)

DOCS = """
### Raw files into published tables

1. **find_stale** finds the factories that have news, by their indexes: the newest days, what was landed into older
   months, manifests that are others. Once a week (`FEMS_RECONCILE_DAYS`) everything of a factory is listed.
2. **ingest_factories**, one per group of factories that have news: decode, type, replace the abnormal, fill the
   missing, sum up to hours and days, evaluate with Great Expectations, publish. Rows that cannot be used go to
   `quarantine/`, each with its reason. A factory that fails stops no other; a retry takes up those alone that failed.
   Of a factory with more than `FEMS_NIGHT_MONTHS` stale months a night takes the newest; the Dag `backfill` the others.

**Params:** *factories* to look at; none chosen means all. *accept*: publish also a month that has less than the
published one, or another level; without it such a month fails, and says what it would lose. *everything*: list
everything now, for instance after somebody has put files under raw/ by another way than `fems land`.

The link *Quality evaluation* under *Details* of a task leads to the months: score by day, what was not met, Data Docs.

**When it is red:** open the failed task's log; its last line says which factories failed, with object, row or
expectation, and what to do.
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
    params={"factories": factories_param(), "accept": accept_param(), "everything": everything_param()},
    tags=["fems", "ingest", "nightly"],
)
def ingest() -> None:
    @task
    def find_stale(params: dict | None = None, dag: object = None) -> list[list[str] | None]:
        """Find the factories that may have raw objects which are not in their published tables, in groups."""
        from fems.flows.ingest import stale_factories
        from fems.flows.platform import Platform

        platform, asked = Platform.from_environment(role="ingest"), known_params(params, dag)
        wanted = asked["factories"] or list(platform.plant.factories)
        stale = wanted if asked["everything"] else stale_factories(platform, wanted)
        return or_nothing(groups_of(platform, stale))

    @task_with_quality(outlets=[INGESTED, LEFT], map_index_template=NAMES)
    def ingest_factories(
        factories: list[str] | None, *, dag_run: Any, outlet_events: Any, **context: Any
    ) -> dict | None:
        """Process, evaluate and publish the stale partitions of some factories."""
        from fems.flows.ingest import ingest_factory
        from fems.flows.platform import Platform

        if factories is None:
            return note_nothing("every published month is made of the raw objects that are there")
        platform = Platform.from_environment(role="ingest")
        asked = known_params(context["params"], context["dag"])
        how = {
            "run": dag_run.run_id,
            "accept": bool(asked["accept"]),
            "everything": bool(asked["everything"]),
            "most_months": platform.settings.night_months if dag_run.run_type == "scheduled" else None,
        }

        def ingest_one(factory: str) -> dict:
            return measured("ingest", ingest_factory(platform, factory, **how).model_dump(mode="json"))

        outcome = in_turn(factories, ingest_one, context)
        tell_published(outcome, outlet_events)
        left = [factory for factory, result in outcome["factories"].items() if result["left"]]
        if left:
            outlet_events[LEFT].add(BACKLOG, extra={"factories": left})
        return outcome

    ingest_factories.expand(factories=find_stale())


ingest()
