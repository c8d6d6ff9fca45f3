"""The months of a feed that were evaluated before: what is usual in them. Each is read once in an ingest."""

import logging
from collections.abc import Iterator
from itertools import islice

from fems.contracts.evaluation import EvaluationRecord, Profile
from fems.errors import DataError
from fems.lake.lake import Lake
from fems.quality import baseline
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)

USUAL_MONTHS = 3
"""How many accepted months say what is usual."""


class PastMonths:
    """The last evaluation of each month of a feed; listed and read when it is first asked for."""

    def __init__(self, lake: Lake, feed: Feed, factory_id: str) -> None:
        self._lake, self._feed, self._factory_id = lake, feed, factory_id
        self._months: set[str] | None = None
        self._records: dict[str, EvaluationRecord | None] = {}

    def add(self, record: EvaluationRecord) -> None:
        """Let an evaluation that was just kept be the last one of its month."""
        self._records[record.month] = record
        if self._months is not None:
            self._months.add(record.month)

    def usual_before(self, month: str) -> Profile:
        """Return what the hours of the last accepted months before a month look like; empty if there are none."""
        return baseline.baseline(islice(self._accepted_before(month), USUAL_MONTHS))

    def newest_before(self, month: str) -> Profile:
        """Return what the hours of the newest accepted month before a month look like; empty where there is none."""
        return next(self._accepted_before(month), {})

    def _accepted_before(self, month: str) -> Iterator[Profile]:
        if self._months is None:
            self._months = set(self._lake.evaluations.months(self._feed, self._factory_id))
        for earlier in sorted(self._months, reverse=True):
            record = self._read(earlier) if earlier < month else None
            if record is not None and record.published and record.profile:
                yield record.profile

    def _read(self, month: str) -> EvaluationRecord | None:
        """Return a month's record; one that cannot be read is passed over with a warning, for ingest makes it anew."""
        if month not in self._records:
            try:
                self._records[month] = self._lake.evaluations.last(self._feed, self._factory_id, month)
            except DataError as error:
                log.warning("%s", error)
                self._records[month] = None
        return self._records[month]
