"""MLflow behind its own login: `python -m guards.mlflow_server --host HOST --port PORT`.

MLflow's server and its `basic-auth` app as they are, in one process, with what they leave open closed:

- no account is made but those of the environment: `admin`, `platform` (trains and registers), `reader`;
- artifacts lie in the bucket of MLFLOW_ARTIFACTS_DESTINATION and nowhere else. An experiment or a model version with
  any other location is refused when it is made, and one that is there already is not opened: a location of `file://`
  is a way to write files beside the server, and any other a way to use its keys.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from guards.logins import LoginThrottle
from guards.mlflow_door import MlflowDoor, attempt

OWN = "mlflow-artifacts"
_SECRETS = (
    "MLFLOW_BACKEND_STORE_URI",
    "FEMS_MLFLOW_AUTH_DATABASE_URI",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "FEMS_MLFLOW_ADMIN_PASSWORD",
    "FEMS_MLFLOW_PLATFORM_PASSWORD",
    "FEMS_MLFLOW_READER_PASSWORD",
)


def from_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which NAME is what the file NAME_FILE holds: a secret need not stand in it."""
    files = {key: Path(value) for key, value in environment.items() if key.endswith("_FILE")}
    names = (*_SECRETS, "AWS_SECRET_ACCESS_KEY")
    read = {
        key.removesuffix("_FILE"): path for key, path in files.items() if key.removesuffix("_FILE") in names
    }
    return {**environment, **{name: path.read_text().strip() for name, path in read.items()}}


def create_app(environment: dict[str, str]) -> Any:
    """Return the whole server as an ASGI application.

    Args:
        environment: holds the names of `_SECRETS` and MLFLOW_ARTIFACTS_DESTINATION (s3://BUCKET).

    Raises:
        SystemExit: one of them is missing.
    """
    missing = [name for name in (*_SECRETS, "MLFLOW_ARTIFACTS_DESTINATION") if not environment.get(name)]
    if missing:
        raise SystemExit(f"error: not set: {', '.join(missing)}")
    _configure(environment)
    from mlflow.server import auth, handlers

    _keep_to_own_locations(environment["MLFLOW_ARTIFACTS_DESTINATION"])
    handlers.initialize_backend_stores(environment["MLFLOW_BACKEND_STORE_URI"], None, f"{OWN}:/")
    _tell_absent_from_forbidden(auth)
    app = auth.create_app()
    _keep_accounts(auth.store, environment)
    return LoginThrottle(MlflowDoor(app), attempt)


def _configure(environment: dict[str, str]) -> None:
    """Set what MLflow's modules read while they are imported."""
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": environment["MLFLOW_BACKEND_STORE_URI"],
        "_MLFLOW_SERVER_ARTIFACT_ROOT": f"{OWN}:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": environment["MLFLOW_ARTIFACTS_DESTINATION"],
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": environment["MLFLOW_FLASK_SERVER_SECRET_KEY"],
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_AUTH_ADMIN_PASSWORD": environment["FEMS_MLFLOW_ADMIN_PASSWORD"],
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
    }
    # The file is read once, at the import: nothing of it, the database's password included, stays on disk.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "auth.ini"
        path.touch(mode=0o600)
        path.write_text(
            "[mlflow]\ndefault_permission = READ\n"
            f"database_uri = {environment['FEMS_MLFLOW_AUTH_DATABASE_URI'].replace('%', '%%')}\n"
            "auth_cache_ttl_seconds = 60\n"  # the hash of a password costs 0.1 s; every request brings one
        )
        os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(path)
        import mlflow.server.auth  # noqa: F401


def _keep_to_own_locations(destination: str) -> None:
    """Refuse every location but this server's own, where it is stored and where it is opened."""
    from mlflow.exceptions import MlflowException
    from mlflow.server import handlers
    from mlflow.store.artifact import artifact_repository_registry as repositories
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as ModelStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore

    def require(location: str, schemes: tuple[str, ...]) -> None:
        parts = urlsplit(location)
        if parts.scheme not in schemes or parts.netloc or ".." in parts.path.split("/"):
            raise MlflowException.invalid_parameter_value(
                f"{location!r} is not of this server: leave the location out, artifacts are kept by the server itself"
            )

    class OwnTrackingStore(TrackingStore):
        def create_experiment(self, name: Any, artifact_location: Any = None, tags: Any = None) -> Any:
            if artifact_location:
                require(artifact_location, (OWN,))
            return super().create_experiment(name, artifact_location, tags)

    class OwnModelStore(ModelStore):
        def create_model_version(self, name: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
            require(source, (OWN, "runs", "models"))
            return super().create_model_version(name, source, *args, **kwargs)

    def tracking_store(store_uri: str, artifact_uri: str) -> TrackingStore:
        return OwnTrackingStore(store_uri, artifact_uri)

    def model_store(store_uri: str) -> ModelStore:
        return OwnModelStore(store_uri)

    for scheme in DATABASE_ENGINES:
        handlers._tracking_store_registry.register(scheme, tracking_store)
        handlers._model_registry_store_registry.register(scheme, model_store)

    registry = repositories._artifact_repository_registry._registry
    kept = {scheme: registry[scheme] for scheme in ("s3", OWN, "runs", "models")}
    bucket, object_store = urlsplit(destination).netloc, kept["s3"]

    def own_bucket(artifact_uri: str, *args: Any, **kwargs: Any) -> Any:
        if urlsplit(artifact_uri).netloc != bucket:
            raise MlflowException.invalid_parameter_value(f"{artifact_uri!r} is not of this server")
        return object_store(artifact_uri, *args, **kwargs)

    registry.clear()
    registry.update({**kept, "s3": own_bucket})


def _tell_absent_from_forbidden(auth: Any) -> None:
    """Answer 404 for a model that is not there, where MLflow answers 403 so as not to tell which there are.

    Every account here may read every model's name, and "no model yet" is what a first training hears.
    """
    target = auth._registered_model_or_prompt_target

    def target_or_absent() -> tuple[str, str]:
        return target() or ("registered_model", str(auth._get_request_param("name")))

    auth._registered_model_or_prompt_target = target_or_absent


def _keep_accounts(store: Any, environment: dict[str, str]) -> None:
    """Make the accounts, and give those that are there the environment's password."""
    for name in ("admin", "platform", "reader"):
        password = environment[f"FEMS_MLFLOW_{name.upper()}_PASSWORD"]
        if not store.has_user(name):
            store.create_user(name, password)
        elif not store.authenticate_user(name, password):
            store.update_user(name, password=password)
    for kind in ("experiment", "registered_model"):
        store.grant_user_permission("platform", kind, "*", "MANAGE")


def main() -> None:
    """Serve until told to stop."""
    import uvicorn
    from mlflow import server

    words = argparse.ArgumentParser(description="MLflow behind its own login")
    words.add_argument("--host", required=True)
    words.add_argument("--port", type=int, required=True)
    asked = words.parse_args()
    os.environ |= from_files(os.environ)
    app = create_app(dict(os.environ))
    log_config = str(Path(server.__file__).parent / "uvicorn_log_config.yaml")
    # With proxy_headers anybody on this machine could say where a request comes from; failures are counted by that.
    uvicorn.run(
        app,
        host=asked.host,
        port=asked.port,
        log_config=log_config,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
