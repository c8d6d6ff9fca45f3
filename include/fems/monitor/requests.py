"""Requests for training: why, and at most one of a factory in a set time.

A request is written down before it is passed on, and marked when its training was started. What dies in between leaves
a request that is not marked: it is passed on again, under the same ID, and whoever starts the training knows the ID.
"""

from datetime import UTC, datetime, timedelta

from fems.contracts.monitoring import TrainingRequest, TrainingRequests


def due(
    earlier: TrainingRequests, factory_id: str, reason: str | None, now: datetime, every: timedelta
) -> TrainingRequest | None:
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
    last = earlier.requests[-1] if earlier.requests else None
    if last is not None and now - last.asked < every:
        return None if last.started else last
    if reason is None:
        return None
    asked = now.astimezone(UTC)
    request_id = f"asked__{factory_id}__{asked:%Y%m%dT%H%M%SZ}"
    return TrainingRequest(id=request_id, factory_id=factory_id, asked=asked, reason=reason)


def added(earlier: TrainingRequests, request: TrainingRequest) -> TrainingRequests:
    """Return requests with one more, if it is not among them."""
    if request in earlier.requests:
        return earlier
    return earlier.model_copy(update={"requests": (*earlier.requests, request)})


def started(requests: TrainingRequests, request_id: str, now: datetime) -> TrainingRequests:
    """Mark the training of a request as started; the first mark stays."""
    when = now.astimezone(UTC)
    marked = tuple(
        request.model_copy(update={"started": when})
        if request.id == request_id and request.started is None
        else request
        for request in requests.requests
    )
    return requests.model_copy(update={"requests": marked})
