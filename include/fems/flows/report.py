"""The tables that `fems status` and the demo print."""

from typing import Any

from rich import box
from rich.table import Table


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _table(title: str, headings: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_lines=False, pad_edge=False)
    for heading, justify in headings.items():
        table.add_column(heading, justify="left" if justify == "left" else "right", no_wrap=True)
    return table


def _factory(factory_id: str, found: dict[str, Any]) -> str:
    return f"{factory_id}{'*' if found['simulated'] else ''} {found['name']}"


def rows_table(summaries: dict[str, dict[str, Any]]) -> Table:
    """Lay out what came in and what became of it (see `fems.flows.summary.factory_summary`)."""
    headings = dict.fromkeys(("read", "published", "quarantined", "duplicate"), "right")
    table = _table(
        "Rows of all feeds; quality of the published partitions",
        {"factory": "left", **headings, "files refused": "right", "critical": "right", "warnings": "right"},
    )
    for factory_id, found in summaries.items():
        table.add_row(
            _factory(factory_id, found),
            *(_number(found["rows"][name]) for name in headings),
            _number(found["objects"]["quarantined"]),
            _number(found["quality"]["critical_failed"]),
            _number(found["quality"]["warning_failed"]),
        )
    return table


def forecast_table(summaries: dict[str, dict[str, Any]]) -> Table:
    """Lay out the models and what they say of the next month."""
    right = ("model", "one-step", "month-ahead", "weekly naive", "month", "kWh")
    table = _table(
        "Accuracy = 100 x (1 - scaled RMSE); month-ahead and weekly naive on the same held-out window",
        {
            "factory": "left",
            **dict.fromkeys(right, "right"),
            "highest days": "left",
            "highest equipment": "left",
        },
    )
    for factory_id, found in summaries.items():
        accuracy, forecast = found["accuracy"], found["forecast"]
        days = "\n".join(f"{day['date'][5:]} {day['kwh']:>9,.0f}" for day in forecast["peak_days"])
        machines = "\n".join(f"{m['name']} {m['share_pct']:.0f} %" for m in forecast["top_equipment"][:3])
        table.add_row(
            f"{factory_id}{'*' if found['simulated'] else ''}",
            f"v{found['model_version']}" if found["model_version"] else "-",
            *(_number(accuracy[name], 1) for name in ("one_step", "month_ahead", "weekly_naive")),
            forecast["month"] or "-",
            _number(forecast["kwh"]),
            days or "-",
            machines or "-",
        )
    if any(found["simulated"] for found in summaries.values()):
        table.caption = "* simulated data"
    return table
