"""The environment variables that the services, and a person at a shell, work with."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedded import valkey
from embedded.accounts import LAKE, LOGS, MODELS, access_key
from embedded.config import Config
from embedded.credentials import Credentials

# What a person's shell may hold and what would quietly point a service at something else.
_FOREIGN = ("AIRFLOW", "CELERY_", "MLFLOW_", "_MLFLOW", "AWS_", "PG", "MINIO_", "FEMS_S3_", "FEMS_MLFLOW_")


LOG_CONNECTION = "fems_logs"
_ON_WORKERS: dict[str, str | int | bool] = {
    "CORE__EXECUTOR": "CeleryExecutor",
    "OPERATORS__DEFAULT_QUEUE": "ingest",
    # A task may wait for a worker that trains; after this long without one it is sent again.
    "SCHEDULER__TASK_QUEUED_TIMEOUT": 14400,
    "LOGGING__REMOTE_LOGGING": True,
    "LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{LOGS}/tasks",
    "LOGGING__REMOTE_LOG_CONN_ID": LOG_CONNECTION,
}


def clean(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment without the variables that configure the services themselves."""
    kept = {key: value for key, value in environment.items() if not key.startswith(_FOREIGN)}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    # Loopback must not go through somebody's proxy.
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(
        filter(None, [environment.get("NO_PROXY") or environment.get("no_proxy"), "127.0.0.1,localhost"])
    )
    return kept


