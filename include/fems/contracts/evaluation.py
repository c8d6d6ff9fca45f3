"""The record that stays of a month's quality evaluation, published or not, and its history."""

from datetime import date
from typing import ClassVar

from fems.contracts.grains import GRAINS
from fems.contracts.manifest import Shares
from fems.contracts.record import Instant, Part, Record

COMPARING = frozenset(["expect_levels_as_before", "expect_rhythm_as_before"])
"""Expectations that compare with earlier partitions."""

SensorProfile = dict[str, tuple[float, ...]]
Profile = dict[str, SensorProfile]
"""What a month's hours look like: sensor -> column -> its quantiles (see `fems.quality.baseline.QUANTILES`); and
`rhythm`: the mean of the first column by hour of the day."""


class Finding(Part):
    """An expectation that was not met.

    Attributes:
        expectation: its type.
        severity: critical, warning or info.
        column: which, None for the table as a whole.
        unexpected: how many are at fault.
        examples: some of them.
        note: why it matters.
    """

    expectation: str
    severity: str
    column: str | None
    unexpected: int
    examples: tuple[str, ...]
    note: str

    @property
    def compares(self) -> bool:
        """Whether it compares with earlier partitions, and does not concern the table itself."""
        return self.expectation in COMPARING

    def __str__(self) -> str:
        what = f"{self.expectation}({self.column})" if self.column else self.expectation
        examples = f", such as {'; '.join(self.examples)}" if self.examples else ""
        return f"{what}: {self.unexpected:,} at fault{examples}. {self.note}".strip()


class TableEvaluation(Part):
    """The result of a suite on one table.

    Attributes:
        suite: its name. version: fingerprint of its text.
        rows: of the table. evaluated: how many expectations were.
        left_out: expectations that were not, because what they compare with is not known.
        findings: what was not met.
        critical_failed, warning_failed: how many of these.
    """

    suite: str
    version: str
    rows: int
    evaluated: int
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]
    critical_failed: int
    warning_failed: int


class Scored(Shares):
    """A score (values that stand as the meter said them, %; None without a value) and the shares behind it."""

    score: float | None


class Scores(Part):
    """A month's scores: as a whole, by local day, by column and by sensor."""

    score: float | None
    days: dict[date, Scored]
    columns: dict[str, Scored]
    sensors: dict[str, Scored]


class EvaluatedMonth(Scores, Record):
    """A month's evaluation, without what only its last one keeps.

    Attributes:
        factory_id, feed, month, fingerprint: which partition, and of which content.
        published: whether it passed.
        critical_failed, warning_failed: expectations of all tables that were not met.
        tables: grain -> evaluation; empty for a month of which no row could be used.
    """

    INDENT: ClassVar[int | None] = None  # one a month and evaluation, read by programs

    factory_id: str
    feed: str
    month: str
    fingerprint: str
    published: bool
    critical_failed: int
    warning_failed: int
    tables: dict[str, TableEvaluation]

    def findings(self) -> list[tuple[str, Finding]]:
        """Return what was not met, the critical first, each with the grain of its table."""
        every = [
            (grain, finding)
            for grain in GRAINS
            if grain in self.tables
            for finding in self.tables[grain].findings
        ]
        return sorted(every, key=lambda each: each[1].severity != "critical")


class EvaluationRecord(EvaluatedMonth):
    """The last evaluation of a month. It holds no clock: the same data and suites give the same record."""

    REMEDY: ClassVar[str] = "run `fems ingest`, which evaluates the month again"

    profile: Profile


class PastEvaluation(EvaluatedMonth):
    """An evaluation in a month's history: when it was made, and by which run."""

    REMEDY: ClassVar[str] = (
        "remove it: it is an earlier evaluation, and `fems ingest` makes the last one anew"
    )

    evaluated_at: Instant
    run: str
