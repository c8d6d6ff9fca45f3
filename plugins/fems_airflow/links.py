"""Links from a task to what it made, and tasks that have them."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import attrs
from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.bases.decorator import task_decorator_factory
from airflow.sdk.configuration import conf

QUALITY_PATH = "/fems/quality"


def address(path: str) -> str:
    """Return the address of a page of the platform."""
    return conf.get("api", "base_url", fallback="").rstrip("/") + path


def _argument(operator: Any, name: str) -> str:
    return str((getattr(operator, "op_kwargs", None) or {}).get(name, ""))


@attrs.define()
class QualityLink(BaseOperatorLink):
    """From ingest_factory to the factory's quality evaluations."""

    name = "Quality evaluation"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address."""
        return address(f"{QUALITY_PATH}/{_argument(operator, 'factory')}".rstrip("/"))


class _WithQuality(_PythonDecoratedOperator):
    """A task that evaluates."""

    operator_extra_links: ClassVar = (QualityLink(),)


task_with_quality: Callable[..., Any] = partial(task_decorator_factory, decorated_operator_class=_WithQuality)
"""`@task` with a link to the quality evaluation of the factory that is its argument `factory`."""
