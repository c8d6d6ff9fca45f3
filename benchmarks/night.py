"""What a night costs that looks for what is new: many simulated factories with five years in the local gateway.

`python -m benchmarks.night FIRST LAST` is one look at some of them, in a process of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

from benchmarks import night_ingest
from benchmarks.local_stack import free_config, gateway_core_seconds
from benchmarks.measurement import Measurement, alone, peak_mb
from benchmarks.night_ingest import counted_requests
from benchmarks.night_lake import FEED, factory_ids, fill, months_of, raw_of
from embedded import volume
from embedded.accounts import LAKE
from embedded.stack import Stack
from fems.canonical import fingerprint
from fems.contracts.feed_index import FeedIndex
from fems.flows.ingest import stale_factories
from fems.flows.lookout import days_of
from fems.flows.partitions import rules
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.registry.factory import Equipment, Factory
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant
from fems.settings import settings

COUNTS = (10, 100, 1000)
YEARS = 5
_REAL = "R00001"
"""A factory whose files are read."""


@dataclass(frozen=True)
class Look:
    """What a look for news cost.

    Attributes:
        found: factories with news.
        seconds: of the clock.
        core_seconds: of client and gateway together; what else runs on the machine hardly matters to it.
        requests: to the object store.
        mb: most memory that the client held.
    """

    found: int
    seconds: float
    core_seconds: float
    requests: int
    mb: float


def plant_of(factories: Sequence[str]) -> Plant:
    """Return a registry of some factories with a meter each."""
    pump = Equipment(name="Pump", kind="pump", sensor="M01", rated_kw=100)
    factory = Factory(
        name="Night",
        name_ko="야간",
        grain={FEED: "1h"},
        mapping={FEED: "csv"},
        equipment={"E1": pump},
        simulated=True,
    )
    mapping = FileMapping(time_format="%Y-%m-%d %H:%M:%S")
    return Plant(mappings={"csv": mapping}, factories=dict.fromkeys(factories, factory))


def rows(counts: tuple[int, ...] = COUNTS) -> list[Measurement]:
    """Make the lake and look for news in the first N factories: nothing new, 1 % late files, a file each."""
    with tempfile.TemporaryDirectory(prefix="fems-bench-night-") as state:
        stack = Stack(free_config(Path(state)))
        try:
            return _measured(stack, counts)
        finally:
            stack.down()


def _measured(stack: Stack, counts: tuple[int, ...]) -> list[Measurement]:
    today = datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    first = yesterday - timedelta(days=365 * YEARS)
    factories = factory_ids(sum(counts))
    stack.up(["minio"])  # makes the bucket
    stack.down()
    fill(volume.meta_file(stack.config.state / "minio"), LAKE, factories, first, yesterday)
    stack.up(["minio"])
    os.environ.update(stack.environment())
    settings.cache_clear()
    platform = Platform(Lake.connect(settings()), plant_of(factories), settings())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda factory_id: _index(platform, factory_id, first, yesterday), factories))
    found: list[Measurement] = []
    for count in counts:
        some, factories = factories[:count], factories[count:]
        late = some[: max(1, count // 100)]
        cases: list[tuple[str, list[str], date]] = [
            ("nothing new", [], today),
            ("late files of 1 %", late, yesterday - timedelta(days=700)),
            ("a file each", some, today),
        ]
        for what, with_news, day in cases:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(_landing(platform, day), with_news))
            look = _look_alone(stack, some)
            if look.found != len(with_news):
                raise AssertionError(f"{count} factories, {what}: {look.found} found, not {len(with_news)}")
            found += _lines(count, what, look)
    one = Platform(platform.lake, plant_of([_REAL]), settings())
    return found + night_ingest.rows(one, _REAL, "M01", YEARS)


def _lines(count: int, what: str, look: Look) -> list[Measurement]:
    name = f"night, {count:,} factories with {YEARS} years, {what}"
    return [
        alone(f"{name}: seconds to find", round(look.seconds, 2), "s", 1),
        alone(f"{name}: core seconds", round(look.core_seconds, 2), "s", 1),
        alone(f"{name}: requests", look.requests, "requests", 1),
        alone(f"{name}: memory", round(look.mb), "MB", 1),
    ]


def _index(platform: Platform, factory_id: str, first: date, last: date) -> None:
    """Write the index of a factory whose months were all published, as the ingest of last night would have left it."""
    now = datetime.now(UTC)
    newest_from = (now - timedelta(days=settings().newest_days + 1)).date()
    raw = raw_of(factory_id, first, last)
    index = FeedIndex(
        factory_id=factory_id,
        feed=FEED,
        rules=fingerprint(rules(platform.source(factory_id, FEED))),
        looked_at=now,
        reconciled_at=now,
        settled=True,
        listing="",
        newest_from=newest_from,
        newest=days_of(o for o in raw if o.day >= newest_from),
        months=months_of(factory_id, first, last),
    )
    platform.lake.indexes.write(index, raw)


def _landing(platform: Platform, day: date) -> Callable[[str], None]:
    def land(factory_id: str) -> None:
        now = datetime.now(UTC)
        if day < now.date():
            platform.lake.indexes.mark(FEED, factory_id, [f"{day:%Y-%m}"], now)
        platform.lake.store.put(keys.raw_key(FEED, factory_id, day, "new.csv"), b"new")

    return land


def _look_alone(stack: Stack, factories: Sequence[str]) -> Look:
    """Look in a process of its own, whose memory is that of the look."""
    words = [sys.executable, "-m", "benchmarks.night", factories[0], factories[-1]]
    before = gateway_core_seconds(stack)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    client = Look(**json.loads(done.stdout.splitlines()[-1]))
    return replace(client, core_seconds=client.core_seconds + gateway_core_seconds(stack) - before)


def look(factories: Sequence[str]) -> Look:
    """Look for news in some factories, and count the requests."""
    plant = plant_of(factories)
    with counted_requests() as requests:
        begun, cores_begun = perf_counter(), process_time()
        platform = Platform(Lake.connect(settings()), plant, settings())
        found = stale_factories(platform, factories)
        seconds, cores = perf_counter() - begun, process_time() - cores_begun
        return Look(len(found), seconds, cores, requests(), peak_mb())


if __name__ == "__main__":
    begin, end = (int(name[1:]) for name in sys.argv[1:])
    print(json.dumps(vars(look(factory_ids(end + 1)[begin:]))))
