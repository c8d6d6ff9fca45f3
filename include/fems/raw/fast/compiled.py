"""The compiled reader: one pass over the bytes of a text file tells its fields apart and types them.

It reads what is written plainly, and leaves the rest as it stood, for others to read: a cell that is no plain number, a
time in another layout, a line with too many or too few fields. Numba compiles it. It is imported for that alone, by
`fems.raw.fast.machine`. It works on the memory of a `ReaderBuffers` (buffers.py), allocates nothing and raises nothing.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from fems.raw.fast.buffers import (
    BAD,
    BEGIN,
    DELIMITER,
    FIELDS,
    LAST,
    LEFT,
    LETTERS,
    MARK,
    ODD,
    ODD_CELLS,
    PART,
    ROOM,
    ROWS,
    SIZE,
    SKIPPED,
    SLOTS,
    TEXTS,
    UNREAD,
    WIDTH,
    ReaderBuffers,
)
from fems.raw.numbers import EMPTY, MEASURED

_NEWLINE, _RETURN, _SPACE, _MINUS, _ZERO, _NINE = b"\n\r -09"
_LARGEST = 1 << 53
_MOST_DIGITS = 18  # so many never overflow 64 bits

Memory = Any
"""A pointer to numbers of one type."""


def _inner(function: Callable[..., Any]) -> Any:
    return numba.njit(error_model="numpy")(function)  # as in C, a division by 0 raises nothing


@_inner
def _ends(byte: int, delimiter: int) -> bool:
    return (byte == delimiter) | (byte == _NEWLINE) | (byte == _RETURN)


@_inner
def _is_digit(byte: int) -> bool:
    return _ZERO <= byte <= _NINE


@_inner
def _number(data: Memory, begin: int, delimiter: int, mark: int, powers: Memory) -> tuple[float, int, int]:
    """Read a cell: its value, its state, and where it ends.

    A plain number that without its decimal mark is at most 2^53, over a power of ten that a float64 holds as well, is
    rounded correctly by the one division (Clinger 1990, How to read floating point numbers accurately).
    """
    negative = data[begin] == _MINUS
    p = begin + negative
    whole, digits, decimals = 0, 0, 0
    while _is_digit(data[p]):
        whole = whole * 10 + (data[p] - _ZERO)
        p, digits = p + 1, digits + 1
    if data[p] == mark:
        p += 1
        while _is_digit(data[p]):
            whole = whole * 10 + (data[p] - _ZERO)
            p, digits, decimals = p + 1, digits + 1, decimals + 1
    if _ends(data[p], delimiter):
        if p == begin:
            return np.nan, EMPTY, p
        if 0 < digits <= _MOST_DIGITS and whole <= _LARGEST:
            value = whole / powers[decimals]
            return -value if negative else value, MEASURED, p
    while not _ends(data[p], delimiter):
        p += 1
    return np.nan, ODD, p


@_inner
def _moment(n: Memory, data: Memory, begin: int, end: int, parts: Memory, sample: Memory) -> int:
    """Return the seconds since 1970 that a time says; UNREAD if it is written otherwise, or not in 1900 to 2198."""
    if end - begin != n[WIDTH]:
        return UNREAD
    for i in range(6):
        n[PART + i] = 0
    for i in range(n[WIDTH]):
        byte, part = data[begin + i], parts[i]
        if part < 0:
            if byte != sample[i]:
                return UNREAD
        elif _is_digit(byte):
            n[PART + part] = n[PART + part] * 10 + (byte - _ZERO)
        else:
            return UNREAD
    day = _day(n[PART], n[PART + 1], n[PART + 2])
    minute, second = n[PART + 4], n[PART + 5]
    clock = n[PART + 3] * 3600 + minute * 60 + second
    if day == UNREAD or minute > 59 or second > 59 or clock > 86400:
        return UNREAD
    return day * 86400 + clock  # type: ignore[no-any-return]


@_inner
def _day(year: int, month: int, day: int) -> int:
    """Return days since 1970, UNREAD if there is no such day."""
    if not (1900 <= year < 2199 and 1 <= month <= 12):
        return UNREAD
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 28 + leap if month == 2 else 30 + (month + month // 8) % 2
    if not 1 <= day <= longest:
        return UNREAD
    # in years that begin with March, the day that leaps is the last one
    year -= month <= 2
    since_march = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + since_march - 719468


@_inner
def _end_of_same(data: Memory, begin: int, delimiter: int, letters: Memory, first: int, last: int) -> int:
    """Return where a field ends if it is a text that is known, -1 if it is another."""
    p = begin
    for q in range(first, last):
        if data[p] != letters[q]:
            return -1
        p += 1
    return p if _ends(data[p], delimiter) else -1


@_inner
def _looked_up(
    n: Memory, data: Memory, begin: int, end: int, k: int, places: Memory, letters: Memory, table: Memory
) -> int:
    """Return a text's place among those of the coded column k; one that is new is put at the end."""
    place_of, letter_of, slot_of = k * (n[ROOM] + 2), k * n[LETTERS], k * n[SLOTS]
    mask, length = n[SLOTS] - 1, end - begin
    mixed = np.uint64(14695981039346656037)  # the hash is FNV-1a
    for i in range(begin, end):
        mixed = (mixed ^ np.uint64(data[i])) * np.uint64(1099511628211)
    mixed ^= mixed >> np.uint64(32)
    slot = np.int64(mixed & np.uint64(mask))
    while table[slot_of + slot]:
        code = np.int64(table[slot_of + slot]) - 1
        first = letter_of + places[place_of + code]
        if letter_of + places[place_of + code + 1] - first == length:
            i = 0
            while i < length and data[begin + i] == letters[first + i]:
                i += 1
            if i == length:
                return code  # type: ignore[return-value]  # mypy takes it for NumPy's, Numba for its own
        slot = (slot + 1) & mask
    count = n[TEXTS + k]
    to = places[place_of + count]
    for i in range(length):
        letters[letter_of + to + i] = data[begin + i]
    places[place_of + count + 1] = to + length
    table[slot_of + slot] = count + 1
    return count  # type: ignore[no-any-return]


