"""Whatever a collector writes: the published energy is the truth, or the run says what is missing.

`make test` tries 100 files in each reader; `make nightly` thousands (FEMS_EXAMPLES).
"""

import io
import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fems.contracts.raw_object import RawObject
from fems.process.partition import process, row_totals
from fems.raw.decode import decode_all
from fems.raw.fast import plain
from fems.raw.split import split
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.settings import settings as fems_settings

EXAMPLES = int(os.environ.get("FEMS_EXAMPLES", "100"))
BOOK = load_book(fems_settings().definitions_dir, "meter")
MINUTES = {"15min": 15, "30min": 30, "1h": 60}
SCALE = {"kWh": 1.0, "Wh": 1000.0, "MWh": 0.001}
DAYS = {
    "Asia/Seoul": [date(2024, 3, 4), date(2024, 10, 27)],
    "Europe/Berlin": [date(2024, 3, 30), date(2024, 10, 26), date(2024, 7, 1)],
    "America/New_York": [date(2024, 3, 9), date(2024, 11, 2)],
    "Australia/Lord_Howe": [date(2024, 4, 6), date(2024, 10, 5)],
    "Australia/Sydney": [date(2024, 4, 6), date(2024, 10, 5)],
}


@dataclass(frozen=True)
class Written:
    """A file, the mapping that describes it, and the truth: kWh of each sensor and interval's start."""

    data: bytes
    name: str
    mapping: dict[str, Any]
    zone: str
    grain: str
    truth: dict[tuple[str, int], float]
    first: date
    last: date
    register: bool = False


@dataclass(frozen=True)
class Labels:
    """How a file writes its times."""

    zone: str
    step: int
    ends: bool
    offset: str
    form: str
    style: str

    def of(self, start: int) -> str:
        """Return the label of the interval that begins at an instant."""
        if self.style == "both ends":
            return f"{self.at(start)} - {self.at(start + self.step)}"
        marked = start + (self.step if self.ends else 0)
        if self.style == "weekday" and self.offset == "none":
            return f"{datetime.fromtimestamp(marked, ZoneInfo(self.zone)):%a} {self.at(marked)}"
        return self.at(marked)

    def at(self, instant: int) -> str:
        """Return an instant as it is written."""
        moment = datetime.fromtimestamp(instant, ZoneInfo("UTC"))
        if self.offset == "utc":
            return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        local = moment.astimezone(ZoneInfo(self.zone))
        return local.isoformat() if self.offset == "offset" else local.strftime(self.form)


