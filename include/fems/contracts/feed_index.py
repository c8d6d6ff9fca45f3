"""The index of a factory's feed: what was published and listed when it was last looked at as a whole.

It only says where to look. What it says of a month counts while the month's manifest is the one that it was read from.
"""

from datetime import date
from typing import ClassVar

from fems.contracts.manifest import LateRows, Manifest
from fems.contracts.record import Instant, Part, Record


class PublishedMonth(Part):
    """What planning needs of a month's manifest.

    Attributes:
        etag: of the manifest that the rest was read from.
        fingerprint, empty, late, future_from: see `fems.contracts.manifest.Manifest`.
    """

    etag: str
    fingerprint: str
    empty: bool
    late: tuple[LateRows, ...]
    future_from: Instant | None

    @classmethod
    def of(cls, manifest: Manifest, etag: str) -> "PublishedMonth":
        """Take it from a manifest."""
        return cls(
            etag=etag,
            fingerprint=manifest.fingerprint,
            empty=manifest.empty,
            late=manifest.late,
            future_from=manifest.future_from,
        )


class FeedIndex(Record):
    """The index of a factory's feed.

    Attributes:
        factory_id, feed: whose and which.
        rules: fingerprint of what the feed's plans depend on besides its raw objects.
        looked_at: when the raw objects of the newest days were listed last.
        reconciled_at: when everything was listed last.
        settled: whether nothing was left to ingest.
        listing: fingerprint of the listing of raw objects that belongs to it.
        newest_from: first day of `newest`.
        newest: day -> fingerprint of its raw objects; days without any are not in it.
        months: YYYY-MM -> what is published of it.
    """

    REMEDY: ClassVar[str] = "run `fems reconcile`, which makes it anew"
    INDENT: ClassVar[int | None] = None

    factory_id: str
    feed: str
    rules: str
    looked_at: Instant
    reconciled_at: Instant
    settled: bool
    listing: str
    newest_from: date
    newest: dict[date, str]
    months: dict[str, PublishedMonth]
