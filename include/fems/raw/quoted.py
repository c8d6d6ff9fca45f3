"""Fields in quotes that hold line breaks (RFC 4180): each such record is put on one line."""

import re
from itertools import pairwise

import numpy as np

from fems.raw.encodings import LONGEST_LINE

Span = tuple[int, int]
"""The first and the last line of a record, counted from 0."""


def spans(body: bytes, delimiters: str) -> list[Span]:
    """Return the records that run over several lines: what opens a quote in one line and closes it in a later one.

    A lone half of a pair is none: its quotes must stand at the edges of fields.

    Args:
        body: the text in UTF-8.
        delimiters: what may stand between fields.
    """
    raw = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    quotes = np.flatnonzero(raw == ord('"'))
    counts = np.bincount(np.searchsorted(ends, quotes), minlength=len(ends) + 1)
    odd = np.flatnonzero(counts % 2).tolist()
    edges = np.concatenate([[0], ends + 1, [len(body) + 1]])
    whole = _record(delimiters)
    found: list[Span] = []
    last = -1
    for first, then in pairwise(odd):
        begin, end = int(edges[first]), int(edges[then + 1]) - 1
        if first > last and end - begin <= LONGEST_LINE and whole.fullmatch(body, begin, end):
            found.append((first, then))
            last = then
    return found


def _record(delimiters: str) -> re.Pattern[bytes]:
    d = re.escape(delimiters.encode())
    field = rb'(?>"(?:[^"]|"")*+" *+(?=[%b\r]|\Z)|(?!")[^%b\n]*+)' % (d, d)
    return re.compile(rb"%b(?:[%b]%b)*+\r?" % (field, d, field))


def one_record(text: bytes, delimiter: bytes, fields: int) -> bool:
    """Tell whether lines are one record: it has its header's fields, and no line within it would be a row by itself.

    Args:
        text: the lines.
        delimiter: what stands between fields.
        fields: how many the header has.
    """
    within = text.split(b"\n")[1:-1]
    if any(b'"' not in line and line.count(delimiter) == fields - 1 for line in within):
        return False
    return re.sub(rb'"[^"]*"', b"", text).count(delimiter) == fields - 1


def unfolded(body: bytes, found: list[Span]) -> tuple[bytes, np.ndarray]:
    """Put records on one line each, a space for each break.

    Args:
        body: the text.
        found: the records of several lines, rising.

    Returns:
        The text; and int32: the line on which each of its lines began, counted from 1.
    """
    lines = body.split(b"\n")
    ended = not lines[-1]
    if ended:
        lines.pop()
    begins = np.ones(len(lines), bool)
    for first, last in found:
        head, *rest = lines[first : last + 1]
        lines[first] = b" ".join([head.rstrip(), *(line.strip() for line in rest[:-1]), rest[-1].lstrip()])
        begins[first + 1 : last + 1] = False
    kept = np.flatnonzero(begins)
    text = b"\n".join([lines[i] for i in kept.tolist()])
    return text + b"\n" if ended else text, (kept + 1).astype(np.int32)
