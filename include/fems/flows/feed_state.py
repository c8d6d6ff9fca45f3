"""What lies in the lake of a factory's feed, and which of its partitions are not what the raw objects make."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from fems.contracts.feed_index import PublishedMonth
from fems.contracts.grains import TABLES
from fems.contracts.raw_object import RawObject
from fems.flows.partitions import PartitionPlan, plan_partitions
from fems.lake import keys
from fems.lake.lake import Lake
from fems.process import period
from fems.registry.feed import FactoryFeed


@dataclass
class FeedState:
    """What lies there of a feed: all of it listed, or an earlier listing and what was listed anew since.

    Attributes:
        source: registry and book.
        raw: key -> raw object.
        months: YYYY-MM -> what is published of it.
        parts: YYYY-MM -> keys of its tables, of the months that were looked at.
        listed: months whose raw objects were listed for this; None for all.
        newest_from: first of the newest days, which were listed in any case.
        looked_at: when the newest days were listed.
        reconciled_at: when everything was.
    """

    source: FactoryFeed
    raw: dict[str, RawObject]
    months: dict[str, PublishedMonth]
    parts: dict[str, set[str]]
    listed: set[str] | None
    newest_from: date
    looked_at: datetime
    reconciled_at: datetime
    _plans: dict[datetime | None, list[PartitionPlan]] = field(default_factory=dict)

    def plans(self, now: datetime | None) -> list[PartitionPlan]:
        """Return every partition that the raw objects make."""
        if now not in self._plans:
            made = plan_partitions(self.source, list(self.raw.values()), self._late_rows(), now)
            self._plans[now] = list(made)
        return self._plans[now]

    def stale(self, now: datetime | None) -> list[PartitionPlan]:
        """Return the partitions whose published state is not what the raw objects make.

        Args:
            now: the time; what lay in the future when it was published, and has come since, is stale.
        """
        return [plan for plan in self.plans(now) if self._is_stale(plan, now)]

    def orphans(self) -> list[str]:
        """Return the published months that no raw object makes any more, in order."""
        made = {plan.month for plan in self.plans(None)}
        return [month for month in sorted(self.months) if month not in made]

    def _is_stale(self, plan: PartitionPlan, now: datetime | None) -> bool:
        published = self.months.get(plan.month)
        if published is None or published.fingerprint != plan.fingerprint:
            return True
        if period.is_due(self.source, published.future_from, now):
            return True
        return plan.month in self.parts and self.parts[plan.month] != _wanted_parts(plan, published)

    def _late_rows(self) -> dict[RawObject, set[date]]:
        """Return which objects hold rows of earlier days, as the partitions of their own days found out."""
        late: dict[RawObject, set[date]] = {}
        for published in self.months.values():
            for item in published.late:
                known = self.raw.get(item.key)
                if known is not None and known.etag == item.etag:
                    late.setdefault(known, set()).update(item.days)
        return late

    def list_again(self, lake: Lake, months: Iterable[str]) -> bool:
        """List the raw objects of some months anew; returns whether they are others than was thought."""
        changed = False
        for month in sorted(set(months)):
            there = lake.raw_of_month(self.source.feed, self.source.factory_id, month)
            changed |= self._put(there, lambda day, month=month: f"{day:%Y-%m}" == month)  # type: ignore[misc]
            if self.listed is not None:
                self.listed.add(month)
        return changed

    def verify(self, lake: Lake, plans: Iterable[PartitionPlan]) -> bool:
        """See that what some partitions are made of is there; returns whether it is not as was thought."""
        if self.listed is None:
            return False
        days = {o.day for plan in plans for o in plan.sources} | {plan.first for plan in plans}
        return self.list_again(lake, {f"{day:%Y-%m}" for day in days if day < self.newest_from} - self.listed)

    def look_again(self, lake: Lake, now: datetime, suspects: Iterable[str] = ()) -> None:
        """List the newest days and the manifests anew, and the tables of months whose manifest is another one.

        Args:
            lake: where.
            now: the time.
            suspects: months whose tables are listed in any case.
        """
        feed, factory_id = self.source.feed, self.source.factory_id
        newest = lake.raw_from(feed, factory_id, self.newest_from)
        self._put(newest, lambda day: day >= self.newest_from)
        etags = lake.manifest_etags(feed, factory_id)
        known = {month: each for month, each in self.months.items() if etags.get(month) == each.etag}
        self.months = known | _read_months(lake, self.source, etags, etags.keys() - known.keys())
        self.parts |= _parts(lake, self.source, {*suspects, *(etags.keys() - known.keys())})
        self.looked_at = now
        self._plans.clear()

    def _put(self, there: list[RawObject], covers: Callable[[date], bool]) -> bool:
        """Let what a listing tells take the place of what was thought of the days that it covers."""
        before = {key: o for key, o in self.raw.items() if covers(o.day)}
        after = {o.key: o for o in there}
        if before == after:
            return False
        self.raw = {key: o for key, o in self.raw.items() if key not in before} | after
        self._plans.clear()
        return True


def _wanted_parts(plan: PartitionPlan, published: PublishedMonth) -> set[str]:
    """Return the keys of the tables that a partition is published as."""
    if published.empty:
        return set()
    return {
        keys.processed_key(plan.feed, table, plan.factory_id, plan.month, plan.fingerprint)
        for table in TABLES
    }


def _parts(
    lake: Lake, source: FactoryFeed, months: set[str], everything: bool = False
) -> dict[str, set[str]]:
    """Return the keys of the tables that lie there of some months; of several they are listed together."""
    feed, factory_id = source.feed, source.factory_id
    if len(months) <= 1 and not everything:
        return {month: lake.part_keys(feed, factory_id, month) for month in months}
    parts: dict[str, set[str]] = {month: set() for month in months}
    for key in lake.part_keys(feed, factory_id):
        month = keys.month_of(key)
        if everything or month in parts:
            parts.setdefault(month, set()).add(key)
    return parts


def _read_months(
    lake: Lake, source: FactoryFeed, etags: dict[str, str], months: Iterable[str]
) -> dict[str, PublishedMonth]:
    """Read some manifests. The ETags were listed before: one that is replaced meanwhile is read again next time."""
    found = lake.readable(source.feed, source.factory_id, months)
    return {month: PublishedMonth.of(manifest, etags[month]) for month, manifest in found.items()}


def list_all(lake: Lake, source: FactoryFeed, now: datetime, newest_from: date) -> FeedState:
    """List everything of a feed, and read all of its manifests."""
    etags = lake.manifest_etags(source.feed, source.factory_id)
    raw = {o.key: o for o in lake.raw_objects(source.feed, source.factory_id)}
    months = _read_months(lake, source, etags, etags)
    parts = _parts(lake, source, {*etags, *(f"{o.day:%Y-%m}" for o in raw.values())}, everything=True)
    return FeedState(source, raw, months, parts, None, newest_from, now, now)


def stale(lake: Lake, source: FactoryFeed, now: datetime | None = None) -> list[PartitionPlan]:
    """Return the partitions of a feed whose published state is not what the raw objects make; lists everything.

    Args:
        lake: where they lie.
        source: registry and book.
        now: the time; what lay in the future when it was published, and has come since, is stale.
    """
    return list_all(lake, source, now or datetime.now(UTC), date.min).stale(now)
