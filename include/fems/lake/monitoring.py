"""What the monitor keeps in the lake: requests for training, and the mark of what people were told."""

from fems.contracts.monitoring import PeakNotice, TrainingRequests
from fems.lake import keys
from fems.lake.records import read_record, write_record
from fems.lake.store import Store


class Monitoring:
    """Requests and notices, by factory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def requests(self, factory_id: str) -> TrainingRequests:
        """Return a factory's requests for training, oldest first.

        Raises:
            UnknownFormat, DataError: they cannot be read; says what to do.
        """
        return read_record(self._store, TrainingRequests, keys.requests_key(factory_id)) or TrainingRequests()

    def write_requests(self, factory_id: str, requests: TrainingRequests) -> None:
        """Keep a factory's requests for training."""
        write_record(self._store, keys.requests_key(factory_id), requests)

    def peak_notice(self, factory_id: str) -> PeakNotice | None:
        """Return the mark of the last coming peak that was told, None where none was.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to do.
        """
        return read_record(self._store, PeakNotice, keys.peak_notice_key(factory_id))

    def write_peak_notice(self, factory_id: str, notice: PeakNotice) -> None:
        """Mark a coming peak as told."""
        write_record(self._store, keys.peak_notice_key(factory_id), notice)
