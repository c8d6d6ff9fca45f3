"""The throttle of wrong passwords, with a clock of its own, and what MLflow's door refuses."""

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from guards.logins import Attempt, LoginThrottle
from guards.mlflow_door import MlflowDoor, refusal


class Server:
    """Answers 401 to every password but the right one; counts how many it was shown."""

    def __init__(self, right: int = 200) -> None:
        self.now = 0.0
        self.right = right
        self.seen = self.under_way = self.most = 0
        self.throttle = LoginThrottle(self.answer, self.attempt, lambda: self.now)

    @staticmethod
    def attempt(scope: Any) -> Attempt | None:
        return Attempt(scope["who"], scope["password"]) if scope["password"] else None

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        good = scope["password"] in (b"", b"right")
        await send({"type": "http.response.start", "status": self.right if good else 401})

    async def ask(self, password: bytes, who: str = "u") -> int:
        found: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                found.append(message["status"])

        await self.throttle({"type": "http", "who": who, "password": password}, None, send)
        return found[0]

    def try_(self, password: bytes, who: str = "u") -> int:
        return asyncio.run(self.ask(password, who))


def test_five_wrong_passwords_are_free_and_then_each_costs_more() -> None:
    server = Server()
    assert [server.try_(b"wrong") for _ in range(6)] == [401] * 5 + [429]
    waits = []
    for _ in range(8):
        start = server.now
        while server.try_(b"wrong") == 429:
            server.now += 0.5
        waits.append(server.now - start)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_thousand_at_once_are_five() -> None:
    server = Server()

    async def together() -> list[int]:
        return await asyncio.gather(*(server.ask(b"wrong") for _ in range(1000)))

    assert asyncio.run(together()).count(401) == 5
    assert server.seen == 5


@pytest.mark.parametrize("status", [200, 404])
def test_a_hundred_at_once_with_the_right_password_are_all_answered(status: int) -> None:
    server = Server(right=status)

    async def together() -> list[int]:
        return await asyncio.gather(*(server.ask(b"right") for _ in range(100)))

    assert asyncio.run(together()) == [status] * 100
    assert server.most <= 5 or status == 200  # once it was right, all pass at once


def test_who_stands_in_line_for_too_long_is_refused() -> None:
    server = Server()

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def together() -> list[int]:
        server.throttle.app = hang
        stuck = [asyncio.create_task(server.ask(b"any")) for _ in range(5)]
        await asyncio.sleep(0)
        late = asyncio.create_task(server.ask(b"right"))
        await asyncio.sleep(0)
        server.now += 31
        (count,) = server.throttle._counts.values()
        count.judged.set()  # as when one is judged: it looks at the clock again
        answer = await late
        for task in stuck:
            task.cancel()
        return [answer]

    assert asyncio.run(together()) == [429]


def test_a_password_that_was_right_before_passes_and_forgives() -> None:
    server = Server()
    assert server.try_(b"right") == 200
    assert [server.try_(b"wrong") for _ in range(9)][-1] == 429
    assert server.try_(b"right") == 200
    assert server.try_(b"wrong") == 401


def test_other_users_and_requests_without_a_password_are_not_slowed() -> None:
    server = Server()
    assert [server.try_(b"wrong") for _ in range(9)][-1] == 429
    assert server.try_(b"wrong", "other") == 401
    assert server.try_(b"") == 200


def scope(path: str, method: str = "POST", user: str = "reader", **headers: str) -> dict[str, Any]:
    sent = {"host": "127.0.0.1:5000", **headers}
    if user:
        sent["authorization"] = "Basic " + b64encode(f"{user}:x".encode()).decode()
    pairs = [(key.encode(), value.encode()) for key, value in sent.items()]
    return {"type": "http", "path": path, "method": method, "headers": pairs}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (scope("/api/2.0/mlflow/runs/create"), "only read"),
        (scope("/api/2.0/mlflow/runs/create", user="somebody-new"), "only read"),
        (scope("/api/2.0/mlflow/runs/create", user="platform"), ""),
        (scope("/api/2.0/mlflow/runs/create", user=""), ""),
        (scope("/api/2.0/mlflow/runs/search"), ""),
        (scope("/api/2.0/mlflow/experiments/list", "GET"), ""),
        (scope("/api/2.0/mlflow/runs/search", "DELETE"), "only read"),
        (scope("/GATEWAY/x", user="admin"), "switched off"),
        (scope("/gateway/mlflow-artifacts/mlflow/invocations", user="admin"), "switched off"),
        (scope("/api/2.0/mlflow/gateway-proxy", "GET", user="admin"), "switched off"),
        (scope("/ajax-api/3.0/mlflow/scorer/invoke", user="admin"), "switched off"),
        (scope("/api/2.0/mlflow/webhooks/mlflow-artifacts/test", user="admin"), "switched off"),
        (scope("/api/2.0/mlflow/runs/create-promptlab-run", user="platform"), "switched off"),
        (scope("/api/9.0/mlflow/what-a-later-version-adds", user="admin"), "switched off"),
        (scope("/api/3.0/mlflow/traces", user="platform"), "nobody writes traces"),
        (scope("/api/3.0/mlflow/traces/search"), ""),
        (scope("/api/2.0/mlflow-artifacts/mpu/create/search"), "only read"),
        (scope("/api/2.0/mlflow-artifacts/mpu/create/1/graphql"), "only read"),
        (scope("/api/2.0/mlflow-artifacts/artifacts/../x", "GET"), "upwards"),
        (scope("/api/3.0/mlflow/users/permissions/grant", user="platform"), "administrator"),
        (scope("/api/3.0/mlflow/users/permissions/grant", user="admin"), ""),
        (scope("/", "GET", user=""), ""),
        (scope("/api/2.0/mlflow-artifacts/artifacts/1/jobs/x", "PUT", user="platform"), ""),
        (scope("/api/2.0/mlflow/runs/search", origin="http://127.0.0.1:5001"), "another origin"),
        (scope("/api/2.0/mlflow/runs/search", origin="http://127.0.0.1:5000"), ""),
        (scope("/api/2.0/mlflow/runs/search", origin="null"), "another origin"),
    ],
)
def test_mlflows_door(asked: dict[str, Any], why: str) -> None:
    assert (why in refusal(asked)) if why else refusal(asked) == ""


def test_of_two_logins_none_is_taken() -> None:
    asked = scope("/api/2.0/mlflow/runs/create", user="platform")
    asked["headers"].append((b"Authorization", b"Basic cmVhZGVyOng="))
    assert "one Authorization" in refusal(asked)
    asked["headers"] = [one for one in asked["headers"] if one[0].lower() != b"host"]  # as HTTP/1.0 may
    assert "one Authorization" in refusal(asked)


def test_a_websocket_finds_no_door() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        sent.append("came in")

    asyncio.run(MlflowDoor(app)({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
