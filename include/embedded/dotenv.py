"""Writes .env with new secrets for docker-compose.yaml: `make env`. Needs nothing but Python."""

import base64
import os
import secrets
import sys
from pathlib import Path


def new_secrets() -> dict[str, str]:
    """Return a value for each secret that docker-compose.yaml requires."""
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(24),  # it stands in an address: letters and digits alone
        "MINIO_ROOT_USER": "fems-" + secrets.token_hex(6),
        "MINIO_ROOT_PASSWORD": secrets.token_urlsafe(24),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW_API_SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


def write(path: Path) -> bool:
    """Write the file, readable by its owner alone, unless it is there. Returns whether it was written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in new_secrets().items())
    return True


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if write(target):
        print(f"{target}: written, with new secrets; `docker compose up --build` uses it")
    else:
        print(f"{target}: left as it is; the data in the volumes belongs to its secrets")
