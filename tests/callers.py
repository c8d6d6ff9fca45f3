"""MLflow as somebody calls it who comes over the network."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
