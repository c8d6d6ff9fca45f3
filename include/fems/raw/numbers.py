"""Text into numbers: whole columns at once, and one by one only for what is not plain."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MEASURED, RETYPED, WRONG, EMPTY, ABSENT = range(5)
"""What became of a cell: read as it stood, read after tidying, unreadable, empty, or no row at all."""

_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# Only units in which the columns are kept anyway: "5 MWh" is not 5 kWh.
_NUMBER_WITH_UNIT = re.compile(r"^([+-]?[\d.,\s]*\d[\d.,]*)\s*(?:kwh|kvarh|a|%|°?c)?$", re.IGNORECASE)
_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$")
_EMPTY = {"", "-", "--", "na", "n/a", "nan", "null", "none"}


def parse_number(text: str) -> tuple[float, int]:
    """Read one number that is not plainly written.

    Full-width digits, thousands separators, a decimal comma, a unit behind the number and spaces are understood.

    Returns:
        The value and RETYPED; or NaN with EMPTY (nothing was written) or WRONG (not a number).
    """
    tidy = unicodedata.normalize("NFKC", text).strip()
    if tidy.lower() in _EMPTY:
        return np.nan, EMPTY
    match = _NUMBER_WITH_UNIT.match(tidy)
    if not match:
        return np.nan, WRONG
    digits = match[1].replace(" ", "")
    if _THOUSANDS.match(digits):
        digits = digits.replace(",", "")
    elif digits.count(",") == 1 and "." not in digits:
        digits = digits.replace(",", ".")
    try:
        return float(digits), RETYPED
    except ValueError:
        return np.nan, WRONG


def to_numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Type a text column.

    Args:
        column: text, n values.

    Returns:
        values: float64, n, NaN where there is none; states: uint8, n, MEASURED, RETYPED, WRONG or EMPTY.
    """
    n = len(column)
    states = np.zeros(n, dtype=np.uint8)
    try:
        values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        plain = pc.match_substring_regex(column, _PLAIN)
        good = pc.if_else(plain, column, pa.scalar(None, pa.string()))
        values = np.array(pc.cast(good, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        odd = np.flatnonzero(~plain.to_numpy(zero_copy_only=False).astype(bool))
        for i, text in zip(odd, column.take(pa.array(odd)).to_pylist(), strict=True):
            values[i], states[i] = parse_number(text or "")
    unreal = ~np.isfinite(values) & (states == MEASURED)
    if unreal.any():  # "NaN" and "inf" are numbers to a CSV reader, not to a meter
        values = np.where(unreal, np.nan, values)
        states[unreal] = EMPTY
    return values, states
