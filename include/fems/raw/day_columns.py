"""Places within a day that stand in a header or beside a date: times of day, and numbers of intervals."""

import re
from collections.abc import Sequence

import numpy as np

from fems.errors import UndecodableObject
from fems.raw.labels import NO_TIME
from fems.raw.zones import day_length_s, utc_of_midnight, wall_clock
from fems.registry.mapping import FileMapping, compiled

_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::\d\d)?(?:\s*[-–~]\s*(\d{1,2}):(\d\d)(?::\d\d)?)?")
_BARE_TIME = re.compile(r"([01]\d|2[0-4])([0-5]\d)()()")
_NUMBERED = re.compile(r"(?P<kind>[^\d]*?)[\s_.#-]*(?P<number>\d{1,3})\s*(?:h|시)?", re.IGNORECASE)
_FEWEST = 20
"""Headers that are numbered alike, at least, to be a day's intervals where no pattern says so."""
_DAY_S = 86_400


def intervals(header: Sequence[str], mapping: FileMapping) -> dict[str, tuple[str, int]]:
    """Return what the headers of intervals say: header -> (`time`, minutes since midnight) or (`number`, n).

    Raises:
        UndecodableObject: no header says so.
    """
    pattern = mapping.row_per_day.headers if mapping.row_per_day else None
    if mapping.layout == "wide":
        header = [name for name in header if name in mapping.wide]
    of_headers = _times(header, mapping) or _numbers(header)
    named = of_headers if pattern is None else _by_pattern(header, mapping, pattern)
    if not named:
        raise UndecodableObject(
            f"no header is a time of day or the number of an interval (it has: {', '.join(list(header)[:12])})"
        )
    twice = next((name for name in named if list(header).count(name) > 1), None)
    if twice is not None:
        raise UndecodableObject(f"the header has the column {twice!r} twice, which is an interval")
    return named


def _times(header: Sequence[str], mapping: FileMapping) -> dict[str, tuple[str, int]]:
    matches = {name: _TIME.fullmatch(name.strip()) for name in header}
    if not any(matches.values()):
        bare = {name: match for name in header if (match := _BARE_TIME.fullmatch(name.strip()))}
        matches = {**bare} if len(bare) >= _FEWEST else {}
    named: dict[str, tuple[str, int]] = {}
    for name, match in matches.items():
        if match is None:
            continue
        own = match.groups()[2:] if match[3] and mapping.time_marks == "end" else match.groups()[:2]
        named[name] = ("time", int(own[0]) * 60 + int(own[1]))
    last = next(reversed(named), None)
    if last is not None and mapping.time_marks == "end" and named[last][1] == 0:
        named[last] = ("time", 24 * 60)  # the midnight at the day's end
    return named


def _numbers(header: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return the largest group of headers that differ in their number alone, one after the other."""
    groups: dict[str, dict[str, int]] = {}
    for name in header:
        match = _NUMBERED.fullmatch(name.strip())
        if match:
            groups.setdefault(match["kind"].casefold(), {})[name] = int(match["number"])
    most = max(groups.values(), key=len, default={})
    numbers = sorted(most.values())
    if len(numbers) < _FEWEST or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return {}
    return {name: ("number", n) for name, n in most.items()} if numbers[0] in (0, 1) else {}


def _by_pattern(header: Sequence[str], mapping: FileMapping, pattern: str) -> dict[str, tuple[str, int]]:
    named: dict[str, tuple[str, int]] = {}
    times: dict[str, str] = {}
    for name in header:
        match = compiled(pattern).fullmatch(name.strip())
        groups = match.groupdict() if match else {}
        if groups.get("number"):
            named[name] = ("number", int(groups["number"]))
        elif groups.get("time"):
            digits = re.sub(r"\D", "", groups["time"])
            times[f"{int(digits[:-2] or 0)}:{digits[-2:]}"] = name
    return named | {times[text]: place for text, place in _times(list(times), mapping).items()}


def labels_of_numbers(
    days: np.ndarray, numbers: np.ndarray, grain_minutes: int, zone: str, ends: bool
) -> list[str | None]:
    """Return the time of each interval that is given by its day and its number, counted from 0.

    Where the clocks change, numbers either count on (25 hours of one day, 23 of the other) or are those of the clock
    (24 on both, an hour left out or written twice). Which of the two it is, a day's numbers say: one past the usual
    last number, or the one that the clock skips, is there where they count on.

    Args:
        days: int64, n: seconds of the local midnights as the labels write them, NO_TIME where unreadable.
        numbers: int64, n: from 0, negative where unreadable.
        grain_minutes: the interval.
        zone: of the days.
        ends: whether the labels are to mark the ends of intervals.

    Returns:
        A time each: of the wall clock, with the offset where the numbers count on; None where there is none.
    """
    step = grain_minutes * 60
    usual = _DAY_S // step
    made: list[str | None] = [None] * len(days)
    shift = step if ends else 0
    for day in np.unique(days[(days != NO_TIME) & (numbers >= 0)]).tolist():
        rows = np.flatnonzero((days == day) & (numbers >= 0))
        length = day_length_s(day, zone) // step
        own = set(numbers[rows].tolist())
        counts_on = length != usual and (
            max(own) >= usual
            if length > usual
            else max(own) < length and bool(own & _skipped(day, step, zone))
        )
        start = utc_of_midnight(day, zone)
        for row in rows.tolist():
            n = int(numbers[row])
            if counts_on and n < length:
                utc = start + n * step + shift
                ahead = int(wall_clock(np.array([utc]), zone)[0]) - utc
                made[row] = _written(utc + ahead, ahead)
            elif not counts_on and n < usual:
                made[row] = _written(day + n * step + shift, None)
    return made


def _skipped(day: int, step: int, zone: str) -> set[int]:
    """Return the numbers of the intervals that the wall clock skips on a day."""
    start, end = utc_of_midnight(day, zone), utc_of_midnight(day, zone) + day_length_s(day, zone)
    shown = set(((wall_clock(np.arange(start, end, step), zone) - day) // step).tolist())
    return set(range(_DAY_S // step)) - shown


def _written(seconds: int, ahead: int | None) -> str:
    text = str(np.datetime64(seconds, "s"))
    if ahead is None:
        return text
    minutes = abs(ahead) // 60
    return f"{text}{'-' if ahead < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
