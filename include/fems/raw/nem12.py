"""NEM12, the interval format of Australia's electricity market, into a table: a row a meter point and interval.

Source: AEMO, Meter Data File Format Specification NEM12 & NEM13, version 2.6. A 200 record names the meter point (NMI),
the register (E1: energy drawn, B1: fed back, Q1: reactive) and the unit; each 300 record below it holds a day's values,
first the one from 00:00, on the market's clock: UTC+10 all year.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from fems.errors import UndecodableObject
from fems.raw.text import BadLine, TextTable
from fems.registry import units

_MARKET = timedelta(hours=10)
_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)")
_SCALES = {"energy": "kWh", "reactive energy": "kvarh", "apparent energy": "kVAh"}


@dataclass
class _Stream:
    """What a 200 record says of the days below it."""

    nmi: str
    register: str
    minutes: int
    scale: float


def read(body: bytes) -> TextTable:
    """Read a NEM12 file.

    Its header is timestamp, sensor_id (the NMI) and a column a register; a register that is alone in drawing energy
    is called used_kwh, too. Values are in kWh and kvarh. What the file calls null is empty.

    Args:
        body: the text in UTF-8.

    Raises:
        UndecodableObject: it is no NEM12 file.
    """
    lines = body.decode().splitlines()
    if not lines or not lines[0].startswith(("100,NEM12", "200,")):
        raise UndecodableObject("the object is no NEM12 file: it begins with no record 100,NEM12")
    cells: dict[tuple[str, str], tuple[int, dict[str, str]]] = {}
    registers: dict[str, None] = {}
    bad: list[BadLine] = []
    for line, nmi, register, times, values in _days(lines, registers, bad):
        for time, value in zip(times, values, strict=True):
            cells.setdefault((nmi, time), (line, {}))[1][register] = value
    if not cells and not bad:
        raise UndecodableObject("the NEM12 file has no day of values")
    drawn = [name for name in registers if name.startswith("E")]
    alone = {"used_kwh": drawn[0]} if len(drawn) == 1 else {}
    rows = [
        {
            "timestamp": time,
            "sensor_id": nmi,
            **values,
            **{name: values.get(own, "") for name, own in alone.items()},
        }
        for (nmi, time), (_, values) in cells.items()
    ]
    header = ["timestamp", "sensor_id", *registers, *alone]
    columns = {
        name: pa.chunked_array([pa.array([row.get(name, "") for row in rows], pa.string())])
        for name in header
    }
    numbers = np.array([line for line, _ in cells.values()], np.int32)
    return TextTable(columns, numbers, bad, header=tuple(header), delimiter=",")


def _days(
    lines: list[str], registers: dict[str, None], bad: list[BadLine]
) -> Iterator[tuple[int, str, str, list[str], list[str]]]:
    """Yield line, meter point, register, times and values of each day.

    The registers that there are and the records that cannot be read are put into `registers` and `bad`.
    """
    stream: _Stream | None = None
    for number, fields in enumerate(csv.reader(lines), start=1):
        try:
            if fields[:1] == ["200"]:
                stream = None
                stream = _stream(fields)
                registers[stream.register] = None
            elif fields[:1] == ["300"]:
                if stream is None:
                    raise ValueError("no record 200 that can be used stands above it")
                yield number, stream.nmi, stream.register, *_day(fields, stream)
        except (ValueError, IndexError) as error:
            bad.append(BadLine(number, f"the NEM12 record cannot be read: {error}", ",".join(fields)[:2_000]))


def _stream(fields: list[str]) -> _Stream:
    quantity = units.quantity_of(fields[7])
    if quantity not in _SCALES:
        raise ValueError(f"the unit {fields[7]!r} is none of energy")
    minutes = int(fields[8])
    if minutes < 1 or 1440 % minutes:
        raise ValueError(f"{minutes} minutes are no part of a day")
    return _Stream(fields[1], fields[4], minutes, float(units.factor(fields[7], _SCALES[quantity], minutes)))


def _day(fields: list[str], stream: _Stream) -> tuple[list[str], list[str]]:
    match = _DAY.fullmatch(fields[1])
    if match is None:
        raise ValueError(f"{fields[1]!r} is no date")
    day = date(*(int(part) for part in match.groups()))
    count = 1440 // stream.minutes
    values, quality = fields[2 : 2 + count], fields[2 + count]
    if len(values) < count:
        raise ValueError(f"{len(values)} values where a day has {count}")
    marks = [f"{i * stream.minutes // 60:02d}:{i * stream.minutes % 60:02d}:00" for i in range(count)]
    times = [f"{day.isoformat()}T{mark}+{_MARKET.seconds // 3600:02d}:00" for mark in marks]
    if quality.startswith("N"):
        return times, [""] * count
    return times, [repr(float(value) * stream.scale) if value.strip() else "" for value in values]
