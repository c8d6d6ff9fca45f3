"""`fems inspect`: what a strange file looks like, a mapping to paste, and its first rows as they would be published."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
import yaml
from rich.markup import escape
from rich.table import Table

from fems.cli.terminal import FeedOption, JsonOption, as_feed, out, print_json
from fems.errors import ConfigError, UndecodableObject

if TYPE_CHECKING:
    from fems.raw.guess_columns import Guess
    from fems.registry.book import Book
    from fems.registry.feed import FactoryFeed
    from fems.registry.plant import Plant

_SHOWN = 6


@dataclass
class Trial:
    """What a mapping makes of a file: rows read, how many go to quarantine and why, the first ones; or why it fails.

    `repeated`: rows of a sensor and time that have one already.
    """

    read: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    rows: list[dict[str, str | float]] = field(default_factory=list)
    repeated: int = 0
    error: str | None = None


def inspect(
    file: Annotated[Path, typer.Argument(help="A collector's file of any kind.")],
    factory: Annotated[
        str | None, typer.Option(help="Whose file it is: what the mapping that it has makes of the file.")
    ] = None,
    feed: FeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a strange file looks like, a mapping to paste into factories.yaml, and its first rows."""
    from fems.raw.guess import guess
    from fems.registry.book import load_book
    from fems.registry.plant import load_plant
    from fems.settings import settings

    kind = as_feed(feed)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
    plant = load_plant(settings().factories_file)
    book = load_book(settings().definitions_dir, kind, plant)
    try:
        look = guess(data, book)
    except UndecodableObject as error:
        raise UndecodableObject(f"{file.name}: {error}") from error
    zone = plant.factory(factory).timezone if factory else "Asia/Seoul"
    trial = _trial(data, file.name, look.mapping, look.interval_minutes, book, zone)
    own = _as_it_is(data, file.name, plant, book, factory) if factory else None
    if as_json:
        print_json({**asdict(look), "trial": asdict(trial), "own": asdict(own) if own else None})
        return
    out.print(f"{file.name}: {look.container}, {look.rows:,} rows", markup=False)
    out.print(_columns(look))
    if look.first:
        every = f"every {look.interval_minutes} minutes" if look.interval_minutes else "at no steady interval"
        out.print(f"from {look.first} to {look.last}, {every}, {look.gaps} gaps", markup=False)
    out.print("\nA mapping to paste below `mappings:` (lines with `?` are not sure):\n")
    out.print(_yaml(look.mapping, look.doubts), markup=False, highlight=False)
    _show("With this mapping", trial, zone)
    if own is not None:
        _show(f"With the mapping that factory {factory} has", own, zone)


def _columns(look: "Guess") -> Table:
    table = Table(title="Columns")
    for heading in ("column", "holds", "unit in the header", "distinct", "level", "such as"):
        table.add_column(heading)
    for column in look.columns:
        level = "" if column.mean is None else f"{column.low:g} to {column.high:g}, mean {column.mean:.4g}"
        table.add_row(
            escape(column.name), column.kind + (", rising" if column.register else ""), column.unit or "",
            f"{column.distinct:,}", level, escape(", ".join(column.examples)),
        )  # fmt: skip
    return table


def _yaml(mapping: Mapping[str, object], doubts: dict[str, str]) -> str:
    """Write a mapping, the doubts behind the lines that they concern."""
    lines = []
    text = yaml.safe_dump(
        {"my_collector": mapping}, allow_unicode=True, sort_keys=False, default_flow_style=False
    )
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        path = [(depth, key) for depth, key in path if depth < indent]
        path.append((indent, line.strip().split(":")[0].strip("'\"")))
        doubt = doubts.get(".".join(key for _, key in path[1:]))
        lines.append(f"  {line}" + (f"  # ? {doubt}" if doubt else ""))
    return "\n".join(lines)


