"""The commands from raw files to published tables: simulate, land, ingest, process."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from fems.cli.terminal import (
    FactoriesArgument,
    FeedOption,
    JsonOption,
    as_feed,
    chosen,
    each,
    note,
    out,
    print_json,
)
from fems.errors import ConfigError


def simulate(
    directory: Annotated[Path, typer.Argument(help="Where raw/ and truth/ are written.")],
    factories: FactoriesArgument = None,
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
    from fems.cli.tables import number, plain_table
    from fems.registry.plant import load_plant
    from fems.settings import settings
    from fems.simulate import FaultRates, simulate

    plant = load_plant(settings().factories_file)
    if grain:
        pairs = dict(g.partition("=")[::2] for g in grain)
        plant = plant.with_grains(cast(Any, pairs))
    faults = FaultRates.none() if clean else FaultRates()
    report = simulate(
        plant, directory, start=start.date(), months=months, seed=seed, factories=factories or None,
        faults=faults, workers=workers, progress=note,
    )  # fmt: skip
    headings = dict.fromkeys(("files", "rows", "MB", "faults"), "right")
    table = plain_table(f"Simulated raw files in {directory}", {"factory": "left", **headings})
    for factory_id, written in report.factories.items():
        faulty = sum(written.faults.values())
        table.add_row(factory_id, *map(number, (written.files, written.rows, written.bytes / 1e6, faulty)))
    out.print(table)


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
        landed = land_tree(platform.lake, path, note)
    elif factory is None:
        raise ConfigError(f"{path}: say whose file it is with --factory")
    else:
        book = platform.book(as_feed(feed))
        received = date.today()  # noqa: DTZ011
        landed = land_file(platform.lake, platform.plant, book, factory, path, received, quiet_s=QUIET_S)
    out.print(f"{path.name}: {landed.put} raw objects landed, {landed.kept} were there already")


def ingest(
    factories: FactoriesArgument = None,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept",
            help="Publish also a month that has less than the published one, or that is off by the factor of a unit.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Process, evaluate and publish every partition whose raw objects changed."""
    from fems.flows.ingest import ingest_factory
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    each(
        chosen(platform.plant, factories),
        lambda factory_id: ingest_factory(platform, factory_id, note, accept=accept),
        print_json if as_json else None,
    )


def reconcile(factories: FactoriesArgument = None, as_json: JsonOption = False) -> None:
    """List everything in MinIO and make the indexes anew, by which a night finds what is new; ingests nothing."""
    from fems.flows.ingest import reconcile_factory
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    found: dict[str, list[str]] = {}
    for factory_id in chosen(platform.plant, factories):
        months = found[factory_id] = reconcile_factory(platform, factory_id)
        note(f"factory {factory_id}: {', '.join(months) or 'nothing'} to ingest")
    if as_json:
        print_json(found)


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
    rows = ", ".join(f"{count:,} {name}" for name, count in summary.rows)
    out.print(f"factory {factory}: {rows}; tables in {output}")
