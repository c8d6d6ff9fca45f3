"""Written times into seconds: by the mapping's formats first, then wherever a text can mean one time only."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

import numpy as np

from fems.raw import weekdays
from fems.raw.zones import zone_names

NO_TIME = np.iinfo(np.int64).min
"""Marks a time that could not be read or placed (int64, as NaT)."""

_DAY_S = 86_400
_FIRST, _LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1900, 2200))
_FARTHEST_S = 16 * 3600  # no clock on earth is farther from UTC
_NUMBERS = frozenset(["Y", "m", "d", "H", "M", "S", "oh", "om"])
_WIDTHS = {  # what strftime writes for a directive, field by field
    "%Y": {"Y": 4},
    **{f"%{name}": {name: 2} for name in "mdHMS"},
    "%z": {"sign": 1, "oh": 2, "om": 2},
}
_UTC_AT_THE_END = re.compile(
    r"(?<=%[HMSfT]) ?(?:Z|UTC|GMT)\s*$"
)  # a letter of the format, and a zone all the same
_LITERAL_NAME = re.compile(r"(?<![A-Za-z%])[A-Z]{3,5}(?![A-Za-z])")
_LITERAL_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?\W*$")
_LITERAL_Z = re.compile(r"(?<=%[HMSfT])[.,]?[0-9]* ?Z\W*$")
_OFFSET_OF_UTC = re.compile(r"(?:UTC|GMT) ?([+-])(\d\d?)(?::?(\d\d))?$", re.IGNORECASE)
_ZONE_BEHIND = re.compile(r"(?<=\d|Z)\[[A-Za-z_]+(?:/[A-Za-z_]+)*\]$")
_HALF_WITH_POINTS = re.compile(r"\b([ap])\. ?m\.?", re.IGNORECASE)

_OFFSET = r"(?P<utc>Z|UTC|GMT)|(?P<sign>[+-])(?P<oh>\d\d)(?::?(?P<om>\d\d))?"
_HALF = r"오전|오후|[AP]\.?M\.?"
_FLAGS = re.ASCII | re.IGNORECASE
_ISO = re.compile(
    r"(?P<Y>\d{4})([-/.])(?P<m>\d\d)\2(?P<d>\d\d)[T ](?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d+))?)?"
    rf"(?:{_OFFSET})?",
    _FLAGS,
)
_COMPACT = re.compile(
    r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?:[T ]?(?P<H>\d\d)(?P<M>\d\d)(?:(?P<S>\d\d)(?:[.,](?P<f>\d+))?)?"
    rf"(?:{_OFFSET})?)?",
    _FLAGS,
)
_WRITTEN = re.compile(
    r"(?P<Y>\d{4})\s*(?:([-/.])\s*(?P<m>\d\d?)\s*\2\s*(?P<d>\d\d?)\.?|년\s*(?P<m2>\d\d?)\s*월\s*(?P<d2>\d\d?)\s*일)"
    rf"(?:(?:T|\s+|(?<=일))(?:(?P<half>{_HALF})\s*)?(?P<H>\d\d?)"
    r"(?::(?P<M>\d\d?)(?::(?P<S>\d\d?)(?:[.,]\d+)?)?|\s*시(?:\s*(?P<M2>\d\d?)\s*분(?:\s*(?P<S2>\d\d?)\s*초)?)?)"
    rf"(?:\s*(?P<half2>{_HALF}))?(?:\s*(?:{_OFFSET}|(?P<zone>[A-Z]{{3,5}})))?)?",
    _FLAGS,
)
_EPOCH = re.compile(r"([1-9]\d{9})(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?", re.ASCII)
_SERIAL = re.compile(r"[2-7]\d{4}(?:[.,]\d+)?", re.ASCII)
"""A date as Excel counts it: days since 30 December 1899, here of 1954 to 2119."""
_SERIAL_OF_1970 = 25_569
_TWENTY_FOUR = re.compile(r"(?<![\d:])24:00(?![\d])")
_ZONE_NAME = re.compile(r"(?<![A-Za-z])[A-Z]{1,5}(?![A-Za-z])")

Moment = tuple[int, int]
"""Seconds since 1970 as a label writes them, and seconds that its clock is ahead of UTC (NO_TIME if not said)."""


def read_labels(
    labels: list[str], formats: tuple[str, ...], zone: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read written times.

    Args:
        labels: n texts.
        formats: strptime formats, tried in order. A text that matches none is read where it is ISO 8601, begins with
            the year, counts seconds (or 1/1,000, 10^-6, 10^-9 of them) since 1970, or days as Excel does. 24:00 is the
            midnight after; fractions of a second are cut off. The name of the weekday may stand with any of them.
        zone: of the file: what names such as CST mean there. A name that is not known makes a text unreadable.

    Returns:
        int64, n: seconds since 1970 as the label writes them, NO_TIME where unreadable or not in 1900..2199;
        int64, n: seconds that its clock is ahead of UTC, NO_TIME where it does not say.
    """
    page = _read([label.strip() for label in labels], formats, zone)
    if page.pending:
        _read_weekdays(page, formats, zone)
    outside = (page.seconds < _FIRST) | (page.seconds >= _LAST)
    page.seconds[outside] = page.ahead[outside] = NO_TIME
    return page.seconds, page.ahead


