"""MLflow and MinIO as somebody sees them who comes over the network."""

from collections.abc import Callable

import pytest
from callers import Mlflow
from minio import Minio

from embedded.accounts import access_key
from embedded.stack import Stack


@pytest.fixture
def mlflow(services: Stack) -> Mlflow:
    secret = services.credentials
    passwords = {
        "admin": secret.mlflow_admin_password,
        "platform": secret.mlflow_platform_password,
        "reader": secret.mlflow_reader_password,
    }
    return Mlflow(services.config.mlflow_url, passwords)


@pytest.fixture
def store(services: Stack) -> Callable[[str], Minio]:
    """A client of the object store for a role; `root` is MinIO's own."""

    def client(role: str) -> Minio:
        secret = services.credentials
        key = (access_key(role), secret.store_passwords[role]) if role != "root" else ()
        user, password = key or (secret.minio_user, secret.minio_password)
        return Minio(f"127.0.0.1:{services.config.minio_port}", user, password, secure=False)

    return client
