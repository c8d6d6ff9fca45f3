"""The indexes in the lake, and the marks that landing leaves for days that a night would not list by itself."""

import json
import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from fems.canonical import fingerprint
from fems.contracts.feed_index import FeedIndex
from fems.contracts.raw_object import RawObject
from fems.errors import DataError
from fems.lake import keys
from fems.lake.records import get, read_record, write_record
from fems.lake.store import Store
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)

Marks = dict[tuple[Feed, str], dict[str, date]]
"""Feed and factory -> month, YYYY-MM -> the day (UTC) of the last landing that put something into it."""


class Indexes:
    """An index a feed and factory: a small record, and the listing of raw objects that it was made from.

    Args:
        store: where.
        kept: whether any are; otherwise nothing is written, and none is there.
    """

    def __init__(self, store: Store, kept: bool = True) -> None:
        self._store, self._kept = store, kept

    def read(self, feed: Feed, factory_id: str) -> FeedIndex | None:
        """Return an index; None where there is none that this version reads: everything is listed then."""
        try:
            return read_record(self._store, FeedIndex, keys.index_key(feed, factory_id))
        except DataError as error:
            log.warning("%s", error)
            return None

    def listing(self, index: FeedIndex) -> list[RawObject] | None:
        """Return the raw objects that an index was made from; None where what lies there is not those."""
        data = get(self._store, keys.listing_key(index.feed, index.factory_id))
        try:
            rows = json.loads(data or b"null")
        except ValueError:
            return None
        if rows is None or fingerprint(rows) != index.listing:
            return None
        return [RawObject(key, etag, size, date.fromisoformat(day)) for key, etag, size, day in rows]

    def write(self, index: FeedIndex, raw: Iterable[RawObject]) -> None:
        """Keep an index: the listing first, so that a record never belongs to a listing that is not there."""
        if not self._kept:
            return
        rows = [[each.key, each.etag, each.size, each.day.isoformat()] for each in sorted(raw)]
        key = keys.listing_key(index.feed, index.factory_id)
        listing = fingerprint(rows)
        self._store.put(key, json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())
        write_record(
            self._store,
            keys.index_key(index.feed, index.factory_id),
            index.model_copy(update={"listing": listing}),
        )

    def remove(self, feed: Feed, factory_id: str) -> None:
        """Remove an index: the next look lists everything."""
        self._store.delete(keys.index_key(feed, factory_id))
        self._store.delete(keys.listing_key(feed, factory_id))

    def mark(self, feed: Feed, factory_id: str, months: Iterable[str], now: datetime) -> None:
        """Leave a mark that something is about to be put into months that are long over."""
        for month in sorted(set(months)) if self._kept else ():
            self._store.put(keys.mark_key(now.astimezone(UTC).date(), feed, factory_id, month), b"")

    def marks(self, since: date) -> Marks:
        """Return the marks of a day (UTC) and of those after it."""
        found: Marks = {}
        for key in self._store.keys(keys.MARKS, after=f"{keys.MARKS}date={since.isoformat()}"):
            match = keys.MARK_KEY.match(key)
            if match is None:
                log.warning("%s: passed over, it is no mark of a landing", key)
                continue
            months = found.setdefault((match["feed"], match["factory"]), {})
            months[match["month"]] = max(
                months.get(match["month"], date.min), date.fromisoformat(match["date"])
            )
        return found

    def prune_marks(self, before: date) -> int:
        """Remove the marks of the days before one (UTC); returns how many there were."""
        old = []
        for key in self._store.keys(keys.MARKS):
            match = keys.MARK_KEY.match(key)
            if match is None:
                continue
            if date.fromisoformat(match["date"]) >= before:
                break  # they come in the order of days
            old.append(key)
        for key in old:
            self._store.delete(key)
        return len(old)


def is_marked_since(landed: date, moment: datetime) -> bool:
    """Tell whether what a mark announces may have come after a moment: a landing takes less than a day."""
    return landed >= (moment.astimezone(UTC) - timedelta(days=1)).date()
