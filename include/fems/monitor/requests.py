"""Requests for training: why, and at most one of a factory in a set time.

A request is written down before it is passed on, and marked when its training was started. What dies in between leaves
a request that is not marked: it is passed on again, under the same ID, and whoever starts the training knows the ID.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fems.errors import DataError


@dataclass(frozen=True)
class Request:
    """A request for a factory's training.

    Attributes:
        id: also the ID of the run that it starts.
        factory_id: the factory.
        asked: when, ISO 8601 in UTC.
        reason: in a sentence.
        started: when its training was started, ISO 8601; None as long as it was not.
    """

    id: str
    factory_id: str
    asked: str
    reason: str
    started: str | None = None


def read(content: dict[str, Any] | None, key: str) -> list[Request]:
    """Return the requests that `write` wrote, oldest first.

    Raises:
        DataError: what lies there is something else.
    """
    try:
        return [Request(**request) for request in (content or {"requests": []})["requests"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{key}: holds no requests for training; remove it") from error


def write(requests: list[Request]) -> dict[str, Any]:
    """Return requests as they are kept."""
    return {"requests": [asdict(request) for request in requests]}


def due(
    earlier: list[Request], factory_id: str, reason: str | None, now: datetime, every: timedelta
) -> Request | None:
    """Return the request to pass on now, None for none.

    Args:
        earlier: of this factory, oldest first.
        factory_id: the factory.
        reason: why training is wanted; None if it is not.
        now: tz-aware.
        every: from one request to the next at least.

    Returns:
        The last one again, if it is younger than `every` and was never started; otherwise a new one, if there is a
        reason and the last one is older.
    """
    if earlier and now - datetime.fromisoformat(earlier[-1].asked) < every:
        return None if earlier[-1].started else earlier[-1]
    if reason is None:
        return None
    asked = now.astimezone(UTC)
    return Request(f"asked__{factory_id}__{asked:%Y%m%dT%H%M%SZ}", factory_id, asked.isoformat(), reason)


def started(requests: list[Request], request_id: str, now: datetime) -> list[Request]:
    """Mark the training of a request as started; the first mark stays."""
    when = now.astimezone(UTC).isoformat()
    return [
        replace(request, started=when) if request.id == request_id and request.started is None else request
        for request in requests
    ]
