"""The definition book (정의서): the rules that each column must keep and what replaces what breaks them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from fems.canonical import fingerprint
from fems.errors import ConfigError
from fems.registry import yamlfile
from fems.registry.plant import Plant
from fems.registry.rules import (
    NO_RULE,
    Column,
    Consistency,
    Coverage,
    MonthToMonth,
    Override,
    StuckReading,
)
from fems.registry.sensors import Feed
from fems.registry.yamlfile import StrictModel, WrongAt

ColumnType = Literal["time", "text", "number"]
TABLE_COLUMNS = ("timestamp", "factory_id", "sensor_id")
_RESERVED = (*TABLE_COLUMNS, "coverage_pct", "estimated_pct", "flag", "flag_columns")


class Book(StrictModel):
    """The rules of one feed."""

    feed: Feed = Field(pattern=r"^[a-z][a-z0-9_]*$", description="the name of the file, without .yaml")
    time_aliases: tuple[str, ...]
    factory_aliases: tuple[str, ...]
    sensor_aliases: tuple[str, ...]
    lookback_days: int = Field(
        ge=1, le=31, description="days before a partition that its rules may look at (fill, stuck, registers)"
    )
    late_days: int = Field(
        0, ge=0, le=31, description="days by which a row may come late, in a file of a later day"
    )
    ahead_days: int = Field(
        0,
        ge=0,
        le=400,
        description="of a plan or a forecast: days by which a row may lie ahead of the day whose file it is in",
    )
    min_coverage: Coverage
    energy_column: str | None = Field(None, description="the weight of every energy_weighted_mean")
    stuck_reading: StuckReading | None = None
    consistency: dict[str, Consistency] = Field(default_factory=dict)
    max_estimated_pct: float | None = Field(
        20,
        gt=0,
        le=100,
        description="share of a sensor's values that may be replaced, filled or missing without a warning",
    )
    month_to_month: MonthToMonth = MonthToMonth()
    columns: dict[str, Column] = Field(min_length=1)
    overrides: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> "Book":
        weighted = any("energy_weighted_mean" in c.aggregate.values() for c in self.columns.values())
        if (weighted or self.energy_column is not None) and self.energy_column not in self.columns:
            raise WrongAt(("energy_column",), "must name a column: an energy_weighted_mean needs its weight")
        if not self.columns[self.main_column].required:
            raise WrongAt(
                ("columns", self.main_column),
                "the first column must be `required`: hours and days are covered where it has a value",
            )
        seen: set[str] = set()
        for name, column in self.columns.items():
            if name in _RESERVED:
                raise WrongAt(("columns", name), "the name has a meaning of its own")
            self._check_column(column.fill.stand_in, ("columns", name, "fill", "stand_in"))
            for target in column.aggregate:
                if target in seen:
                    raise WrongAt(
                        ("columns", name, "aggregate", target),
                        "two columns make the same column of the hour table",
                    )
                seen.add(target)
        for rule, law in self.consistency.items():
            for name in law.columns:
                self._check_column(name, ("consistency", rule, "columns"))
        for i, override in enumerate(self.overrides):
            for name, change in override.columns.items():
                where = ("overrides", i, "columns", name)
                self._check_column(name, where)
                self._check_column(
                    change.fill.stand_in if change.fill else None, (*where, "fill", "stand_in")
                )
        return self

    def _check_column(self, name: str | None, where: tuple[str | int, ...]) -> None:
        if name is not None and name not in self.columns:
            raise WrongAt(where, f"{name!r} is no column of this book ({', '.join(self.columns)})")

    def for_sensor(self, factory_id: str, sensor_id: str) -> "Book":
        """Return the book as it stands for one sensor: its overrides applied, and none left."""
        columns = dict(self.columns)
        for override in self.overrides:
            if factory_id in override.factories or sensor_id in override.sensors:
                for name, change in override.columns.items():
                    # by attribute, not by dump: the rules stay models
                    given = {
                        rule: NO_RULE.get(rule) if (own := getattr(change, rule)) is None else own
                        for rule in change.model_fields_set
                    }
                    columns[name] = columns[name].model_copy(update=given)
        return self.model_copy(update={"columns": columns, "overrides": ()})

    def for_net_meter(self) -> "Book":
        """Return the book for a meter that counts what flows out as negative energy."""
        columns = {
            name: column.model_copy(
                update={"limits": column.limits.model_copy(update={"min": None, "both_ways": True})}
            )
            if "sum" in column.aggregate.values()
            else column
            for name, column in self.columns.items()
        }
        return self.model_copy(update={"columns": columns})

    @property
    def version(self) -> str:
        """Short fingerprint of the rules that make the tables: a comment changes nothing, a limit does.

        What only the evaluation asks for is not in it: another bound for a warning rebuilds nothing.
        """
        return fingerprint(self.model_dump(mode="json", exclude={"month_to_month", "max_estimated_pct"}))

    def version_for(self, factory_id: str, sensor_ids: Iterable[str]) -> str:
        """Return the fingerprint of the rules as they stand for some sensors.

        An override changes it for those alone that it concerns.
        """
        return fingerprint([self.for_sensor(factory_id, sensor).version for sensor in sensor_ids])

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The measured columns in the book's order."""
        return tuple(self.columns)

    @property
    def main_column(self) -> str:
        """The first column: an interval is covered where it has a value."""
        return next(iter(self.columns))

    @property
    def sums(self) -> dict[str, str]:
        """The columns of hours and days that are sums -> the column that they are the sum of."""
        return {
            target: name
            for name, column in self.columns.items()
            for target, how in column.aggregate.items()
            if how == "sum"
        }

    def table_columns(self, grain: str) -> dict[str, ColumnType]:
        """Return the columns of a published table and the type of each, in order.

        Args:
            grain: native, hour or day.
        """
        begin: dict[str, ColumnType] = {"timestamp": "time", "factory_id": "text", "sensor_id": "text"}
        if grain == "native":
            return {**begin, **dict.fromkeys(self.columns, "number"), "flag": "text", "flag_columns": "text"}
        targets = [target for column in self.columns.values() for target in column.aggregate]
        return {**begin, **dict.fromkeys([*targets, "coverage_pct", "estimated_pct"], "number")}


