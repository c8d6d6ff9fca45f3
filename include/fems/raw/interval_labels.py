"""Labels that name both ends of their interval, `00:00 - 01:00`: what they mean is not open.

`-01:00` behind a time may also be how far its clock is behind UTC. All of a file's labels tell: they are intervals
where each of them is then as long as the grain.
"""

import re
from dataclasses import dataclass

import numpy as np

from fems.raw.labels import NO_TIME, read_labels
from fems.raw.zones import offsets
from fems.registry.mapping import FileMapping

_DAY_S = 86_400
_BETWEEN = re.compile(
    r"\s+-\s+|\s*[~∼〜～–—]\s*|\s+(?:to|bis)\s+"
    r"|(?<=[\dZ])/(?=\d{4}-|P)"
    r"|(?:(?<=\s\d\d:\d\d)|(?<=\s\d:\d\d)|(?<=\d:\d\d:\d\d))\s?-\s?(?=\d\d?:\d\d)|(?<=\s\d{4})-(?=\d{4}$)",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?:(?:오전|오후|[ap]m)\s*)?(?:\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?|\d\d?\s*시(?:\s*\d\d?\s*분)?)(?:\s*[ap]\.?m\.?)?$"
    r"|(?<!\d)\d{4}$",
    re.IGNORECASE,
)
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?")
_EITHER = re.compile(r"\s\d\d?:?\d\d ?-\d\d:?\d\d$")
_HAS_TIME = re.compile(r"\d\s*[:시]|\s\d{4}$")


@dataclass(frozen=True)
class _Ends:
    """A label cut in two."""

    first: str
    last: str


def read_times(
    labels: list[str], mapping: FileMapping, grain_minutes: int, zone: str
) -> tuple[np.ndarray, np.ndarray]:
    """Read written times, see `read_labels`.

    Of a label that names both ends of its interval comes the end that the mapping's times mark. The interval must be as
    long as the grain; its end may be its last minute or second (`00:00 - 00:59`).

    Args:
        labels: n texts.
        mapping: its formats, which are of one end, and which end the times mark.
        grain_minutes: the native interval.
        zone: of the file.

    Returns:
        int64, n: seconds since 1970 as the label writes them, NO_TIME where unreadable; int64, n: seconds that its
        clock is ahead of UTC, NO_TIME where it does not say.
    """
    seconds, ahead = read_labels(labels, mapping.time_formats, zone)
    either = may_be_intervals(labels, mapping) & (ahead != NO_TIME)
    pairs = {
        i: pair
        for i in np.flatnonzero((seconds == NO_TIME) | either).tolist()
        if (pair := _cut(labels[i].strip()))
    }
    if not pairs:
        return seconds, ahead
    step = grain_minutes * 60
    starts, clocks = read_labels([pair.first for pair in pairs.values()], mapping.time_formats, zone)
    ends, end_clocks = read_labels([_whole(pair) for pair in pairs.values()], mapping.time_formats, zone)
    fits = np.zeros(len(labels), bool)
    for k, (i, pair) in enumerate(pairs.items()):
        if starts[k] == NO_TIME:
            continue
        start = int(starts[k])
        length = _length(pair.last, start, int(ends[k]), int(clocks[k]), int(end_clocks[k]))
        fits[i] = length is not None and _is_interval(length, step, start, zone)
    if not fits[either].all():
        fits &= ~either  # what is behind them is their offset
    elif either.sum() == 1 and fits.sum() == 1:
        seconds[either] = ahead[either] = NO_TIME  # one alone does not tell
        fits &= ~either
    for k, i in enumerate(pairs):
        if fits[i]:
            marked = int(starts[k]) + (step if mapping.time_marks == "end" else 0)
            # a midnight is then taken for that of the day after, and this one needs no such mending
            again = mapping.midnight == "same_day" and marked % _DAY_S == 0
            seconds[i] = marked - (_DAY_S if again else 0)
            ahead[i] = clocks[k]
    return seconds, ahead


def may_be_intervals(labels: list[str], mapping: FileMapping) -> np.ndarray:
    """Return which of some labels end in what may be an offset behind UTC or their interval's end; bool, n.

    Args:
        labels: n texts.
        mapping: a format with %z says that it is an offset.
    """
    if any("%z" in form for form in mapping.time_formats):
        return np.zeros(len(labels), bool)
    return np.array(["-" in label[-7:] and bool(_EITHER.search(label.rstrip())) for label in labels], bool)


def names_both_ends(text: str) -> bool:
    """Tell whether a label names two times."""
    return _cut(text.strip()) is not None


def first_end(text: str) -> str:
    """Return the first time of a label that names two; any other as it is."""
    ends = _cut(text.strip())
    return text if ends is None else ends.first


def _cut(text: str) -> _Ends | None:
    for match in _BETWEEN.finditer(text):
        first, last = text[: match.start()], text[match.end() :]
        if _HAS_TIME.search(first):
            return _Ends(first, last)
    return None


def _whole(pair: _Ends) -> str:
    """Return an interval's end with the date of its start, if it has none of its own."""
    if not _CLOCK.match(pair.last):
        return pair.last
    return _CLOCK.sub(lambda _: pair.last, pair.first, count=1)


def _length(last: str, start: int, end: int, clock: int, end_clock: int) -> int | None:
    """Return the seconds from an interval's start to what is named as its end; None if that names no time."""
    duration = _DURATION.fullmatch(last)
    if duration:
        return int(duration[1] or 0) * 3600 + int(duration[2] or 0) * 60
    if end == NO_TIME:
        return None
    both = clock != NO_TIME and end_clock != NO_TIME
    return end - start - (end_clock - clock if both else 0)


def _is_interval(length: int, step: int, start: int, zone: str) -> bool:
    day = np.array([start // _DAY_S])
    shifts = (0,) if offsets(day, zone)[1][0] else (0, 3600, -3600, 1800, -1800)
    return any((length - step - shift + early) % _DAY_S == 0 for shift in shifts for early in (0, 1, 60))
