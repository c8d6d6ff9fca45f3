"""What a file of an unknown collector looks like, and a mapping that may fit it, with what is not sure."""

from collections.abc import Sequence

import numpy as np

from fems.errors import UndecodableObject
from fems.raw import day_columns, encodings, formats, numbers
from fems.raw.guess_columns import WHICH, Guess, find_columns
from fems.raw.header import UNNAMED
from fems.raw.interval_labels import first_end
from fems.raw.labels import NO_TIME, read_labels
from fems.raw.look import ColumnLook, look_at, time_format
from fems.raw.tables import read_tables
from fems.raw.text import TextTable
from fems.registry.book import Book
from fems.registry.mapping import FileMapping

_ROWS = 20_000
"""Rows that are looked at; more tell no more."""


def guess(data: bytes, book: Book) -> Guess:
    """Look at a file.

    Args:
        data: its bytes.
        book: of the feed that it is of; its aliases and units are looked for.

    Raises:
        UndecodableObject: no table can be made of it.
    """
    plain = formats.unzipped(data)
    head = plain[:4096].lstrip(b"\xef\xbb\xbf \r\n")
    if head.startswith((b"100,NEM12", b"200,")):
        return Guess(
            "NEM12", mapping={"format": "nem12", "sensors": {"NMI": "SENSOR"}}, doubts={"sensors": WHICH}
        )
    if head.startswith(b"<") and b"espi" in plain[:65536]:
        mapping_of_it = {"format": "green_button", "constants": {"sensor_id": "SENSOR"}}
        return Guess("Green Button (ESPI XML)", mapping=mapping_of_it, doubts={"constants": WHICH})
    mapping = FileMapping()
    try:
        tables = read_tables(data, mapping, fits=_looks_like_a_header)
    except UndecodableObject:
        if formats.is_container(plain) or b"\0" in plain or encodings.is_in(plain, mapping.encodings[-1]):
            raise
        # any bytes are text of it: looked at last
        mapping = FileMapping(encodings=("utf-8-sig", "latin-1"))
        tables = read_tables(data, mapping, fits=_looks_like_a_header)
    table = max(tables, key=lambda each: len(each.lines))
    alike = [each for each in tables if each.header == table.header]
    made = Guess(_container(plain, table, mapping), sum(len(each.lines) for each in alike))
    if len(alike) > 1:
        made.container = f"Excel workbook, {len(alike)} sheets alike, such as {table.sheet!r}"
    if "latin-1" in mapping.encodings:
        made.mapping["encodings"] = ["latin-1"]
        made.doubts["encodings"] = "no other one fits: look whether the letters are right"
    _without_header(table, made)
    for name, column in table.columns.items():
        made.columns.append(look_at(name, [text or "" for text in column.slice(0, _ROWS).to_pylist()], table))
    _find_times(table, made)
    find_columns(table, alike, made, book)
    return made


def _looks_like_a_header(header: Sequence[str]) -> bool:
    names = [name for name in header if name and name != UNNAMED]
    return (
        len(names) >= 1
        and len(header) >= 2
        and not any(numbers.parse_number(n)[1] <= numbers.RETYPED for n in names)
    )


def _container(plain: bytes, table: TextTable, mapping: FileMapping) -> str:
    if plain.startswith(formats.PARQUET):
        return "Parquet"
    if plain.startswith(formats.ZIP):
        return f"Excel workbook, sheet {table.sheet!r}"
    tried = ("utf-8", *mapping.encodings[1:], "utf-16", "latin-1")
    encoding = (
        "ASCII"
        if plain.isascii()
        else next((e for e in tried if encodings.is_in(plain, e)), "UTF-16 or a mark")
    )
    return f"text in {encoding}, fields parted by {table.delimiter!r}"


def _without_header(table: TextTable, made: Guess) -> None:
    values = [name for name in table.header if name and numbers.parse_number(name)[1] <= numbers.RETYPED]
    if values:
        names = [f"column {i + 1}" for i in range(len(table.header))]
        made.mapping["header"] = names
        made.doubts["header"] = (
            f"the first line holds values ({', '.join(values[:3])}): there seems to be no header"
        )


