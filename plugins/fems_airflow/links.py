"""Links from a task to what it made, and tasks that have them."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import attrs
from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.bases.decorator import task_decorator_factory
from airflow.sdk.configuration import conf

QUALITY_PATH = "/fems/quality"
REPORT_PATH = "/fems/report"


def address(path: str) -> str:
    """Return the address of a page of the platform."""
    return conf.get("api", "base_url", fallback="").rstrip("/") + path


def _argument(operator: Any, name: str) -> str:
    value = (getattr(operator, "op_kwargs", None) or {}).get(name)
    return "" if value is None else str(value)


@attrs.define()
class QualityLink(BaseOperatorLink):
    """From ingest_factories to the quality evaluations: the factory's, or all where a task has several."""

    name = "Quality evaluation"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address."""
        factories = (getattr(operator, "op_kwargs", None) or {}).get("factories") or []
        return address("/".join([QUALITY_PATH, *(factories if len(factories) == 1 else [])]))


@attrs.define()
class ReportLink(BaseOperatorLink):
    """From forecast_factory to the report of the factory's month."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address: once the task has ended, that of the very forecast that it made or found.

        Before, or where it failed, that of the month that was asked for; of a run that names none, of the newest.
        """
        parts = (_argument(operator, "factory"), _argument(operator, "month"))
        made = self._made(operator, ti_key)
        if made is None:
            return address("/".join([REPORT_PATH, *filter(None, parts)]))
        from fems.lake.keys import model_of

        query = {
            "origin": made["origin"][:16],
            "model": model_of(made["prefix"]),
            "horizon": made["horizon_minutes"],
        }
        return address(f"{REPORT_PATH}/{quote(made['factory_id'])}/{made['month']}?{urlencode(query)}")

    @staticmethod
    def _made(operator: BaseOperator, ti: Any) -> dict[str, Any] | None:
        if not hasattr(ti, "xcom_pull"):  # asked by the server, where the link that the task left counts
            return None
        return ti.xcom_pull(task_ids=operator.task_id, map_indexes=ti.map_index)


class _WithQuality(_PythonDecoratedOperator):
    """A task that evaluates."""

    operator_extra_links: ClassVar = (QualityLink(),)


class _WithReport(_PythonDecoratedOperator):
    """A task that forecasts."""

    operator_extra_links: ClassVar = (ReportLink(),)


task_with_quality: Callable[..., Any] = partial(task_decorator_factory, decorated_operator_class=_WithQuality)
"""`@task` with a link to the quality evaluation of the factories that are its argument `factories`."""

task_with_report: Callable[..., Any] = partial(task_decorator_factory, decorated_operator_class=_WithReport)
"""`@task` with a link to the report of the factory and month that are its arguments."""
