"""A model version's track record in MLflow: tags on the version, and metrics of its run that grow with time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fems.tracking.registry import model_name
from fems.tracking.server import client, connect, talking

PREFIX = "track_record."


def log_track_record(
    factory_id: str, version: str, figures: Mapping[str, float], hours: int, until: datetime
) -> bool:
    """Log how a version's newest forecast did on what was measured since.

    The metrics are a point in time each (step: hours measured, time: `until`); the tags are the newest word, and
    `track_record.until` is set last: a log that was cut short is made again, the same one is made once.

    Args:
        factory_id: the factory.
        version: of its model.
        figures: name -> figure; what is not finite is left out.
        hours: measured hours behind the figures.
        until: the first instant after them.

    Returns:
        Whether anything was written; False also where the registry no longer has that version.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    connect()
    with talking():
        talk, name, stamp = client(), model_name(factory_id), f"{until.isoformat()} ({hours} hours)"
        try:
            found: Any = talk.get_model_version(name, version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return False
            raise
        if found.tags.get(PREFIX + "until") == stamp:
            return False
        known = {
            key: value for key, value in figures.items() if value == value and abs(value) != float("inf")
        }
        when = int(until.timestamp() * 1000)
        talk.log_batch(
            found.run_id, metrics=[Metric(PREFIX + key, value, when, hours) for key, value in known.items()]
        )
        for key, value in known.items():
            talk.set_model_version_tag(name, version, PREFIX + key, f"{value:.4g}")
        talk.set_model_version_tag(name, version, PREFIX + "until", stamp)
        return True