def _read(texts: list[str], formats: tuple[str, ...], zone: str | None) -> "_Page":
    page = _Page(texts)
    for form in formats:
        layout = layout_of_format(form)
        if layout:
            page.by_layout(layout)
        page.one_by_one(partial(_by_format, form=form, zone=zone))
    # a collector writes its labels alike: how the first one is written fits the others
    while page.pending:
        before, layout = len(page.pending), _layout_of_label(texts[page.pending[0]])
        if layout:
            page.by_layout(layout)
        if len(page.pending) == before:
            break
    page.one_by_one(partial(_by_meaning, zone=zone))
    return page


def _read_weekdays(page: "_Page", formats: tuple[str, ...], zone: str | None) -> None:
    """Read the pending labels that bear the name of their weekday; one that contradicts its date stays unread."""
    named = [(i, *found) for i in page.pending for found in weekdays.without_name(page.texts[i])]
    if not named:
        return
    # strptime knows the names of one language
    bare = tuple(re.sub(r"[(\[]?%[aA][)\].,]*", "", form).replace("  ", " ").strip() for form in formats)
    rests = _read([rest for _, rest, _ in named], bare, zone)
    for k, (i, rest, weekday) in enumerate(named):
        seconds = int(rests.seconds[k])
        if seconds != NO_TIME and weekdays.falls_on(seconds, weekday, rest):
            page.seconds[i], page.ahead[i] = seconds, rests.ahead[k]


@dataclass(frozen=True)
class Layout:
    """Where the fields stand in labels of one length; all other characters are those of the sample."""

    fields: Mapping[str, slice]
    sample: str


