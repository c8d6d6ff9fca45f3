"""How every task of the platform fails, retries and gives up."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from fems_airflow.notify import keep_failure

RETRY_POLICY = ExceptionRetryPolicy(
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

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "fems",
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_policy": RETRY_POLICY,
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": keep_failure,
}
