"""Reaching MLflow, and turning its failures into errors that tell whether a retry is worth it."""

import contextlib
import logging
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fems.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient

_HEALTH_TIMEOUT_S = 5
_WORTH_A_RETRY = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_RACES = ("UniqueViolation", "UNIQUE constraint", "duplicate key", "could not serialize", "deadlock detected")
"""What the database answers where two clients write the same row at once. The one that lost finds it there."""
_RACE_TRIES = 8

T = TypeVar("T")


@dataclass(frozen=True)
class Server:
    """An MLflow server.

    Attributes:
        uri: where it is.
    """

    uri: str

    def connect(self) -> Any:
        """Import MLflow, quiet and impatient, point it at this server, and return its module.

        Raises:
            ServiceUnavailable: it does not answer.
        """
        self._reach()
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if (secret := os.environ.get("MLFLOW_TRACKING_PASSWORD_FILE")) is not None:
            os.environ["MLFLOW_TRACKING_PASSWORD"] = Path(secret).read_text().strip()
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        mlflow.set_tracking_uri(self.uri)
        return mlflow

    def client(self) -> "MlflowClient":
        """Return MLflow's client for this server."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what MLflow raises when its server fails into an error that is worth a retry."""
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException

        try:
            yield
        except (MlflowException, RequestException) as error:
            if getattr(error, "error_code", "INTERNAL_ERROR") in _WORTH_A_RETRY:
                raise ServiceUnavailable(f"MLflow at {self.uri}: {error}") from error
            raise

    def _reach(self) -> None:
        """Ask for the server's health before its client, which takes minutes to give up."""
        if not self.uri.startswith(("http://", "https://")):
            return
        try:
            health = f"{self.uri.rstrip('/')}/health"
            with urllib.request.urlopen(health, timeout=_HEALTH_TIMEOUT_S):  # noqa: S310 - http, see above
                return
        except (urllib.error.URLError, OSError) as error:
            raise ServiceUnavailable(f"MLflow at {self.uri} does not answer: {error}") from error


def despite_races(write: Callable[[], T]) -> T:
    """Write something that several trainings may write at once; who loses the race writes again.

    MLflow looks whether a row is there and then inserts it, so of two that start at once one fails.
    """
    from mlflow.exceptions import MlflowException

    for attempt in range(_RACE_TRIES):
        try:
            return write()
        except MlflowException as error:
            if attempt == _RACE_TRIES - 1 or not any(race in str(error) for race in _RACES):
                raise
            time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))  # noqa: S311 - only spreads them out
    raise AssertionError("unreachable")
