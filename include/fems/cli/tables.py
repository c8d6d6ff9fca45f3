"""The tables that `fems status` and the demo print, and what all printed tables share."""

from collections.abc import Mapping

from rich import box
from rich.table import Table

from fems.contracts.manifest import RowCounts, Shares
from fems.contracts.status import FactoryStatus

SHARES = {"coverage_pct": "coverage %", "replaced_pct": "replaced %", "filled_pct": "filled %"}
"""Shares of all values that a person asks for first, and their headings."""


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands separators, a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def plain_table(title: str, headings: dict[str, str]) -> Table:
    """Return an empty table without lines.

    Args:
        title: above it.
        headings: heading -> left or right; `fold` is left, and a long text runs on in the next line.
    """
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_lines=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for heading, justify in headings.items():
        table.add_column(
            heading,
            justify="right" if justify == "right" else "left",
            no_wrap=justify != "fold",
            overflow="fold" if justify == "fold" else "ellipsis",
        )
    return table


def percent(share: float | None) -> str:
    """Write a share that is given in %; what is not quite nothing or not quite all does not look like it."""
    if share is None:
        return "-"
    return "<0.01" if 0 < share < 0.005 else ">99.99" if 99.995 <= share < 100 else f"{share:.2f}"


def shares_of(shares: Shares, names: Mapping[str, str] = SHARES) -> list[str]:
    """Write some shares, in the order of the names."""
    return [percent(getattr(shares, name)) for name in names]


def rows_table(statuses: Mapping[str, FactoryStatus]) -> Table:
    """Lay out what came in and what became of it."""
    headings = dict.fromkeys(RowCounts.model_fields, "right")
    others = ("files refused", *SHARES.values(), "critical", "warnings")
    table = plain_table(
        "Rows and values of all feeds; quality of the published partitions",
        {"factory": "left", **headings, **dict.fromkeys(others, "right")},
    )
    for factory_id, status in statuses.items():
        table.add_row(
            f"{factory_id}{'*' if status.simulated else ''} {status.name}",
            *(number(getattr(status.rows, name)) for name in headings),
            number(status.objects.quarantined),
            *shares_of(status.shares),
            number(status.quality.critical_failed),
            number(status.quality.warning_failed),
        )
    return table


def forecast_table(statuses: Mapping[str, FactoryStatus]) -> Table:
    """Lay out the models and what they say of the next month."""
    right = ("model", "one-step", "month-ahead", "weekly naive", "month", "kWh")
    table = plain_table(
        "Accuracy = 100 x (1 - scaled RMSE); month-ahead and weekly naive on the same held-out window",
        {
            "factory": "left",
            **dict.fromkeys(right, "right"),
            "highest days": "left",
            "highest equipment": "left",
        },
    )
    for factory_id, status in statuses.items():
        accuracy, forecast = status.accuracy, status.forecast
        days = "\n".join(f"{day.date:%m-%d} {day.kwh:>9,.0f}" for day in forecast.peak_days)
        machines = "\n".join(f"{m.name} {m.share_pct:.0f} %" for m in forecast.top_equipment[:3])
        table.add_row(
            f"{factory_id}{'*' if status.simulated else ''}",
            f"v{status.model_version}" if status.model_version else "-",
            *(number(each, 1) for each in (accuracy.one_step, accuracy.month_ahead, accuracy.weekly_naive)),
            forecast.month or "-",
            number(forecast.kwh),
            days or "-",
            machines or "-",
        )
    if any(status.simulated for status in statuses.values()):
        table.caption = "* simulated data"
    return table


def heldout_table(statuses: Mapping[str, FactoryStatus]) -> Table:
    """Lay out what the models got wrong on the month that their training held out."""
    right = ("month-ahead", "weekly naive", "profile", "total off %", "hours in band %")
    table = plain_table(
        "How far to trust it: accuracy on the last 42,300 minutes before training's end, which it did not see",
        {"factory": "left", **dict.fromkeys(right, "right"), "in words": "fold"},
    )
    for factory_id, status in statuses.items():
        held = status.heldout
        if held is not None:
            table.add_row(
                f"{factory_id}{'*' if status.simulated else ''}",
                *(number(each, 1) for each in (held.accuracy, held.weekly_naive, held.profile)),
                f"{held.total_error_pct:+.1f}",
                number(100 * held.coverage_80),
                _in_words(status),
            )
    return table


def measured_table(statuses: Mapping[str, FactoryStatus]) -> Table:
    """Lay out the last forecast of each factory that was measured since."""
    right = ("hours", "measured kWh", "forecast kWh", "off %", "accuracy", "weekly naive", "hours in band %")
    table = plain_table(
        "The last forecasts beside what was measured since (`fems monitor` has all of them)",
        {"factory": "left", "month": "left", "model": "left", **dict.fromkeys(right, "right")},
    )
    for factory_id, status in statuses.items():
        last = status.measured
        if last is not None:
            table.add_row(
                f"{factory_id}{'*' if status.simulated else ''}",
                last.month,
                f"v{last.model_version}" if last.model_version.isdigit() else last.model_version,
                *(number(each) for each in (last.hours, last.actual_kwh, last.forecast_kwh)),
                "-" if last.bias_pct is None else f"{last.bias_pct:+.1f}",
                *(number(each, 1) for each in (last.accuracy, last.weekly_naive_accuracy)),
                number(None if last.coverage_80 is None else 100 * last.coverage_80),
            )
    return table


def _in_words(status: FactoryStatus) -> str:
    """Say where a model is not to be trusted; nothing where its figures are fair."""
    held, last = status.heldout, status.measured
    parts = []
    if held is not None and held.is_poor:
        parts.append("far off on the held-out month")
    if held is not None and held.accuracy < max(held.weekly_naive, held.profile):
        parts.append("a simple method was ahead there")
    if last is not None and last.is_far_off:
        parts.append(f"{last.month} came out far off ({last.bias_pct:+.1f} %)")
    if last is not None and last.naive_ahead:
        parts.append("weekly naive was ahead in the month measured since")
    return "; ".join(parts)
