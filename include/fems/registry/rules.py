"""The rules that a definition book may hold: limits, jumps, stuck values, filling, laws, overrides."""

from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from fems.registry.yamlfile import StrictModel, WrongAt

Aggregate = Literal["sum", "mean", "max", "energy_weighted_mean"]


class Limits(StrictModel):
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


class Jump(StrictModel):
    """The rate-of-change limit: a value that leaps away from both its neighbours and back again is abnormal."""

    per_minute: float | None = Field(None, gt=0, description="the most it may change in a minute, own unit")
    at_most: float | None = Field(
        None, gt=0, description="the most it may change at once, however long the interval, own unit"
    )
    of_usual: float | None = Field(
        None, gt=0, description="the most it may change at once, x the usual level"
    )


class Stuck(StrictModel):
    """When one column's repeated value means a stuck meter."""

    minutes: int = Field(gt=0, description="a value that repeats exactly for longer than this is abnormal")
    trend_minutes: int | None = Field(
        None,
        gt=0,
        description="so is one that repeats for longer than this in the middle of a rise or a fall: it moved by ten "
        "steps of the resolution or more, stands still, and leaps on the same way, by as much again or more",
    )
    above_of_usual: float = Field(
        0.0,
        ge=0,
        description="only above this x the usual level: the standby of a machine that is off repeats too, "
        "at the meter's resolution",
    )
    above_steps: int = Field(
        100,
        ge=0,
        description="only above so many steps of the meter's resolution: a load that is steady to 1 % repeats below. 0 "
        "for a temperature, whose zero means nothing",
    )


class Fill(StrictModel):
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


class Column(StrictModel):
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


class StuckReading(StrictModel):
    """When a whole reading that repeats means that the gateway lost its meter and sends the last one again."""

    minutes: int = Field(gt=0, description="all columns repeat exactly for longer than this")
    columns: int = Field(
        ge=2, description="and this many of them are not 0: a machine at rest repeats a power factor, too"
    )


class Consistency(StrictModel):
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


class Coverage(StrictModel):
    """Share of an hour's or a day's intervals that must have a value for the hour or day to have one."""

    hour: float = Field(gt=0, le=1)
    day: float = Field(gt=0, le=1)


class MonthToMonth(StrictModel):
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


class RuleChange(StrictModel):
    """Rules of one column that are others for some sensors; each one given replaces the book's whole.

    `null` takes a rule away: without limits every number may be, without fill a gap stays missing.
    """

    no_signal: tuple[float, ...] | None = None
    limits: Limits | None = None
    jump: Jump | None = None
    stuck: Stuck | None = None
    level: bool | None = None
    fill: Fill | None = None


NO_RULE: dict[str, Any] = {
    "no_signal": (),
    "limits": Limits(),
    "level": False,
    "fill": Fill(interpolate_minutes=0, earlier_minutes=0),
}
"""What `null` means for a rule that is not simply absent."""


class Override(StrictModel):
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
