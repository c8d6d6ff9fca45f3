"""The tables that `fems describe`, `fems originals` and `fems quarantine` print."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fems.cli.tables import SHARES, number, percent, plain_table
from fems.process.partition import ROW_COUNTS

_SHARES = {"coverage_pct": SHARES["coverage_pct"], "retyped_pct": "retyped %"} | SHARES


def description(found: dict[str, Any]) -> Iterator[RenderableType]:
    """Lay out what `fems.views.published.describe` found: what it is, months or days, sensors, columns, causes."""
    yield _about(found)
    yield _months(found) if found["month"] is None else _days(found)
    if found.get("findings"):
        yield _findings(found["findings"])
    if found["sensor"] is None:
        yield _sensors(found["sensors"])
        yield _columns(found["columns"])
    yield _causes(found)


def _about(found: dict[str, Any]) -> Text:
    sensor = f", sensor {found['sensor']}" if found["sensor"] else ""
    title = f"Factory {found['factory_id']} {found['name']} ({found['name_ko']}), {found['feed']}{sensor}"
    objects, sources = found["objects"], found["sources"]
    known = {
        "time range": _range(found),
        "definition book": _versions(found["book_versions"])
        + ("" if found["book_versions"] == [found["book_version_now"]] else _changed(found)),
        "code": _versions(found["code_versions"]),
        "raw objects": f"{objects['read']:,} of these days, {objects['quarantined']:,} refused whole; "
        f"{sources:,} with those that the rules look back on",
        "late rows": f"{len(found['late']):,} of these objects hold rows of an earlier month",
        "laws not applied": "; ".join(
            f"{each['law']} to {each['sensor']} ({', '.join(each['months'])})"
            for each in found["laws_not_applied"]
        )
        or "none",
        "originals": found["originals"] or "none, for no row could be used",
        "data package": found["data_package"] or "none yet",
        **{
            f"{each['month']} refused": f"its last evaluation failed ({each['critical_failed']} critical); "
            "what was published before stays"
            for each in found["refused"]
        },
    }
    width = max(map(len, known))
    simulated = "  (simulated data)" if found["simulated"] else ""
    return Text(
        "\n".join([title + simulated, *(f"  {name:<{width}}  {text}" for name, text in known.items()), ""])
    )


def _changed(found: dict[str, Any]) -> str:
    return f"; the book says {found['book_version_now']} now: the next ingest makes new what it touches"


def _versions(versions: list[str]) -> str:
    return ", ".join(versions)


def _range(found: dict[str, Any]) -> str:
    if found["time_range"] is None:
        return "no interval"
    zone = ZoneInfo(found["timezone"])
    begin, end = (
        datetime.fromisoformat(found["time_range"][name]).astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for name in ("start", "end")
    )
    return (
        f"{begin} to {end} {found['timezone']}, every {found['grain_minutes']} min, days: {found['days']:,}"
    )


def _months(found: dict[str, Any]) -> Table:
    """A row a month, and the totals."""
    counted = found["sensor"] is None
    headings = ["days", *(ROW_COUNTS if counted else ()), *_SHARES.values(), "laws off"]
    table = plain_table(
        "Months",
        {"month": "left", **dict.fromkeys(headings, "right"), **({"quality": "left"} if counted else {})},
    )

    def add(name: str, each: dict[str, Any]) -> None:
        rows = [number(each["rows"][count]) for count in ROW_COUNTS] if counted else []
        table.add_row(
            name,
            number(each["days"]),
            *rows,
            *_shares(each["shares"]),
            number(len(each["laws_not_applied"])),
            *([_quality(each)] if counted else []),
        )

    for month, each in found["months"].items():
        add(month, each)
    table.add_section()
    add("all", found)
    return table


def _days(found: dict[str, Any]) -> Table:
    """A row a day of one month, and the total; of one sensor only the total is known."""
    counted = found["sensor"] is None
    headings = [*(ROW_COUNTS if counted else ()), *_SHARES.values()]
    quality = f"; quality: {_quality(found['months'][found['month']])}" if counted else ""
    table = plain_table(f"{found['month']}{quality}", {"day": "left", **dict.fromkeys(headings, "right")})

    def add(name: str, rows: dict[str, int], shares: dict[str, float | None]) -> None:
        table.add_row(name, *(number(rows[count]) for count in ROW_COUNTS if counted), *_shares(shares))

    for day, each in found.get("by_day", {}).items():
        add(day, each, each)
    table.add_section()
    add("all", found.get("rows", {}), found["shares"])
    return table


def _shares(found: dict[str, float | None]) -> list[str]:
    return [percent(found[name]) for name in _SHARES]


def _quality(found: dict[str, Any]) -> str:
    if found.get("empty"):
        return "nothing to evaluate"
    # what a manifest names was published, so nothing critical failed
    warnings = found["quality"]["warning_failed"]
    return f"passed, {warnings} warning{'s' if warnings > 1 else ''}" if warnings else "passed"


def _findings(findings: list[dict[str, Any]]) -> Table:
    headings = {"grain": "left", "severity": "left", "expectation": "left", "column": "left", "rows": "right"}
    table = plain_table("Expectations that were not met", {**headings, "why it matters": "fold"})
    for each in findings:
        table.add_row(
            each["grain"], each["severity"], each["expectation"], each["column"] or "",
            number(each["unexpected"]), each["note"],
        )  # fmt: skip
    return table


def _sensors(sensors: dict[str, dict[str, Any]]) -> Table:
    table = plain_table(
        "Sensors", {"sensor": "left", **dict.fromkeys(("values", *_SHARES.values()), "right")}
    )
    for name, each in sensors.items():
        table.add_row(name, number(sum(each["cells"].values())), *_shares(each["shares"]))
    return table


def _columns(columns: dict[str, dict[str, Any]]) -> Table:
    table = plain_table(
        "Columns, as published",
        {"column": "left", "이름": "left", "unit": "left", "min": "right", "max": "right", "sum": "right"},
    )
    for name, each in columns.items():
        table.add_row(
            name,
            each["name_ko"],
            each["unit"],
            number(each["min"], 3),
            number(each["max"], 3),
            number(each["sum"], 3),
        )
    return table


def _causes(found: dict[str, Any]) -> Table | Text:
    if not found["causes"]:
        return Text("No value that was read was taken out.")
    table = plain_table("Values taken out", {"rule": "left", "values": "right"})
    for rule, count in found["causes"].items():
        table.add_row(rule, number(count))
    return table


def originals_table(title: str, rows: list[dict[str, Any]], limit: int) -> Table:
    """Lay out values that were read and are published otherwise (see `fems.views.published.originals`)."""
    shown = f", the first {limit:,}" if len(rows) > limit else ""
    table = plain_table(
        f"{title}: {len(rows):,} values that were read and are published otherwise{shown}",
        {
            "time": "left", "sensor": "left", "column": "left", "flag": "left", "cause": "left",
            "original": "fold", "value": "right", "object": "fold", "line": "right",
        },
    )  # fmt: skip
    for row in rows[:limit]:
        value = "-" if row["value"] is None else f"{row['value']:.8g}"
        table.add_row(
            f"{row['timestamp']:%Y-%m-%d %H:%M}", row["sensor_id"], row["column"], row["flag"], row["cause"],
            Text(row["original"]), value, _object(row["object"]), str(row["line"]),
        )  # fmt: skip
    return table


def quarantine_table(title: str, rows: list[dict[str, Any]], limit: int) -> Table:
    """Lay out rows that could not be used (see `fems.views.status.quarantined`)."""
    table = plain_table(
        f"{title}: {len(rows):,} quarantine records",
        {"object": "fold", "line": "left", "reason": "fold", "text": "fold"},
    )
    for row in rows[:limit]:
        line = str(row["line"]) if row["line"] else "whole object"
        table.add_row(_object(row["object"]), line, Text(row["reason"]), Text(row["text"][:60]))
    return table


def _object(key: str) -> Text:
    """Return a raw object's day and name; as text, for what others wrote may look like markup."""
    return Text("/".join(key.split("/")[-2:]).removeprefix("date="))
