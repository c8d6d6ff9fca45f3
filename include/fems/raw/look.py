"""What a column of an unknown file holds: times, dates, times of day, numbers, text or nothing."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fems.raw import marks, numbers
from fems.raw.interval_labels import first_end
from fems.raw.labels import NO_TIME, read_labels
from fems.raw.text import TextTable
from fems.registry import units

_MOST = 0.95
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_DATES = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%b-%Y",
)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?", re.IGNORECASE)


@dataclass
class ColumnLook:
    """A column: what it holds (time, date, time of day, number, text, empty), and what that is like.

    `either`: nothing tells whether its mark parts decimals or thousands.
    """

    name: str
    kind: str
    examples: list[str]
    distinct: int
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    register: bool = False
    either: bool = False


def look_at(name: str, texts: list[str], table: TextTable) -> ColumnLook:
    """Look at a column's texts: what they hold, and what that is like."""
    filled = [text.strip() for text in texts if text.strip()]
    written = list(dict.fromkeys(filled))
    distinct = [first_end(text) for text in written]
    look = ColumnLook(name, "text", written[:3], len(written), table.units.get(name) or units.in_header(name))
    if not filled:
        look.kind = "empty"
    elif all(_TIME_OF_DAY.fullmatch(text) for text in distinct):
        look.kind = "time of day"
    elif time_format(distinct) is not None:
        midnights = all(
            not re.search(r"\d:\d|[T ]\d{2}", text) or text.endswith("00:00:00") for text in distinct
        )
        look.kind = (
            "date" if (midnights and len(distinct) * 1.5 < len(filled)) or _is_bare(distinct) else "time"
        )
    else:
        _look_at_numbers(look, filled, table.delimiter)
    return look


def _is_bare(distinct: list[str]) -> bool:
    return all(len(re.sub(r"\D", "", text)) <= 8 and ":" not in text for text in distinct)


def _look_at_numbers(look: ColumnLook, filled: list[str], delimiter: str | None) -> None:
    column = pa.chunked_array([pa.array(filled, pa.string())])
    mark = marks.concluded({"": column}, delimiter)[""]
    values, states, _ = numbers.to_numbers(column, mark, look.unit)
    if mark == marks.UNKNOWN and (states <= numbers.RETYPED).mean() < _MOST:
        look.either = True
        values, states, _ = numbers.to_numbers(column, marks.POINT, look.unit)
    known = values[states <= numbers.RETYPED]
    if len(known) < _MOST * len(filled):
        return
    look.kind = "number"
    look.low, look.high, look.mean = float(known.min()), float(known.max()), float(known.mean())
    steps = np.diff(known)
    rises = len(steps) >= 10 and (steps >= 0).mean() > 0.9 and (steps > 0).mean() > 0.2
    power = (units.quantity_of(look.unit or "") or "").endswith("power")
    look.register = bool(rises and not power and known.mean() > 20 * np.median(steps[steps > 0]))


def time_format(texts: list[str]) -> str | tuple[str, ...] | None:
    """Return the format that reads texts as times: empty where none is needed, two where it is not sure, or None."""
    if all(re.fullmatch(r"\d{1,6}(?:[.,]\d+)?", text) for text in texts) and not all(
        re.fullmatch(r"[34]\d{4}(?:[.,]\d+)?", text) for text in texts
    ):
        return None
    if (read_labels(texts, ())[0] != NO_TIME).mean() >= _MOST:
        return ""
    forms = [form for day in _DATES for form in (day, *(f"{day} {time}" for time in _TIMES))]
    # a few texts tell at once which formats are out of the question
    fitting = [form for form in forms if _reads(texts[:50], form) and _reads(texts, form)]
    return None if not fitting else fitting[0] if len(fitting) == 1 else tuple(fitting[:2])


def _reads(texts: list[str], form: str) -> bool:
    return bool((read_labels(texts, (form,))[0] != NO_TIME).mean() >= _MOST)