def _trial(
    data: bytes, name: str, mapping: Mapping[str, object], minutes: int | None, book: "Book", zone: str
) -> Trial:
    """Return what a mapping would make of a file, in a plant of its own with the sensors that the file names."""
    from fems.raw.decode import read_rows
    from fems.registry.factory import GRAIN_MINUTES
    from fems.registry.feed import FactoryFeed
    from fems.registry.plant import Plant

    grains = {steps: grain for grain, steps in GRAIN_MINUTES.items()}
    if minutes is not None and minutes not in grains:
        return Trial(error=f"an interval of {minutes} minutes is none of {', '.join(GRAIN_MINUTES)}")
    grain = grains[minutes or 60]

    def made(sensors: list[str]) -> "FactoryFeed":
        machines = {
            f"E{i}": {"name": sensor, "kind": "line", "sensor": sensor} for i, sensor in enumerate(sensors)
        }
        feeds = {"grain": {book.feed: grain}, "mapping": {book.feed: "m"}, "timezone": zone}
        if book.feed != "meter":
            feeds = {
                **feeds,
                "grain": {"meter": grain, book.feed: grain},
                "mapping": {"meter": "m0", book.feed: "m"},
            }
        traps = {sensor: {"name": sensor, "set_point_c": 100} for sensor in sensors}
        own = {"equipment": machines} if book.feed == "meter" else {
            "equipment": {"E": {"name": "E", "kind": "line", "sensor": "none"}}, "steam_traps": traps,
        }  # fmt: skip
        plant = Plant.model_validate(
            {
                "mappings": {"m": mapping, "m0": {}},
                "factories": {"x": {"name": "x", "name_ko": "x", **feeds, **own}},
            }
        )
        return FactoryFeed.of(plant, book, "x")

    try:
        loose = {key: value for key, value in mapping.items() if key != "sensors"}
        mapping = loose
        wide = mapping.get("wide")
        targets = list(wide.values()) if isinstance(wide, dict) else []
        source = made([target.split("/")[0] for target in targets] or ["SENSOR"])
        texts = [t for rows in read_rows(data, name, source) for t in rows.sensors.texts.to_pylist()]
        sensors = list(dict.fromkeys(text.strip() for text in texts if text.strip())) or ["SENSOR"]
        return _decoded(data, name, made(sensors))
    except (UndecodableObject, ConfigError, ValueError) as error:
        return Trial(error=str(error))


def _as_it_is(data: bytes, name: str, plant: "Plant", book: "Book", factory: str) -> Trial:
    """Return what the factory's own mapping makes of a file."""
    from fems.registry.feed import FactoryFeed

    try:
        return _decoded(data, name, FactoryFeed.of(plant, book, factory))
    except UndecodableObject as error:
        return Trial(error=str(error))


def _decoded(data: bytes, name: str, source: "FactoryFeed") -> Trial:
    from fems.contracts.raw_object import RawObject
    from fems.raw.decode import decode
    from fems.raw.split import split

    rows: list[dict[str, str | float]] = []
    read = refused = repeated = 0
    reasons: Counter[str] = Counter()
    for part in split(data, name, source, date(2000, 1, 1), date(2199, 1, 1)):
        day = date.today() if part.day is None else date.fromordinal(part.day + date(1970, 1, 1).toordinal())  # noqa: DTZ011
        key = f"raw/{source.feed}/factory={source.factory_id}/date={day}/{part.name}"
        one = decode(RawObject(key, "", len(part.data), day), part.data, source)
        read, refused = read + one.read, refused + len(one.quarantined)
        reasons.update(bad.reason for bad in one.quarantined)
        again = one.starts.astype("int64") * len(source.sensors) + one.sensors
        repeated += len(again) - len(set(again.tolist()))
        for i in range(min(_SHOWN - len(rows), len(one.starts))):
            start = datetime.fromtimestamp(int(one.starts[i]), ZoneInfo(source.zone))
            values = {
                column: float(one.values[j, i])
                for j, column in enumerate(source.book.columns)
                if one.supplied[j]
            }
            sensor = source.sensors[int(one.sensors[i])].sensor_id
            rows.append({"timestamp": start.isoformat(" ", "minutes"), "sensor_id": sensor, **values})
    return Trial(read, refused, dict(reasons.most_common(5)), rows, repeated)


def _show(title: str, trial: Trial, zone: str) -> None:
    if trial.error is not None:
        out.print(f"\n{title} it cannot be read: {trial.error}", markup=False)
        return
    out.print(
        f"\n{title}: {trial.read:,} rows read, {trial.quarantined:,} of them to quarantine", markup=False
    )
    if trial.repeated:
        out.print(
            f"  {trial.repeated:,} rows have the sensor and time of another one: are they of other sensors?",
            markup=False,
        )
    for reason, count in trial.reasons.items():
        out.print(f"  {count:,} x {reason}", markup=False)
    if trial.rows:
        table = Table(title=f"First rows as they would be published ({zone})")
        for heading in trial.rows[0]:
            table.add_column(heading)
        for row in trial.rows:
            table.add_row(*(escape(f"{v:g}" if isinstance(v, float) else v) for v in row.values()))
        out.print(table)
