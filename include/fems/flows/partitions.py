"""Which partitions a factory's raw objects make, and which of them are stale."""

from calendar import monthrange
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fems import __version__
from fems.canonical import fingerprint
from fems.contracts.grains import TABLES
from fems.contracts.manifest import Manifest
from fems.contracts.raw_object import RawObject
from fems.lake import keys
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


def _fingerprint(
    source: FactoryFeed, month: str, first: date, last: date, sources: tuple[RawObject, ...]
) -> str:
    content = {
        "factory_id": source.factory_id,
        "feed": source.feed,
        "month": month,
        "first": first,
        "last": last,
        "sources": [(o.key, o.etag) for o in sources],
        "book": source.version,
        "code": __version__,
        "mapping": [mapping.model_dump(mode="json") for mapping in source.mappings],
        "grain": source.grain_minutes,
        "zone": source.zone,
        "rest": source.rest_country,
        "since": source.since,
        "sensors": [(s.sensor_id, s.rated_kw, s.net) for s in source.sensors],
    }
    return fingerprint(content)


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
    by_day = sorted(raw, key=lambda o: (o.day, o.key))
    named = {day for days in late.values() for day in days}
    there = {o.day for o in by_day} | named
    possible = {day for day in there if source.since <= day <= newest}
    for month in sorted({day.isoformat()[:7] for day in there}):
        year, number = int(month[:4]), int(month[5:])
        own = {day for day in there if day.isoformat()[:7] == month}
        known = own | (possible if own & possible else set())
        first = max(min(known), date(year, number, 1))
        last = min(max(known), date(year, number, monthrange(year, number)[1]))
        since = first - timedelta(days=source.book.lookback_days)
        sources = tuple(
            o
            for o in by_day
            if since <= o.day <= last or any(since <= day <= last for day in late.get(o, ()))
        )
        yield PartitionPlan(
            source.factory_id,
            source.feed,
            month,
            first,
            last,
            sources,
            _fingerprint(source, month, first, last, sources),
            bool(own & possible),
        )


def stale(lake: Lake, source: FactoryFeed, now: datetime | None = None) -> list[PartitionPlan]:
    """Return the partitions of a factory's feed whose published state is not what the raw objects make.

    Args:
        lake: where they lie.
        source: registry and book.
        now: the time; what lay in the future when it was published, and has come since, is stale.
    """
    published = lake.readable_manifests(source.feed, source.factory_id)
    there = lake.part_keys(source.feed, source.factory_id)
    raw = lake.raw_objects(source.feed, source.factory_id)
    return [
        plan
        for plan in plan_partitions(source, raw, _late_rows(raw, published), now)
        if plan.month not in published
        or period.is_due(source, published[plan.month].future_from, now)
        or published[plan.month].fingerprint != plan.fingerprint
        or _parts_of(there, plan.month) != wanted_parts(plan, published[plan.month])
    ]


def without_raw(lake: Lake, source: FactoryFeed) -> list[str]:
    """Return the published months of a factory's feed that no raw object makes any more, in order."""
    published = lake.readable_manifests(source.feed, source.factory_id)
    raw = lake.raw_objects(source.feed, source.factory_id)
    made = {plan.month for plan in plan_partitions(source, raw, _late_rows(raw, published))}
    return [month for month in published if month not in made]


def _late_rows(raw: list[RawObject], published: dict[str, Manifest]) -> dict[RawObject, set[date]]:
    """Return which objects hold rows of earlier days, as the partitions of their own days found out."""
    by_name = {(o.key, o.etag): o for o in raw}
    late: dict[RawObject, set[date]] = {}
    for manifest in published.values():
        for item in manifest.late:
            known = by_name.get((item.key, item.etag))
            if known is not None:
                late.setdefault(known, set()).update(item.days)
    return late


def _parts_of(keys_there: set[str], month: str) -> set[str]:
    return {key for key in keys_there if f"/month={month}/" in key}


def wanted_parts(plan: PartitionPlan, manifest: Manifest) -> set[str]:
    """Return the keys of the tables that a partition is published as."""
    if manifest.empty:
        return set()
    return {
        keys.processed_key(plan.feed, table, plan.factory_id, plan.month, plan.fingerprint)
        for table in TABLES
    }


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
