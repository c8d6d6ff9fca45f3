"""The table of a factory's track record: past forecasts beside what was measured since; and the newest in short."""

from datetime import datetime
from typing import ClassVar, NamedTuple

from fems.contracts.forecast import POOR_TOTAL_PCT
from fems.contracts.record import Instant, Record

FACTORY = ""
"""The sensor ID of the whole factory."""

FORMAT = 1
"""Of the stored table, in its schema's metadata."""

REMEDY = "run `fems monitor`, which makes it anew"


class TrackRow(NamedTuple):
    """A row of the table: a forecast and the factory, or one sensor of it, as far as it was measured.

    Attributes:
        factory_id, month: whose, and YYYY-MM that the forecast is filed under.
        origin: its first instant.
        model_version: of the registry, or the name of the baseline that stood in for a model.
        sensor_id: `FACTORY` for the whole.
        until: the first instant after the measured hours. hours: how many.
        actual_kwh, forecast_kwh: of these hours.
        bias_pct: 100 (forecast - actual) / actual, above 0 where too much was forecast.
        accuracy: the study's, 100 (1 - RMSE / span), of the hours (protocol month-ahead).
        weekly_naive_accuracy: weekly naive's, from the same origin over the same hours.
        coverage_80: share of the hours within the band, 0 to 1. A figure that cannot be told is NaN.
    """

    factory_id: str
    month: str
    origin: datetime
    model_version: str
    sensor_id: str
    until: datetime
    hours: int
    actual_kwh: float
    forecast_kwh: float
    bias_pct: float
    accuracy: float
    weekly_naive_accuracy: float
    coverage_80: float


COLUMNS = TrackRow._fields


class MeasuredForecast(Record):
    """The newest row of the track record that is of the whole factory, for who reads many factories; see `TrackRow`.

    A figure that cannot be told is None.
    """

    REMEDY: ClassVar[str] = REMEDY

    factory_id: str
    month: str
    origin: Instant
    model_version: str
    hours: int
    actual_kwh: float
    forecast_kwh: float
    bias_pct: float | None
    accuracy: float | None
    weekly_naive_accuracy: float | None
    coverage_80: float | None

    @property
    def is_far_off(self) -> bool:
        """Whether its total was so far off that a reader is told in words."""
        return self.bias_pct is not None and abs(self.bias_pct) > POOR_TOTAL_PCT

    @property
    def naive_ahead(self) -> bool:
        """Whether weekly naive did better."""
        ours, naive = self.accuracy, self.weekly_naive_accuracy
        return ours is not None and naive is not None and ours < naive
