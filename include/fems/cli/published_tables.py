"""The tables that `fems describe`, `fems originals` and `fems quarantine` print."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fems.cli.tables import SHARES, number, plain_table, shares_of
from fems.contracts.grains import OriginalValue, QuarantinedRow
from fems.contracts.manifest import ROW_COUNTS, ColumnRange, FailedCounts, RowCounts, Shares

if TYPE_CHECKING:
    from fems.contracts.published import Counted, GrainFinding, PublishedData

_SHARES = {"coverage_pct": SHARES["coverage_pct"], "retyped_pct": "retyped %"} | SHARES


def description(data: "PublishedData") -> Iterator[RenderableType]:
    """Lay out what is known of processed data: what it is, months or days, sensors, columns, causes."""
    yield _about(data)
    yield _months(data) if data.month is None else _days(data)
    if data.findings:
        yield _findings(data.findings)
    if data.sensor is None:
        yield _sensors(data.sensors)
        yield _columns(data.columns or {})
    yield _causes(data.causes)


def _about(data: "PublishedData") -> Text:
    sensor = f", sensor {data.sensor}" if data.sensor else ""
    title = f"Factory {data.factory_id} {data.name} ({data.name_ko}), {data.feed}{sensor}"
    changed = (
        ""
        if data.book_versions == (data.book_version_now,)
        else f"; the book says {data.book_version_now} now: the next ingest makes new what it touches"
    )
    lines = {
        "time range": _range(data),
        "definition book": ", ".join(data.book_versions) + changed,
        "code": ", ".join(data.code_versions),
        "raw objects": f"{data.objects.read:,} of these days, {data.objects.quarantined:,} refused whole; "
        f"{data.sources:,} with those that the rules look back on",
        "late rows": f"{len(data.late):,} of these objects hold rows of an earlier month",
        "laws not applied": "; ".join(
            f"{each.law} to {each.sensor} ({', '.join(each.months)})" for each in data.laws_not_applied
        )
        or "none",
        **({"taken out": "; ".join(data.off_levels)} if data.off_levels else {}),
        **({"known as sums": "; ".join(data.register_sums)} if data.register_sums else {}),
        "originals": data.originals or "none, for no row could be used",
        "data package": data.data_package or "none yet",
        **{
            f"{each.month} refused": (
                f"its last evaluation failed ({each.critical_failed} critical)"
                if each.critical_failed
                else "it needs a person's word (fems ingest says what for)"
            )
            + "; what was published before stays"
            for each in data.refused
        },
    }
    width = max(map(len, lines))
    simulated = "  (simulated data)" if data.simulated else ""
    return Text(
        "\n".join([title + simulated, *(f"  {name:<{width}}  {text}" for name, text in lines.items()), ""])
    )


def _range(data: "PublishedData") -> str:
    if data.time_range is None:
        return "no interval"
    zone = ZoneInfo(data.timezone)
    begin, end = (
        f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (data.time_range.start, data.time_range.end)
    )
    return f"{begin} to {end} {data.timezone}, every {data.grain_minutes} min, days: {data.days:,}"


def _months(data: "PublishedData") -> Table:
    """A row a month, and the totals; of one sensor no rows and quality are known."""
    counted = data.sensor is None
    headings = ["days", *(ROW_COUNTS if counted else ()), *_SHARES.values(), "laws off"]
    table = plain_table(
        "Months",
        {"month": "left", **dict.fromkeys(headings, "right"), **({"quality": "left"} if counted else {})},
    )
    for month, each in data.months.items():
        table.add_row(
            month, number(each.days), *_rows(each.rows), *_shares(each.shares),
            number(each.laws_not_applied), *_quality(each.quality, each.empty),
        )  # fmt: skip
    table.add_section()
    table.add_row(
        "all", number(data.days), *_rows(data.rows), *_shares(data.shares),
        number(len(data.laws_not_applied)), *_quality(data.quality),
    )  # fmt: skip
    return table


def _days(data: "PublishedData") -> Table:
    """A row a day of one month, and the total; of one sensor only the total is known."""
    month = data.months[data.month or ""]
    headings = [*(ROW_COUNTS if data.sensor is None else ()), *_SHARES.values()]
    quality = "".join(f"; quality: {text}" for text in _quality(month.quality, month.empty))
    table = plain_table(f"{data.month}{quality}", {"day": "left", **dict.fromkeys(headings, "right")})
    for day, each in (data.by_day or {}).items():
        table.add_row(day.isoformat(), *_rows(each), *shares_of(each, _SHARES))
    table.add_section()
    table.add_row("all", *_rows(data.rows), *_shares(data.shares))
    return table


def _rows(rows: RowCounts | None) -> list[str]:
    return [] if rows is None else [number(getattr(rows, name)) for name in ROW_COUNTS]


def _shares(shares: Shares) -> list[str]:
    return shares_of(shares, _SHARES)


def _quality(quality: FailedCounts | None, empty: bool = False) -> list[str]:
    if quality is None:
        return []
    if empty:
        return ["nothing to evaluate"]
    # what a manifest names was published, so nothing critical failed
    warnings = quality.warning_failed
    return [f"passed, {warnings} warning{'s' if warnings > 1 else ''}" if warnings else "passed"]


def _findings(findings: Sequence["GrainFinding"]) -> Table:
    headings = {"grain": "left", "severity": "left", "expectation": "left", "column": "left", "rows": "right"}
    table = plain_table("Expectations that were not met", {**headings, "why it matters": "fold"})
    for each in findings:
        table.add_row(
            each.grain, each.severity, each.expectation, each.column or "", number(each.unexpected), each.note
        )
    return table


def _sensors(sensors: Mapping[str, "Counted"]) -> Table:
    table = plain_table(
        "Sensors", {"sensor": "left", **dict.fromkeys(("values", *_SHARES.values()), "right")}
    )
    for name, each in sensors.items():
        table.add_row(name, number(each.cells.cells), *_shares(each.shares))
    return table


def _columns(columns: Mapping[str, ColumnRange]) -> Table:
    table = plain_table(
        "Columns, as published",
        {"column": "left", "이름": "left", "unit": "left", "min": "right", "max": "right", "sum": "right"},
    )
    for name, each in columns.items():
        figures = (number(value, 3) for value in (each.min, each.max, each.sum))
        table.add_row(name, each.name_ko, each.unit, *figures)
    return table


def _causes(causes: Mapping[str, int]) -> Table | Text:
    if not causes:
        return Text("No value that was read was taken out.")
    table = plain_table("Values taken out", {"rule": "left", "values": "right"})
    for rule, count in causes.items():
        table.add_row(rule, number(count))
    return table


def originals_table(title: str, rows: Sequence[OriginalValue], limit: int) -> Table:
    """Lay out values that were read and are published otherwise."""
    shown = f", the first {limit:,}" if len(rows) > limit else ""
    table = plain_table(
        f"{title}: {len(rows):,} values that were read and are published otherwise{shown}",
        {
            "time": "left", "sensor": "left", "column": "left", "flag": "left", "cause": "left",
            "original": "fold", "value": "right", "object": "fold", "line": "right",
        },
    )  # fmt: skip
    for row in rows[:limit]:
        value = "-" if row.value is None else f"{row.value:.8g}"
        table.add_row(
            f"{row.timestamp:%Y-%m-%d %H:%M}", row.sensor_id, row.column, row.flag, row.cause,
            Text(row.original), value, _object(row.object), str(row.line),
        )  # fmt: skip
    return table


def quarantine_table(title: str, rows: Sequence[QuarantinedRow], limit: int) -> Table:
    """Lay out rows that could not be used."""
    shown = f", the first {limit:,}" if len(rows) > limit else ""
    table = plain_table(
        f"{title}: {len(rows):,} quarantine records{shown}",
        {"object": "fold", "line": "left", "reason": "fold", "text": "fold"},
    )
    for row in rows[:limit]:
        line = str(row.line) if row.line else "whole object"
        table.add_row(_object(row.object), line, Text(row.reason), Text(row.text[:60]))
    return table


def _object(key: str) -> Text:
    """Return a raw object's day and name; as text, for what others wrote may look like markup."""
    return Text("/".join(key.split("/")[-2:]).removeprefix("date="))
