"""How every task of the platform fails, retries and gives up."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.definitions.retry_policy import RetryDecision

from fems.errors import is_missing_library
from fems_airflow.notify import keep_failure
from fems_airflow.queues import on_queue


class RetryPolicy(ExceptionRetryPolicy):
    """By the error's type; a library that cannot be loaded says so in words, under many types."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Decide whether a task is tried again."""
        if is_missing_library(exception):
            return RetryDecision.fail(
                "a package or a library of the system is missing: run `make setup`, "
                "then `.venv/bin/python -m embedded.natives` says what this system lacks"
            )
        return super().evaluate(exception, try_number, max_tries, context)


RETRY_POLICY = RetryPolicy(
    rules=[
        RetryRule(
            exception=["fems.errors.DataError", "fems.errors.ConfigError", "fems.errors.AccessDenied"],
            action=RetryAction.FAIL,
            reason="the same data and configuration give the same answer",
        ),
        RetryRule(
            exception="fems.errors.ServiceUnavailable",
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=20),
            reason="a service did not answer",
        ),
    ]
)

NIGHT = 10
"""What a night does comes before a backfill, whose tasks have a weight of 1."""

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "fems",
    **on_queue("ingest"),
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_policy": RETRY_POLICY,
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": keep_failure,
    "priority_weight": NIGHT,
    "weight_rule": "absolute",
}
