"""Writes .env with new secrets for docker-compose.yaml: `make env`. Needs nothing but Python."""

import os
import sys
from pathlib import Path

from embedded import generate


def new_secrets() -> dict[str, str]:
    """Return a value for each secret that docker-compose.yaml requires."""
    return {
        "POSTGRES_PASSWORD": generate.address_password(),
        "MINIO_ROOT_USER": generate.user(),
        "MINIO_ROOT_PASSWORD": generate.password(),
        "AIRFLOW_ADMIN_PASSWORD": generate.typed_password(),
        "AIRFLOW_JWT_SECRET": generate.signing_key(),
        "AIRFLOW_API_SECRET_KEY": generate.signing_key(),
        "AIRFLOW_FERNET_KEY": generate.fernet_key(),
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
