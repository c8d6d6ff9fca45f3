"""What a person wants to know of a factory's processed data, put together from its manifests."""

from collections.abc import Iterable
from datetime import date

from fems.contracts.evaluation import Finding
from fems.contracts.manifest import (
    CellCounts,
    ColumnRange,
    DayCounts,
    FailedCounts,
    LateRows,
    ObjectCounts,
    RowCounts,
    Shares,
    TimeRange,
)
from fems.contracts.record import Part


class Counted(Part):
    """Values by flag, and their shares."""

    cells: CellCounts
    shares: Shares

    @classmethod
    def of(cls, counts: Iterable[CellCounts]) -> "Counted":
        """Add some up."""
        cells = CellCounts.total(counts)
        return cls(cells=cells, shares=cells.shares())


class MonthOverview(Counted):
    """A published month; of one sensor alone no rows and quality are known.

    Attributes:
        days: how many. first_day, last_day: of them. empty: whether no row could be used.
        laws_not_applied: how many laws were not, each to one sensor.
    """

    days: int
    empty: bool
    first_day: date
    last_day: date
    laws_not_applied: int
    rows: RowCounts | None = None
    quality: FailedCounts | None = None


class LawNotAppliedIn(Part):
    """A law between columns that a sensor does not keep at all, and in which months."""

    law: str
    sensor: str
    months: tuple[str, ...]


class RefusedMonth(Part):
    """A month whose last evaluation failed, and how many critical expectations did."""

    month: str
    critical_failed: int


class DayOverview(DayCounts, Shares):
    """A local day's rows and values, and the shares of these."""


class GrainFinding(Finding):
    """An expectation that a table did not meet: the table's grain, and the finding."""

    grain: str


class PublishedData(Counted):
    """What a person wants to know of a factory's processed data; totals over the months, unless it says otherwise.

    Attributes:
        factory_id, name, name_ko, simulated, feed: whose and which.
        month, sensor: what was asked for; None for all.
        timezone, grain_minutes: of the first month.
        book_versions, code_versions: that made them. book_version_now: of the book as it stands.
        time_range: UTC. days: how many. objects: raw objects of these days.
        sources: how many raw objects there are with those that the rules look back on. late: those with earlier rows.
        laws_not_applied: see there. causes: rule -> values that it took out.
        off_levels, register_sums: see the manifest, in words.
        sensors: sensor -> values. months: YYYY-MM -> the same figures.
        refused: months whose last evaluation failed.
        originals: where the originals lie, None where no row could be used. data_package: its key, if it is there.
        rows, quality, columns: None with a sensor: the manifests don't count them by sensor. A column's sum is given
            only where the book sums it up.
        by_day, findings: of a month that was asked for, without a sensor.
    """

    factory_id: str
    name: str
    name_ko: str
    simulated: bool
    feed: str
    month: str | None
    sensor: str | None
    timezone: str
    grain_minutes: int
    book_versions: tuple[str, ...]
    book_version_now: str
    code_versions: tuple[str, ...]
    time_range: TimeRange | None
    days: int
    objects: ObjectCounts
    sources: int
    late: tuple[LateRows, ...]
    laws_not_applied: tuple[LawNotAppliedIn, ...]
    off_levels: tuple[str, ...]
    register_sums: tuple[str, ...]
    causes: dict[str, int]
    sensors: dict[str, Counted]
    months: dict[str, MonthOverview]
    refused: tuple[RefusedMonth, ...]
    originals: str | None
    data_package: str | None
    rows: RowCounts | None = None
    quality: FailedCounts | None = None
    columns: dict[str, ColumnRange] | None = None
    by_day: dict[date, DayOverview] | None = None
    findings: tuple[GrainFinding, ...] | None = None