@dataclass(frozen=True)
class RuleGroup:
    """Sensors that the same rules hold for.

    Attributes:
        book: the rules, overrides applied.
        sensors: int64, positions among the sensors asked for.
    """

    book: Book
    sensors: np.ndarray


def rule_groups(
    book: Book, factory_id: str, sensor_ids: Sequence[str], net: Collection[str] = ()
) -> list[RuleGroup]:
    """Group sensors by the rules that hold for them; one group where the book has no override for them.

    Args:
        book: of the feed.
        factory_id: whose sensors.
        sensor_ids: which.
        net: those of them that count what flows out as negative energy.
    """
    groups: dict[str, tuple[Book, list[int]]] = {}
    for i, sensor_id in enumerate(sensor_ids):
        own = book.for_sensor(factory_id, sensor_id)
        own = own.for_net_meter() if sensor_id in net else own
        groups.setdefault(own.version, (own, []))[1].append(i)
    return [RuleGroup(own, np.array(positions)) for own, positions in groups.values()]


def book_names(definitions_dir: Path) -> tuple[Feed, ...]:
    """Return the feeds that there are: those that have a definition book."""
    return tuple(sorted(path.stem for path in definitions_dir.glob("*.yaml")))


def load_book(definitions_dir: Path, feed: Feed, plant: Plant | None = None) -> Book:
    """Read the book of a feed; with the plant at hand, see that its overrides are for sensors that there are.

    Raises:
        ConfigError: it is missing or wrong; names the line.
    """
    path = definitions_dir / f"{feed}.yaml"
    if feed not in (feeds := book_names(definitions_dir)):
        known = ", ".join(feeds) or "none"
        raise ConfigError(f"{path}: there is no definition book of a feed {feed!r} (there are: {known})")
    book = yamlfile.load(path, Book)
    if book.feed != feed:
        raise yamlfile.wrong(path, ("feed",), f"{book.feed!r} is not the name of the file")
    if plant is not None:
        sensors = {s.sensor_id for f in plant.factories for s in plant.sensors(f, feed)}
        for i, override in enumerate(book.overrides):
            for name in sorted({*override.factories} - plant.factories.keys()):
                raise yamlfile.wrong(path, ("overrides", i, "factories"), f"{name!r} is no factory")
            for name in sorted({*override.sensors} - sensors):
                raise yamlfile.wrong(
                    path, ("overrides", i, "sensors"), f"{name!r} is no sensor of feed {feed}"
                )
    return book
