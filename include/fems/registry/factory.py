"""A factory of factories.yaml: its machines, meters and traps, and whether they agree with each other."""

import re
from datetime import date
from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator, model_validator

from fems.calendar import Shifts, changes_by_half_an_hour
from fems.registry import yamlfile
from fems.registry.mapping import known_zone
from fems.registry.meter_tree import MeterNode, MeterTree
from fems.registry.names import OneLine
from fems.registry.sensors import Feed, FeedSensor
from fems.registry.steam_traps import Repair, Steam, SteamTrap, Stop
from fems.registry.tariff import Budget
from fems.registry.yamlfile import StrictModel

GRAIN_MINUTES = {"1min": 1, "5min": 5, "10min": 10, "15min": 15, "30min": 30, "1h": 60} | {
    "8h": 480,
    "12h": 720,
    "1d": 1440,
}
Grain = Literal["1min", "5min", "10min", "15min", "30min", "1h", "8h", "12h", "1d"]
"""Native intervals; those longer than an hour are shifts and days, which keep the factory's clock."""


OWN_SENSORS = {"meter": "equipment", "steam_trap": "steam_traps"}
"""Feeds whose sensors stand elsewhere than under `sensors`."""


class Meter(StrictModel):
    """A meter of no machine, such as that of a hall; the key is its sensor ID."""

    name: OneLine
    name_ko: OneLine | None = Field(None, description="the same in Korean, for the report")
    parent: str | None = Field(
        None, description="sensor ID of the meter before it; the main meter's need not be said"
    )


class Equipment(StrictModel):
    """A machine with one meter, or several."""

    name: OneLine
    name_ko: OneLine | None = Field(None, description="the same in Korean, for the report")
    kind: OneLine = Field(min_length=1, description="what it is, in the plant's own words")
    sensor: OneLine = Field(description="its meter's sensor ID")
    other_sensors: tuple[OneLine, ...] = Field(
        (), description="sensor IDs of its other meters; its energy is the sum of all of them"
    )
    parent: str | None = Field(
        None,
        description="sensor ID of the meter before it, of a machine or under `meters`: it measures this energy, too",
    )
    rated_kw: float | None = Field(
        None, gt=0, description="nameplate power; sets the hard limits of its meter"
    )
    net: bool = Field(
        False, description="its meter counts both ways: what flows out is written as negative energy"
    )
    solar_kw: float | None = Field(
        None,
        gt=0,
        description="peak power of solar panels behind its meter, which `fems simulate` lets shine",
    )

    @model_validator(mode="after")
    def _panels_feed_in(self) -> "Equipment":
        if self.solar_kw is not None and not self.net:
            raise ValueError("solar_kw: panels feed in; the meter is net: true")
        return self


