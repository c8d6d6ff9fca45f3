"""What the peers are asked to do, in the words of the definition book."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

VALUES = ["used_kwh", "power_factor_pct", "current_a", "active_kwh", "reactive_kvarh"]
GRAINS = ("native", "hour", "day")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"

RATED_LIMITS = {"used_kwh": 1.15, "active_kwh": 1.15, "reactive_kvarh": 2.0}
"""No interval holds more than this x the nameplate power x its length."""
USUAL_LIMIT = 10
"""Nothing is more than this x the sensor's own 99th percentile."""
STUCK_COLUMNS = ["used_kwh", "current_a", "active_kwh", "reactive_kvarh"]
STUCK_MINUTES = 120
STUCK_ABOVE = 0.1
"""A value above this share of the 99th percentile that stands still for longer is taken away."""
GAP_MINUTES = 60
"""Gaps up to here become a straight line."""
MIN_COVERAGE = 0.9
"""Share of an hour's or a day's minutes that a column needs to have a value."""


@dataclass(frozen=True)
class Job:
    """A factory's raw files, a row a minute, and where the three tables go.

    A peer reads the CSV files of `files`, drops rows whose time cannot be read, keeps the first of rows with
    the same sensor and time, lays the rows on the grid of minutes, takes away what is not a number, outside the
    limits or stuck, fills short gaps, sums up hours and local days, and writes `out`/native.parquet, hour.parquet
    and day.parquet, ordered by sensor and time.

    Attributes:
        files: UTF-8 CSV files with the definition book's headers and local times.
        out: folder of the Parquet files; there.
        rated_kw: sensor -> nameplate power.
        zone: the factory's time zone.
        first: first local day.
        end: the local day after the last one.
    """

    files: list[Path]
    out: Path
    rated_kw: Mapping[str, float]
    zone: str
    first: date
    end: date
