"""The `fems` command: the flows from the shell, no Airflow needed."""

import json
import logging
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer
from rich.table import Table

from fems.cli import forecast as cli_forecast
from fems.cli import inspect as cli_inspect
from fems.cli import model as cli_model
from fems.cli import monitor as cli_monitor
from fems.cli import quality as cli_quality
from fems.cli.terminal import (
    FactoriesOption,
    FactoryArgument,
    FeedOption,
    FolderOption,
    as_feed,
    err,
    note,
    out,
    platform_over,
)
from fems.errors import ConfigError, DataError, FemsError
from fems.registry.plant import Plant

if TYPE_CHECKING:
    pass

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def explained(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command end in one clear line, exit code 1, where the package can explain the failure."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        for noisy in ("great_expectations", "mlflow", "urllib3", "alembic", "matplotlib"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        try:
            command(*args, **kwargs)
        except FemsError as error:
            err.print(f"[red]error:[/] {type(error).__name__}: ", end="")
            err.print(str(error), markup=False, highlight=False)
            raise typer.Exit(1) from error

    return run


def _chosen(plant: Plant, factories: list[str] | None) -> list[str]:
    for factory_id in factories or []:
        plant.factory(factory_id)
    return factories or list(plant.factories)


def _each(items: Iterable[T], action: Callable[[T], object]) -> None:
    """Do it for every item; bad data of one does not stop the others, and is the command's end."""
    failed: list[DataError] = []
    for item in items:
        try:
            action(item)
        except DataError as error:
            failed.append(error)
    for earlier in failed[:-1]:
        note(f"{type(earlier).__name__}: {earlier}")
    if failed:
        raise failed[-1]


@app.command()
@explained
def simulate(
    directory: Annotated[Path, typer.Argument(help="Where raw/ and truth/ are written.")],
    factories: FactoriesOption = None,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])] = datetime(2025, 1, 1),  # noqa: DTZ001
    months: Annotated[int, typer.Option(min=1)] = 14,
    seed: int = 1,
    grain: Annotated[
        list[str] | None, typer.Option(help="FACTORY=GRAIN, such as 1100=15min; may be repeated.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    clean: Annotated[bool, typer.Option("--clean", help="Write files without faults.")] = False,
) -> None:
    """Write the raw files of a simulated plant, as its collectors would, and the truth beside them."""
    from fems.registry.plant import load_plant
    from fems.settings import settings
    from fems.simulate import FaultRates, simulate

    plant = load_plant(settings().factories_file)
    if grain:
        pairs = dict(g.partition("=")[::2] for g in grain)
        plant = plant.with_grains(cast(Any, pairs))
    faults = FaultRates.none() if clean else FaultRates()
    report = simulate(
        plant, directory, start=start.date(), months=months, seed=seed, factories=factories, faults=faults,
        workers=workers, progress=note,
    )  # fmt: skip
    table = Table(title=f"Simulated raw files in {directory}")
    for heading in ("factory", "files", "rows", "MB", "faults"):
        table.add_column(heading, justify="right")
    for factory_id, written in report.factories.items():
        table.add_row(
            factory_id, f"{written.files:,}", f"{written.rows:,}", f"{written.bytes / 1e6:,.0f}",
            f"{sum(written.faults.values()):,}",
        )  # fmt: skip
    out.print(table)


@app.command()
@explained
def land(
    path: Annotated[
        Path, typer.Argument(help="A collector's file, or a folder that holds raw/ (from fems simulate).")
    ],
    factory: Annotated[str | None, typer.Option(help="Whose file it is; needed for a file.")] = None,
    feed: FeedOption = None,
) -> None:
    """Put raw files into MinIO under raw/, a file of many days as one object a day."""
    from fems.flows.land import QUIET_S, land_file, land_tree
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    if path.is_dir():
        land_tree(platform.lake, path, note)
        return
    if factory is None:
        raise ConfigError(f"{path}: say whose file it is with --factory")
    book = platform.book(as_feed(feed))
    received = date.today()  # noqa: DTZ011
    landed = land_file(platform.lake, platform.plant, book, factory, path, received, quiet_s=QUIET_S)
    out.print(f"{path.name}: {landed.put} raw objects landed, {landed.kept} were there already")


@app.command()
@explained
def ingest(factories: FactoriesOption = None) -> None:
    """Process, evaluate and publish every partition whose raw objects changed."""
    from fems.flows.ingest import ingest_factory
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    _each(_chosen(platform.plant, factories), lambda factory_id: ingest_factory(platform, factory_id, note))


@app.command()
@explained
def process(
    directory: Annotated[
        Path, typer.Argument(help="A folder with raw/, or with one factory's files of any length.")
    ],
    factory: Annotated[str, typer.Option(help="Whose files they are.")],
    output: Annotated[Path, typer.Option("--out", help="Where the tables go.")],
    feed: FeedOption = None,
) -> None:
    """Do what ingest does with files in a folder, no service needed; leaves OUT/summary.json."""
    from fems.flows.offline import process_folder

    summary = process_folder(directory, factory, output, as_feed(feed), progress=note)
    rows = ", ".join(f"{count:,} {name}" for name, count in summary["rows"].items())
    out.print(f"factory {factory}: {rows}; tables in {output}")


@app.command()
@explained
def train(
    factories: FactoriesOption = None,
    epochs: Annotated[int, typer.Option(min=1)] = 50,
    seed: int = 0,
) -> None:
    """Train, score and register a model per factory."""
    from fems.flows.platform import Platform
    from fems.flows.train import train_factory, trainable

    platform = Platform.from_environment()

    def one(factory_id: str) -> None:
        out.print_json(json.dumps(train_factory(platform, factory_id, epochs=epochs, seed=seed)))

    _each(_chosen(platform.plant, factories) if factories else trainable(platform), one)


@app.command()
@explained
def status(
    factories: FactoriesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show what came in, what became of it, and what comes next, per factory."""
    from fems.cli.tables import forecast_table, rows_table
    from fems.flows.platform import Platform
    from fems.views.status import factory_summary

    platform = Platform.from_environment()
    found = {f: factory_summary(f, platform) for f in _chosen(platform.plant, factories)}
    if as_json:
        out.print_json(json.dumps(found, ensure_ascii=False))
    else:
        out.print(rows_table(found))
        out.print(forecast_table(found))


@app.command()
@explained
def describe(
    factory: FactoryArgument,
    feed: FeedOption = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM: this month in detail, day by day.")] = None,
    sensor: Annotated[str | None, typer.Option(help="Sensor ID: its values alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    folder: FolderOption = None,
) -> None:
    """Show what a factory's processed data is made of: rows, coverage, what was replaced and by which rule."""
    from fems.cli.published_tables import description
    from fems.views import published as processed

    found = processed.describe(platform_over(folder), factory, as_feed(feed), month, sensor)
    if as_json:
        out.print_json(json.dumps(found, ensure_ascii=False))
    else:
        out.print(*description(found), sep="\n")


@app.command()
@explained
def originals(
    factory: FactoryArgument,
    month: Annotated[str, typer.Option(help="YYYY-MM.")],
    feed: FeedOption = None,
    sensor: Annotated[str | None, typer.Option(help="Sensor ID: its values alone.")] = None,
    column: Annotated[
        str | None, typer.Option(help="Column of the definition book, such as used_kwh.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    folder: FolderOption = None,
) -> None:
    """Show the values that were read and are published otherwise, each with its cause and where it came from."""
    from fems.cli.published_tables import originals_table
    from fems.views import published as processed

    kind = as_feed(feed)
    rows = processed.originals(platform_over(folder), factory, kind, month, sensor, column)
    out.print(originals_table(f"Factory {factory}, {kind}, {month}", rows, limit))


@app.command()
@explained
def schema(
    book: Annotated[bool, typer.Option("--book", help="Of the definition books instead.")] = False,
) -> None:
    """Print the JSON Schema of factories.yaml, each key with its meaning; editors can check the file with it."""
    from fems.registry.book import Book

    model = Book if book else Plant
    out.print_json(json.dumps(model.model_json_schema(), ensure_ascii=False))


@app.command()
@explained
def quarantine(
    factory: FactoryArgument,
    feed: FeedOption = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    folder: FolderOption = None,
) -> None:
    """Show the rows that could not be used, each with its reason and where it came from."""
    from fems.cli.published_tables import quarantine_table
    from fems.views.status import quarantined

    platform = platform_over(folder)
    platform.plant.factory(factory)
    rows = quarantined(platform, factory, as_feed(feed))
    out.print(quarantine_table(f"Factory {factory}", rows, limit))


for command in (
    cli_inspect.inspect,
    cli_forecast.forecast,
    cli_forecast.report,
    cli_model.backtest,
    cli_model.promote,
    cli_model.rollback,
    cli_monitor.monitor,
    cli_quality.quality,
):
    app.command()(explained(command))


if __name__ == "__main__":
    app()
