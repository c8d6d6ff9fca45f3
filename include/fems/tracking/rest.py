"""What a command that only reads asks of MLflow, by its REST API: MLflow's own client takes seconds to import."""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from fems.errors import AccessDenied, ConfigError, NoModel, ServiceUnavailable
from fems.tracking.names import CHAMPION, EXPERIMENT, VIEW, model_name

_TIMEOUT_S = 30
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


def champion_metrics(uri: str, factory_id: str) -> tuple[str, dict[str, float]]:
    """Return the champion's version and the metrics that its run logged.

    Args:
        uri: of the server, http or https; MLFLOW_TRACKING_USERNAME and _PASSWORD are sent as MLflow's client does.
        factory_id: whose.

    Raises:
        NoModel: the factory has no champion.
        ServiceUnavailable: MLflow does not answer.
        AccessDenied: it refuses the user.
        ConfigError: the address is none.
    """
    champion = _champion(uri, factory_id)
    run = _get(uri, "runs/get", {"run_id": champion.run_id})
    metrics = run["run"]["data"].get("metrics", ()) if run is not None else ()
    return champion.version, {str(one["key"]): float(one["value"]) for one in metrics}


def champion_tags(uri: str, factory_id: str) -> tuple[str, dict[str, str]]:
    """Return the champion's version and its tags.

    Raises:
        NoModel, ServiceUnavailable, AccessDenied, ConfigError: as `champion_metrics`.
    """
    champion = _champion(uri, factory_id)
    return champion.version, champion.tags


def models_page(uri: str) -> str:
    """Return the address of MLflow's page of all trained models with their figures; of its front page before the first.

    Raises:
        ServiceUnavailable, AccessDenied, ConfigError: as `champion_metrics`.
    """
    found = _get(uri, "experiments/get-by-name", {"experiment_name": EXPERIMENT})
    if found is None:
        return experiments_page(uri)
    shown = f"/{found['experiment']['experiment_id']}/runs"
    return f"{experiments_page(uri, shown)}&viewStateShareKey={VIEW}"


def experiments_page(uri: str, below: str = "") -> str:
    """Return the address of MLflow's page of experiments, or of one below it, without what is for language models."""
    return f"{uri.rstrip('/')}/#/experiments{below}?workflowType=machine_learning"


class _Champion(NamedTuple):
    version: str
    run_id: str
    tags: dict[str, str]


def _champion(uri: str, factory_id: str) -> _Champion:
    found = _get(uri, "registered-models/alias", {"name": model_name(factory_id), "alias": CHAMPION})
    if found is None:
        raise NoModel(f"factory {factory_id} has no champion in MLflow; train it first")
    version = found["model_version"]
    tags = {str(one["key"]): str(one["value"]) for one in version.get("tags", ())}
    return _Champion(str(version["version"]), str(version["run_id"]), tags)


def _get(uri: str, path: str, query: dict[str, str]) -> dict[str, dict[str, Any]] | None:
    """Ask the API; None where it says that there is no such thing."""
    if not uri.startswith(("http://", "https://")):
        raise ConfigError(f"FEMS_MLFLOW_URI={uri!r}: write http://HOST:PORT or https://HOST:PORT")
    address = f"{uri.rstrip('/')}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(address)  # noqa: S310 - http, see above
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    if (secret := os.environ.get("MLFLOW_TRACKING_PASSWORD_FILE")) is not None:
        password = Path(secret).read_text().strip()
    if user or password:
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http, see above
            content: dict[str, dict[str, Any]] = json.load(answer)
            return content
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise AccessDenied(f"MLflow at {uri} refuses MLFLOW_TRACKING_USERNAME {user!r}") from error
        if error.code in (400, 404) and _error_code(error) in _ABSENT:
            return None
        raise ServiceUnavailable(f"MLflow at {uri} answered {error.code} for {path}") from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ServiceUnavailable(f"MLflow at {uri} does not answer: {error}") from error


def _error_code(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error).get("error_code"))
    except (ValueError, AttributeError, OSError):
        return ""
