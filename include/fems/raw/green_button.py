"""Green Button (NAESB ESPI, an Atom feed in XML) into columns: a row an interval. Runs in the child process.

Source: NAESB REQ.21, Energy Services Provider Interface. A UsagePoint has MeterReadings; each is of a ReadingType
(unit, power of ten, direction) and has IntervalBlocks of readings, whose times count seconds since 1970 in UTC.
Entries refer to each other by links: `up` to where they lie, `related` to what they belong to.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element  # only the type: the parser is defusedxml's

import numpy as np
import pyarrow as pa
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from fems.errors import UndecodableObject
from fems.raw.containers import Cells

_ATOM, _ESPI = "{http://www.w3.org/2005/Atom}", "{http://naesb.org/espi}"
# uom of a ReadingType, a number of IEC 61968-9: real energy, real power, reactive energy, reactive power.
_UNITS = {"72": ("kWh", False), "38": ("kWh", True), "73": ("kvarh", False), "63": ("kvarh", True)}
_HEADER = ("timestamp", "sensor_id", "used_kwh", "export_kwh", "reactive_kvarh")
_FORWARD, _REVERSE = ("1", "", "0"), ("19",)


def read(data: bytes) -> Cells:
    """Read a Green Button file.

    The sensor ID is the last part of the usage point's address. Energy is in kWh, whatever the file's power of ten; a
    mean power becomes the energy of its interval.

    Raises:
        UndecodableObject: it is no such file, holds what is not understood, or is an attack on XML readers.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise UndecodableObject(f"the object is no XML that can be read: {error}") from error
    entries = list(root.iter(f"{_ATOM}entry"))
    types = {_link(entry, "self"): kind for entry in entries for kind in entry.iter(f"{_ESPI}ReadingType")}
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for entry in entries:
        blocks = list(entry.iter(f"{_ESPI}IntervalBlock"))
        if blocks:
            point, kind = _belongs_to(entry, entries, types)
            column, scale, is_power = _meaning(kind)
            for start, seconds, value in _readings(blocks):
                hours = seconds / 3600 if is_power else 1.0
                rows.setdefault((point, start), {})[column] = value * scale * hours
    if not rows:
        raise UndecodableObject("the object holds no Green Button interval (espi:IntervalBlock)")
    keys = sorted(rows)
    names = [name for name in _HEADER[2:] if any(name in row for row in rows.values())]
    texts = [
        [str(start) for _, start in keys],
        [point for point, _ in keys],
        *([repr(rows[key][name]) if name in rows[key] else "" for key in keys] for name in names),
    ]
    columns = [pa.chunked_array([pa.array(column, pa.string())]) for column in texts]
    n = len(keys)
    lines = np.arange(1, n + 1, dtype=np.int32)
    return Cells("", True, [*_HEADER[:2], *names], columns, [np.zeros(n, bool)] * len(columns), lines)


def _link(entry: Element, rel: str) -> str:
    return next((link.get("href", "") for link in entry.iter(f"{_ATOM}link") if link.get("rel") == rel), "")


def _belongs_to(entry: Element, entries: list[Element], types: dict[str, Element]) -> tuple[str, Element]:
    """Return the usage point and the reading type of an entry with interval blocks."""
    up = _link(entry, "up")
    reading = next((other for other in entries if _link(other, "self") and up.startswith(_link(other, "self") + "/")
                    and other.find(f".//{_ESPI}MeterReading") is not None), None)  # fmt: skip
    related = [] if reading is None else [
        link.get("href", "") for link in reading.iter(f"{_ATOM}link") if link.get("rel") == "related"
    ]  # fmt: skip
    kind = next((types[href] for href in related if href in types), None)
    if kind is None and len(types) == 1:
        kind = next(iter(types.values()))
    if kind is None:
        raise UndecodableObject(
            f"the Green Button file does not say of which type the readings of {up!r} are"
        )
    parts = up.split("/")
    point = parts[parts.index("UsagePoint") + 1] if "UsagePoint" in parts[:-1] else ""
    return point, kind


def _meaning(kind: Element) -> tuple[str, float, bool]:
    """Return the column of a reading type, what its values are multiplied by, and whether they are powers."""
    uom, direction, behaviour = (
        (kind.findtext(f"{_ESPI}{name}") or "").strip()
        for name in ("uom", "flowDirection", "accumulationBehaviour")
    )
    if uom not in _UNITS:
        raise UndecodableObject(f"the Green Button file holds readings of unit {uom!r}, which is no energy")
    if behaviour in ("1", "3", "9"):
        raise UndecodableObject("the Green Button file holds a running register, not the energy of intervals")
    unit, is_power = _UNITS[uom]
    scale = 10.0 ** int(kind.findtext(f"{_ESPI}powerOfTenMultiplier") or 0) / 1000
    if unit == "kvarh":
        return "reactive_kvarh", scale, is_power
    if direction not in _FORWARD + _REVERSE:
        raise UndecodableObject(f"the Green Button file holds readings of flow direction {direction!r}")
    return ("export_kwh" if direction in _REVERSE else "used_kwh"), scale, is_power


def _readings(blocks: list[Element]) -> Iterator[tuple[int, int, float]]:
    for block in blocks:
        for reading in block.iter(f"{_ESPI}IntervalReading"):
            period = reading.find(f"{_ESPI}timePeriod")
            value = reading.findtext(f"{_ESPI}value")
            if period is None or not value:
                continue
            try:
                start, seconds = (
                    int(period.findtext(f"{_ESPI}{name}") or "") for name in ("start", "duration")
                )
                yield start, seconds, float(value)
            except ValueError as error:
                raise UndecodableObject(f"a Green Button reading cannot be read: {error}") from error
