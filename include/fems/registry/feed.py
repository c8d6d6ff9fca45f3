"""Whose files are read, and by which rules."""

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from functools import cached_property

from fems.errors import ConfigError
from fems.registry import units
from fems.registry.book import TABLE_COLUMNS, Book, RuleGroup, rule_groups
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant, Sensor
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
    chosen: FileMapping | None = None

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
    def mappings(self) -> tuple[FileMapping, ...]:
        """How the factory's collectors write this feed, in the order in which they are tried."""
        return self.plant.mappings_of(self.factory_id, self.feed)

    @property
    def mapping(self) -> FileMapping:
        """How the files at hand are written: what `for_file` chose, or the first one."""
        return self.chosen or self.mappings[0]

    def for_file(self, name: str) -> "FactoryFeed | None":
        """Return the feed with the mapping that is for files of that name; None if there is none."""
        for mapping, feed in zip(self.mappings, self._variants, strict=True):
            if mapping.facts_of(name) is not None:
                return feed
        return None

    @cached_property
    def _variants(self) -> tuple["FactoryFeed", ...]:
        return (self, *(replace(self, chosen=mapping) for mapping in self.mappings[1:]))

    @cached_property
    def cumulative(self) -> dict[str, float]:
        """Columns that are running registers -> the value at which they roll over, in the column's own unit."""
        mapping = self.mappings[0]  # all of a feed's mappings agree
        return {
            name: modulus * abs(float(self.scale(mapping, name)))
            for name, modulus in mapping.cumulative.items()
        }

    def scale(self, mapping: FileMapping, column: str, unit: str | None = None) -> Fraction:
        """Return what a column's values in a file are multiplied by to be in the book's unit.

        Args:
            mapping: how the file is written.
            column: our column.
            unit: the one that the header names, for where the mapping names none.

        Raises:
            ValueError: the unit does not measure what the column does.
        """
        written = mapping.units.get(column) or unit
        own = self.book.columns[column].unit
        if column in mapping.cumulative and column not in mapping.units and unit not in (None, own):
            raise ValueError(f"a running register in {unit}")
        size = Fraction(1) if written is None else units.factor(written, own, self.grain_minutes)
        return size * Fraction(repr(mapping.factors.get(column, 1.0)))

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
        """Our columns, and the headers under which each may stand: the mapping's one, or our name and the aliases.

        A column that the mapping puts together from several headers is not among them.
        """
        book, named = self.book, self.mapping.columns
        aliases = {
            "timestamp": book.time_aliases,
            "factory_id": book.factory_aliases,
            "sensor_id": book.sensor_aliases,
            **{name: column.aliases for name, column in book.columns.items()},
        }
        whole = {
            ours: tuple(dict.fromkeys((ours, *others)))
            for ours, others in aliases.items()
            if ours not in named
        }
        return whole | {ours: (header,) for ours, header in named.items() if isinstance(header, str)}

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Our columns that the mapping puts together -> the headers of their parts, a minus before what is taken."""
        return {ours: parts for ours, parts in self.mapping.columns.items() if not isinstance(parts, str)}

    def signs(self, column: str) -> tuple[int, ...]:
        """Return how each part of a value column counts: 1, or -1 for what is taken off."""
        return tuple(-1 if part.startswith("-") else 1 for part in self.parts.get(column, ("",)))

    @cached_property
    def coded_headers(self) -> frozenset[str]:
        """Headers under which times and IDs may stand: few distinct texts in many rows."""
        return frozenset(header for ours in TABLE_COLUMNS for header in self.headers.get(ours, ()))


def _check_mapping(plant: Plant, book: Book, factory_id: str) -> None:
    """Refuse a mapping with a name that nothing would ever match: a column would be missing without a word."""
    known = {*TABLE_COLUMNS, *book.columns}
    sensors = {sensor.sensor_id for sensor in plant.sensors(factory_id, book.feed)}
    names = plant.factory(factory_id).mapping_names(book.feed)
    for name, mapping in zip(names, plant.mappings_of(factory_id, book.feed), strict=True):
        where = f"factories.yaml: mappings.{name}"
        targets = [target.split("/") for target in mapping.wide.values()]
        held = [mapping.row_per_day.column] if mapping.row_per_day else []
        for column in (*mapping.columns, *mapping.cumulative, *(column for _, column in targets), *held):
            if column not in known:
                raise ConfigError(
                    f"{where}: {column!r} is no column of feed {book.feed} ({', '.join(sorted(known))})"
                )
        for column in (*mapping.units, *mapping.factors):
            if column not in book.columns:
                raise ConfigError(
                    f"{where}: {column!r} is no value column of feed {book.feed} ({', '.join(book.columns)})"
                )
        own = (*mapping.sensors.values(), *filter(None, [mapping.constants.get("sensor_id")]))
        for sensor in (*(sensor for sensor, _ in targets), *own):
            if sensor not in sensors:
                raise ConfigError(f"{where}: factory {factory_id} has no sensor {sensor!r}")
        for column, unit in mapping.units.items():
            try:
                units.factor(unit, book.columns[column].unit, 60)
            except ValueError as error:
                raise ConfigError(f"{where}: units.{column}: {error}") from error
        if (mapping.cumulative, _scales(mapping)) != (
            plant.mapping(factory_id, book.feed).cumulative,
            _scales(plant.mapping(factory_id, book.feed)),
        ):
            raise ConfigError(
                f"{where}: `cumulative`, with unit and factor, must be the same in all mappings of a feed"
            )


def _scales(mapping: FileMapping) -> list[tuple[str | None, float]]:
    return [(mapping.units.get(name), mapping.factors.get(name, 1.0)) for name in sorted(mapping.cumulative)]