def _find_times(table: TextTable, made: Guess) -> None:
    by_kind: dict[str, list[ColumnLook]] = {}
    for look in made.columns:
        by_kind.setdefault(look.kind, []).append(look)
    columns = made.mapping.setdefault("columns", {})
    whole, dates, times = (by_kind.get(kind, []) for kind in ("time", "date", "time of day"))
    if whole:
        columns["timestamp"] = whole[0].name
        if len(whole) > 1:
            made.doubts["columns.timestamp"] = f"{whole[1].name!r} holds times, too"
        texts = table.columns[whole[0].name].slice(0, _ROWS).to_pylist()
    elif dates and times:
        columns["timestamp"] = [dates[0].name, times[0].name]
        both = zip(
            *(table.columns[c.name].slice(0, _ROWS).to_pylist() for c in (dates[0], times[0])), strict=True
        )
        texts = [f"{day.removesuffix(' 00:00:00')} {time}" for day, time in both]
    elif dates:
        columns["timestamp"] = dates[0].name
        texts = table.columns[dates[0].name].slice(0, _ROWS).to_pylist()
        _find_numbers(table, made, by_kind.get("number", []))
    else:
        made.doubts["columns.timestamp"] = "no column holds times"
        return
    if columns["timestamp"] == UNNAMED:
        columns["timestamp"] = ""
    texts = [first_end(text) for text in texts]
    form = time_format(list(dict.fromkeys(text.strip() for text in texts if text.strip())))
    if form:
        # days that follow each other are likelier than one a month
        forms = (form,) if isinstance(form, str) else sorted(form, key=lambda each: _span(texts, each))
        made.mapping["time_format"] = forms[0]
        if len(forms) > 1:
            made.doubts["time_format"] = f"{forms[1]} fits as well: which is the day, and which the month?"
    _find_interval(texts, made)


def _span(texts: list[str], form: str) -> int:
    seconds, _ = read_labels(texts, (form,))
    known = seconds[seconds != NO_TIME]
    return int(known.max() - known.min()) if len(known) else 0


def _find_numbers(table: TextTable, made: Guess, looks: list[ColumnLook]) -> None:
    """A date alone: the hours stand in headers, or in a column of numbers."""
    try:
        places = day_columns.intervals(table.header, FileMapping())
    except UndecodableObject:
        places = {}
    if len(places) >= 20:
        made.mapping |= {"layout": "row_per_day", "row_per_day": {"column": "used_kwh"}}
        made.interval_minutes = 1440 // len(places)
        return
    for look in looks:
        whole = (
            look.low in (0, 1) and look.high is not None and 22 <= look.high <= 100 and look.distinct <= 100
        )
        if whole and look.distinct >= 23:
            made.mapping["interval_number"] = {"column": look.name, "first": int(look.low or 0)}
            made.interval_minutes = {24: 60, 25: 60, 48: 30, 50: 30, 96: 15, 100: 15}.get(look.distinct)
            look.kind = "interval number"
            return
    made.doubts["columns.timestamp"] = "it holds dates; no column and no header tells the time of day"


def _find_interval(texts: list[str], made: Guess) -> None:
    forms = made.mapping.get("time_format")
    seconds, _ = read_labels(texts, (forms,) if forms else ())
    known = np.unique(seconds[seconds != NO_TIME])
    if len(known) < 2:
        return
    made.first, made.last = (str(np.datetime64(int(moment), "s")) for moment in known[[0, -1]])
    if "interval_number" in made.mapping or "row_per_day" in made.mapping:
        return
    steps = np.diff(known)
    usual = int(np.median(steps))
    if (steps == usual).mean() > 0.5 and usual % 60 == 0:
        made.interval_minutes, made.gaps = usual // 60, int((steps > usual).sum())
    if known[0] % 86_400 == usual and known[-1] % 86_400 == 0:
        made.mapping["time_marks"] = "end"
        made.doubts["time_marks"] = (
            "the first time is one interval after midnight, and the last is a midnight"
        )
    elif known[0] % 86_400:
        made.doubts["time_marks"] = (
            "the file does not begin at midnight: do its times mark the start or the end?"
        )
