"""Forecast: a factory's next 42,300 minutes, by machine, from its champion model.

A run per factory and month, started by the partition FACTORY|YYYY-MM of the asset `fems_model`; by hand in the UI for
any factories and month. Without a scheduler: `fems forecast`.
"""

from datetime import timedelta

from airflow.sdk import Param, PartitionedAssetTimetable, dag, task

from fems_airflow.assets import FORECAST, MODEL
from fems_airflow.defaults import TASK_DEFAULTS
from fems_airflow.params import factories_param, month_param

DOCS = """
### The next month, by machine

**forecast_factory** loads the factory's champion from MLflow, forecasts from the first minute after the published
data (or from the start of the month asked for, with nothing measured after it), evaluates the result and publishes it
under `forecasts/` at native, hour and day grain. Machines add up to the factory, minutes to hours to days.

**Params**, for a run by hand: *factories*, *month*, *horizon_minutes*. A run from the model's partition takes its
factory and month from there.

**When it is red:** `NoModel` means that `train` has not registered a model for the factory yet. `TooLittleHistory`
means that ingest has not published data up to the month.
"""


@dag(
    dag_id="forecast",
    description="The next 42,300 minutes of a factory, by machine",
    doc_md=DOCS,
    schedule=PartitionedAssetTimetable(assets=MODEL),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=2),
    default_args=TASK_DEFAULTS,
    params={
        "factories": factories_param(),
        "month": month_param(),
        "horizon_minutes": Param(
            42_300,
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
    def targets(dag_run: object = None, params: dict | None = None) -> list[dict]:
        """Take factory and month from the model's partition, or from the form of a run by hand."""
        from fems.flows.forecast import targets
        from fems.flows.platform import Platform

        asked = params or {}
        partition = getattr(dag_run, "partition_key", None)
        return targets(Platform.from_environment(), partition, asked.get("factories"), asked.get("month"))

    @task(
        outlets=[FORECAST],
        map_index_template="{{ task.op_kwargs['factory'] }} {{ task.op_kwargs['month'] or '' }}",
    )
    def forecast_factory(factory: str, month: str | None, *, params: dict) -> dict:
        """Forecast a factory and publish the result."""
        from fems.flows.forecast import forecast_factory
        from fems.flows.platform import Platform

        platform = Platform.from_environment()
        return forecast_factory(platform, factory, month, params["horizon_minutes"])

    forecast_factory.expand_kwargs(targets())


forecast()
