"""What the compiled reader fills: plain memory, with room for the rows of files that are read one after the other."""

from typing import NamedTuple

import numpy as np

ODD = 255
"""The state of a cell that is left to others."""
UNREAD = int(np.iinfo(np.int64).min)
"""Seconds of a time that is left to others: NO_TIME, until one of them reads it."""
SKIPPED = -1
"""The role of a field that nobody asks for; 0 and up is a value column, -2 - k the coded column k."""
CODED = 3
"""How many coded columns there are: times, sensors and factories, in this order."""

SIZE, BEGIN, DELIMITER, MARK, FIELDS, WIDTH, ROOM, LETTERS, SLOTS, ROWS, ODD_CELLS, BAD, LEFT = range(13)
TEXTS, LAST, PART, _NUMBERS = 13, 13 + CODED, 13 + 2 * CODED, 19 + 2 * CODED
_POWERS = 10.0 ** np.arange(19)


class ReaderBuffers(NamedTuple):
    """The memory.

    Attributes:
        n: int64, by the names above: bytes of the file; where its second line begins; the bytes between fields and
            before decimals; fields of the header; characters of a time; rows, letters and hash slots that there is
            room for; rows, odd cells and bad lines so far; 1 if the file is left
            to others; distinct texts so far of each coded column; one more than
            the place of the one that was read last; six numbers to work with.
        roles: int8: what each field is.
        parts: int8, WIDTH: what each character of a time is, 0 to 5 a digit of year, month, day, hour, minute or
            second, -1 that of `sample`. All times are left to others where WIDTH is 0.
        sample: uint8, WIDTH.
        powers: float64: powers of ten.
        values: float64, (columns, rows).
        states: uint8, (columns, rows): MEASURED, EMPTY or ODD.
        codes: int32, (CODED, rows): the place of each row's text.
        lines: int32, rows: line in its file, counted from 1.
        begins: int64, rows: where the line begins in its file.
        odd_rows: int64: of the odd cells.
        odd_columns: int8.
        odd_places: int32: with `odd_letters` their texts, laid out as Arrow does.
        odd_letters: uint8.
        bad: int64, (lines, 4): line, where it begins and ends in its file, how many fields it has.
        places: int32, (CODED, ...): with `letters` the distinct texts of each coded column, laid out as Arrow does.
        letters: uint8, (CODED, ...).
        moments: int64: seconds since 1970 of each time text, UNREAD where left to others.
        table: int32, (CODED, SLOTS): by hash, one more than the place of a text.
        after: int32, (CODED, ...): one more than the place of the text that last followed each.
    """

    n: np.ndarray
    roles: np.ndarray
    parts: np.ndarray
    sample: np.ndarray
    powers: np.ndarray
    values: np.ndarray
    states: np.ndarray
    codes: np.ndarray
    lines: np.ndarray
    begins: np.ndarray
    odd_rows: np.ndarray
    odd_columns: np.ndarray
    odd_places: np.ndarray
    odd_letters: np.ndarray
    bad: np.ndarray
    places: np.ndarray
    letters: np.ndarray
    moments: np.ndarray
    table: np.ndarray
    after: np.ndarray


def empty_buffers(columns: int, rows: int, size: int) -> ReaderBuffers:
    """Return buffers with room for so many rows of so many value columns, read from so many bytes.

    Room that nothing is written to costs no memory.
    """
    cells = columns * rows
    slots = 1 << (2 * rows).bit_length()
    n = np.zeros(_NUMBERS, np.int64)
    n[[ROOM, LETTERS, SLOTS]] = rows, size, slots
    return ReaderBuffers(
        n=n,
        roles=np.empty(0, np.int8),
        parts=np.empty(0, np.int8),
        sample=np.empty(0, np.uint8),
        powers=_POWERS,
        values=np.empty((columns, rows)),
        states=np.empty((columns, rows), np.uint8),
        codes=np.empty((CODED, rows), np.int32),
        lines=np.empty(rows, np.int32),
        begins=np.empty(rows, np.int64),
        odd_rows=np.empty(cells, np.int64),
        odd_columns=np.empty(cells, np.int8),
        odd_places=np.zeros(cells + 1, np.int32),
        odd_letters=np.empty(size, np.uint8),
        bad=np.empty((rows, 4), np.int64),
        places=np.zeros((CODED, rows + 2), np.int32),
        letters=np.empty((CODED, size), np.uint8),
        moments=np.empty(rows, np.int64),
        table=np.zeros((CODED, slots), np.int32),
        after=np.zeros((CODED, rows + 2), np.int32),
    )
