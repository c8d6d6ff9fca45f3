"""`python -m benchmarks.truth`: score processing against the simulator's truth, alone and in some detail."""

from datetime import datetime
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.truth import report
from benchmarks.truth.score import of_plant
from embedded.config import Config
from fems.errors import FemsError
from fems.settings import settings


def main(
    months: Annotated[int, typer.Option(min=1, help="How many months.")] = 3,
    factory: Annotated[
        list[str] | None, typer.Option(help="Only these; all simulated ones if not given.")
    ] = None,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = datetime(2025, 3, 1),  # noqa: DTZ001
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 1,
    show: Annotated[
        bool, typer.Option("--list", help="List missed faults and changed sound values.")
    ] = False,
) -> None:
    """Score processing against the simulator's truth."""
    begun = perf_counter()
    console = Console()
    try:
        bench = Config.from_environment().state / "bench"
        score, what = of_plant(
            bench, settings(), factories=factory, start=start.date(), months=months, seed=seed
        )
    except FemsError as error:
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error
    console.print(what)
    for table in [*report.tables(score), *(report.lists(score) if show else ())]:
        console.print(table)
    typer.echo(f"{perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    typer.run(main)