class Factory(StrictModel):
    """One factory: its clock, its sensors and the mappings of its files."""

    name: OneLine
    name_ko: OneLine
    grain: dict[Feed, Grain] = Field(description="native interval of each feed")
    mapping: dict[Feed, str | tuple[str, ...]] = Field(
        description="feed -> a name under `mappings`, or several: the first whose `file_name` a file's name matches"
    )
    day_begins: dict[Feed, str] = Field(
        default_factory=dict,
        description="of a feed of shifts or days: when a day's first one begins, HH:MM; midnight if not given",
    )
    equipment: dict[OneLine, Equipment] = Field(min_length=1)
    steam_traps: dict[OneLine, SteamTrap] = Field(default_factory=dict)
    steam: Steam | None = Field(
        None,
        description="boiler and fuel: what a failed trap's steam is worth; without it no heat and no money",
    )
    steam_stops: tuple[Stop, ...] = Field((), description="planned days without steam")
    trap_repairs: tuple[Repair, ...] = Field((), description="traps that were mended or changed, and when")
    sensors: dict[Feed, dict[OneLine, FeedSensor]] = Field(
        default_factory=dict, description="feed -> its sensors; of every feed but `meter` and `steam_trap`"
    )
    meters: dict[OneLine, Meter] = Field(
        default_factory=dict,
        description="meters of no machine, with others behind them: sensor ID -> its name",
    )
    main_meter: str | None = Field(
        None,
        description="sensor ID of the whole factory's meter, where there is one: the machines are compared with it",
    )
    timezone: str = "Asia/Seoul"
    country: str = Field("KR", description="ISO 3166 code: whose public holidays it keeps")
    shifts: Shifts = "two_shift"
    since: date = Field(
        date(2001, 1, 1),
        description="first day of its data; rows of before are of a clock that was reset, and go to quarantine",
    )
    holidays_off: bool = Field(True, description="whether it stops on public holidays")
    simulated: bool = Field(False, description="whether `fems simulate` makes its files")
    contract_kw: float | None = Field(
        None, gt=0, description="contract power; the forecast says how likely the maximum demand passes it"
    )
    tariff: str | None = Field(None, description="a name under `tariffs`; without it no cost is forecast")
    budget: Budget | None = Field(
        None, description="what a month is to stay under; stands beside the forecast"
    )

    _zone = field_validator("timezone")(known_zone)

    def mapping_names(self, feed: Feed) -> tuple[str, ...]:
        """Return the names of a feed's mappings, in the order in which they are tried."""
        names = self.mapping[feed]
        return (names,) if isinstance(names, str) else names

    @model_validator(mode="after")
    def _feeds_agree(self) -> "Factory":
        if "meter" not in self.mapping:
            raise ValueError("mapping: the feed `meter` is missing")
        if set(self.mapping) != set(self.grain):
            raise ValueError("grain and mapping must name the same feeds")
        if self.main_meter is not None and self.simulated:
            raise ValueError("main_meter: the simulator makes none; set simulated: false")
        tree = self.meter_tree  # an error where the meters make none
        if self.simulated and (self.meters or not tree.is_plain):
            raise ValueError("meters, parent, other_sensors: the simulator makes none; set simulated: false")
        if self.steam_traps and "steam_trap" not in self.mapping:
            raise ValueError("steam_traps need a mapping and a grain for the feed `steam_trap`")
        return self

    @cached_property
    def meter_tree(self) -> MeterTree:
        """Which meter stands behind which.

        Raises:
            ValueError: they make no tree; says why.
        """
        machines = [
            MeterNode(e.name, e.name_ko or e.name, (e.sensor, *e.other_sensors), e.parent)
            for e in self.equipment.values()
        ]
        others = [MeterNode(m.name, m.name_ko or m.name, (key,), m.parent) for key, m in self.meters.items()]
        return MeterTree.of([*machines, *others], self.main_meter)

    @property
    def rest_country(self) -> str | None:
        """Whose public holidays are days of rest here; None where the factory works through them."""
        return self.country if self.holidays_off else None

    @model_validator(mode="after")
    def _shifts_fit_their_feeds(self) -> "Factory":
        if GRAIN_MINUTES[self.grain.get("meter", "1h")] > 60:
            raise yamlfile.WrongAt(("grain", "meter"), "a meter's interval is an hour at most")
        for feed, text in self.day_begins.items():
            where = ("day_begins", feed)
            if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text) is None:
                raise yamlfile.WrongAt(where, f"{text!r} is no time of day, HH:MM")
            minutes = GRAIN_MINUTES[self.grain[feed]] if feed in self.grain else 0
            if minutes <= 60 or self.day_begins_minutes(feed) >= minutes:
                raise yamlfile.WrongAt(
                    where,
                    "is for the first shift after midnight, or a production day, of a feed that has one",
                )
        return self

    @model_validator(mode="after")
    def _hours_fit_the_clock(self) -> "Factory":
        for feed, grain in self.grain.items():
            if grain == "1h" and changes_by_half_an_hour(self.timezone):
                raise yamlfile.WrongAt(
                    ("grain", feed),
                    f"the clocks of {self.timezone} change by half an hour: an interval is 30 minutes at most",
                )
        return self

    def day_begins_minutes(self, feed: Feed) -> int:
        """Return how many minutes after midnight the first interval of a feed's day begins."""
        hours, minutes = self.day_begins.get(feed, "00:00").split(":")
        return 60 * int(hours) + int(minutes)

    @model_validator(mode="after")
    def _feeds_have_sensors(self) -> "Factory":
        for feed in self.sensors:
            if feed in OWN_SENSORS:
                raise yamlfile.WrongAt(("sensors", feed), f"write them under `{OWN_SENSORS[feed]}`")
            if feed not in self.mapping:
                raise yamlfile.WrongAt(("sensors", feed), "the feed has no mapping and no grain")
            for sensor_id, sensor in self.sensors[feed].items():
                if sensor.equipment is not None and sensor.equipment not in self.equipment:
                    raise yamlfile.WrongAt(
                        ("sensors", feed, sensor_id, "equipment"),
                        f"{sensor.equipment!r} is not under `equipment`",
                    )
        for feed in self.mapping:
            if feed not in OWN_SENSORS and not self.sensors.get(feed):
                raise yamlfile.WrongAt(
                    ("mapping", feed), "the feed has no sensors: name them under `sensors`"
                )
        return self

    @model_validator(mode="after")
    def _traps_agree(self) -> "Factory":
        machines, lines = set(self.equipment), {trap.line for trap in self.steam_traps.values()}
        outlets = [trap.outlet_sensor for trap in self.steam_traps.values() if trap.outlet_sensor]
        for outlet in outlets:
            if outlet in self.steam_traps or outlets.count(outlet) > 1:
                raise ValueError(f"steam_traps: outlet_sensor {outlet!r} stands on two traps")
        for trap_id, trap in self.steam_traps.items():
            if trap.equipment is not None and trap.equipment not in machines:
                raise ValueError(
                    f"steam_traps.{trap_id}: equipment {trap.equipment!r} is not under `equipment`"
                )
        for stop in self.steam_stops:
            if stop.line is not None and stop.line not in lines:
                raise ValueError(f"steam_stops: no trap is on the line {stop.line!r}")
            if stop.trap_id is not None and stop.trap_id not in self.steam_traps:
                raise ValueError(f"steam_stops: no steam trap {stop.trap_id!r} here")
        for repair in self.trap_repairs:
            self.check_repair(repair)
        return self

    def check_repair(self, repair: Repair) -> None:
        """Refuse a repair that cannot have been.

        Raises:
            ValueError: the trap is unknown, or was not there yet.
        """
        trap = self.steam_traps.get(repair.trap_id)
        if trap is None:
            known = ", ".join(self.steam_traps) or "none"
            raise ValueError(f"no steam trap {repair.trap_id!r} here (there are {known})")
        if trap.installed is not None and repair.day < trap.installed:
            raise ValueError(
                f"trap {repair.trap_id} was installed on {trap.installed}: no repair can be on {repair.day}"
            )
