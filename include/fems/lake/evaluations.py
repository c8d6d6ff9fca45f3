"""The evaluations in the lake: the last one of each month, their history, and the Data Docs pages."""

import logging
from datetime import date
from functools import partial

from fems.contracts.evaluation import EvaluationRecord, PastEvaluation
from fems.errors import DataError
from fems.lake import keys
from fems.lake.records import get, read_record, side_by_side, write_record
from fems.lake.store import Store
from fems.registry.sensors import Feed

log = logging.getLogger(__name__)


class Evaluations:
    """What is kept of the quality evaluations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def last(self, feed: Feed, factory_id: str, month: str) -> EvaluationRecord | None:
        """Return a month's last evaluation, published or not; None if it was never evaluated.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to run.
        """
        return read_record(self._store, EvaluationRecord, keys.quality_key(feed, factory_id, month))

    def newest(self, feed: Feed, factory_id: str) -> EvaluationRecord | None:
        """Return the last evaluation of the newest month, published or not; None if none was evaluated.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to run.
        """
        months = self.months(feed, factory_id)
        return self.last(feed, factory_id, max(months)) if months else None

    def by_month(self, feed: Feed, factory_id: str, newest: int | None = None) -> dict[str, EvaluationRecord]:
        """Return the last evaluation of each month, or of so many of the newest, published or not, in order.

        Raises:
            UnknownFormat, DataError: one cannot be read; says what to run.
        """
        months = sorted(self.months(feed, factory_id))[-newest if newest else None :]
        found = side_by_side(partial(self.last, feed, factory_id), months)
        return {record.month: record for record in found if record is not None}

    def months(self, feed: Feed, factory_id: str) -> list[str]:
        """Return the months that were evaluated, YYYY-MM, in order, without reading any."""
        return [keys.month_of(key) for key in self._store.keys(keys.quality_prefix(feed, factory_id))]

    def write(self, record: EvaluationRecord, past: PastEvaluation, feed: Feed) -> None:
        """Keep an evaluation as the last one of its month, and in the history."""
        at = keys.history_key(feed, past.factory_id, past.month, past.evaluated_at)
        write_record(self._store, at, past)
        write_record(self._store, keys.quality_key(feed, record.factory_id, record.month), record)

    def history(self, feed: Feed, factory_id: str, month: str) -> list[PastEvaluation]:
        """Return every evaluation of a month that is still kept and that this version reads, the newest first."""
        folder = f"{keys.history_prefix(feed, factory_id)}month={month}/"
        found = []
        for key in sorted(self._store.keys(folder), reverse=True):
            try:
                record = read_record(self._store, PastEvaluation, key)
            except DataError as error:  # one line of a list that nothing else depends on
                log.warning("%s", error)
                continue
            if record is not None:
                found.append(record)
        return found

    def write_docs(self, feed: Feed, factory_id: str, month: str, grain: str, html: str) -> None:
        """Keep the Data Docs page of a table's last evaluation."""
        self._store.put(keys.docs_key(feed, factory_id, month, grain), html.encode())

    def docs(self, feed: Feed, factory_id: str, month: str, grain: str) -> str | None:
        """Return the Data Docs page of a table's last evaluation, None where none is kept."""
        data = get(self._store, keys.docs_key(feed, factory_id, month, grain))
        return None if data is None else data.decode()

    def docs_grains(self, feed: Feed, factory_id: str, month: str) -> set[str]:
        """Return the grains of which a Data Docs page of a month is kept."""
        folder = f"{keys.docs_prefix(feed, factory_id)}month={month}/"
        return {key.removeprefix(folder).removesuffix(".html") for key in self._store.keys(folder)}

    def prune(self, feed: Feed, factory_id: str, limit: date) -> int:
        """Remove what is older than a day: the history's records, and the Data Docs of months without a younger one.

        The last evaluation of a month stays, since it says why the month is, or is not, published.

        Returns:
            The number of objects removed.
        """
        history = list(self._store.keys(keys.history_prefix(feed, factory_id)))
        old = [key for key in history if key.rsplit("/", 1)[1][:8] < f"{limit:%Y%m%d}"]
        recent = {keys.month_of(key) for key in set(history) - set(old)}
        old += [
            key
            for key in self._store.keys(keys.docs_prefix(feed, factory_id))
            if keys.month_of(key) not in recent
        ]
        for key in old:
            self._store.delete(key)
        return len(old)