@st.composite
def files(draw: st.DrawFn) -> Written:
    zone = draw(st.sampled_from(sorted(DAYS)))
    first = draw(st.sampled_from(DAYS[zone]))
    days = draw(st.integers(2, 3))
    grain = draw(st.sampled_from(["15min", "30min"] if zone == "Australia/Lord_Howe" else sorted(MINUTES)))
    step = MINUTES[grain] * 60
    begin, end = (
        int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())
        for day in (first, first + timedelta(days=days))
    )
    starts = list(range(begin, end, step))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    meters = draw(st.sampled_from([("x-M01",), ("x-M01", "x-M02")]))
    # three decimals, never the same twice: what repeats would be taken for stuck
    truth = {
        (m, s): round(float(rng.uniform(4, 9)) + i % 7 * 0.001, 3)
        for m in meters
        for i, s in enumerate(starts)
    }
    gone = set()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(starts) - 6))
        gone = {(meters[0], s) for s in starts[at : at + draw(st.integers(1, 5))]}
    marks = draw(st.sampled_from(["start", "end"]))
    register = draw(st.sampled_from([False, False, True]))
    if register:  # read at the end of each interval: the first one has no reading before it
        marks = "end"
    unit = draw(st.sampled_from(["kWh", "Wh", "MWh", *([] if register else ["kW", "W", "MW"])]))
    size = SCALE[unit + "h" if unit[-1] == "W" else unit] * (3600 / step if unit[-1] == "W" else 1)
    decimal = draw(st.sampled_from([".", ","]))
    places = {"kWh": 3, "Wh": 0, "MWh": 6, "kW": 4, "W": 1, "MW": 7}[unit]
    offset = draw(st.sampled_from(["none", "none", "offset", "utc"]))
    form = draw(st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p"]))
    two_columns = draw(st.booleans()) and offset == "none" and form == "%d.%m.%Y %H:%M"
    how = draw(st.sampled_from(["text", "text", "workbook"]))
    style = draw(st.sampled_from(["one time", "one time", "both ends", "weekday"]))

    labels = Labels(zone, step, marks == "end", offset, form, style)

    def number(value: float) -> str:
        return f"{value * size:.{places}f}".replace(".", decimal)

    told_in_header = draw(st.booleans()) and not register
    value_header = f"energy ({unit})" if told_in_header else "energy"
    head = [*(["day", "clock"] if two_columns else ["time"]), "meter", value_header]
    modulus = 10 ** draw(st.integers(4, 6)) if register else 0
    written = _readings(truth, meters, starts, modulus, draw) if register else truth
    rows = [
        [*(labels.of(s).rsplit(" ", 1) if two_columns else [labels.of(s)]), m, number(written[m, s])]
        for s in starts
        for m in meters
        if (m, s) not in gone
    ]
    order = draw(st.sampled_from(["time", "newest first", "meter"]))
    if order == "newest first":
        rows.reverse()
    elif order == "meter":
        rows.sort(key=lambda row: row[-2])
    _write_again(rows, draw)
    mapping: dict[str, Any] = {
        "columns": {
            "timestamp": ["day", "clock"] if two_columns else "time",
            "sensor_id": "meter",
            "used_kwh": value_header,
        },
        "time_marks": marks,
    }
    if register:
        mapping["cumulative"] = {"used_kwh": modulus * size}
    if not told_in_header:
        mapping["units"] = {"used_kwh": unit}
    if draw(st.booleans()):
        mapping["decimal"] = decimal
    if offset == "none":
        mapping["time_format"] = form
    data, name = (
        (_workbook(head, rows, draw), "f.xlsx") if how == "workbook" else (_text(head, rows, draw), "f.csv")
    )
    last = first + timedelta(days=days - 1)
    return Written(data, name, mapping, zone, grain, truth, first, last, register)


def _write_again(rows: list[list[str]], draw: st.DrawFn) -> None:
    """Let some rows stand twice, and send one again."""
    if draw(st.booleans()):
        for at in draw(st.lists(st.integers(0, len(rows) - 1), max_size=3)):
            rows.insert(at, rows[at])
        rows.append(rows[draw(st.integers(0, len(rows) - 1))])


def _readings(
    truth: dict[tuple[str, int], float],
    meters: tuple[str, ...],
    starts: list[int],
    modulus: int,
    draw: st.DrawFn,
) -> dict[tuple[str, int], float]:
    """Return what running registers show at the end of each interval."""
    shown = {}
    for m in meters:
        readings = draw(st.integers(0, modulus - 1)) + np.cumsum([truth[m, s] for s in starts])
        shown |= {(m, s): float(v) for s, v in zip(starts, readings % modulus, strict=True)}
    return shown


def _text(head: list[str], rows: list[list[str]], draw: st.DrawFn) -> bytes:
    d = draw(st.sampled_from([";", "\t", "|"]))
    lines = ["Report", ""] if draw(st.booleans()) else []
    end = d if draw(st.booleans()) else ""
    noted = draw(st.booleans())
    notes = ['"checked\nby night"', "", f'"a{d} b"', '"said ""x""\n\ny"'] if noted else [""]
    head = [*head, "note"] if noted else head
    body = [[*row, notes[i % len(notes)]] if noted else row for i, row in enumerate(rows)]
    lines += [d.join(head), *(d.join(row) + end for row in body)]
    return (draw(st.sampled_from(["\n", "\r\n"])).join(lines) + "\n").encode(
        draw(st.sampled_from(["utf-8", "utf-16"]))
    )


def _workbook(head: list[str], rows: list[list[str]], draw: st.DrawFn) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    sheets = draw(st.integers(1, 3))
    as_numbers = draw(st.booleans())
    edges = [len(rows) * i // sheets for i in range(sheets + 1)]
    for i in range(sheets):
        sheet = book.create_sheet(f"S{i}")
        sheet.append(head)
        for row in rows[edges[i] : edges[i + 1]]:
            value = float(row[-1].replace(",", ".")) if as_numbers else row[-1]
            sheet.append([*row[:-1], value])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def published(written: Written) -> tuple[dict[tuple[str, int], float], int]:
    """Land and process a file as the flows do.

    Returns what is published as measured, and how many rows and values the run tells of.
    """
    machines = {f"E{i}": {"name": "M", "kind": "line", "sensor": f"x-M0{i}"} for i in (1, 2)}
    factory = {"name": "F", "name_ko": "F", "timezone": written.zone, "grain": {"meter": written.grain}}
    factory |= {"mapping": {"meter": "m"}, "equipment": machines}
    plant = Plant.model_validate({"mappings": {"m": written.mapping}, "factories": {"x": factory}})
    source = FactoryFeed.of(plant, BOOK, "x")
    objects = []
    for part in split(written.data, written.name, source, date(2000, 1, 1), date(2100, 1, 1)):
        day = written.last if part.day is None else date(1970, 1, 1) + timedelta(days=part.day)
        objects.append(
            (RawObject(f"raw/meter/factory=x/date={day}/{part.name}", "e", len(part.data), day), part.data)
        )
    partition = process(decode_all(sorted(objects), source), source, written.first, written.last)
    table = partition.tables["native"].to_pandas()
    table = table[table["flag"].isin(["measured", "retyped"])]
    values = {
        (row.sensor_id, int(row.timestamp.timestamp())): row.used_kwh
        for row in table.itertuples()
        if not np.isnan(row.used_kwh)
    }
    rows = row_totals(partition.days)
    assert rows["read"] == rows["published"] + rows["quarantined"] + rows["duplicate"]
    return values, len(partition.quarantine) + len(partition.originals)


@pytest.mark.parametrize("reader", ["compiled", "text"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(written=files())
def test_the_published_energy_is_the_truth_or_the_run_says_what_is_missing(
    reader: str, written: Written
) -> None:
    kept, plain.reader = plain.reader, (plain.reader if reader == "compiled" else lambda: None)
    try:
        values, told = published(written)
    finally:
        plain.reader = kept
    for place, value in values.items():
        # places of the written number, and no more
        assert value == pytest.approx(written.truth[place], rel=1e-3, abs=1e-3), place
    missing = written.truth.keys() - values.keys()
    assert len(written.truth) - len(missing) == len(values), "an interval that was not written"
    # of a register the first interval is missing, and the one after a gap: its share of the sum was not read
    more = 1 + len({meter for meter, _ in written.truth}) if written.register else 0
    assert len(missing) <= 5 + more + told, "at most the gap that was left out is missing without a word"
