"""`fems health`: is everything at work?"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from fems.cli.terminal import FactoriesArgument, JsonOption, out, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from fems.views.health import Health


def health(factories: FactoriesArgument = None, as_json: JsonOption = False) -> None:
    """Show services, how old each factory's data is, and the disk; ends with 1 where something needs a look."""
    from fems.flows.platform import Platform
    from fems.views.health import health as ask

    seen = ask(Platform.from_environment(), datetime.now(UTC), factory_ids=factories or None)
    if as_json:
        print_json(seen)
    else:
        for table in health_tables(seen):
            out.print(table)
    if not seen.ok:
        raise typer.Exit(1)


def health_tables(seen: "Health") -> list["Table"]:
    """Lay out services and disk, the Dags where they are known, and the factories."""
    from fems.cli.tables import plain_table

    def state(ok: bool) -> str:
        return "good" if ok else "LOOK"

    def moment(at: datetime | None) -> str:
        return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    services = plain_table("Services", {"service": "left", "state": "left", "": "fold"})
    for each in seen.services:
        services.add_row(each.name, state(each.ok), each.detail)
    if seen.disk is not None:
        free = (
            f"{seen.disk.free_mb / 1024:,.1f} of {seen.disk.total_mb / 1024:,.1f} GB free, {seen.disk.folder}"
        )
        services.add_row("disk", state(seen.disk.ok), free)
    tables = [services]
    if seen.dags:
        dags = plain_table("Dags", {"dag": "left", "last run": "left", "last good run ended": "left"})
        for dag in seen.dags:
            dags.add_row(dag.dag_id, dag.last_state or "none yet", moment(dag.last_good))
        tables.append(dags)
    headings = {"factory": "left", "last measured day": "left", "days ago": "right", "": "left"}
    data = plain_table(
        "Data", {**headings, "last evaluated": "left", "forecast of": "left", "problem": "fold"}
    )
    for factory in seen.factories:
        data.add_row(
            f"{factory.factory_id} {factory.name}",
            str(factory.last_day or "-"),
            "-" if factory.lag_days is None else str(factory.lag_days),
            state(factory.ok),
            moment(factory.ingested_at),
            factory.forecast_month or "-",
            factory.problem,
        )
    return [*tables, data]
