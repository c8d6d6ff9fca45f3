"""Steam traps: the state of each on each day, the events, what they cost. Every morning, after the night's ingest.

By the clock and not by the asset `fems_processed`: one run tells of all factories at once. Without a scheduler:
`fems traps watch`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from fems.monitor import notices
from fems_airflow.assets import TRAPS
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.groups import NAMES, groups_of, in_turn
from fems_airflow.notify import RunNotifier
from fems_airflow.params import factories_param, known_params, note_nothing, or_nothing

DOCS = """
### Which steam trap has failed, since when, what it costs

**watch_traps**, one per group of factories: judges every published day of each trap, by that day and those before it,
on measured values alone; publishes `processed/trap_day` and `processed/trap_events`. Where nothing changed, nothing is
written.

One message tells of events that opened and closed, and of all that are still open; of lines that are off it says
nothing. Write repairs and planned stops down (`fems traps repaired`, `fems traps stop`): a repair resets a trap's
baseline, a stop keeps it quiet. Confirm by ultrasound before replacing a trap.

**Params:** *factories* to judge; none chosen means all that have traps and published data of them.

**When it is red:** open the failed task's log; its last line says what to do. The last good tables stay. Start it
again; nothing is told twice.
"""

TOLD = RunNotifier({"watch_traps": notices.of_group(notices.of_factory_traps)})


@dag(
    dag_id="traps",
    description="Failed steam traps, since when, what they cost",
    doc_md=DOCS,
    schedule=CronTriggerTimetable("0 5 * * *", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    deadline=done_within(hours=1),
    default_args=TASK_DEFAULTS,
    on_success_callback=TOLD,
    on_failure_callback=TOLD,
    params={"factories": factories_param()},
    tags=["fems", "traps", "daily"],
)
def traps() -> None:
    @task
    def choose(params: dict | None = None, dag: object = None) -> list[list[str] | None]:
        """Choose the factories that were asked for, or all that have traps with published data, in groups."""
        from fems.flows.platform import Platform
        from fems.flows.traps import trap_factories

        platform = Platform.from_environment(role="traps")
        return or_nothing(
            groups_of(platform, trap_factories(platform, known_params(params, dag)["factories"]))
        )

    @task(outlets=[TRAPS], map_index_template=NAMES)
    def watch_traps(factories: list[str] | None, *, run_id: str, **context: Any) -> dict | None:
        """Judge the traps of some factories, and return what is to be told of them."""
        from fems.contracts.traps import FactoryTraps
        from fems.flows.platform import Platform
        from fems.flows.trap_notices import trap_news
        from fems.flows.traps import watch_traps

        if factories is None:
            return note_nothing("no factory has steam traps with published data")
        platform = Platform.from_environment(role="traps")

        def watch_one(factory: str) -> dict:
            watched = watch_traps(platform, factory)
            news = trap_news(platform, factory, run_id)
            return FactoryTraps(seconds=watched.seconds, watched=watched, news=news).model_dump(mode="json")

        return in_turn(factories, watch_one, context)

    watch_traps.expand(factories=choose())


traps()
