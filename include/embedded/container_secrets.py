"""Writes the secrets of docker-compose.yaml, a file each: `make env`. Needs nothing but Python.

Files, and not variables: Docker copies a secret from a variable into the container, which a read-only container
refuses; a file is mounted. The folder is its owner's alone; the files in it can be read by the containers' users.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from embedded import accounts, generate


def new_secrets(kept: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return a value for each secret that docker-compose.yaml names: those that are kept, the others new."""

    def secret(name: str, make: Callable[[], str]) -> str:
        return kept.get(name) or make()

    plain, word, typed = generate.address_password, generate.password, generate.typed_password
    airflow, mlflow = secret("airflow_database_password", plain), secret("mlflow_database_password", plain)
    valkey = secret("valkey_password", plain)
    everyone = json.loads(kept.get("store_keys_all") or "{}")
    new = accounts.keys({role: word() for role in accounts.ROLES}, accounts.ROLES)
    keys = {role: everyone.get(role) or new[role] for role in accounts.ROLES}

    def some(roles: Iterable[str]) -> str:
        return json.dumps({role: keys[role] for role in roles})

    logs = {
        "conn_type": "aws",
        "login": keys["logs"]["access_key"],
        "password": keys["logs"]["secret_key"],
        "extra": {"endpoint_url": "http://minio:9000", "region_name": "us-east-1"},
    }
    return {
        "postgres_password": secret("postgres_password", plain),
        "airflow_database_password": airflow,
        "mlflow_database_password": mlflow,
        "airflow_database_url": f"postgresql+psycopg2://airflow:{airflow}@postgres/airflow",
        "mlflow_database_url": f"postgresql+psycopg2://mlflow:{mlflow}@postgres/mlflow",
        "mlflow_auth_database_url": f"postgresql+psycopg2://mlflow:{mlflow}@postgres/mlflow_auth",
        "minio_root_user": secret("minio_root_user", generate.user),
        "minio_root_password": secret("minio_root_password", word),
        "store_keys_all": some(accounts.ROLES),
        "store_keys_tasks": some(accounts.TASKS),
        "store_keys_pages": some(["pages"]),
        "store_key_mlflow": keys["mlflow"]["secret_key"],
        "mlflow_secret_key": secret("mlflow_secret_key", generate.signing_key),
        "mlflow_admin_password": secret("mlflow_admin_password", typed),
        "mlflow_platform_password": secret("mlflow_platform_password", word),
        "mlflow_reader_password": secret("mlflow_reader_password", typed),
        "airflow_admin_password": secret("airflow_admin_password", typed),
        "airflow_operator_password": secret("airflow_operator_password", typed),
        "airflow_reader_password": secret("airflow_reader_password", typed),
        "airflow_jwt_secret": secret("airflow_jwt_secret", generate.signing_key),
        "airflow_api_secret_key": secret("airflow_api_secret_key", generate.signing_key),
        "airflow_fernet_key": secret("airflow_fernet_key", generate.fernet_key),
        "airflow_connections": json.dumps({"fems_logs": logs}),
        "valkey_password": valkey,
        "valkey_url": f"redis://:{valkey}@valkey:6379/0",
    }


def read(folder: Path) -> dict[str, str]:
    """Return the secrets in a folder; where it does not exist, those of the file .env beside it (0.5.0 and before)."""
    if folder.is_dir():
        return {path.name: path.read_text() for path in sorted(folder.iterdir()) if path.is_file()}
    earlier = folder.with_name(".env")
    if not earlier.exists():
        return {}
    pairs = (line.partition("=") for line in earlier.read_text().splitlines() if "=" in line)
    return {
        key.strip().lower(): value.strip().strip("'") for key, _, value in pairs if not key.startswith("#")
    }


def write(folder: Path) -> bool:
    """Write what is missing, in a folder of its owner alone. Returns whether anything was added."""
    kept = read(folder)
    new = new_secrets(kept)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    lacking = {name: value for name, value in new.items() if not (folder / name).is_file()}
    for name, value in lacking.items():
        aside = folder / f".{name}.new"
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
        aside.chmod(0o444)
        aside.replace(folder / name)
    return bool(lacking)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if write(target):
        print(f"{target}: written, with new secrets; `docker compose up --build` uses them")
    else:
        print(f"{target}: left as it is; the data in the volumes belongs to its secrets")