@_inner
def _past_blank(data: Memory, begin: int) -> int:
    """Return where the next line begins if this one is blank as in `str.strip`, where this one does if it is not.

    -1 where a line begins with what may be a blank or a byte order mark and is not ASCII: it is left to others.
    """
    p = begin
    while 9 <= data[p] <= 13 or 28 <= data[p] <= _SPACE:
        if data[p] == _NEWLINE:
            return p + 1
        p += 1
    byte = data[p]
    return -1 if byte == 0xC2 or 0xE1 <= byte <= 0xE3 or byte == 0xEF else begin


def _read(  # noqa: C901 - calls with so many arguments would be slower, and no clearer
    n: Memory,
    data: Memory,
    roles: Memory,
    parts: Memory,
    sample: Memory,
    powers: Memory,
    values: Memory,
    states: Memory,
    codes: Memory,
    lines: Memory,
    begins: Memory,
    odd_rows: Memory,
    odd_columns: Memory,
    odd_places: Memory,
    odd_letters: Memory,
    bad: Memory,
    places: Memory,
    letters: Memory,
    moments: Memory,
    table: Memory,
    after: Memory,
) -> None:
    """Read the lines of a file, from the second one on, into buffers that have room for them.

    Args are the file and the buffers. On a line that it cannot judge it says LEFT and stops.
    """
    size, delimiter, mark, fields, room = n[SIZE], n[DELIMITER], n[MARK], n[FIELDS], n[ROOM]
    p, line, row, odd, spoiled = n[BEGIN], 1, n[ROWS], n[ODD_CELLS], n[BAD]
    while p < size:
        line += 1
        start, odd_before = p, odd
        p = _past_blank(data, p)
        if p < 0:
            n[LEFT] = 1
            return
        if p > start:
            continue
        field = 0
        while True:
            role = np.int64(roles[field]) if field < fields else SKIPPED
            end = p
            if role >= 0:
                value, state, end = _number(data, p, delimiter, mark, powers)
                values[role * room + row], states[role * room + row] = value, state
                if state == ODD:
                    odd_rows[odd], odd_columns[odd] = row, role
                    to = odd_places[odd]
                    for i in range(p, end):
                        odd_letters[to + i - p] = data[i]
                    odd_places[odd + 1] = to + end - p
                    odd += 1
            elif role < SKIPPED:
                # Collectors write in rounds: what followed the text before the last time is tried first.
                k = -2 - role
                place_of, letter_of = k * (room + 2), k * n[LETTERS]
                before = place_of + n[LAST + k]
                guess, end = np.int64(after[before]), -1
                if guess:
                    first, last = places[place_of + guess - 1], places[place_of + guess]
                    end = _end_of_same(data, p, delimiter, letters, letter_of + first, letter_of + last)
                if end < 0:
                    end = p
                    while not _ends(data[end], delimiter):
                        end += 1
                    guess = _looked_up(n, data, p, end, k, places, letters, table) + 1
                    after[before] = guess
                    if guess > n[TEXTS + k]:
                        n[TEXTS + k] = guess
                        if k == 0:
                            moments[guess - 1] = _moment(n, data, p, end, parts, sample)
                n[LAST + k] = guess
                codes[k * room + row] = guess - 1
            else:
                while not _ends(data[end], delimiter):
                    end += 1
            p, field = end, field + 1
            if data[p] != delimiter:
                break
            p += 1
        if field == fields:
            lines[row], begins[row] = line, start
            row += 1
        else:
            at = 4 * spoiled
            bad[at], bad[at + 1], bad[at + 2], bad[at + 3] = line, start, p, field
            spoiled += 1
            odd = odd_before
        p += 1 + (data[p] == _RETURN)
    n[ROWS], n[ODD_CELLS], n[BAD] = row, odd, spoiled


def llvm_of_reader(memory: ReaderBuffers) -> str:
    """Return the reader in LLVM's language, as a function of pointers to the arrays of such buffers.

    The file, uint8, stands behind the first of them.
    """
    kinds = [np.dtype(np.uint8) if i == 1 else array.dtype for i, array in enumerate((memory.n, *memory))]
    pointers = [types.CPointer(numba.from_dtype(kind)) for kind in kinds]  # type: ignore[no-untyped-call]
    bare: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    made: Any = numba.njit(types.void(*pointers), error_model="numpy", **bare)(_read)
    [text] = made.inspect_llvm().values()
    return str(text)
