"""What decoding makes of a raw object: usable rows, and the others with their reasons."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fems.contracts.raw_object import RawObject
from fems.raw import text
from fems.registry.feed import FactoryFeed


@dataclass(frozen=True)
class OddCells:
    """What stood in the cells that are not plain numbers, so that the original of each can be found again.

    Attributes:
        rows: int64, m: the cell's row in the object.
        columns: int8, m: its column in the book.
        texts: object (str), m: what stood there.
    """

    rows: np.ndarray
    columns: np.ndarray
    texts: np.ndarray

    def between(self, begin: int, end: int) -> "OddCells":
        """Return those of the rows begin..end-1, counted from there."""
        if not len(self.rows):
            return self
        inside = (self.rows >= begin) & (self.rows < end)
        return OddCells(self.rows[inside] - begin, self.columns[inside], self.texts[inside])

    def without(self, gone: np.ndarray) -> "OddCells":
        """Return those of the other rows, counted without the rows that are gone (rising)."""
        stays = ~np.isin(self.rows, gone)
        rows = self.rows[stays]
        return OddCells(rows - np.searchsorted(gone, rows), self.columns[stays], self.texts[stays])


NO_ODD_CELLS = OddCells(np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, object))


@dataclass(frozen=True)
class DecodedObject:
    """What a raw object holds.

    Attributes:
        raw: the object.
        read: rows in it, the bad ones included.
        starts: int64, n: UTC seconds of the interval's start.
        days: int32, n: local day of the interval's start, days since 1970.
        sensors: int16, n: position in the source's sensors.
        lines: int32, n: line in the file.
        values: float64, (columns, n): NaN where there is none.
        states: uint8, (columns, n): see `fems.raw.numbers`.
        odd: the texts of the cells that are not plain numbers.
        supplied: bool, columns: whether the file carries the column at all.
        quarantined: line, reason and text of each row that cannot be used; line 0 is the whole object.
    """

    raw: RawObject
    read: int
    starts: np.ndarray
    days: np.ndarray
    sensors: np.ndarray
    lines: np.ndarray
    values: np.ndarray
    states: np.ndarray
    odd: OddCells
    supplied: np.ndarray
    quarantined: list[text.BadLine]

    @property
    def undecodable(self) -> bool:
        """Whether the object went to quarantine whole."""
        return self.read == 0


def refused(raw: RawObject, source: FactoryFeed, reason: str) -> DecodedObject:
    """Return an object that goes to quarantine whole, with the reason."""
    width = len(source.book.columns)
    return DecodedObject(
        raw=raw,
        read=0,
        starts=np.empty(0, np.int64),
        days=np.empty(0, np.int32),
        sensors=np.empty(0, np.int16),
        lines=np.empty(0, np.int32),
        values=np.empty((width, 0)),
        states=np.empty((width, 0), np.uint8),
        odd=NO_ODD_CELLS,
        supplied=np.zeros(width, bool),
        quarantined=[text.BadLine(0, reason, "")],
    )


def joined(sheets: list[DecodedObject]) -> DecodedObject:
    """Return the rows of an object whose sheets were decoded by themselves as those of one."""
    if len(sheets) == 1:
        return sheets[0]
    before = np.cumsum([0, *(len(sheet.starts) for sheet in sheets[:-1])])
    odd = OddCells(
        np.concatenate([sheet.odd.rows + begin for sheet, begin in zip(sheets, before, strict=True)]),
        np.concatenate([sheet.odd.columns for sheet in sheets]),
        np.concatenate([sheet.odd.texts for sheet in sheets]),
    )
    return DecodedObject(
        raw=sheets[0].raw,
        read=sum(sheet.read for sheet in sheets),
        starts=np.concatenate([sheet.starts for sheet in sheets]),
        days=np.concatenate([sheet.days for sheet in sheets]),
        sensors=np.concatenate([sheet.sensors for sheet in sheets]),
        lines=np.concatenate([sheet.lines for sheet in sheets]),
        values=np.concatenate([sheet.values for sheet in sheets], axis=1),
        states=np.concatenate([sheet.states for sheet in sheets], axis=1),
        odd=odd,
        supplied=np.any([sheet.supplied for sheet in sheets], axis=0),
        quarantined=[line for sheet in sheets for line in sheet.quarantined],
    )


def quarantine_frame(objects: list[DecodedObject]) -> pd.DataFrame:
    """Return the quarantined rows of some objects: source object, its ETag, line, reason and text."""
    records = pd.DataFrame(
        [
            {
                "object": d.raw.key,
                "etag": d.raw.etag,
                "day": d.raw.day,
                "line": b.line,
                "reason": b.reason,
                "text": b.text,
            }
            for d in objects
            for b in d.quarantined
        ],
        columns=["object", "etag", "day", "line", "reason", "text"],
    )
    return records.sort_values(["object", "line", "text"], kind="stable", ignore_index=True)
