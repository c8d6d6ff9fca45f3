"""The command `fems monitor`: how the past forecasts did, and whether the models still fit."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from fems.cli.terminal import FactoriesOption, out

if TYPE_CHECKING:
    from fems.flows.monitor import MonitorResult


def monitor(
    factories: FactoriesOption = None,
    equipment: Annotated[
        bool, typer.Option("--equipment", help="A row for every machine, and not for the factory alone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Join past forecasts with what was measured since, and say which models no longer fit; asks for no training."""
    from fems.flows.monitor import look
    from fems.flows.platform import Platform
    from fems.flows.train import trainable

    platform = Platform.from_environment()
    for factory_id in factories or []:
        platform.plant.factory(factory_id)
    found = {factory_id: look(platform, factory_id) for factory_id in factories or trainable(platform)}
    if as_json:
        typer.echo(
            json.dumps({key: as_plain(one) for key, one in found.items()}, ensure_ascii=False, indent=1)
        )
        return
    simulated = {key for key in found if platform.plant.factory(key).simulated}
    out.print(record_table(found, simulated, equipment))
    for factory_id, one in found.items():
        out.print(f"{factory_id}: {verdict(one)}", highlight=False, markup=False)


def record_table(found: "dict[str, MonitorResult]", simulated: set[str], equipment: bool) -> Table:
    """Lay out the track records (see `fems.monitor.record.COLUMNS`)."""
    from fems.cli.tables import number, plain_table

    right = ("hours", "actual kWh", "forecast kWh", "bias %", "accuracy", "weekly naive", "in the 80 % band")
    shown = plain_table(
        "Forecasts beside what was measured since; accuracy = 100 x (1 - scaled RMSE), month-ahead",
        {**dict.fromkeys(("factory", "from", "model", "sensor"), "left"), **dict.fromkeys(right, "right")},
    )
    for factory_id, one in found.items():
        rows = one.track_record if equipment else one.track_record[one.track_record["sensor_id"] == ""]
        for row in rows.to_dict("records"):
            shown.add_row(
                f"{factory_id}{'*' if factory_id in simulated else ''}",
                f"{row['origin']:%Y-%m-%d}",
                f"v{row['model_version']}" if row["model_version"].isdigit() else row["model_version"],
                row["sensor_id"] or "(factory)",
                *(number(row[name]) for name in ("hours", "actual_kwh", "forecast_kwh")),
                *(number(_known(row[name]), 1) for name in ("bias_pct", "accuracy", "weekly_naive_accuracy")),
                number(_known(row["coverage_80"]), 2),
            )
    if simulated:
        shown.caption = "* simulated data"
    return shown


def verdict(found: "MonitorResult") -> str:
    """Say in a line whether a factory's model still fits."""
    if found.champion is None:
        return "no model yet"
    if found.reason:
        return found.reason
    if found.standing is None:
        return f"model v{found.champion}: its inputs have not moved; too few days measured to say how it does"
    now = found.standing
    return (
        f"model v{found.champion} holds: accuracy {now.accuracy:.1f} against {now.weekly_naive:.1f} of weekly naive "
        f"over the last {now.days} days; its inputs have not moved"
    )


def as_plain(found: "MonitorResult") -> dict[str, Any]:
    """Return findings as JSON holds them; what could not be told is null."""
    rows = json.loads(found.track_record.to_json(orient="records", date_format="iso"))
    return {"champion": found.champion, "reason": found.reason, "track_record": rows}


def _known(value: float) -> float | None:
    return None if value != value else value
