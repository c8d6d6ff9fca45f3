"""Secrets, made at the first start and kept in one file that only its owner reads."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embedded import generate
from embedded.accounts import ROLES
from fems.errors import ConfigError

# What every version has had. The data belongs to these: where one is missing the file is damaged, not old.
_FIRST = {"minio_user", "minio_password", "airflow_password", "jwt_secret", "api_secret_key", "fernet_key"}


@dataclass(frozen=True)
class Credentials:
    """Every secret of a stack; none has a default."""

    minio_user: str
    minio_password: str
    """MinIO's root, which makes the other accounts and is handed to nothing else."""
    store_passwords: dict[str, str]
    """The secret key of each role in the object store (`embedded.accounts`)."""
    postgres_password: str
    """PostgreSQL's superuser, the same."""
    airflow_database_password: str
    mlflow_database_password: str
    mlflow_admin_password: str
    mlflow_platform_password: str
    mlflow_reader_password: str
    mlflow_secret_key: str
    airflow_password: str
    """The administrator's; the operator may start and mark runs, the reader may look."""
    airflow_operator_password: str
    airflow_reader_password: str
    jwt_secret: str
    api_secret_key: str
    fernet_key: str
    valkey_password: str

    @classmethod
    def generate(cls) -> "Credentials":
        """Return new secrets."""
        return cls(
            minio_user=generate.user(),
            minio_password=generate.password(),
            store_passwords={role: generate.password() for role in ROLES},
            postgres_password=generate.address_password(),
            airflow_database_password=generate.address_password(),
            mlflow_database_password=generate.address_password(),
            mlflow_admin_password=generate.typed_password(),
            mlflow_platform_password=generate.password(),
            mlflow_reader_password=generate.typed_password(),
            mlflow_secret_key=generate.signing_key(),
            airflow_password=generate.typed_password(),
            airflow_operator_password=generate.typed_password(),
            airflow_reader_password=generate.typed_password(),
            jwt_secret=generate.signing_key(),
            api_secret_key=generate.signing_key(),
            fernet_key=generate.fernet_key(),
            valkey_password=generate.address_password(),
        )

    @property
    def airflow_passwords(self) -> dict[str, str]:
        """The password of each of Airflow's users."""
        return {
            "admin": self.airflow_password,
            "operator": self.airflow_operator_password,
            "reader": self.airflow_reader_password,
        }


def load(path: Path) -> Credentials:
    """Read the secrets.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    values = _read(path)
    try:
        return Credentials(**values)
    except TypeError as error:
        raise _damaged(path, error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{path} cannot be read ({error}); the data in {path.parent} belongs to its keys: restore it, "
        f"or delete the folder and start again"
    )


def load_or_create(path: Path) -> Credentials:
    """Read the secrets; make them at the first start, and those that a new version needs when they are missing.

    Raises:
        ConfigError: the file is damaged.
    """
    new = asdict(Credentials.generate())
    if path.exists():
        kept = _read(path)
        if missing := _FIRST - set(kept):
            raise _damaged(path, ValueError(f"{', '.join(sorted(missing))} missing"))
        roles = new.pop("store_passwords") | (kept.get("store_passwords") or {})
        new |= kept | {"store_passwords": roles}
        if new == kept:
            return load(path)
    write_private(path, json.dumps(new, indent=2) + "\n")
    return load(path)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    aside.rename(path)
