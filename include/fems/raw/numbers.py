"""Text into numbers: whole columns at once, and one by one only the distinct texts that are not plain."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MEASURED, RETYPED, WRONG, EMPTY, ABSENT = range(5)
"""What became of a cell: read as it stood, read after tidying, unreadable, empty, or no row at all."""

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# What the fast reader is sure to take: so few digits that no reader minds.
_SURE = r"^-?([0-9]{1,200}(\.[0-9]{0,100})?|\.[0-9]{1,100})$"
# Only units in which the columns are kept anyway, unless the file's is known: "5 MWh" is not 5 kWh.
_UNIT = re.compile(r"(?<=[0-9.,]) *(?:kwh|kvarh|a|%|°?c)$", re.IGNORECASE)
EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""What is one number with the comma as the decimal mark, and another with the point."""
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DOT_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]*")
_GAP_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?P<gap>[ '])[0-9]{3}(?:(?P=gap)[0-9]{3})*(?:[.,][0-9]*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
_AS_TEXT = re.compile(r"=\"([^\"]*)\"|'(.*)")
"""What keeps a program from taking a text for a number: ="4.5" and '4.5."""
_NOTHING = re.compile(r"-*|#?n/?a|[+-]?(?:nan|inf|infinity)|null|none", re.IGNORECASE)
_SWAP = np.arange(256, dtype=np.uint8)
_SWAP[[ord("."), ord(",")]] = [ord(","), ord(".")]
# Full-width forms, the signs that look like a minus or an apostrophe, spaces that do not break. Not all of NFKC:
# that would read 5² as 52.
_TIDY = str.maketrans(
    {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63", "-")
    | dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000\t", " ")
    | {"\u2019": "'", "℃": "°C", "㎾": "kW"}
)


def tidied(text: str, unit: str | None = None) -> str:
    """Return a number's text without a unit, full-width digits and spaces that do not part thousands.

    Args:
        text: as written.
        unit: the file's; no other one is taken off. If not given, those in which columns are kept.
    """
    tidy = text.translate(_TIDY).strip()
    kept = _AS_TEXT.fullmatch(tidy)
    if kept:
        tidy = (kept[1] if kept[1] is not None else kept[2]).strip()
    if unit is None:
        tidy = _UNIT.sub("", tidy)
    elif tidy.casefold().endswith(unit.casefold()) and tidy[: -len(unit)].rstrip()[-1:] in tuple(
        "0123456789.,"
    ):
        tidy = tidy[: -len(unit)].rstrip()
    return re.sub(r"^([+-]) +", r"\1", tidy)


def parse_number(text: str, unit: str | None = None, *, sure: bool = False) -> tuple[float, int]:
    """Read one number, however it is written.

    Full-width digits, thousands separators, a decimal comma, a unit behind the number and spaces are understood.
    "1,234" is 1234: a comma before three digits parts thousands, unless the number begins with 0.

    Args:
        text: as written.
        unit: the file's, which may stand behind the number.
        sure: read only what is the same number whichever mark parts decimals.

    Returns:
        The value and MEASURED (it is plain) or RETYPED; or NaN with EMPTY (nothing was written) or WRONG (not a
        number).
    """
    plain = _PLAIN.fullmatch(text) is not None
    tidy = text.translate(_TIDY).strip()
    if _NOTHING.fullmatch(tidy):
        return np.nan, EMPTY
    tidy = tidied(text, unit)
    if sure and EITHER.fullmatch(tidy):
        return np.nan, WRONG
    if _THOUSANDS.fullmatch(tidy):
        tidy = tidy.replace(",", "")
    elif _DOT_THOUSANDS.fullmatch(tidy):
        tidy = tidy.replace(".", "").replace(",", ".")
    elif _GAP_THOUSANDS.fullmatch(tidy):
        tidy = re.sub("[ ']", "", tidy).replace(",", ".")
    elif _DECIMAL_COMMA.fullmatch(tidy):
        tidy = tidy.replace(",", ".")
    value = float(tidy) if _PLAIN.fullmatch(tidy) else np.nan
    if not np.isfinite(value):
        return np.nan, WRONG
    return value, MEASURED if plain else RETYPED


def to_numbers(
    column: pa.ChunkedArray, decimal: str = ".", unit: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Type a text column.

    Args:
        column: n values, string or dictionary-encoded; null counts as the empty text.
        decimal: the decimal mark; with the comma, the point parts thousands; with `?` what could be either is WRONG.
        unit: the file's, see `tidied`.

    Returns:
        values: float64, n, NaN where there is none; states: uint8, n, MEASURED, RETYPED, WRONG or EMPTY;
        odd: int64, rising: the rows whose text says more than its value: RETYPED, WRONG, or EMPTY with a text.
    """
    n = len(column)
    values, states = np.empty(n), np.zeros(n, np.uint8)
    odd: list[np.ndarray] = []
    begin = 0
    for written in column.cast(pa.string()).chunks:
        if not len(written):  # it may have no buffers
            continue
        chunk = _marks_swapped(written) if decimal == "," else written
        part = slice(begin, begin + len(chunk))
        suspect = _suspects(chunk)
        if decimal == "?":
            either = pc.match_substring_regex(chunk, r"[1-9][0-9]{0,2}[.,][0-9]{3}")
            suspect |= pc.fill_null(either, False).to_numpy(zero_copy_only=False)
        values[part], suspects = _read_plain(chunk, suspect)
        if len(suspects):
            read = _read_each(chunk, suspects, unit, decimal == "?")
            values[begin + suspects], states[begin + suspects], telling = read
            odd.append(begin + suspects[telling])
        begin = part.stop
    return values, states, np.concatenate(odd) if odd else np.empty(0, np.int64)


def _layout(chunk: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return where each text begins and ends (int32, n + 1) within the bytes of all (uint8)."""
    _, offsets, data = chunk.buffers()
    places = np.frombuffer(offsets, np.int32, len(chunk) + 1, chunk.offset * 4)
    return places, np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)


def _marks_swapped(chunk: pa.Array) -> pa.Array:
    """Return the texts with point for comma and comma for point."""
    valid, offsets, data = chunk.buffers()
    letters = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    swapped = pa.py_buffer(_SWAP[letters])
    return pa.Array.from_buffers(chunk.type, len(chunk), [valid, offsets, swapped], offset=chunk.offset)


def _suspects(chunk: pa.Array) -> np.ndarray:
    """Find the rows that may be no plain number: bool, n.

    A row is one for a byte other than -./0123456789 (these ten and three are neighbours in ASCII, so that one
    comparison finds them), for being null or empty, and for being short without a digit at its end.
    """
    places, data = _layout(chunk)
    lengths = np.diff(places)
    suspect = lengths == 0
    short = np.flatnonzero((lengths > 0) & (lengths <= 2))
    suspect[short] = data[places[short + 1] - 1] < ord("0")
    first = places[0]
    strange = (data[first : places[-1]] - np.uint8(ord("-"))) > ord("9") - ord("-")
    if strange.any():
        suspect[np.searchsorted(places, np.flatnonzero(strange) + first, side="right") - 1] = True
    if chunk.null_count:
        suspect |= chunk.is_null().to_numpy(zero_copy_only=False)
    result: np.ndarray = suspect
    return result


def _read_plain(chunk: pa.Array, suspect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read all rows but the suspects at once; return the values and the rows that are left, int64."""
    try:
        values = pc.cast(_without(chunk, suspect), pa.float64())
    except pa.ArrowInvalid:  # such as 1-2 or 1.2.3: only now is each row looked at
        sure = pc.fill_null(pc.match_substring_regex(chunk, _SURE), False)
        suspect = suspect | ~sure.to_numpy(zero_copy_only=False)
        values = pc.cast(_without(chunk, suspect), pa.float64())
    read = values.to_numpy(zero_copy_only=False)
    return read, np.flatnonzero(suspect | np.isinf(read))


def _without(chunk: pa.Array, suspect: np.ndarray) -> pa.Array:
    """Return the same texts, in the same buffers, with nulls for the suspects."""
    if not suspect.any():
        return chunk
    places, _ = _layout(chunk)
    valid = pa.py_buffer(np.packbits(~suspect, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(chunk), [valid, pa.py_buffer(places), chunk.buffers()[2]])


def _read_each(
    chunk: pa.Array, rows: np.ndarray, unit: str | None, sure: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the given rows text by text: values, states, and whether each text tells more than its value."""
    coded = chunk.take(pa.array(rows)).fill_null("").dictionary_encode()
    texts = coded.dictionary.to_pylist()
    read = [parse_number(text, unit, sure=sure) for text in texts]
    values, states = np.array([value for value, _ in read]), np.array([state for _, state in read], np.uint8)
    telling = (states != MEASURED) & np.array([text.strip() != "" for text in texts])
    codes = coded.indices.to_numpy()
    return values[codes], states[codes], telling[codes]
