"""Decimal marks, concluded from whole columns: 0,763 proves the comma, and then 1,710 beside it is 1.71."""

import re
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from fems.raw.numbers import EITHER, tidied

POINT, COMMA, UNKNOWN = ".", ",", "?"
"""What parts decimals. UNKNOWN: what could be either number is none; what can be one only is read."""

_COMMA = re.compile(
    r"[+-]?(?:[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})|0+,[0-9]+|,[0-9]+|[0-9]{4,},[0-9]+"
    r"|[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}|[0-9]{1,3}(?:[ '][0-9]{3})+,[0-9]*)"
)
_POINT = re.compile(
    r"[+-]?(?:[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})|0*\.[0-9]+|[0-9]{4,}\.[0-9]+"
    r"|[1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3}){2,}|[0-9]{1,3}(?:[ '][0-9]{3})+\.[0-9]*)"
)


def concluded(columns: Mapping[str, pa.ChunkedArray], delimiter: str | None) -> dict[str, str]:
    """Conclude the decimal mark of each column from its own texts, or else from the file's other columns.

    Args:
        columns: the texts of each column whose numbers are not typed.
        delimiter: between fields; where it is a comma, a lone 1,234 is 1234.
    """
    if not any(
        pc.any(pc.match_substring(column.cast(pa.string()), ",")).as_py() for column in columns.values()
    ):
        return dict.fromkeys(columns, POINT)
    evidence = {name: _evidence(pc.unique(column).to_pylist()) for name, column in columns.items()}
    proven = {mark for marks, _ in evidence.values() if len(marks) == 1 for mark in marks}
    made: dict[str, str] = {}
    for name, (marks, doubts) in evidence.items():
        if len(marks) == 1:
            made[name] = next(iter(marks))
        elif marks:
            made[name] = UNKNOWN
        elif doubts == {COMMA} and proven == {COMMA}:
            made[name] = COMMA
        elif (
            (doubts <= {POINT} and proven <= {POINT})
            or (doubts == {COMMA} and POINT in proven)
            or delimiter == COMMA
        ):
            made[name] = POINT
        else:
            made[name] = UNKNOWN if doubts else POINT
    return made


def _evidence(texts: Iterable[str | None]) -> tuple[set[str], set[str]]:
    """Return which marks texts prove, and which marks stand in texts that could be either number."""
    proven, doubts = set(), set()
    for text in texts:
        number = tidied(text or "")
        if _COMMA.fullmatch(number):
            proven.add(COMMA)
        elif _POINT.fullmatch(number):
            proven.add(POINT)
        elif EITHER.fullmatch(number):
            doubts.add(COMMA if COMMA in number else POINT)
    return proven, doubts
