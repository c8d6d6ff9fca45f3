"""When a run should be done; a later one is told of while it still runs (`dagrun_timeout` stops it, much later)."""

from datetime import timedelta

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from fems_airflow.notify import DeadlineNotifier


def done_within(hours: float) -> DeadlineAlert:
    """Return the alert for a run that is not done so many hours after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        # In the triggerer: Airflow 3.3 lets a callback that runs in the executor read no connection.
        callback=AsyncCallback(DeadlineNotifier, kwargs={"hours": hours}),
        name=f"done within {hours:g} h",
    )
