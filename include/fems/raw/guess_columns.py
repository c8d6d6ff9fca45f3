"""Which columns of a strange file are which of ours, and what is not sure of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fems.raw.look import ColumnLook
from fems.raw.text import TextTable
from fems.registry import units
from fems.registry.book import Book

WHICH = "which sensor of factories.yaml it is"
_BY_UNIT = {
    "energy": "used_kwh",
    "power": "used_kwh",
    "reactive energy": "reactive_kvarh",
    "reactive power": "reactive_kvarh",
    "current": "current_a",
    "share": "power_factor_pct",
    "temperature": "temperature_c",
}


@dataclass
class Guess:
    """What a file looks like.

    Attributes:
        container: such as `text in UTF-8, fields parted by ';'`.
        rows: rows below the header.
        columns: what each of them holds.
        mapping: keys of a mapping that may fit.
        doubts: key of the mapping -> why it is not sure.
        interval_minutes: from row to row of one sensor, None if that is not regular.
        gaps: steps that are longer.
        first: the first time as it is written; last: the last one.
    """

    container: str
    rows: int = 0
    columns: list[ColumnLook] = field(default_factory=list)
    mapping: dict[str, Any] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    interval_minutes: int | None = None
    gaps: int = 0
    first: str = ""
    last: str = ""


def find_columns(table: TextTable, alike: Sequence[TextTable], made: Guess, book: Book) -> None:
    """Find the columns of values and the sensor.

    Args:
        table: the file's table, or its largest.
        alike: the tables of all sheets with the same header.
        made: what is known so far, and is added to.
        book: of the feed.
    """
    columns = made.mapping["columns"]
    taken = {"timestamp": columns.get("timestamp")}
    aliases = {
        alias.casefold(): name for name, column in book.columns.items() for alias in (name, *column.aliases)
    }
    values = [look for look in made.columns if look.kind == "number"]
    if "row_per_day" in made.mapping:
        _find_sensor(alike, made, book, taken)
        return
    for look in values:
        quantity = units.quantity_of(look.unit or "")
        ours = aliases.get(look.name.casefold()) or _BY_UNIT.get(quantity or "", "")
        if ours in book.columns and ours not in taken:
            taken[ours] = columns[ours] = look.name
            if look.name.casefold() not in aliases:
                made.doubts[f"columns.{ours}"] = f"by its unit, {look.unit}"
    required = [name for name, column in book.columns.items() if column.required and name not in taken]
    free = [look for look in values if look.name not in taken.values()]
    in_rows = any(name.casefold() in units.IN_COLUMNS for name in table.header)
    for ours, look in zip(required, free, strict=False):
        taken[ours] = columns[ours] = look.name
        asked = "" if in_rows else f"; and its unit, if not {book.columns[ours].unit}?"
        made.doubts[f"columns.{ours}"] = f"it is a column of numbers{asked}"
    for ours, name in list(columns.items()):
        value = next((each for each in values if each.name == name), None)
        if value is not None and value.either:
            made.mapping["decimal"] = "."
            made.doubts["decimal"] = (
                f"{value.examples[0]} may be two numbers: is the mark the decimal one, or of thousands?"
            )
        if value is not None and value.register:
            made.mapping.setdefault("cumulative", {})[ours] = float(
                10 ** max(5, len(str(int(value.high or 0))))
            )
            made.doubts["cumulative"] = (
                "its values only rise: a running register? and where does it roll over?"
            )
            if value.unit is not None:
                made.mapping["units"] = {ours: value.unit}
    _find_sensor(alike, made, book, taken)
    _find_wide(values, made, book)


def _find_wide(values: list[ColumnLook], made: Guess, book: Book) -> None:
    """Several columns of one quantity, and no column of sensors: a column a meter."""
    main = book.main_column
    unit = next((look.unit for look in values if look.name == made.mapping["columns"].get(main)), None)
    alike = [look for look in values if look.unit == unit and not look.register and unit is not None]
    if len(alike) < 2 or "constants" not in made.mapping:
        return
    del made.mapping["constants"], made.mapping["columns"][main]
    made.doubts.pop("constants", None)
    made.mapping["layout"] = "wide"
    made.mapping["wide"] = {look.name: f"SENSOR{i}/{main}" for i, look in enumerate(alike, start=1)}
    made.doubts["wide"] = "a column a meter? leave out a total, which would count twice; " + WHICH


def _find_sensor(alike: Sequence[TextTable], made: Guess, book: Book, taken: Mapping[str, object]) -> None:
    names = {alias.casefold() for alias in ("sensor_id", *book.sensor_aliases)}
    texts = [
        look
        for look in made.columns
        if look.kind in ("text", "number")
        and look.name not in taken.values()
        and look.name.casefold() not in units.IN_COLUMNS
    ]
    named = next((look for look in texts if look.name.casefold() in names), None)
    several = [look for look in texts if look.kind == "text" and 2 <= look.distinct <= 500]
    if named is not None:
        made.mapping["columns"]["sensor_id"] = named.name
    elif several:
        made.mapping["columns"]["sensor_id"] = several[0].name
        made.doubts["columns.sensor_id"] = (
            f"it holds {several[0].distinct} texts, such as {several[0].examples[0]!r}"
        )
        if len(several) > 1:
            both = f"[{several[0].name}, {several[1].name}]"
            made.doubts["columns.sensor_id"] += f"; if it takes both to name a meter: {both}"
    elif len(alike) > 1 and _overlap(alike, taken.get("timestamp")):
        made.mapping["sheet_name"] = "^(?P<sensor_id>.+)$"
        made.doubts["sheet_name"] = f"a sheet a meter? `sensors` says {WHICH}"
    else:
        made.mapping["constants"] = {"sensor_id": "SENSOR"}
        made.doubts["constants"] = WHICH


def _overlap(alike: Sequence[TextTable], times: object) -> bool:
    """Tell whether two sheets hold the same times: then they are of two meters."""
    named = [times] if isinstance(times, str) else list(times) if isinstance(times, list) else []
    first = [name for name in named if name in alike[0].columns]
    if not first:
        return False
    one, other = (set(zip(*(each.columns[n].to_pylist() for n in first), strict=True)) for each in alike[:2])
    return len(one & other) * 2 > min(len(one), len(other))
