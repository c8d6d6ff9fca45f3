"""What the flows return, and the tasks pass on: keys and small figures."""

from collections.abc import Mapping
from typing import Any

from fems.contracts.forecast import ForecastSummary
from fems.contracts.manifest import RowCounts
from fems.contracts.monitoring import ComingPeak, Standing, TrainingRequest
from fems.contracts.record import Outcome

JsonObject = dict[str, Any]
"""What a flow returned, as a task passes it on."""


class IngestOutcome(Outcome):
    """What an ingest did.

    Attributes:
        factory_id: of which factory.
        partitions: how many it rebuilt. rows: theirs. months: feed and month of each.
        left: stale months that it was asked to leave for a backfill.
    """

    factory_id: str
    partitions: int
    rows: RowCounts
    months: tuple[str, ...]
    left: int = 0


class GroupOutcome(Outcome):
    """What a task made of a group of factories: factory -> what the flow returned, as JSON; `seconds` of them all."""

    factories: dict[str, JsonObject]

    @classmethod
    def of(cls, results: Mapping[str, JsonObject]) -> "GroupOutcome":
        """Put a group's results together."""
        seconds = sum(float(result["seconds"]) for result in results.values())
        return cls(seconds=round(seconds, 3), factories=dict(results))


class TrainingOutcome(Outcome):
    """What a training made.

    Attributes:
        factory_id: whose model.
        month: YYYY-MM that it is meant for.
        version: in the registry. alias: champion or challenger. reason: why.
        metrics: as logged.
    """

    factory_id: str
    month: str
    version: str
    alias: str
    reason: str
    metrics: dict[str, float]


class ForecastOutcome(Outcome):
    """A forecast as it is published: its summary, and where it and its report lie."""

    summary: ForecastSummary
    prefix: str
    report: str

    def figures(self) -> dict[str, Any]:
        """Return what a task passes on and a shell prints: the summary without its days, and where it all lies."""
        summary = self.summary.model_dump(mode="json", exclude={"days", "format"})
        return {**summary, "prefix": self.prefix, "report": self.report, "seconds": self.seconds}


class MonitorOutcome(Outcome):
    """What the monitor found of a factory.

    Attributes:
        factory_id: which.
        forecasts: past ones of which anything was measured.
        champion: the version that forecasts; None where there is none.
        standing: how it did of late; None while it has too few measured days.
        moved: the inputs that are unlike its training's, in words.
        reason: why training is wanted, None if it is not.
        request: to be passed on, or None.
        peak: to be told, or None.
    """

    factory_id: str
    forecasts: int
    champion: str | None
    standing: Standing | None
    moved: tuple[str, ...]
    reason: str | None
    request: TrainingRequest | None
    peak: ComingPeak | None
