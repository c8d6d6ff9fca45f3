"""What listings tell: raw objects, all or those of some days, and the ETags of manifests."""

import logging
from collections.abc import Iterator
from datetime import date

from fems.contracts.raw_object import RawObject
from fems.lake import keys
from fems.lake.store import Store, StoredObject
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)


def raw_objects(store: Store, feed: Feed, factory_id: str) -> list[RawObject]:
    """List a factory's raw objects of a feed, ordered by key; a key without a date= folder is passed over."""
    return sorted(_raw(store.list(keys.raw_prefix(feed, factory_id))))


def raw_from(store: Store, feed: Feed, factory_id: str, first: date) -> list[RawObject]:
    """List the raw objects of a day and of those after it."""
    after = keys.before_day(feed, factory_id, first)
    return sorted(_raw(store.list(keys.raw_days(feed, factory_id), after)))


def raw_of_month(store: Store, feed: Feed, factory_id: str, month: str) -> list[RawObject]:
    """List the raw objects of a month, YYYY-MM."""
    return sorted(_raw(store.list(keys.raw_days(feed, factory_id, month))))


def manifest_etags(store: Store, feed: Feed, factory_id: str) -> dict[str, str]:
    """Return the ETag of each month's manifest, in order."""
    return {keys.month_of(item.key): item.etag for item in store.list(keys.manifest_prefix(feed, factory_id))}


def _raw(items: Iterator[StoredObject]) -> Iterator[RawObject]:
    for item in items:
        if keys.DELIVERED_KEY.match(item.key):
            continue  # the whole of a file that was cut into days
        match = keys.RAW_KEY.match(item.key)
        if match is None:
            log.warning("%s: passed over, its folder is not date=YYYY-MM-DD/", item.key)
            continue
        try:
            day = date.fromisoformat(match["date"])
        except ValueError:
            log.warning("%s: passed over, there is no such date", item.key)
            continue
        yield RawObject(item.key, item.etag, item.size, day)
