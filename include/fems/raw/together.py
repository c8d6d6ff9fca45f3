"""Plain text files under the same header, read as one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fems.lake import RawObject
from fems.plant import FileMapping
from fems.raw.encodings import is_in
from fems.raw.text import TextTable

_MOST_BYTES = 8 << 20


@dataclass(frozen=True)
class Batch:
    """Some objects, and the bytes of all of them as one file; of one alone, its own.

    Attributes:
        objects: each object and its bytes.
        data: the first one whole, and the others without their header.
        lines: how many lines of `data` are of each object.
    """

    objects: list[tuple[RawObject, bytes]]
    data: bytes
    lines: list[int]

    def apart(self, table: TextTable) -> tuple[np.ndarray, TextTable]:
        """Say whose each row is: int, n; and give rows and bad lines the numbers that they have in their own file."""
        if len(self.objects) == 1:
            return np.zeros(len(table.lines), np.intp), table
        ends = np.cumsum(self.lines)
        # a later object's header was left out: its first line here is its second
        shift = np.concatenate(([0], ends[:-1] - 1))
        owner = np.searchsorted(ends, table.lines)
        bad = [
            replace(b, line=b.line - int(shift[o]), owner=o)
            for b in table.bad
            for o in [int(np.searchsorted(ends, b.line))]
        ]
        return owner, replace(table, lines=(table.lines - shift[owner]).astype(np.int32), bad=bad)


def batches(objects: list[tuple[RawObject, bytes]], mapping: FileMapping) -> Iterator[Batch]:
    """Put neighbouring objects together where that changes nothing of what is read from each.

    Only plain files are: in the encoding that is tried first, a header on the first line that is the same in all,
    every line ended, and no quote that might run on into the next file.
    """
    group: list[tuple[RawObject, bytes]] = []
    header, size = b"", 0
    for raw, data in objects:
        own = _header(data, mapping)
        if group and (not own or own != header or size + len(data) > _MOST_BYTES):
            yield _joined(group, header)
            group, size = [], 0
        if not own:
            yield Batch([(raw, data)], data, [])
            continue
        header = own
        group.append((raw, data))
        size += len(data)
    if group:
        yield _joined(group, header)


def _header(data: bytes, mapping: FileMapping) -> bytes:
    """Return the header line of a plain file with its newline, nothing for any other."""
    end = data.find(b"\n") + 1
    plain = (
        mapping.skip_lines == 0
        and mapping.layout == "long"
        and 0 < end < len(data)
        and data.endswith(b"\n")
        and not any(odd in data for odd in (b'"', b"\0"))
        and (b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"))
        and data[:end].strip() != b""
        and (data.isascii() or is_in(data, mapping.encodings[0]))
    )
    return data[:end] if plain else b""


def _joined(group: list[tuple[RawObject, bytes]], header: bytes) -> Batch:
    if len(group) == 1:
        return Batch(group, group[0][1], [])
    bodies = [data if i == 0 else memoryview(data)[len(header) :] for i, (_, data) in enumerate(group)]
    # many times as fast as bytes.count for something that is everywhere
    counts = [
        int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n"))) - (i > 0)
        for i, (_, data) in enumerate(group)
    ]
    return Batch(group, b"".join(bodies), counts)
