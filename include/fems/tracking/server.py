"""Reaching MLflow, and turning its failures into errors that say whether a retry is worth it."""

import contextlib
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fems.errors import ServiceUnavailable
from fems.settings import settings

_HEALTH_TIMEOUT_S = 5
_WORTH_A_RETRY = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")


def connect() -> Any:
    """Import MLflow, quiet and impatient, and point it at the server of the settings.

    Raises:
        ServiceUnavailable: it does not answer.
    """
    uri = settings().mlflow_uri
    _reach(uri)
    for name, value in {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    if (secret := os.environ.get("MLFLOW_TRACKING_PASSWORD_FILE")) is not None:
        os.environ["MLFLOW_TRACKING_PASSWORD"] = Path(secret).read_text().strip()
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    return mlflow


def client() -> Any:
    """Return MLflow's client for the server of the settings."""
    from mlflow import MlflowClient

    return MlflowClient(settings().mlflow_uri)


def _reach(uri: str) -> None:
    """Ask for the server's health before its client, which takes minutes to give up."""
    if not uri.startswith(("http://", "https://")):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_HEALTH_TIMEOUT_S):  # noqa: S310 - http, see above
            return
    except (urllib.error.URLError, OSError) as error:
        raise ServiceUnavailable(f"MLflow at {uri} does not answer: {error}") from error


@contextlib.contextmanager
def talking() -> Iterator[None]:
    """Turn what MLflow raises when its server fails into an error that is worth a retry."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        if getattr(error, "error_code", "INTERNAL_ERROR") in _WORTH_A_RETRY:
            raise ServiceUnavailable(f"MLflow at {settings().mlflow_uri}: {error}") from error
        raise
