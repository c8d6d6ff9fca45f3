"""Passwords are tried slowly: an ASGI middleware that any of the web servers can stand behind."""

import asyncio
import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[..., Any]

FREE_FAILURES = 5
"""Wrong passwords that cost nothing: a person mistypes."""
LONGEST_WAIT_S = 60.0
PATIENCE_S = 30.0
"""How long a request stands in line while others that nobody has judged yet are asked; then it is refused, too."""
_REMEMBERED = 10_000
_STANDING = 1_000
"""Requests that may stand in line for one user and address."""


@dataclass(frozen=True)
class Attempt:
    """A request that shows a password.

    Args:
        who: what the failures are counted for, such as the address and the user's name.
        secret: the credentials themselves, if the request holds them in a header. Those that were right before
            pass at once, so that an attacker's failures do not keep the user out.
    """

    who: str
    secret: bytes = b""


@dataclass
class _Count:
    failures: int = 0
    pending: int = 0
    waiting: int = 0
    not_before: float = 0.0
    judged: asyncio.Event = field(default_factory=asyncio.Event)


class LoginThrottle:
    """Answers 429 to attempts that come too fast after wrong passwords: 1, 2, 4, ... up to 60 seconds apart.

    The counts are this process's; a server of several processes allows as many times more.

    Args:
        app: the server behind it. It answers a wrong password with 401.
        attempt: returns what a request tries, None where it is no attempt.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        app: App,
        attempt: Callable[[Scope], Attempt | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self._attempt, self._clock = app, attempt, clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._salt = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        attempt = self._attempt(scope) if scope["type"] == "http" else None
        if attempt is None:
            await self.app(scope, receive, send)
            return
        digest = hashlib.blake2b(attempt.secret, key=self._salt).digest() if attempt.secret else b""
        count = self._counts.setdefault(attempt.who, _Count())
        self._counts.move_to_end(attempt.who)
        known = digest in self._right
        wait = 0.0 if known else await self._turn(count)
        if wait:
            await _refuse(send, wait)
            return
        status = 0

        async def watch(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        count.pending += 1
        try:
            await self.app(scope, receive, watch)
        finally:
            count.pending -= 1
            self._judge(count, digest, status, attempt.who)

    async def _turn(self, count: _Count) -> float:
        """Wait for a turn; return 0.0 when it comes, and after how many seconds to try again where it does not.

        So many are under way at once as there may be wrong ones: more would be let through before the first is judged.
        Who comes with the right password for the first time, many times at once, is not refused but waits.
        """
        deadline = self._clock() + PATIENCE_S
        while True:
            now = self._clock()
            if count.failures >= FREE_FAILURES:  # one at a time from here on
                return max(count.not_before - now, 1.0 if count.pending else 0.0, 0.0)
            if count.failures + count.pending < FREE_FAILURES:
                return 0.0
            if now >= deadline or count.waiting >= _STANDING:
                return 1.0
            count.waiting += 1
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(count.judged.wait(), deadline - now)
            finally:
                count.waiting -= 1

    def _judge(self, count: _Count, digest: bytes, status: int, who: str) -> None:
        if status == 401:
            count.failures += 1
            self._right.pop(digest, None)
            over = count.failures - FREE_FAILURES
            if over >= 0:
                count.not_before = self._clock() + min(2.0 ** min(over, 10), LONGEST_WAIT_S)
        elif 0 < status < 400:
            count.failures, count.not_before = 0, 0.0
            if digest:
                self._right[digest] = None
                self._right.move_to_end(digest)
        count.judged.set()  # wakes those who stand in line, each to look again
        count.judged = asyncio.Event()
        if not count.failures and not count.pending and not count.waiting:
            self._counts.pop(who, None)
        for kept in (self._counts, self._right):
            while len(kept) > _REMEMBERED:
                kept.popitem(last=False)


async def _refuse(send: Any, wait: float) -> None:
    text = f"Too many wrong passwords: try again in {math.ceil(wait)} s.\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"retry-after", str(math.ceil(wait)).encode()),
        (b"content-length", str(len(text)).encode()),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def header(scope: Scope, name: bytes) -> bytes:
    """Return a request's header, empty where there is none; of several, the last one, as the servers do."""
    found = b""
    for key, value in scope.get("headers", ()):
        if key.lower() == name:
            found = value
    return found


def address(scope: Scope) -> str:
    """Return who a request comes from, as the server sees it."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
