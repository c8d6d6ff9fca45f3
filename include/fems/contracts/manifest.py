"""The manifest of a partition: what it was made of, what became of every row and value, and which tables count."""

from datetime import date
from typing import ClassVar

from fems.contracts.record import Counts, Instant, Part, Record

ROW_COUNTS = ("read", "published", "quarantined", "duplicate")
"""What becomes of a row: read is the sum of the others."""

FLAGS = ("measured", "retyped", "replaced", "filled", "missing")
"""What becomes of a value, ordered by how far it is from what the meter said; a row's flag is the furthest of its
values'."""


class RowCounts(Counts):
    """Rows by what became of them; see `ROW_COUNTS`."""

    read: int = 0
    published: int = 0
    quarantined: int = 0
    duplicate: int = 0


class Shares(Part):
    """Shares of values, %; None where there is no value at all."""

    coverage_pct: float | None
    retyped_pct: float | None
    replaced_pct: float | None
    filled_pct: float | None


class CellCounts(Counts):
    """Values (cells of the grid of intervals, sensors and columns) by flag; see `FLAGS`."""

    cells_measured: int = 0
    cells_retyped: int = 0
    cells_replaced: int = 0
    cells_filled: int = 0
    cells_missing: int = 0

    @property
    def cells(self) -> int:
        """All of them."""
        return (
            self.cells_measured
            + self.cells_retyped
            + self.cells_replaced
            + self.cells_filled
            + self.cells_missing
        )

    def shares(self) -> Shares:
        """Return the shares that a person asks for."""
        cells = self.cells

        def share(*counts: int) -> float | None:
            return round(100 * sum(counts) / cells, 4) if cells else None

        return Shares(
            coverage_pct=share(
                self.cells_measured, self.cells_retyped, self.cells_replaced, self.cells_filled
            ),
            retyped_pct=share(self.cells_retyped),
            replaced_pct=share(self.cells_replaced),
            filled_pct=share(self.cells_filled),
        )


class DayCounts(RowCounts, CellCounts):
    """A local day's rows and values."""


class SensorCounts(CellCounts, Shares):
    """A sensor's values and their shares."""


class ObjectCounts(Counts):
    """Raw objects of a partition's own days: all, and those that were quarantined whole."""

    read: int = 0
    quarantined: int = 0


class FailedCounts(Counts):
    """Expectations that were not met, by severity."""

    critical_failed: int = 0
    warning_failed: int = 0


class Source(Part):
    """A raw object: its key and its ETag."""

    key: str
    etag: str


class LateRows(Source):
    """A raw object with rows of local days before the partition's first or, of a plan, ahead of its own."""

    days: tuple[date, ...]


class LawNotApplied(Part):
    """A law between columns that a sensor does not keep at all, and that was not applied to it."""

    law: str
    sensor: str


class ColumnRange(Part):
    """A column as published: its unit and Korean name, its least and greatest value and its sum."""

    name_ko: str
    unit: str
    min: float | None
    max: float | None
    sum: float | None


class TimeRange(Part):
    """The first interval's start and the last one's end, UTC."""

    start: Instant
    end: Instant


class PartitionFigures(Part):
    """A partition's own figures.

    Attributes:
        rows: what became of them. days: the same by local day, with the values by flag.
        cells: values by flag, over all. shares: of these. sensors: the same by sensor.
        empty: whether no row could be used.
        laws_not_applied: see `LawNotApplied`.
        off_levels: what is off by the factor of a unit, and registers that the mapping does not name or wrongly names,
            in words; their values were taken out.
        register_sums: energies that are known as a sum over a long gap alone, in words.
        causes: rule -> how many values it took out.
        columns: column -> what is published of it.
        time_range: None where there is no interval.
    """

    rows: RowCounts
    empty: bool
    days: dict[date, DayCounts]
    cells: CellCounts
    shares: Shares
    sensors: dict[str, SensorCounts]
    laws_not_applied: tuple[LawNotApplied, ...]
    off_levels: tuple[str, ...] = ()
    register_sums: tuple[str, ...] = ()
    causes: dict[str, int]
    columns: dict[str, ColumnRange]
    time_range: TimeRange | None


class Manifest(PartitionFigures, Record):
    """The metadata of a published partition. It holds no clock: rebuilding gives the same bytes.

    Attributes:
        factory_id, feed, month: which partition (month: YYYY-MM).
        first_day, last_day: its local days, both in.
        timezone: IANA name. grain_minutes: the native interval.
        fingerprint: of everything that it is made from; the tables' names bear it.
        book_version, code_version: the rules and the package that made it.
        sources: every raw object behind it, those of the lookback included.
        late: objects with rows of earlier days.
        objects: how many of its own days.
        future_from: first time of the rows that had not come yet when it was made; None where there were none.
        accepted: what a person accepted of it, though it looked wrong.
        quality: expectations that it did not meet, without those that compare with earlier months.
    """

    REMEDY: ClassVar[str] = "run `fems ingest`, which publishes the month anew"

    factory_id: str
    feed: str
    month: str
    first_day: date
    last_day: date
    timezone: str
    grain_minutes: int
    fingerprint: str
    book_version: str
    code_version: str
    sources: tuple[Source, ...]
    late: tuple[LateRows, ...]
    objects: ObjectCounts
    future_from: Instant | None = None
    accepted: tuple[str, ...] = ()
    quality: FailedCounts = FailedCounts()
