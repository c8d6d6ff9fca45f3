"""Secrets, made at the first start and kept in one file that only its owner reads."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from fems.errors import ConfigError


@dataclass(frozen=True)
class Credentials:
    """Every secret of a stack; none has a default."""

    minio_user: str
    minio_password: str
    airflow_password: str
    jwt_secret: str
    api_secret_key: str
    fernet_key: str

    @classmethod
    def generate(cls) -> "Credentials":
        """Return new secrets."""
        return cls(
            minio_user="fems-" + secrets.token_hex(6),
            minio_password=secrets.token_urlsafe(24),
            airflow_password=secrets.token_urlsafe(12),
            jwt_secret=secrets.token_urlsafe(48),
            api_secret_key=secrets.token_urlsafe(32),
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        )


def load(path: Path) -> Credentials:
    """Read the secrets.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    try:
        return Credentials(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); the data in {path.parent} belongs to its keys: restore it, "
            f"or delete the folder and start again"
        ) from error


def load_or_create(path: Path) -> Credentials:
    """Read the secrets; make them at the first start.

    Raises:
        ConfigError: the file is damaged.
    """
    if path.exists():
        return load(path)
    made = Credentials.generate()
    write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    aside.rename(path)
