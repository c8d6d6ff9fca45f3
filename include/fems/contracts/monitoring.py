"""What the monitor stores and passes on: requests for training, the mark of a notice, a coming peak."""

from typing import Annotated, ClassVar

from pydantic import Field

from fems.contracts.record import Instant, Part, Record


class TrainingRequest(Part):
    """A request for a factory's training.

    Attributes:
        id: also the ID of the run that it starts.
        factory_id: the factory.
        asked: when, UTC.
        reason: in a sentence.
        started: when its training was started; None as long as it was not.
    """

    id: str
    factory_id: str
    asked: Instant
    reason: str
    started: Instant | None = None


class TrainingRequests(Record):
    """Every request for a factory's training, oldest first."""

    REMEDY: ClassVar[str] = "remove it: the monitor asks again where training is wanted"

    requests: tuple[TrainingRequest, ...] = ()


class PeakNotice(Record):
    """The mark of the last coming peak that people were told of: of which forecast, and by which run."""

    REMEDY: ClassVar[str] = "remove it: the monitor may tell of a coming peak once more"

    peak_of: str
    run_id: str


class ComingPeak(Part):
    """A maximum demand over the contract power that is still to come.

    Attributes:
        kw: expected. at: when, with its offset. contract_kw: the contract power.
        chance_pct: that it is passed, None where the forecast gives no chance.
    """

    kw: float
    at: Instant
    contract_kw: float
    chance_pct: Annotated[float | None, Field(ge=0, le=100)]


class Standing(Part):
    """How a champion did of late, for the whole factory.

    Attributes:
        version: the champion's.
        days: local days that are looked at, each with every hour measured.
        accuracy: % over these days, protocol month-ahead.
        weekly_naive: weekly naive's, from the same origins over the same hours.
        worse_days: days on which the champion's RMSE was the greater one.
    """

    version: str
    days: int
    accuracy: float
    weekly_naive: float
    worse_days: int

    def behind(self, margin: float) -> str | None:
        """Say that the champion is behind, or return None.

        Behind is: less accurate by more than the margin over all days together, and worse on most of them, so that one
        odd day does not do it.

        Args:
            margin: accuracy, percentage points.
        """
        lost = self.weekly_naive - self.accuracy
        if not (lost > margin and 2 * self.worse_days > self.days):
            return None
        return (
            f"model v{self.version} fell behind weekly naive: accuracy {self.accuracy:.1f} against "
            f"{self.weekly_naive:.1f} over the last {self.days} days, worse on {self.worse_days} of them"
        )
