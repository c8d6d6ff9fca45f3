"""Decimal marks, concluded from whole columns: 0,763 proves the comma, and then 1,710 beside it is 1.71."""

import re
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from fems.raw.numbers import EITHER, tidied

POINT, COMMA, UNKNOWN = ".", ",", "?"
"""What parts decimals. UNKNOWN: what could be either number is none; what can be one only is read."""

_COMMA = re.compile(
    r"[+-]?(?:[0-9]+,[0-9]+[eE][+-]?[0-9]+|[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})|0+,[0-9]+|,[0-9]+|[0-9]{4,},[0-9]+"
    r"|[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}|[0-9]{1,3}(?:[ '][0-9]{3})+,[0-9]*)"
)
_POINT = re.compile(
    r"[+-]?(?:[0-9]+\.[0-9]+[eE][+-]?[0-9]+|[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})|0*\.[0-9]+|[0-9]{4,}\.[0-9]+"
    r"|[1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3}){2,}|[0-9]{1,3}(?:[ '][0-9]{3})+\.[0-9]*)"
)


_WHOLE = re.compile(r"[+-]?[1-9][0-9]{0,2}")
SOME_WHOLE = 3
"""So many different whole numbers below 1,000 beside 1.002 or 1,002 show that the mark may part thousands."""


def concluded(columns: Mapping[str, pa.ChunkedArray], delimiter: str | None) -> dict[str, str]:
    """Conclude the decimal mark of each column from its own texts, or else from the file's other columns.

    Args:
        columns: the texts of each column whose numbers are not typed.
        delimiter: between fields; where it is a comma, 1,234 beside 987 is 1234.
    """
    if not any(
        pc.any(pc.match_substring(column.cast(pa.string()), ",")).as_py() for column in columns.values()
    ) and (delimiter == COMMA or not any(map(may_be_thousands, columns.values()))):
        return dict.fromkeys(columns, POINT)
    evidence = {name: _evidence(pc.unique(column).to_pylist()) for name, column in columns.items()}
    proven = {mark for marks, _, _ in evidence.values() if len(marks) == 1 for mark in marks}
    made: dict[str, str] = {}
    for name, (marks, doubts, whole) in evidence.items():
        if len(marks) == 1:
            made[name] = next(iter(marks))
        elif marks:
            made[name] = UNKNOWN
        elif doubts == {COMMA} and proven == {COMMA}:
            made[name] = COMMA
        elif doubts == {POINT} and not proven and whole and delimiter != COMMA:
            made[name] = UNKNOWN
        elif (
            (doubts <= {POINT} and proven <= {POINT})
            or (doubts == {COMMA} and POINT in proven)
            or (doubts == {COMMA} and whole and not proven and delimiter == COMMA)
        ):
            made[name] = POINT
        else:
            made[name] = UNKNOWN if doubts else POINT
    return made


def may_be_thousands(column: pa.ChunkedArray) -> bool:
    """Tell whether a column has whole numbers below 1,000 and beside them points before just three digits, as 1.002."""
    texts = pc.unique(column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column).to_pylist()
    return _thousands_like([text.strip() for text in texts if text])


def _thousands_like(texts: list[str]) -> bool:
    """The same for distinct texts; what else has a point shows that it parts decimals."""
    whole = either = 0
    for text in texts:
        if "." in text:
            if EITHER.fullmatch(text) is None:
                return False
            either += 1
        elif _WHOLE.fullmatch(text):
            whole += 1
    return either > 0 and whole >= SOME_WHOLE


def _evidence(texts: Iterable[str | None]) -> tuple[set[str], set[str], bool]:
    """Return which marks texts prove, which stand in texts that could be either, and if there are whole numbers."""
    proven, doubts, whole = set(), set(), 0
    for text in texts:
        number = tidied(text or "")
        if _COMMA.fullmatch(number):
            proven.add(COMMA)
        elif _POINT.fullmatch(number):
            proven.add(POINT)
        elif EITHER.fullmatch(number):
            doubts.add(COMMA if COMMA in number else POINT)
        elif _WHOLE.fullmatch(number):
            whole += 1
    return proven, doubts, whole >= SOME_WHOLE
