"""The command `fems monitor`: how the past forecasts did, and whether the models still fit."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from fems.cli.terminal import FactoriesArgument, JsonOption, chosen, each, out, print_json
from fems.contracts.track_record import FACTORY

if TYPE_CHECKING:
    from fems.flows.monitor import MonitorResult


def monitor(
    factories: FactoriesArgument = None,
    equipment: Annotated[
        bool, typer.Option("--equipment", help="A row for every machine, and not for the factory alone.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Join past forecasts with what was measured since, and say which models no longer fit; asks for no training.

    None named means every factory that has published meter data.
    """
    from fems.flows.monitor import look
    from fems.flows.platform import Platform
    from fems.flows.train import trainable

    platform = Platform.from_environment()

    def show(results: "Mapping[str, MonitorResult]") -> None:
        if as_json:
            print_json({factory_id: as_plain(result) for factory_id, result in results.items()})
            return
        simulated = {factory_id for factory_id in results if platform.plant.factory(factory_id).simulated}
        out.print(record_table(results, simulated, equipment))
        for factory_id, result in results.items():
            out.print(f"{factory_id}: {verdict(result)}", highlight=False, markup=False)

    asked = chosen(platform.plant, factories) if factories else trainable(platform)
    each(asked, lambda factory_id: look(platform, factory_id), show)


def record_table(results: "Mapping[str, MonitorResult]", simulated: set[str], equipment: bool) -> Table:
    """Lay out the track records (see `fems.monitor.record.COLUMNS`)."""
    from fems.cli.tables import number, plain_table

    right = ("hours", "actual kWh", "forecast kWh", "bias %", "accuracy", "weekly naive", "in the 80 % band")
    shown = plain_table(
        "Forecasts beside what was measured since; accuracy = 100 x (1 - scaled RMSE), month-ahead",
        {**dict.fromkeys(("factory", "from", "model", "sensor"), "left"), **dict.fromkeys(right, "right")},
    )
    for factory_id, result in results.items():
        table = result.track_record
        rows = table if equipment else table[table["sensor_id"] == FACTORY]
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


def verdict(result: "MonitorResult") -> str:
    """Say in a line whether a factory's model still fits."""
    if result.champion is None:
        return "no model yet"
    if result.reason:
        return result.reason
    if result.standing is None:
        return (
            f"model v{result.champion}: its inputs have not moved; too few days measured to say how it does"
        )
    now = result.standing
    return (
        f"model v{result.champion} holds: accuracy {now.accuracy:.1f} against {now.weekly_naive:.1f} of weekly naive "
        f"over the last {now.days} days; its inputs have not moved"
    )


def as_plain(result: "MonitorResult") -> dict[str, object]:
    """Return findings as JSON holds them; what could not be told is null."""
    rows = json.loads(result.track_record.to_json(orient="records", date_format="iso"))
    return {"champion": result.champion, "reason": result.reason, "track_record": rows}


def _known(value: float) -> float | None:
    return None if value != value else value
