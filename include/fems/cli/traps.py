"""The commands `fems traps ...`: which steam trap has failed, since when, what it costs; and what people know of it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from fems.cli.terminal import FactoriesArgument, FolderOption, out, platform_over
from fems.errors import ConfigError

DayArgument = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="YYYY-MM-DD.")]
NoteArgument = Annotated[str, typer.Argument(help="What was done, or seen.")]
AllOption = Annotated[bool, typer.Option("--all", help="Closed events, too.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def watch(factories: FactoriesArgument = None, folder: FolderOption = None) -> None:
    """Judge every published day of each trap, and publish the tables trap_day and trap_events."""
    from fems.flows.traps import trap_factories, watch_traps

    platform = platform_over(folder)
    chosen = trap_factories(platform, factories)
    if not chosen:
        raise ConfigError("no factory with steam traps has published data; run ingest first")
    for factory_id in chosen:
        result = watch_traps(platform, factory_id)
        states = ", ".join(f"{count} {state}" for state, count in result.states.items())
        out.print(
            f"{factory_id}: {result.traps} traps up to {result.last_day}: {states}; {len(result.open)} open "
            f"events{'' if result.published else '; nothing new'}",
            highlight=False,
        )


def show(
    factories: FactoriesArgument = None, as_json: JsonOption = False, folder: FolderOption = None
) -> None:
    """Show each trap's state, those that cost most first."""
    from fems.views.traps import newest

    _print(
        newest(platform_over(folder), factories),
        "Steam traps on the last published day; what a leak costs a day is likely, with a band",
        (
            "factory_id",
            "trap_id",
            "name",
            "state",
            "confidence",
            "since",
            "kg_a_day",
            "cost_a_day",
            "currency",
            "reason",
        ),
        as_json,
    )


def events(
    factories: FactoriesArgument = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
    folder: FolderOption = None,
) -> None:
    """List the events, the newest first, with people's word on them."""
    from fems.views.traps import event_rows

    rows = [row for row in event_rows(platform_over(folder), factories) if everything or row["end"] is None]
    columns = (
        "event_id",
        "kind",
        "start",
        "detected",
        "end",
        "confidence",
        "steam_kg",
        "cost",
        "currency",
        "word",
    )
    _print(rows, "Events of steam traps", columns, as_json)


def record(
    factories: FactoriesArgument = None, as_json: JsonOption = False, folder: FolderOption = None
) -> None:
    """Show how many alarms were right, by people's word on them."""
    from fems.views.traps import track_record

    rows = track_record(platform_over(folder), factories)
    _print(
        rows,
        "Alarms by people's word",
        ("factory_id", "events", "judged", "right", "wrong", "right_pct"),
        as_json,
    )


def saved(
    factories: FactoriesArgument = None, as_json: JsonOption = False, folder: FolderOption = None
) -> None:
    """Show what mended traps saved: the factory's energy a day before the repair against after it."""
    from fems.views.traps import savings

    columns = (
        "factory_id",
        "trap_id",
        "repaired",
        "machine",
        "before_kwh_a_day",
        "after_kwh_a_day",
        "change_pct",
        "days",
        "loss_avoided_kg_a_day",
    )
    _print(savings(platform_over(folder), factories), "Before against after each repair", columns, as_json)


def repaired(
    trap: Annotated[str, typer.Argument(help="Trap ID, such as 1100-T01.")],
    day: DayArgument,
    note: NoteArgument = "",
    folder: FolderOption = None,
) -> None:
    """Write a repair down; the trap's baseline begins anew from that day."""
    from fems.flows.trap_records import add_repair
    from fems.registry.steam_traps import Repair

    add_repair(platform_over(folder), Repair(trap_id=trap, day=day.date(), note=note))
    out.print(
        f"{trap}: repaired on {day:%Y-%m-%d}; its baseline begins anew (next: fems traps watch)",
        highlight=False,
    )


def stop(
    factory: Annotated[str, typer.Argument(help="Factory ID.")],
    first: DayArgument,
    last: DayArgument,
    line: Annotated[str | None, typer.Option(help="One steam line alone.")] = None,
    trap: Annotated[str | None, typer.Option(help="One trap alone, whose valve is shut.")] = None,
    note: str = "",
    folder: FolderOption = None,
) -> None:
    """Write a planned stop down: no alarm comes of these days."""
    from pydantic import ValidationError

    from fems.flows.trap_records import add_stop
    from fems.registry.steam_traps import Stop

    try:
        planned = Stop(first=first.date(), last=last.date(), line=line, trap_id=trap, note=note)
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    add_stop(platform_over(folder), factory, planned)
    out.print(f"{factory}: no steam by plan from {first:%Y-%m-%d} to {last:%Y-%m-%d}", highlight=False)


def verdict(
    event: Annotated[str, typer.Argument(help="Event ID, see `fems traps events`.")],
    word: Annotated[str, typer.Argument(help="confirmed, false_alarm or repaired.")],
    note: NoteArgument = "",
    folder: FolderOption = None,
) -> None:
    """Keep your word on an event; `fems traps record` counts how many alarms were right."""
    from typing import get_args

    from fems.flows.trap_records import add_verdict
    from fems.registry.trap_records import Word

    if word not in get_args(Word):
        raise ConfigError(f"{word!r}: write one of {', '.join(get_args(Word))}")
    add_verdict(platform_over(folder), event, word, datetime.now(UTC).date(), note)  # type: ignore[arg-type]
    out.print(f"{event}: {word}", highlight=False)


def worklist(
    target: Annotated[Path, typer.Option("--out", help="The Excel file to write.")],
    factories: FactoriesArgument = None,
    folder: FolderOption = None,
) -> None:
    """Write the open events as a work list in Excel, what costs most first."""
    from fems.views.traps import work_list

    content, count = work_list(platform_over(folder), factories)
    target.write_bytes(content)
    out.print(f"{count} open events in {target}", highlight=False)


def page(
    factory: Annotated[str, typer.Argument(help="Factory ID.")],
    target: Annotated[Path, typer.Argument(help="The HTML file to write.")],
    folder: FolderOption = None,
) -> None:
    """Write a factory's page of steam traps as one HTML file."""
    from fems.views.traps import traps_page

    target.write_text(traps_page(platform_over(folder), factory), encoding="utf-8")
    out.print(f"written to {target}", highlight=False)


COMMANDS = (watch, show, events, record, saved, repaired, stop, verdict, worklist, page)


def _print(rows: Sequence[Mapping[str, object]], title: str, columns: tuple[str, ...], as_json: bool) -> None:
    from fems.cli.tables import plain_table

    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        return
    numbers = {name for row in rows for name in columns if isinstance(row.get(name), int | float)}
    table = plain_table(title, {name: "right" if name in numbers else "left" for name in columns})
    for row in rows:
        table.add_row(*(_written(row.get(name)) for name in columns))
    out.print(table)


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return value.isoformat() if isinstance(value, date) else str(value)
