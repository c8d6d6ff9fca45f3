"""A model version's track record in MLflow: tags on the version, and metrics of its run that grow with time."""

from collections.abc import Mapping
from datetime import datetime

from fems.tracking.names import model_name
from fems.tracking.registry import none_if_absent
from fems.tracking.server import Server

PREFIX = "track_record."


def log_track_record(
    server: Server, factory_id: str, version: str, figures: Mapping[str, float], hours: int, until: datetime
) -> bool:
    """Log how a version's newest forecast did on what was measured since.

    The metrics are a point in time each (step: hours measured, time: `until`); the tags are the newest figures, and
    `track_record.until` is set last: a log that was cut short is made again, the same one is made once.

    Args:
        server: MLflow.
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

    server.connect()
    with server.errors():
        client, name, stamp = server.client(), model_name(factory_id), f"{until.isoformat()} ({hours} hours)"
        registered = none_if_absent(lambda: client.get_model_version(name, version))
        if registered is None or registered.tags.get(PREFIX + "until") == stamp:
            return False
        known = {
            key: value for key, value in figures.items() if value == value and abs(value) != float("inf")
        }
        when = int(until.timestamp() * 1000)
        client.log_batch(
            str(registered.run_id),
            metrics=[Metric(PREFIX + key, value, when, hours) for key, value in known.items()],
        )
        for key, value in known.items():
            client.set_model_version_tag(name, version, PREFIX + key, f"{value:.4g}")
        client.set_model_version_tag(name, version, PREFIX + "until", stamp)
        return True
