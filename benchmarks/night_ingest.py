"""What a new file costs a factory with years behind it: a small one, all of whose months were ingested."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import perf_counter

from benchmarks.measurement import Measurement, alone
from fems.flows.ingest import ingest_factory
from fems.flows.land import UNMARKED
from fems.flows.platform import Platform
from fems.lake import keys

FEED = "meter"
_HEADER = "timestamp,factory_id,sensor_id,used_kwh,power_factor_pct,current_a,active_kwh,reactive_kvarh"


@contextmanager
def counted_requests() -> Iterator[Callable[[], int]]:
    """Count what goes to the object store meanwhile."""
    import urllib3

    requests = 0
    send = urllib3.PoolManager.urlopen

    def counted(self: urllib3.PoolManager, *args: object, **kwargs: object) -> object:
        nonlocal requests
        requests += 1
        return send(self, *args, **kwargs)  # type: ignore[arg-type]

    urllib3.PoolManager.urlopen = counted  # type: ignore[method-assign, assignment]
    try:
        yield lambda: requests
    finally:
        urllib3.PoolManager.urlopen = send  # type: ignore[method-assign]


def rows(platform: Platform, factory_id: str, sensor: str, years: int) -> list[Measurement]:
    """Land a day after the other, ingest all of them, then a new file: as a night does, and listing everything.

    Args:
        platform: whose registry has the factory, with a row an hour.
        factory_id: which; nothing of it is in the lake.
        sensor: its only one.
        years: how many are there before the new file.
    """
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=i) for i in range(1, 365 * years + 1)]
    for _ in platform.lake.put_many(
        (_key(factory_id, day), partial(_file, factory_id, sensor, day)) for day in days
    ):
        pass
    found: list[Measurement] = []
    name = f"night, a factory with {years} years"
    cases = [
        ("all of them ingested", lambda: None, True),
        ("nothing new", lambda: None, False),
        ("a file of today", lambda: _land(platform, factory_id, sensor, today), False),
        (
            "a late file of two years ago",
            lambda: _late(platform, factory_id, today - timedelta(days=700)),
            False,
        ),
        ("nothing new, everything listed", lambda: None, True),
    ]
    for what, land, everything in cases:
        land()
        with counted_requests() as requests:
            begun = perf_counter()
            outcome = ingest_factory(platform, factory_id, lambda line: None, everything=everything)
            seconds = perf_counter() - begun
            found.append(
                alone(f"{name}, {what}: seconds to ingest", round(seconds, 2), "s", outcome.partitions)
            )
            found.append(alone(f"{name}, {what}: requests", requests(), "requests", outcome.partitions))
    return found


def _key(factory_id: str, day: date, name: str = "meter.csv") -> str:
    return keys.raw_key(FEED, factory_id, day, name)


def _file(factory_id: str, sensor: str, day: date) -> bytes:
    lines = [
        f"{day} {hour:02d}:00:00,{factory_id},{sensor},{5 + hour % 7 + day.day / 100},90.0,20.0,{5.1 + hour % 7},2.0"
        for hour in range(24)
    ]
    return "\n".join([_HEADER, *lines, ""]).encode()


def _land(platform: Platform, factory_id: str, sensor: str, day: date) -> None:
    platform.lake.store.put(_key(factory_id, day), _file(factory_id, sensor, day))


def _late(platform: Platform, factory_id: str, day: date) -> None:
    """Put a second, empty file of an old day, with the mark that landing leaves."""
    now = datetime.now(UTC)
    assert day < (now - UNMARKED).date()
    platform.lake.indexes.mark(FEED, factory_id, [f"{day:%Y-%m}"], now)
    platform.lake.store.put(_key(factory_id, day, "late.csv"), (_HEADER + "\n").encode())
