"""The definition book (정의서): the rules that each column must keep and what replaces what breaks them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fems.canonical import fingerprint
from fems.errors import ConfigError
from fems.registry import yamlfile
from fems.registry.plant import Plant
from fems.registry.sensors import Feed
from fems.registry.yamlfile import WrongAt

Aggregate = Literal["sum", "mean", "max", "energy_weighted_mean"]
ColumnType = Literal["time", "text", "number"]
TABLE_COLUMNS = ("timestamp", "factory_id", "sensor_id")
_RESERVED = (*TABLE_COLUMNS, "coverage_pct", "estimated_pct", "flag", "flag_columns")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """Hard limits of a value; what lies outside is abnormal."""

    min: float | None = None
    max: float | None = None
    max_of_rated: float | None = Field(
        None, gt=0, description="energy columns: the limit is this x rated_kw x the interval in hours"
    )
    max_of_usual: float | None = Field(
        None, gt=1, description="the limit is this x the sensor's usual level (its 99th percentile)"
    )
    both_ways: bool = Field(
        False,
        description="the upper limits hold below zero, too: a meter that counts what flows out as negative",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Limits":
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min:g} must be below max {self.max:g}")
        if self.both_ways and self.min is not None:
            raise ValueError("both_ways: there is no min then, the upper limits hold below zero")
        return self


class Jump(_Strict):
    """The rate-of-change limit: a value that leaps away from both its neighbours and back again is abnormal."""

    per_minute: float | None = Field(None, gt=0, description="the most it may change in a minute, own unit")
    of_usual: float | None = Field(
        None, gt=0, description="the most it may change at once, x the usual level"
    )


class Stuck(_Strict):
    """When one column's repeated value means a stuck meter."""

    minutes: int = Field(gt=0, description="a value that repeats exactly for longer than this is abnormal")
    above_of_usual: float = Field(
        0.0,
        ge=0,
        description="only above this x the usual level: the standby of a machine that is off repeats too, "
        "at the meter's resolution",
    )


class Fill(_Strict):
    """What takes the place of a missing or abnormal value, in this order. A longer gap stays missing and says so."""

    unlisted: float | None = Field(
        None,
        description="of a sensor without a row, where another sensor has one: of files that list only what was made",
    )
    stand_in: str | None = Field(
        None,
        description="a column that measures the same: where it was measured, its value x their usual ratio",
    )
    interpolate_minutes: int = Field(ge=0, description="up to here: a straight line between its neighbours")
    earlier_minutes: int = Field(
        ge=0, description="up to here: the same time on earlier days of the same kind, the same weekday first"
    )


class Column(_Strict):
    """One measured column."""

    name_ko: str
    description: str
    unit: str
    aliases: tuple[str, ...] = Field((), description="headers under which files carry it")
    required: bool = Field(False, description="a file without it cannot be used")
    no_signal: tuple[float, ...] = Field(
        (), description="readings by which the device says that it has none, such as -999"
    )
    limits: Limits = Limits()
    jump: Jump | None = None
    stuck: Stuck | None = None
    level: bool = Field(
        False,
        description="a level that is off by the factor of a unit (1,000, or the intervals in an hour) is abnormal: "
        "against its own earlier days, its rating, and current x voltage",
    )
    fill: Fill
    aggregate: dict[str, Aggregate] = Field(
        min_length=1, description="columns that the hour and day tables get from this one, and how"
    )

    def upper_limits(self, rated_kw: np.ndarray, grain_minutes: int) -> np.ndarray:
        """Return each sensor's hard upper limit, inf where neither the book nor the registry gives one.

        Args:
            rated_kw: float64, S, NaN where the registry has no rating.
            grain_minutes: the native interval.
        """
        limit = np.full(len(rated_kw), np.inf if self.limits.max is None else self.limits.max)
        if self.limits.max_of_rated is not None:
            limit = np.fmin(limit, self.limits.max_of_rated * rated_kw * grain_minutes / 60)
        return limit


class StuckReading(_Strict):
    """When a whole reading that repeats means that the gateway lost its meter and sends the last one again."""

    minutes: int = Field(gt=0, description="all columns repeat exactly for longer than this")
    columns: int = Field(
        ge=2, description="and this many of them are not 0: a machine at rest repeats a power factor, too"
    )


class Consistency(_Strict):
    """A law between columns. Where several are broken at once, the column that explains the most of it is abnormal.

    equal: A = B. power_factor: PF % = 100 A / sqrt(A^2 + R^2). apparent: I / sqrt(A^2 + R^2) is the sensor's own
    constant (three-phase current at a steady voltage).
    """

    law: Literal["equal", "power_factor", "apparent"]
    columns: tuple[str, ...] = Field(description="equal: A, B; power_factor: PF, A, R; apparent: I, A, R")
    tolerance: float = Field(gt=0, description="relative; power_factor: in points of the share, 0.05 is 5 %")
    max_broken: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="a sensor of which more of the readings break it does not keep this law at all",
    )
    above_of_usual: float = Field(
        0.02,
        ge=0,
        description="not judged where the energy is below this x the usual level: there it is rounding",
    )

    @model_validator(mode="after")
    def _columns_fit(self) -> "Consistency":
        wanted = 2 if self.law == "equal" else 3
        if len(self.columns) != wanted or len(set(self.columns)) != wanted:
            raise WrongAt(("columns",), f"the law {self.law!r} is between {wanted} different columns")
        return self


class Coverage(_Strict):
    """Share of an hour's or a day's intervals that must have a value for the hour or day to have one."""

    hour: float = Field(gt=0, le=1)
    day: float = Field(gt=0, le=1)


class MonthToMonth(_Strict):
    """How far a month may be from the accepted ones before it without a warning; what is not given is not compared."""

    max_level_change: float | None = Field(
        None, gt=1, description="times by which a sensor's level or spread may differ"
    )
    min_rhythm_gain: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the clock is off if a day that is shifted fits the months before better by this much correlation",
    )


class RuleChange(_Strict):
    """Rules of one column that are others for some sensors; each one given replaces the book's whole.

    `null` takes a rule away: without limits every number may be, without fill a gap stays missing.
    """

    no_signal: tuple[float, ...] | None = None
    limits: Limits | None = None
    jump: Jump | None = None
    stuck: Stuck | None = None
    level: bool | None = None
    fill: Fill | None = None


_NO_RULE: dict[str, Any] = {
    "no_signal": (),
    "limits": Limits(),
    "level": False,
    "fill": Fill(interpolate_minutes=0, earlier_minutes=0),
}
"""What `null` means for a rule that is not simply absent."""


class Override(_Strict):
    """Other rules for some factories or sensors; where several match, the last one counts."""

    why: str = Field(min_length=1, description="the reason, for the next person who reads the book")
    factories: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    columns: dict[str, RuleChange] = Field(min_length=1)

    @model_validator(mode="after")
    def _concerns_someone(self) -> "Override":
        if not self.factories and not self.sensors:
            raise ValueError("name the factories or the sensors that it is for")
        return self


class Book(_Strict):
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
                        rule: _NO_RULE.get(rule) if (own := getattr(change, rule)) is None else own
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