class _Page:
    """Labels, and what has been read of them so far."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.seconds = np.full(len(texts), NO_TIME, np.int64)
        self.ahead = np.full(len(texts), NO_TIME, np.int64)
        self.pending: list[int] = list(range(len(texts)))

    def by_layout(self, layout: Layout) -> None:
        """Read at once the pending labels that are written in a layout."""
        width = len(layout.sample)
        fit = self.pending
        if any(len(self.texts[i]) != width for i in fit):
            fit = [i for i in fit if len(self.texts[i]) == width]
        if not fit:
            return
        points = "".join([self.texts[i] for i in fit]).encode("utf-32-le", "surrogatepass")
        block = np.frombuffer(points, "<u4").reshape(-1, width)
        good, seconds, ahead = _read_block(np.ascontiguousarray(block.T), layout)
        rows = np.array(fit)[good]
        self.seconds[rows], self.ahead[rows] = seconds[good], ahead[good]
        if len(rows) == len(self.pending):
            self.pending = []
        else:
            self.pending = [i for i in self.pending if self.seconds[i] == NO_TIME]

    def one_by_one(self, read: Callable[[str], Moment | None]) -> None:
        """Read each pending label by itself."""
        left = []
        for i in self.pending:
            moment = read(self.texts[i])
            if moment is None:
                left.append(i)
            else:
                self.seconds[i], self.ahead[i] = moment
        self.pending = left


@lru_cache(maxsize=64)
def layout_of_format(form: str) -> Layout | None:
    """Lay out what a format writes; None if its width varies or it lacks a part of the date."""
    fields: dict[str, slice] = {}
    sample = ""
    utc = _UTC_AT_THE_END.search(form)
    form, ending = (form[: utc.start()], form[utc.start() :]) if utc else (form, "")
    if names_a_zone(form):
        return None
    for part in re.split("(%.)", form):
        if part not in _WIDTHS:
            if part.startswith("%"):
                return None
            sample += part
            continue
        for name, width in _WIDTHS[part].items():
            if name in fields:
                return None
            fields[name] = slice(len(sample), len(sample) + width)
            sample += "0" * width
    if ending:
        fields["utc"] = slice(len(sample), len(sample) + len(ending))
    return Layout(fields, sample + ending) if fields.keys() >= set("Ymd") else None


def _layout_of_label(text: str) -> Layout | None:
    """Lay out what is written as a label; None if it is neither ISO 8601 nor 12 or 14 digits."""
    match = _ISO.fullmatch(text) or _COMPACT.fullmatch(text)
    if not match:
        return None
    spans = {name: slice(*match.span(name)) for name in match.re.groupindex if match[name] is not None}
    return Layout(spans, text)


def _read_block(block: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read labels of one layout: characters, (width, n). Return which are good, their seconds and clock offsets."""
    digits = block - np.uint32(ord("0"))
    numeric, literal = np.zeros(len(block), bool), np.ones(len(block), bool)
    values: dict[str, np.ndarray] = {}
    for name, place in layout.fields.items():
        literal[place] = name == "utc"
        numeric[place] = name not in ("utc", "sign")
        if name in _NUMBERS:
            number = digits[place.start].astype(np.int64)
            for j in range(place.start + 1, place.stop):
                number = number * 10 + digits[j]
            values[name] = number
    sample = np.array([ord(character) for character in layout.sample], np.uint32)
    good = (digits[numeric] <= 9).all(axis=0)
    good &= (block[literal] == sample[literal, None]).all(axis=0)
    none = np.zeros(block.shape[1], np.int64)
    hour, minute, second = (values.get(name, none) for name in "HMS")
    clock = hour * 3600 + minute * 60 + second
    good &= (minute < 60) & (second < 60) & (clock <= _DAY_S)
    first, length = _months(values["Y"], values["m"])
    good &= (values["m"] >= 1) & (values["m"] <= 12) & (values["d"] >= 1) & (values["d"] <= length)
    seconds = (first + values["d"] - 1) * _DAY_S + clock
    if "utc" in layout.fields:
        return good, seconds, none
    if "sign" not in layout.fields:
        return good, seconds, np.full(len(none), NO_TIME)
    sign = block[layout.fields["sign"].start]
    past_hour = values.get("om", none)
    apart = values["oh"] * 3600 + past_hour * 60
    good &= ((sign == ord("+")) | (sign == ord("-"))) & (past_hour < 60) & (apart < _FARTHEST_S)
    return good, seconds, np.where(sign == ord("-"), -apart, apart)


