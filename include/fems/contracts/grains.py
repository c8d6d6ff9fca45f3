"""The tables that a partition is published as, and the rows of those that a person reads one by one."""

from dataclasses import dataclass
from datetime import datetime

GRAINS = ("native", "hour", "day")
ORIGINALS = "originals"
TABLES = (*GRAINS, ORIGINALS)
"""What a partition is published as: a table a grain, and the originals of the values that are others now."""

ID_COLUMNS = {
    "timestamp": "start of the interval",
    "factory_id": "the factory",
    "sensor_id": "the meter or steam trap",
}
"""The columns that every table of a grain begins with, and what each is."""

SHARE_COLUMNS = {
    "coverage_pct": "share of the interval that has a value",
    "estimated_pct": "share of the interval whose value was replaced or filled",
}
"""The columns, in %, that the tables of hours and days end with."""


@dataclass(frozen=True, slots=True)
class OriginalValue:
    """A row of the originals: a value that was read and is published otherwise.

    Attributes:
        timestamp: start of its interval, in the factory's zone.
        sensor_id, column: where it stands. flag: what it is now. cause: the rule that it broke, "" for a retyped one.
        original: the text that was read. value: what is published, None where it is missing.
        object, etag, line: where it was read.
    """

    timestamp: datetime
    sensor_id: str
    column: str
    flag: str
    cause: str
    original: str
    value: float | None
    object: str
    etag: str
    line: int


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that could not be used: raw object, its ETag, line (0 is the whole object), reason and text."""

    object: str
    etag: str
    line: int
    reason: str
    text: str
