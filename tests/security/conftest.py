"""MLflow and MinIO as somebody sees them who comes over the network."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from minio import Minio

from embedded.accounts import access_key
from embedded.stack import Stack


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in headers.items()}


@dataclass
class Mlflow:
    """MLflow's API, as a user or as nobody."""

    url: str
    passwords: dict[str, str]

    def __call__(
        self,
        path: str,
        body: Any = None,
        user: str = "platform",
        method: str = "",
        headers: dict[str, str] | None = None,
        password: str | None = None,
    ) -> Answer:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/{path}", data, {"Content-Type": "application/json", **(headers or {})},
            method=method or ("GET" if data is None else "POST"),
        )  # fmt: skip
        if user:
            word = self.passwords.get(user, "") if password is None else password
            request.add_header("Authorization", "Basic " + b64encode(f"{user}:{word}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode(), lowered(dict(answer.headers)))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(), lowered(dict(error.headers)))


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
