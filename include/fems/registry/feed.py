"""Whose files are read, and by which rules."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

from fems.errors import ConfigError
from fems.registry.book import TABLE_COLUMNS, Book, RuleGroup, rule_groups
from fems.registry.plant import FileMapping, Plant, Sensor
from fems.registry.sensors import Feed


@dataclass(frozen=True)
class FactoryFeed:
    """Whose files are read, and by which rules: what decoding an object needs besides its bytes."""

    factory_id: str
    feed: Feed
    zone: str
    grain_minutes: int
    sensors: tuple[Sensor, ...]
    plant: Plant
    book: Book

    @classmethod
    def of(cls, plant: Plant, book: Book, factory_id: str) -> "FactoryFeed":
        """Gather what the registry and the book say of a factory's feed.

        Raises:
            ConfigError: the mapping names a column or a sensor that there is not.
        """
        factory = plant.factory(factory_id)
        _check_mapping(plant, book, factory_id)
        return cls(
            factory_id,
            book.feed,
            factory.timezone,
            plant.grain_minutes(factory_id, book.feed),
            tuple(plant.sensors(factory_id, book.feed)),
            plant,
            book,
        )

    @cached_property
    def mapping(self) -> FileMapping:
        """How the factory's collectors write this feed."""
        return self.plant.mapping(self.factory_id, self.feed)

    @cached_property
    def version(self) -> str:
        """Fingerprint of the book's rules as they stand for these sensors."""
        return self.book.version_for(self.factory_id, [s.sensor_id for s in self.sensors])

    @cached_property
    def rules(self) -> list[RuleGroup]:
        """The book's rules as they stand for each of the sensors."""
        net = {s.sensor_id for s in self.sensors if s.net}
        return rule_groups(self.book, self.factory_id, [s.sensor_id for s in self.sensors], net)

    @cached_property
    def rest_country(self) -> str | None:
        """Whose public holidays are days of rest here; None where the factory works through them."""
        return self.plant.factory(self.factory_id).rest_country

    @cached_property
    def since(self) -> date:
        """The first local day of which there may be rows."""
        return self.plant.factory(self.factory_id).since

    @cached_property
    def day_begins(self) -> int:
        """Minutes after midnight at which the first interval of a day begins; 0 but for shifts and production days."""
        return self.plant.factory(self.factory_id).day_begins_minutes(self.feed)

    @property
    def day_begins_text(self) -> str:
        """The same in words, for a message; empty where the day begins at midnight."""
        return (
            f", which begins at {self.day_begins // 60:02d}:{self.day_begins % 60:02d}"
            if self.day_begins
            else ""
        )

    @cached_property
    def headers(self) -> dict[str, tuple[str, ...]]:
        """Our columns, and the headers under which each may stand: the mapping's one, or our name and the aliases."""
        book, named = self.book, self.mapping.columns
        aliases = {
            "timestamp": book.time_aliases,
            "factory_id": book.factory_aliases,
            "sensor_id": book.sensor_aliases,
            **{name: column.aliases for name, column in book.columns.items()},
        }
        return {
            ours: (named[ours],) if ours in named else (ours, *others) for ours, others in aliases.items()
        }

    @cached_property
    def coded_headers(self) -> frozenset[str]:
        """Headers under which times and IDs may stand: few distinct texts in many rows."""
        return frozenset(header for ours in TABLE_COLUMNS for header in self.headers[ours])


def _check_mapping(plant: Plant, book: Book, factory_id: str) -> None:
    """Refuse a mapping with a name that nothing would ever match: a column would be missing without a word."""
    mapping = plant.mapping(factory_id, book.feed)
    name = plant.factory(factory_id).mapping[book.feed]
    known = {*TABLE_COLUMNS, *book.columns}
    targets = [target.split("/") for target in mapping.wide.values()]
    for column in (*mapping.columns, *mapping.cumulative, *(column for _, column in targets)):
        if column not in known:
            raise ConfigError(
                f"factories.yaml: mappings.{name}: {column!r} is no column of feed {book.feed} "
                f"({', '.join(sorted(known))})"
            )
    sensors = {sensor.sensor_id for sensor in plant.sensors(factory_id, book.feed)}
    for sensor in (*(sensor for sensor, _ in targets), *filter(None, [mapping.constants.get("sensor_id")])):
        if sensor not in sensors:
            raise ConfigError(
                f"factories.yaml: mappings.{name}: factory {factory_id} has no sensor {sensor!r}"
            )
