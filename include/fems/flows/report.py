"""The table that `fems status` and the demo print."""

from typing import Any

from rich.table import Table


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def summary_table(summaries: dict[str, dict[str, Any]]) -> Table:
    """Lay out factory summaries, a row a factory (see `fems.flows.summary.factory_summary`)."""
    table = Table(
        title="Factories",
        caption="Accuracy = 100 x (1 - RMSE of min-max scaled values). * simulated data.",
        show_lines=True,
    )
    for heading in (
        "factory", "rows read", "published", "quaran-\ntined", "dupli-\ncates", "quality\ncrit./warn.", "model",
        "one-step", "month-\nahead", "weekly\nnaive", "forecast", "kWh", "highest days", "highest equipment",
    ):  # fmt: skip
        text = heading in ("factory", "forecast", "highest days", "highest equipment")
        table.add_column(heading, justify="left" if text else "right")
    for factory_id, found in summaries.items():
        rows, quality, accuracy, forecast = found["rows"], found["quality"], found["accuracy"], found["forecast"]
        top = forecast["top_equipment"][:1]
        table.add_row(
            f"{factory_id}{'*' if found['simulated'] else ''}\n{found['name']}",
            _number(rows["read"]), _number(rows["published"]), _number(rows["quarantined"]), _number(rows["duplicate"]),
            f"{quality['critical_failed']} / {quality['warning_failed']}",
            f"v{found['model_version']}" if found["model_version"] else "-",
            _number(accuracy["one_step"], 1), _number(accuracy["month_ahead"], 1), _number(accuracy["weekly_naive"], 1),
            forecast["month"] or "-",
            _number(forecast["kwh"]),
            "\n".join(f"{day['date'][5:]} {day['kwh']:,.0f}" for day in forecast["peak_days"]),
            "\n".join(f"{machine['name']} {machine['share_pct']:.0f} %" for machine in top),
        )  # fmt: skip
    return table