def _months(year: np.ndarray, month: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first day of each month, days since 1970, and how many days it has."""
    since = (year - 1970) * 12 + month - 1
    each, codes = np.unique(since, return_inverse=True) if len(since) else (since, since)
    begins, ends = ((each + later).astype("datetime64[M]").astype("datetime64[D]") for later in (0, 1))
    return begins.astype(np.int64)[codes], (ends - begins).astype(np.int64)[codes]


def names_a_zone(form: str) -> bool:
    """Tell whether a format has a zone among its own letters: UTC, KST, +09:00."""
    return bool(_LITERAL_NAME.search(form) or _LITERAL_OFFSET.search(form) or _LITERAL_Z.search(form))


@lru_cache(maxsize=64)
def _literal_zone(form: str, zone: str | None) -> int | None:
    """Return the seconds that a zone among a format's own letters is ahead of UTC; None where there is none.

    Raises:
        LookupError: it is not known what it means there.
    """
    if _UTC_AT_THE_END.search(form) or _LITERAL_Z.search(form):
        return 0
    offset = _LITERAL_OFFSET.search(form)
    if offset:
        apart = int(offset[2]) * 3600 + int(offset[3] or 0) * 60
        return -apart if offset[1] == "-" else apart
    names = {"UTC": 0, "GMT": 0} | zone_names(zone)
    for word in _LITERAL_NAME.findall(form):
        return names[word]
    return None


def _by_format(text: str, form: str, zone: str | None) -> Moment | None:
    """Read a label as strptime does; also 24:00, the Korean halves of the day, and names of zones."""
    if "%p" in form:
        text = _HALF_WITH_POINTS.sub(r"\1m", text.replace("오전", "AM").replace("오후", "PM"))
    try:
        ahead = _literal_zone(form, zone)
    except LookupError:
        return None
    if "%Z" in form:
        names = zone_names(zone)
        named = next((word for word in _ZONE_NAME.finditer(text) if word[0] in names), None)
        if named is None:
            return None
        ahead, text = names[named[0]], text[: named.start()] + "UTC" + text[named.end() :]
    for written, days in ((text, 0), (_TWENTY_FOUR.sub("00:00", text), 1)):
        try:
            moment = datetime.strptime(written, form)  # noqa: DTZ007 - the label may have no zone
        except ValueError:
            continue
        offset = moment.utcoffset()
        if ahead is None:
            ahead = NO_TIME if offset is None else int(offset.total_seconds())
        local = (moment + timedelta(days=days)).replace(tzinfo=UTC)
        return int(local.timestamp() // 1), ahead
    return None


def _by_meaning(text: str, zone: str | None) -> Moment | None:
    """Read a label that can mean one time only."""
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        return int(epoch[1]), 0
    if _SERIAL.fullmatch(text):
        return round((float(text.replace(",", ".")) - _SERIAL_OF_1970) * _DAY_S), NO_TIME
    text = _OFFSET_OF_UTC.sub(_as_offset, _ZONE_BEHIND.sub("", text))
    match = _COMPACT.fullmatch(text) or _WRITTEN.fullmatch(text)
    if not match:
        return None
    part = {name.rstrip("2"): value for name, value in match.groupdict().items() if value is not None}
    names = zone_names(zone) if "zone" in part else {}
    if "zone" in part and part["zone"].upper() not in names:
        return None
    halves = {match.groupdict().get(name) for name in ("half", "half2")} - {None}
    hour = _hour(int(part.get("H", 0)), part.get("half")) if len(halves) < 2 else None
    minute, second = int(part.get("M", 0)), int(part.get("S", 0))
    ahead = int(part.get("oh", 0)) * 3600 + int(part.get("om", 0)) * 60
    if hour is None or (hour == 24 and minute + second) or ahead >= _FARTHEST_S:
        return None
    try:
        day = datetime(int(part["Y"]), int(part["m"]), int(part["d"]), hour % 24, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    seconds = int(day.timestamp()) + hour // 24 * _DAY_S
    if "sign" in part:
        return seconds, -ahead if part["sign"] == "-" else ahead
    if "zone" in part:
        return seconds, names[part["zone"].upper()]
    return seconds, 0 if "utc" in part else NO_TIME


def _as_offset(match: re.Match[str]) -> str:
    """Write UTC+9 as +09:00."""
    return f"{match[1]}{int(match[2]):02d}:{match[3] or '00'}"


def _hour(hour: int, half: str | None) -> int | None:
    """Return the hour of the day, 0..24; None if it contradicts the half of the day that is written with it."""
    if half is None:
        return hour if hour <= 24 else None
    if half == "오후" or half[0] in "Pp":
        return hour % 12 + 12 if hour <= 12 else hour if hour < 24 else None
    return hour % 12 if hour <= 12 else None
