"""Forecast: a factory's next 42,300 minutes, by machine, from its champion model.

A run per factory and month, started by the partition FACTORY|YYYY-MM of the asset `fems_model`; by hand in the UI for
any factories and month. Without a scheduler: `fems forecast`.
"""

from datetime import timedelta

from airflow.sdk import Param, PartitionedAssetTimetable, dag, task

from fems.contracts.horizon import HORIZON_MINUTES
from fems.monitor import notices
from fems_airflow.assets import FORECAST, MODEL
from fems_airflow.deadlines import done_within
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.links import task_with_report
from fems_airflow.metrics import measured
from fems_airflow.notify import RunNotifier
from fems_airflow.params import factories_param, known_params, month_param, note_nothing

DOCS = """
### The next month, by machine

**forecast_factory** loads the factory's champion from MLflow, forecasts from the first minute after the published
data (or from the month or origin asked for, with nothing measured after it), evaluates the result and publishes it
under `forecasts/` at native, hour and day grain with its quantiles, the report (HTML, Korean and English) and an Excel
workbook. Machines add up to the factory, minutes to hours to days.

With no champion, or with less than half of the last two weeks measured, a baseline forecasts; the task's result
(`model.fallback`), the tables' metadata and a banner in the report say so and why.

**Params**, for a run by hand: *factories*, *month*, *origin*, *horizon_minutes*. A run from the model's partition takes
its factory and month from there. The same origin, model and data again change nothing.

**When it is red:** `TooLittleHistory` means that ingest has not published data up to the month, or less than 21 days.
`DataError` says what is wrong with the month, origin or horizon. `ConfigError` names the line of factories.yaml.
"""

TOLD = RunNotifier({"forecast_factory": notices.of_forecast})


@dag(
    dag_id="forecast",
    description="The next 42,300 minutes of a factory, by machine",
    doc_md=DOCS,
    schedule=PartitionedAssetTimetable(assets=MODEL),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=2),
    deadline=done_within(hours=1),
    default_args=TASK_DEFAULTS,
    on_success_callback=TOLD,
    on_failure_callback=TOLD,
    params={
        "factories": factories_param(),
        "month": month_param(),
        "origin": Param(
            None,
            type=["null", "string"],
            title="Origin",
            description="A full hour such as 2026-03-01T00:00, in the factory's time. Empty means the month's start.",
        ),
        "horizon_minutes": Param(
            HORIZON_MINUTES,
            type="integer",
            minimum=60,
            multipleOf=60,
            title="Horizon",
            description="Minutes from the origin.",
        ),
    },
    tags=["fems", "forecast", "monthly"],
)
def forecast() -> None:
    @task
    def targets(dag_run: object = None, params: dict | None = None, dag: object = None) -> list[dict]:
        """Take factory and month from the model's partition, or from the form of a run by hand."""
        from fems.flows.forecast import targets
        from fems.flows.platform import Platform

        asked = known_params(params, dag)
        partition = getattr(dag_run, "partition_key", None)
        chosen = targets(
            Platform.from_environment(role="forecast"),
            partition,
            asked.get("factories"),
            asked.get("month"),
            asked.get("origin"),
        )
        return chosen or [{"factory": None, "month": None}]

    @task_with_report(
        outlets=[FORECAST],
        map_index_template="{{ task.op_kwargs['factory'] or 'nothing to do' }} {{ task.op_kwargs['month'] or '' }}",
    )
    def forecast_factory(factory: str | None, month: str | None, *, params: dict) -> dict | None:
        """Forecast a factory and publish the result."""
        from fems.flows.forecast import forecast_factory
        from fems.flows.platform import Platform

        if factory is None:
            return note_nothing("no factory has a champion yet; train first, or name the factories")
        platform = Platform.from_environment(role="forecast")
        outcome = forecast_factory(platform, factory, month, params["horizon_minutes"], params["origin"])
        return measured("forecast", outcome.figures())

    forecast_factory.expand_kwargs(targets())


forecast()
