"""How a night finds what is new without listing everything.

A night asks three things of a feed: its index, the ETags of its manifests, and the raw objects of the newest days.
Where these are as they were, and no landing has marked an older month, nothing can have changed but what somebody put
under an older day by another way than `fems land`, overwrote or removed there: that is found by listing everything,
once in `reconcile_days`. The index only says where to look. Nothing is rebuilt but from a listing of its days that was
made for it, and what the index says of a month counts only while the month's manifest is the one that it was read from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fems.canonical import fingerprint
from fems.contracts.feed_index import FeedIndex
from fems.contracts.raw_object import RawObject
from fems.flows.feed_state import FeedState, list_all
from fems.flows.partitions import rules
from fems.lake.index import Marks, is_marked_since
from fems.lake.lake import Lake
from fems.process import period
from fems.registry.feed import FactoryFeed
from fems.settings import Settings

FEW_MONTHS = 6
"""Up to so many months are listed one by one."""


@dataclass(frozen=True)
class Lookout:
    """How far a look that does not list everything reaches.

    Attributes:
        now: the time.
        newest_days: raw objects of so many days are listed whenever somebody looks.
        reconcile_days: everything is listed where it was not for so long.
        marks: of landings.
    """

    now: datetime
    newest_days: int
    reconcile_days: float
    marks: Marks

    @classmethod
    def from_lake(cls, lake: Lake, settings: Settings, now: datetime) -> "Lookout":
        """Read the marks that an index can still need."""
        marks = lake.indexes.marks(_marks_from(settings, now))
        return cls(now, settings.newest_days, settings.reconcile_days, marks)

    @property
    def newest_from(self) -> date:
        """First day that is listed in any case."""
        return (self.now - timedelta(days=self.newest_days)).date()

    def marked(self, index: FeedIndex) -> list[str]:
        """Return the months that were landed into since an index was made, and that are not listed in any case."""
        months = self.marks.get((index.feed, index.factory_id), {})
        last = self.newest_from.isoformat()[:7]
        return sorted(
            month
            for month, landed in months.items()
            if month <= last and is_marked_since(landed, index.looked_at)
        )

    def is_old(self, index: FeedIndex) -> bool:
        """Tell whether everything has to be listed again; an index of the future is none."""
        age = self.now - index.reconciled_at
        return not timedelta(0) <= age < timedelta(days=self.reconcile_days)


def _marks_from(settings: Settings, now: datetime) -> date:
    """Return the first day (UTC) of marks that an index may need; older ones were before the last full listing."""
    return (now.astimezone(UTC) - timedelta(days=settings.reconcile_days + 2)).date()


def prune_marks(lake: Lake, settings: Settings, now: datetime) -> int:
    """Remove the marks that no index needs any more; returns how many there were."""
    return lake.indexes.prune_marks(_marks_from(settings, now))


def look(lake: Lake, source: FactoryFeed, lookout: Lookout, *, everything: bool = False) -> FeedState:
    """Return what lies there of a feed: from its index and what can have changed since, or listed as a whole.

    Args:
        lake: where.
        source: registry and book.
        lookout: how far to look.
        everything: whether to list everything in any case.
    """
    known = None if everything else _from_index(lake, source, lookout)
    return known or list_all(lake, source, lookout.now, lookout.newest_from)


def _from_index(lake: Lake, source: FactoryFeed, lookout: Lookout) -> FeedState | None:
    """Return what lies there, from the index and what can have changed since; None where it is of no use."""
    index = lake.indexes.read(source.feed, source.factory_id)
    if index is None or lookout.is_old(index):
        return None
    raw = lake.indexes.listing(index)
    if raw is None:
        return None
    state = FeedState(
        source,
        {o.key: o for o in raw},
        dict(index.months),
        {},
        set(),
        lookout.newest_from,
        index.looked_at,
        index.reconciled_at,
    )
    state.look_again(lake, lookout.now)
    state.list_again(lake, lookout.marked(index))
    # so much that is new is listed faster as a whole
    return state if len(state.stale(lookout.now)) <= FEW_MONTHS else None


def has_news(lake: Lake, source: FactoryFeed, lookout: Lookout) -> bool:
    """Tell whether anything of a feed can have changed since its index was made; three requests where nothing has."""
    index = lake.indexes.read(source.feed, source.factory_id)
    if index is None:
        return lake.has_feed(source.feed, source.factory_id)
    if lookout.is_old(index) or not index.settled:
        return True
    if index.rules != fingerprint(rules(source)) or index.newest_from > lookout.newest_from:
        return True
    if any(period.is_due(source, month.future_from, lookout.now) for month in index.months.values()):
        return True
    etags = lake.manifest_etags(source.feed, source.factory_id)
    if etags != {month: published.etag for month, published in index.months.items()}:
        return True
    newest = lake.raw_from(source.feed, source.factory_id, lookout.newest_from)
    if days_of(newest) != {d: text for d, text in index.newest.items() if d >= lookout.newest_from}:
        return True
    return _marked_news(lake, index, lookout)


def _marked_news(lake: Lake, index: FeedIndex, lookout: Lookout) -> bool:
    """Tell whether a month that was marked is another than it was."""
    marked = lookout.marked(index)
    raw = lake.indexes.listing(index) if marked else []
    if raw is None:
        return True
    return any(
        lake.raw_of_month(index.feed, index.factory_id, month)
        != [o for o in raw if f"{o.day:%Y-%m}" == month]
        for month in marked
    )


def keep_index(lake: Lake, state: FeedState) -> None:
    """Keep what was found as the feed's index."""
    settled = not state.stale(state.looked_at) and not state.orphans()
    newest = [o for o in state.raw.values() if o.day >= state.newest_from]
    index = FeedIndex(
        factory_id=state.source.factory_id,
        feed=state.source.feed,
        rules=fingerprint(rules(state.source)),
        looked_at=state.looked_at,
        reconciled_at=state.reconciled_at,
        settled=settled,
        listing="",
        newest_from=state.newest_from,
        newest=days_of(newest),
        months=state.months,
    )
    lake.indexes.write(index, state.raw.values())


def days_of(raw: Iterable[RawObject]) -> dict[date, str]:
    """Return the fingerprint of each day's raw objects."""
    days: dict[date, list[tuple[str, str]]] = {}
    for o in sorted(raw):
        days.setdefault(o.day, []).append((o.key, o.etag))
    return {day: fingerprint(there) for day, there in days.items()}
