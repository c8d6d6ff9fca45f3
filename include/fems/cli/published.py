"""The commands that show what is there: status, describe, originals, quarantine, schema."""

from typing import Annotated

import typer

from fems.cli.terminal import (
    FactoriesArgument,
    FeedOption,
    FolderOption,
    JsonOption,
    as_feed,
    chosen,
    each,
    out,
    platform_over,
    print_json,
)

SensorOption = Annotated[str | None, typer.Option(help="Sensor ID: its values alone.")]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="At most so many rows a factory; 50, or all with --json.")
]
_ROWS = 50


def status(factories: FactoriesArgument = None, as_json: JsonOption = False) -> None:
    """Show what came in, what became of it, and what comes next, per factory."""
    from fems.flows.platform import Platform
    from fems.lake.records import side_by_side
    from fems.views.status import factory_status

    platform = Platform.from_environment()
    wanted = chosen(platform.plant, factories)
    found = side_by_side(lambda factory: factory_status(factory, platform), wanted)
    statuses = dict(zip(wanted, found, strict=True))
    if as_json:
        print_json(statuses)
        return
    from fems.cli.tables import forecast_table, heldout_table, measured_table, rows_table

    out.print(rows_table(statuses))
    out.print(forecast_table(statuses))
    out.print(heldout_table(statuses))
    out.print(measured_table(statuses))


def describe(
    factories: FactoriesArgument = None,
    feed: FeedOption = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM: this month in detail, day by day.")] = None,
    sensor: SensorOption = None,
    as_json: JsonOption = False,
    folder: FolderOption = None,
) -> None:
    """Show what a factory's processed data is made of: rows, coverage, what was replaced and by which rule."""
    from fems.cli.published_tables import description
    from fems.contracts.published import PublishedData
    from fems.views.published import published_data, published_factories

    platform, kind = platform_over(folder), as_feed(feed)

    def show(data: PublishedData) -> PublishedData:
        if not as_json:
            out.print(*description(data), sep="\n")
        return data

    each(
        factories or published_factories(platform, kind, month),
        lambda factory_id: show(published_data(platform, factory_id, kind, month, sensor)),
        print_json if as_json else None,
    )


def originals(
    month: Annotated[str, typer.Option(help="YYYY-MM.")],
    factories: FactoriesArgument = None,
    feed: FeedOption = None,
    sensor: SensorOption = None,
    column: Annotated[
        str | None, typer.Option(help="Column of the definition book, such as used_kwh.")
    ] = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
    folder: FolderOption = None,
) -> None:
    """Show the values that were read and are published otherwise, each with its cause and where it came from."""
    from fems.cli.published_tables import originals_table
    from fems.contracts.grains import OriginalValue
    from fems.views.published import originals, published_factories

    platform, kind = platform_over(folder), as_feed(feed)

    def show(factory_id: str) -> list[OriginalValue]:
        rows = originals(platform, factory_id, kind, month, sensor, column)
        if not as_json:
            out.print(originals_table(f"Factory {factory_id}, {kind}, {month}", rows, limit or _ROWS))
        return rows[:limit]

    known = factories or published_factories(platform, kind, month)
    each(known, show, print_json if as_json else None)


def quarantine(
    factories: FactoriesArgument = None,
    feed: FeedOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
    folder: FolderOption = None,
) -> None:
    """Show the rows that could not be used, each with its reason and where it came from."""
    from fems.cli.published_tables import quarantine_table
    from fems.contracts.grains import QuarantinedRow
    from fems.views.published import quarantined

    platform, kind = platform_over(folder), as_feed(feed)
    known = factories or [f for f in platform.plant.factories if kind in platform.plant.feeds(f)]

    def show(factory_id: str) -> list[QuarantinedRow]:
        rows = quarantined(platform, factory_id, kind)
        if not as_json and (rows or factories):
            out.print(quarantine_table(f"Factory {factory_id}", rows, limit or _ROWS))
        return rows[:limit]

    each(known, show, print_json if as_json else None)


def schema(
    book: Annotated[bool, typer.Option("--book", help="Of the definition books instead.")] = False,
) -> None:
    """Print the JSON Schema of factories.yaml, each key with its meaning; editors can check the file with it."""
    from fems.registry.book import Book
    from fems.registry.plant import Plant

    print_json((Book if book else Plant).model_json_schema())
