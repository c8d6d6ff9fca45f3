"""What a person asks first of a factory: what came in, what became of it, what comes next."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import ClassVar

from fems.contracts.evaluation import EvaluationRecord
from fems.contracts.forecast import EquipmentShare, HeldOut, PeakDay
from fems.contracts.manifest import (
    CellCounts,
    DayCounts,
    FailedCounts,
    Manifest,
    ObjectCounts,
    RowCounts,
    Shares,
)
from fems.contracts.record import Instant, Part, Record
from fems.contracts.track_record import MeasuredForecast


class FeedStatus(RowCounts):
    """A feed's rows, and its published months: how many, from which to which (YYYY-MM)."""

    months: int
    first_month: str | None
    last_month: str | None


class IngestStatus(Part):
    """The counts over every published partition of a factory, all feeds together and each by itself.

    Attributes:
        rows: what became of them. shares: of the values of all feeds.
        quality: expectations that were not met, of refused months, too.
        objects: raw objects. feeds: feed -> its own counts.
    """

    rows: RowCounts
    shares: Shares
    quality: FailedCounts
    objects: ObjectCounts
    feeds: dict[str, FeedStatus]

    @classmethod
    def of(
        cls,
        manifests: Mapping[str, Mapping[str, Manifest]],
        evaluations: Iterable[EvaluationRecord],
    ) -> "IngestStatus":
        """Add up a factory's partitions.

        Args:
            manifests: feed -> month -> manifest.
            evaluations: the last one of each month and feed: a month that failed has no manifest.
        """
        every = [manifest for months in manifests.values() for manifest in months.values()]
        return cls(
            rows=RowCounts.total(m.rows for m in every),
            shares=CellCounts.total(m.cells for m in every).shares(),
            quality=FailedCounts.total(
                FailedCounts(critical_failed=e.critical_failed, warning_failed=e.warning_failed)
                for e in evaluations
            ),
            objects=ObjectCounts.total(m.objects for m in every),
            feeds={
                feed: FeedStatus(
                    **dict(RowCounts.total(m.rows for m in months.values())),
                    months=len(months),
                    first_month=min(months, default=None),
                    last_month=max(months, default=None),
                )
                for feed, months in manifests.items()
            },
        )


class ProcessSummary(IngestStatus, Record):
    """What `fems process` leaves beside its tables: the counts, and the same by feed and local day."""

    REMEDY: ClassVar[str] = "run `fems process` again"

    factory_id: str
    days: dict[str, dict[date, DayCounts]]


class Accuracy(Part):
    """The champion's accuracy, 100 x (1 - scaled RMSE); month_ahead and weekly_naive of the same held-out window."""

    one_step: float | None = None
    month_ahead: float | None = None
    weekly_naive: float | None = None


class ForecastStatus(Part):
    """The newest forecast's headline; nothing where there is none."""

    rows: int | None = None
    kwh: float | None = None
    month: str | None = None
    origin: Instant | None = None
    model_version: str | None = None
    peak_days: tuple[PeakDay, ...] = ()
    top_equipment: tuple[EquipmentShare, ...] = ()


class FactoryStatus(IngestStatus):
    """Everything that is known of a factory, shaped as in the demo's summary.json.

    Accuracies are of simulated data where `simulated` says so.

    Attributes:
        heldout: how the champion did on the month that its training held out; None without one.
        measured: how the last forecast did that was measured since; None before the first.
    """

    name: str
    simulated: bool
    model_version: str | None
    accuracy: Accuracy
    heldout: HeldOut | None = None
    measured: MeasuredForecast | None = None
    forecast: ForecastStatus