def clients(config: Config) -> dict[str, str]:
    """Return where MinIO and MLflow are; a key for neither."""
    return {
        "FEMS_STATE_DIR": str(config.state),
        "FEMS_S3_ENDPOINT": config.minio_url,
        "FEMS_S3_BUCKET": LAKE,
        "FEMS_S3_DISK": str(config.state),
        "FEMS_MLFLOW_URI": config.mlflow_url,
        "FEMS_AIRFLOW_URL": config.airflow_url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def minio(secret: Credentials) -> dict[str, str]:
    """Return what the MinIO gateway needs."""
    return {"MINIO_ROOT_USER": secret.minio_user, "MINIO_ROOT_PASSWORD": secret.minio_password}


def mlflow(config: Config, secret: Credentials) -> dict[str, str]:
    """Return what the MLflow server needs."""

    def database(name: str) -> str:
        return config.database_url(name, "mlflow", secret.mlflow_database_password)

    return {
        "MLFLOW_S3_ENDPOINT_URL": config.minio_url,
        "MLFLOW_BACKEND_STORE_URI": database("mlflow"),
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{MODELS}",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret.mlflow_secret_key,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # Its own default lets every private address in.
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{config.mlflow_port},localhost:{config.mlflow_port}",
        # Its job runner serves evaluation of language models and would add processes of its own.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "FEMS_MLFLOW_AUTH_DATABASE_URI": database("mlflow_auth"),
        "FEMS_MLFLOW_ADMIN_PASSWORD": secret.mlflow_admin_password,
        "FEMS_MLFLOW_PLATFORM_PASSWORD": secret.mlflow_platform_password,
        "FEMS_MLFLOW_READER_PASSWORD": secret.mlflow_reader_password,
        "AWS_ACCESS_KEY_ID": access_key("mlflow"),
        "AWS_SECRET_ACCESS_KEY": secret.store_passwords["mlflow"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def platform_account(secret: Credentials) -> dict[str, str]:
    """Return the account with which training and forecasts come to MLflow."""
    return {
        "MLFLOW_TRACKING_USERNAME": "platform",
        "MLFLOW_TRACKING_PASSWORD": secret.mlflow_platform_password,
    }


def tasks(config: Config, secret: Credentials) -> dict[str, str]:
    """Return what runs tasks needs: the keys of their roles, and the platform's account at MLflow."""
    keys_file = {"FEMS_S3_KEYS_FILE": str(config.keys / "tasks.json")}
    return airflow(config, secret) | platform_account(secret) | keys_file


def scheduler(config: Config, secret: Credentials) -> dict[str, str]:
    """Return what Airflow's scheduler needs: to send tasks to the workers, or to run them as its children."""
    return airflow(config, secret) | celery(config, secret) if config.workers else tasks(config, secret)


def worker(name: str, config: Config, secret: Credentials) -> dict[str, str]:
    """Return what a worker needs, whose home is an empty folder."""
    home = config.state / name
    return {
        **tasks(config, secret),
        **celery(config, secret),
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def celery(config: Config, secret: Credentials) -> dict[str, str]:
    """Return how scheduler and workers meet: what waits is in Valkey, what became of it in PostgreSQL."""
    database = config.database_url("airflow", "airflow", secret.airflow_database_password)
    return {
        "AIRFLOW__CELERY__BROKER_URL": valkey.address(config, secret),
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(max(1, config.parallelism // max(1, config.workers))),
        # Longer than any task may take. What a lost worker had is not waited for that long: its heartbeat is missed.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "43200",
    }


def log_connection(config: Config, secret: Credentials) -> dict[str, Any]:
    """Return the connection of Airflow with which the logs of tasks go to the object store and come back."""
    extra = {"endpoint_url": config.minio_url, "region_name": "us-east-1"}
    return {
        "connection_id": LOG_CONNECTION,
        "conn_type": "aws",
        "login": access_key("logs"),
        "password": secret.store_passwords["logs"],
        "extra": json.dumps(extra),
    }


def pages(config: Config, secret: Credentials) -> dict[str, str]:
    """Return what Airflow's API server needs: a key that only reads, and where a browser finds MLflow."""
    return {
        **airflow(config, secret),
        "FEMS_S3_KEYS_FILE": str(config.keys / "pages.json"),
        "FEMS_MLFLOW_PAGES": config.mlflow_url,
    }


def shell(config: Config, secret: Credentials) -> dict[str, str]:
    """Return what `fems` and `airflow` need at a person's shell."""
    return {
        **airflow(config, secret),
        **platform_account(secret),
        "FEMS_S3_ACCESS_KEY": access_key("operator"),
        "FEMS_S3_SECRET_KEY": secret.store_passwords["operator"],
    }


def airflow(config: Config, secret: Credentials) -> dict[str, str]:
    """Return what every part of Airflow needs; no key of the object store and no account of MLflow."""
    options = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": config.parallelism,
        "CORE__DAGS_FOLDER": config.dags,
        "CORE__PLUGINS_FOLDER": config.plugins,
        "CORE__LOAD_EXAMPLES": False,
        # A training is a task for each factory; the other Dags take groups of them.
        "CORE__MAX_MAP_LENGTH": 10000,
        "CORE__FERNET_KEY": secret.fernet_key,
        "CORE__EXECUTION_API_SERVER_URL": f"{config.airflow_url}/execution/",
        # The operator starts and marks runs, and changes no connection, variable or pool. The reader looks.
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,operator:user,reader:viewer",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": config.airflow_home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": config.database_url(
            "airflow", "airflow", secret.airflow_database_password
        ),
        "API__HOST": "127.0.0.1",
        "API__PORT": config.airflow_port,
        "API__BASE_URL": config.airflow_url,
        "API__WORKERS": 1,
        "API__SECRET_KEY": secret.api_secret_key,
        "API_AUTH__JWT_SECRET": secret.jwt_secret,
        "LOGGING__BASE_LOG_FOLDER": config.task_logs,
        "USAGE_DATA_COLLECTION__ENABLED": False,
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 10,
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 30,
        "DAG_PROCESSOR__PRINT_STATS_INTERVAL": 0,
        # It also sends the notices, whose servers may be slow (50 s by default, and what takes longer is killed).
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": 180,
        # A scheduler that died is noticed after 20 s, and its tasks are taken back within 10 s more
        # (300 s by default).
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 20,
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 10,
        # A task whose own process died is noticed after a minute (five by default). Not less: training takes
        # both cores of a small machine, and a heartbeat may come late.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 60,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 10,
        # Long enough for the API server to be started again under a running task.
        "WORKERS__MAX_FAILED_HEARTBEATS": 10,
        # A task that starts meanwhile asks for three minutes; five tries in eight seconds (the default) cost it a try.
        "WORKERS__EXECUTION_API_RETRIES": 10,
        # Nor is one lost to an API server that answers late since the machine is busy (5 s by default).
        "WORKERS__EXECUTION_API_TIMEOUT": 30,
    }
    if config.workers:
        options |= _ON_WORKERS
    if config.otlp:
        host, _, port = config.otlp.partition(":")
        options |= {"METRICS__OTEL_ON": True, "METRICS__OTEL_HOST": host, "METRICS__OTEL_PORT": port}
    options |= config.airflow_options
    return {
        "AIRFLOW_HOME": str(config.airflow_home),
        **{f"AIRFLOW__{key}": str(value) for key, value in options.items()},
        **clients(config),
    }
