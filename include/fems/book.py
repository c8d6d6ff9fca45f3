"""The definition book (정의서): the rules that each column must keep and what replaces what breaks them."""

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fems import yamlfile
from fems.plant import Feed

Aggregate = Literal["sum", "mean", "max", "energy_weighted_mean"]
TABLE_COLUMNS = ("timestamp", "factory_id", "sensor_id")


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
        None, gt=1, description="the limit is this x the sensor's own 99th percentile over the days looked at"
    )


class Stuck(_Strict):
    """When a repeated value means a stuck meter."""

    minutes: int = Field(gt=0, description="a value that repeats exactly for longer than this is abnormal")
    above_of_usual: float = Field(
        0.0,
        ge=0,
        description="only above this x the sensor's own 99th percentile: the standby of a machine that is off "
        "repeats too, at the meter's resolution",
    )


class Fill(_Strict):
    """How a gap is filled, by its length. A longer one stays missing and says so."""

    interpolate_minutes: int = Field(ge=0, description="up to here: a straight line between its neighbours")
    weeks_minutes: int = Field(ge=0, description="up to here: the same time one and two weeks earlier")


class Column(_Strict):
    """One measured column."""

    name_ko: str
    description: str
    unit: str
    aliases: tuple[str, ...] = Field((), description="headers under which files carry it")
    required: bool = Field(False, description="a file without it cannot be used")
    limits: Limits = Limits()
    stuck: Stuck | None = None
    fill: Fill
    aggregate: dict[str, Aggregate] = Field(
        min_length=1, description="columns that the hour and day tables get from this one, and how"
    )


class Book(_Strict):
    """The rules of one feed."""

    feed: Feed
    time_aliases: tuple[str, ...]
    factory_aliases: tuple[str, ...]
    sensor_aliases: tuple[str, ...]
    lookback_days: int = Field(
        ge=1, le=31, description="days before a partition that its rules may look at (fill, stuck, registers)"
    )
    min_coverage: float = Field(gt=0, le=1, description="share of an hour or a day that must be there")
    energy_column: str | None = Field(None, description="the weight of every energy_weighted_mean")
    columns: dict[str, Column] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_agree(self) -> "Book":
        weighted = any("energy_weighted_mean" in c.aggregate.values() for c in self.columns.values())
        if weighted and self.energy_column not in self.columns:
            raise ValueError("energy_column must name a column: an energy_weighted_mean needs its weight")
        produced = [name for c in self.columns.values() for name in c.aggregate]
        if len(set(produced)) != len(produced):
            raise ValueError("aggregate: two columns make the same column of the hour and day tables")
        clash = set(self.columns) & set(TABLE_COLUMNS)
        if clash:
            raise ValueError(f"columns: {', '.join(sorted(clash))} has a meaning of its own")
        return self

    @property
    def version(self) -> str:
        """Short fingerprint of the rules themselves: a comment changes nothing, a limit does."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The measured columns in the book's order."""
        return tuple(self.columns)


def load_book(definitions_dir: Path, feed: Feed) -> Book:
    """Read the book of a feed.

    Raises:
        ConfigError: it is missing or wrong; names the line.
    """
    return yamlfile.load(definitions_dir / f"{feed}.yaml", Book)
