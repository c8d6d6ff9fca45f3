"""Which partitions a factory's raw objects make, and the tables of these."""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fems import __version__
from fems.canonical import fingerprint
from fems.contracts.raw_object import RawObject
from fems.lake.lake import Lake
from fems.process import period
from fems.process.partition import Partition, process
from fems.raw.decode import decode_all
from fems.raw.decoded import DecodedObject
from fems.registry.feed import FactoryFeed
from fems.registry.sensors import Feed


@dataclass(frozen=True)
class PartitionPlan:
    """A partition as its raw objects say it should be.

    Attributes:
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM.
        first: first local day that it has.
        last: last local day.
        sources: the raw objects behind it, those of the lookback included.
        fingerprint: changes when the sources, the book, the registry's entry or the code's version do.
        possible: whether it has a day of which there may be rows: none of the future, none from before the plant.
    """

    factory_id: str
    feed: Feed
    month: str
    first: date
    last: date
    sources: tuple[RawObject, ...]
    fingerprint: str
    possible: bool = True


def _by_day(raw: RawObject) -> tuple[date, str]:
    return raw.day, raw.key


def _fingerprint(
    common: dict[str, object], month: str, first: date, last: date, sources: tuple[RawObject, ...]
) -> str:
    of_month = {
        "month": month,
        "first": first,
        "last": last,
        "sources": [(o.key, o.etag) for o in sources],
    }
    return fingerprint({**common, **of_month})


def rules(source: FactoryFeed) -> dict[str, object]:
    """Return what a feed's partitions depend on besides their raw objects."""
    return {
        "factory_id": source.factory_id,
        "feed": source.feed,
        "book": source.version,
        "code": __version__,
        "mapping": [mapping.model_dump(mode="json") for mapping in source.mappings],
        "grain": source.grain_minutes,
        "zone": source.zone,
        "rest": source.rest_country,
        "since": source.since,
        "sensors": [(s.sensor_id, s.rated_kw, s.net) for s in source.sensors],
    }


def plan_partitions(
    source: FactoryFeed,
    raw: list[RawObject],
    late: dict[RawObject, set[date]],
    now: datetime | None = None,
) -> Iterator[PartitionPlan]:
    """Yield every partition that a feed's raw objects make, in order.

    A partition is a month. It begins with the first day of which there are rows and ends with the last one, so that a
    month that is still running has no empty days at its end. A day that cannot be, of the future or from before the
    plant, moves neither end of another month: its rows go to quarantine.

    Args:
        source: the factory's feed.
        raw: its raw objects.
        late: objects known to hold rows of days before their own, and which days.
        now: the time; None where no day lies in the future.
    """
    if not raw:
        return
    newest = date.max if now is None else period.last_day(source, now)
    by_day = sorted(raw, key=_by_day)
    days = [o.day for o in by_day]
    there = set(days) | {day for named in late.values() for day in named}
    possible = {day for day in there if source.since <= day <= newest}
    by_month: dict[str, set[date]] = {}
    for day in there:
        by_month.setdefault(day.isoformat()[:7], set()).add(day)
    common = rules(source)
    for month, own in sorted(by_month.items()):
        year, number = int(month[:4]), int(month[5:])
        reach = {min(possible), max(possible)} if own & possible else set()
        first = max(min(own | reach), date(year, number, 1))
        last = min(max(own | reach), date(year, number, monthrange(year, number)[1]))
        since = first - timedelta(days=source.book.lookback_days)
        own_days = by_day[bisect_left(days, since) : bisect_right(days, last)]
        others = [
            o
            for o, named in late.items()
            if not since <= o.day <= last and any(since <= day <= last for day in named)
        ]
        sources = tuple(sorted([*own_days, *others], key=_by_day))
        yield PartitionPlan(
            source.factory_id,
            source.feed,
            month,
            first,
            last,
            sources,
            _fingerprint(common, month, first, last, sources),
            bool(own & possible),
        )


def decode_ahead(
    lake: Lake, source: FactoryFeed, wanted: list[PartitionPlan]
) -> Iterator[tuple[PartitionPlan, list[DecodedObject]]]:
    """Yield each partition with its decoded objects, ordered by key; the next one's are decoded meanwhile.

    A backfill reads each raw object once: what the next partition looks back on is kept, the rest is let go.
    """
    kept: dict[RawObject, DecodedObject] = {}

    def objects_of(plan: PartitionPlan) -> list[DecodedObject]:
        nonlocal kept
        missing = [o for o in plan.sources if o not in kept]
        data = lake.get_many([o.key for o in missing])
        fresh = {d.raw: d for d in decode_all(list(zip(missing, data, strict=True)), source)}
        kept = {o: fresh[o] if o in fresh else kept[o] for o in sorted(plan.sources)}
        return list(kept.values())

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as ahead:
        coming = [ahead.submit(objects_of, plan) for plan in wanted[:1]]
        for i, plan in enumerate(wanted):
            decoded = coming.pop().result()
            coming = [ahead.submit(objects_of, following) for following in wanted[i + 1 : i + 2]]
            yield plan, decoded


def process_ahead(
    lake: Lake, source: FactoryFeed, wanted: list[PartitionPlan], now: datetime | None = None
) -> Iterator[tuple[PartitionPlan, Partition]]:
    """Yield each partition, processed and not yet published; the next one is processed meanwhile.

    While one is published, the next is processed and the one after that decoded.
    """

    def processed(plan: PartitionPlan, decoded: list[DecodedObject]) -> tuple[PartitionPlan, Partition]:
        return plan, process(decoded, source, plan.first, plan.last, now)

    with ThreadPoolExecutor(1, thread_name_prefix="process") as ahead:
        coming: list[Future[tuple[PartitionPlan, Partition]]] = []
        for plan, decoded in decode_ahead(lake, source, wanted):
            coming.append(ahead.submit(processed, plan, decoded))
            if len(coming) > 1:
                yield coming.pop(0).result()
        yield from (each.result() for each in coming)
