"""Writes .env with new secrets for docker-compose.yaml: `make env`. Needs nothing but Python."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from embedded import accounts, generate


def new_secrets(kept: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return a value for each secret that docker-compose.yaml requires: those that are kept, the others new."""

    def secret(name: str, make: Callable[[], str]) -> str:
        return kept.get(name) or make()

    plain, word, typed = generate.address_password, generate.password, generate.typed_password
    airflow, mlflow = secret("AIRFLOW_DATABASE_PASSWORD", plain), secret("MLFLOW_DATABASE_PASSWORD", plain)
    everyone = json.loads(kept.get("STORE_KEYS_ALL") or "{}")
    new = accounts.keys({role: word() for role in accounts.ROLES}, accounts.ROLES)
    keys = {role: everyone.get(role) or new[role] for role in accounts.ROLES}

    def some(roles: Iterable[str]) -> str:
        return json.dumps({role: keys[role] for role in roles})

    return {
        "POSTGRES_PASSWORD": secret("POSTGRES_PASSWORD", plain),
        "AIRFLOW_DATABASE_PASSWORD": airflow,
        "MLFLOW_DATABASE_PASSWORD": mlflow,
        "AIRFLOW_DATABASE_URL": f"postgresql+psycopg2://airflow:{airflow}@postgres/airflow",
        "MLFLOW_DATABASE_URL": f"postgresql+psycopg2://mlflow:{mlflow}@postgres/mlflow",
        "MLFLOW_AUTH_DATABASE_URL": f"postgresql+psycopg2://mlflow:{mlflow}@postgres/mlflow_auth",
        "MINIO_ROOT_USER": secret("MINIO_ROOT_USER", generate.user),
        "MINIO_ROOT_PASSWORD": secret("MINIO_ROOT_PASSWORD", word),
        "STORE_KEYS_ALL": some(accounts.ROLES),
        "STORE_KEYS_TASKS": some(accounts.TASKS),
        "STORE_KEYS_PAGES": some(["pages"]),
        "STORE_KEY_MLFLOW": keys["mlflow"]["secret_key"],
        "MLFLOW_SECRET_KEY": secret("MLFLOW_SECRET_KEY", generate.signing_key),
        "MLFLOW_ADMIN_PASSWORD": secret("MLFLOW_ADMIN_PASSWORD", typed),
        "MLFLOW_PLATFORM_PASSWORD": secret("MLFLOW_PLATFORM_PASSWORD", word),
        "MLFLOW_READER_PASSWORD": secret("MLFLOW_READER_PASSWORD", typed),
        "AIRFLOW_ADMIN_PASSWORD": secret("AIRFLOW_ADMIN_PASSWORD", typed),
        "AIRFLOW_OPERATOR_PASSWORD": secret("AIRFLOW_OPERATOR_PASSWORD", typed),
        "AIRFLOW_READER_PASSWORD": secret("AIRFLOW_READER_PASSWORD", typed),
        "AIRFLOW_JWT_SECRET": secret("AIRFLOW_JWT_SECRET", generate.signing_key),
        "AIRFLOW_API_SECRET_KEY": secret("AIRFLOW_API_SECRET_KEY", generate.signing_key),
        "AIRFLOW_FERNET_KEY": secret("AIRFLOW_FERNET_KEY", generate.fernet_key),
    }


def read(path: Path) -> dict[str, str]:
    """Return what the file holds; single quotes around a value are not part of it."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("'") for key, _, value in pairs if not key.startswith("#")}


def write(path: Path) -> bool:
    """Write the file, readable by its owner alone; what it holds already stays. Returns whether anything was added."""
    kept = read(path)
    new = {**kept, **new_secrets(kept)}
    if new == kept:
        return False
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        # In single quotes, which compose reads as they are: JSON has double ones.
        file.writelines(f"{key}='{value}'\n" for key, value in new.items())
    aside.replace(path)
    return True


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if write(target):
        print(f"{target}: written, with new secrets; `docker compose up --build` uses it")
    else:
        print(f"{target}: left as it is; the data in the volumes belongs to its secrets")
