"""The `fems` command: the flows and views from the shell, no Airflow needed."""

from typing import Annotated

import typer

from fems import __version__
from fems.cli import data, forecast, health, inspect, model, monitor, published, quality, sql
from fems.cli import traps as trap_commands
from fems.cli.terminal import explained, out

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"fems {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def fems(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Factory energy: from raw meter files to next month's forecast."""


for command in (
    data.simulate,
    data.land,
    inspect.inspect,
    data.ingest,
    data.reconcile,
    data.process,
    published.status,
    health.health,
    published.describe,
    published.originals,
    published.quarantine,
    quality.quality,
    sql.sql,
    model.train,
    forecast.forecast,
    forecast.report,
    monitor.monitor,
    model.backtest,
    model.promote,
    model.rollback,
    published.schema,
):
    app.command()(explained(command))

traps = typer.Typer(no_args_is_help=True, help="Steam traps: which has failed, since when, what it costs.")
for trap_command in trap_commands.COMMANDS:
    traps.command()(explained(trap_command))
app.add_typer(traps, name="traps")


if __name__ == "__main__":
    app()
