"""What a report is made of: the forecast, what was measured before it, and how earlier forecasts did."""

from dataclasses import dataclass

import pandas as pd

from fems.contracts.forecast import ForecastSummary
from fems.contracts.trap_views import OpenTrap
from fems.forecast.reasons import Language
from fems.forecast.tables import Forecast
from fems.registry.factory import Factory

TRACK_COLUMNS = (
    "month",
    "actual_kwh",
    "forecast_kwh",
    "bias_pct",
    "accuracy",
    "weekly_naive_accuracy",
    "coverage_80",
)


@dataclass(frozen=True)
class Content:
    """Everything a report shows.

    Attributes:
        factory: from the registry.
        summary: what is stored beside the tables.
        forecast: the tables of the calendar month.
        measured: kWh of each local day of the three months before the origin, NaN where unknown.
        track: a row for each earlier forecast of the whole factory, oldest first, with `TRACK_COLUMNS`.
        grain_minutes: of the native table.
        alert_chance: the chance of exceeding contract power, 0 to 1, from which on the notices tell of it.
        traps: open events of steam traps, what costs most first.
    """

    factory: Factory
    summary: ForecastSummary
    forecast: Forecast
    measured: pd.Series
    track: pd.DataFrame
    grain_minutes: int
    alert_chance: float
    traps: tuple[OpenTrap, ...] = ()

    def machines(self, language: Language) -> dict[str, str]:
        """Return sensor ID, or the column of a remainder -> the machine's name."""
        return self.factory.meter_tree.titles(korean=language == "ko")

    def peak_day(self) -> pd.Timestamp:
        """Return the local day on which the maximum demand is most likely, or the highest day without a demand."""
        days = pd.DatetimeIndex(self.forecast.factory["day"]["timestamp"])
        demand = self.summary.demand
        if demand is not None:
            return pd.Timestamp(demand.at).tz_convert(days.tz).normalize()
        return days[int(self.forecast.factory["day"]["used_kwh"].to_numpy().argmax())].normalize()


def track_record(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of a track record that are of whole factories, the newest of each origin, oldest first.

    Args:
        table: forecasts/factory=ID/track_record.parquet, None where there is none yet.
    """
    if table is None or table.empty:
        return pd.DataFrame(columns=[*TRACK_COLUMNS, "origin", "model_version"])
    whole = table[table["sensor_id"].fillna("") == ""].sort_values(["origin", "until"])
    return whole.drop_duplicates(["origin", "model_version"], keep="last").reset_index(drop=True)
