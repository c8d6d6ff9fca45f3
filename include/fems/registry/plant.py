"""factories.yaml: the factories, the tariffs and emission factors, and how collectors write files."""

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from fems.errors import ConfigError
from fems.registry import cache, yamlfile
from fems.registry.factory import GRAIN_MINUTES, Factory, Grain
from fems.registry.mapping import FileMapping
from fems.registry.names import Id
from fems.registry.sensors import Feed
from fems.registry.tariff import GridEmission, Tariff, emission_factor
from fems.registry.yamlfile import StrictModel

MOST_VALUES = 5_000_000
"""In factories.yaml: over 25,000 factories with ten machines each."""


@dataclass(frozen=True)
class Sensor:
    """A sensor as the stages need it.

    Attributes:
        sensor_id: its ID.
        feed: whose files it stands in.
        equipment_id: the machine that it belongs to.
        rated_kw: the most that it can measure in an hour: kWh, or the feed's own quantity.
    """

    sensor_id: str
    feed: Feed
    equipment_id: str | None
    rated_kw: float | None
    net: bool = False


class Monitoring(StrictModel):
    """When the monitor asks for training, and when it tells of a coming peak."""

    behind_days: int = Field(
        7,
        ge=1,
        description="days of measured data on which a champion is behind weekly naive before it is replaced",
    )
    behind_margin: float = Field(1.0, ge=0, description="accuracy, percentage points, that it is behind by")
    drift_days: int = Field(
        14, ge=7, multiple_of=7, description="newest days that are held against the training"
    )
    drift_margin: float = Field(
        1.5, gt=1, description="how many times farther than ever in training the inputs have moved"
    )
    drift_least_pct: float = Field(
        10.0, ge=0, description="% of the factory's mean by which they changed; less does not matter"
    )
    ask_every_days: int = Field(
        14, ge=1, description="days from one request for a factory's training to the next"
    )
    peak_chance: float = Field(
        0.2, gt=0, le=1, description="chance of passing the contract power from which on it is told"
    )


class Plant(StrictModel):
    """The whole registry."""

    mappings: dict[str, FileMapping]
    factories: dict[Id, Factory] = Field(min_length=1)
    monitoring: Monitoring = Field(default_factory=Monitoring)
    tariffs: dict[str, Tariff] = Field(default_factory=dict)
    grid_emission: dict[str, tuple[GridEmission, ...]] = Field(
        default_factory=dict,
        description="country, ISO 3166 -> what a MWh from its grid emits, a factor a year",
    )

    @model_validator(mode="after")
    def _tariffs_exist(self) -> "Plant":
        for factory_id, factory in self.factories.items():
            if factory.tariff is not None and factory.tariff not in self.tariffs:
                raise yamlfile.WrongAt(
                    ("factories", factory_id, "tariff"), f"tariff {factory.tariff!r} is not under `tariffs`"
                )
        return self

    @model_validator(mode="after")
    def _budgets_can_be_reckoned(self) -> "Plant":
        for factory_id, factory in self.factories.items():
            if factory.budget is not None and factory.budget.unit == "cost" and factory.tariff is None:
                raise yamlfile.WrongAt(
                    ("factories", factory_id, "budget"),
                    "a budget in money needs a tariff; give one, or unit: kwh",
                )
        return self

    @model_validator(mode="after")
    def _emission_factors_are_of_different_years(self) -> "Plant":
        for country, factors in self.grid_emission.items():
            years = [factor.year for factor in factors]
            for i, year in enumerate(years):
                if year in years[:i]:
                    raise yamlfile.WrongAt(
                        ("grid_emission", country, i, "year"), f"overlap: there are two factors for {year}"
                    )
        return self

    @model_validator(mode="after")
    def _mappings_exist(self) -> "Plant":
        for factory_id, factory in self.factories.items():
            for feed in factory.mapping:
                for name in factory.mapping_names(feed):
                    if name not in self.mappings:
                        raise ValueError(
                            f"factory {factory_id}: mapping {name!r} of feed {feed} is not under `mappings`"
                        )
        return self

    def factory(self, factory_id: str) -> Factory:
        """Return a factory.

        Raises:
            ConfigError: it is not registered.
        """
        try:
            return self.factories[factory_id]
        except KeyError as error:
            known = ", ".join(self.factories)
            raise ConfigError(f"factory {factory_id!r} is not in factories.yaml (it has {known})") from error

    def mapping(self, factory_id: str, feed: Feed) -> FileMapping:
        """Return how the collectors of a factory's feed write their files; of several ways, the first.

        Raises:
            ConfigError: the factory or its feed is not registered.
        """
        return self.mappings_of(factory_id, feed)[0]

    def mappings_of(self, factory_id: str, feed: Feed) -> tuple[FileMapping, ...]:
        """Return every way in which a factory's feed is written, in the order in which they are tried.

        Raises:
            ConfigError: the factory or its feed is not registered.
        """
        factory = self.factory(factory_id)
        if feed not in factory.mapping:
            raise ConfigError(f"factory {factory_id} has no feed {feed!r} in factories.yaml")
        return tuple(self.mappings[name] for name in factory.mapping_names(feed))

    def feeds(self, factory_id: str) -> tuple[Feed, ...]:
        """Return the feeds that a factory has: its meters first, the others as the registry has them."""
        return tuple(sorted(self.factory(factory_id).mapping, key=lambda feed: feed != "meter"))

    def sensors(self, factory_id: str, feed: Feed) -> list[Sensor]:
        """Return a feed's sensors in the order of the registry; a main meter, which is no machine, is the last."""
        factory = self.factory(factory_id)
        if feed == "steam_trap":
            # A pair's outlet stands behind its inlet.
            ids = [(trap_id, trap.outlet_sensor) for trap_id, trap in factory.steam_traps.items()]
            return [Sensor(sensor_id, feed, None, None) for pair in ids for sensor_id in pair if sensor_id]
        if feed != "meter":
            return [
                Sensor(sensor_id, feed, each.equipment, each.rated_per_hour)
                for sensor_id, each in factory.sensors.get(feed, {}).items()
            ]
        machines = [
            Sensor(sensor, feed, key, e.rated_kw, e.net)
            for key, e in factory.equipment.items()
            for sensor in (e.sensor, *e.other_sensors)
        ]
        machines += [Sensor(key, feed, None, None) for key in factory.meters]
        main = [] if factory.main_meter is None else [Sensor(factory.main_meter, feed, None, None)]
        return machines + main

    def emission(self, factory_id: str, year: int) -> GridEmission | None:
        """Return what a MWh from the grid of a factory's country emits in a year; None where no factor is known."""
        return emission_factor(self.grid_emission.get(self.factory(factory_id).country, ()), year)

    def grain_minutes(self, factory_id: str, feed: Feed) -> int:
        """Return the native interval of a feed in minutes."""
        return GRAIN_MINUTES[self.factory(factory_id).grain[feed]]

    def with_grains(self, grains: AbstractMapping[str, Grain]) -> "Plant":
        """Return the same plant with another native meter grain in some factories.

        Raises:
            ConfigError: a factory or a grain is unknown.
        """
        for key, grain in grains.items():
            if grain not in GRAIN_MINUTES:
                raise ConfigError(f"factory {key}: grain {grain!r} is none of {', '.join(GRAIN_MINUTES)}")
        changed = {
            key: self.factory(key).model_copy(update={"grain": {**self.factory(key).grain, "meter": grain}})
            for key, grain in grains.items()
        }
        return self.model_copy(update={"factories": {**self.factories, **changed}})


def load_plant(path: Path) -> Plant:
    """Read factories.yaml; a large one from what an earlier process kept of the same file.

    Raises:
        ConfigError: it is missing or wrong; names the line.
    """
    key = cache.key_of(path)
    if key is not None and (plant := cache.read(key, Plant)) is not None:
        return plant
    plant = yamlfile.load(path, Plant, most=MOST_VALUES)
    if key is not None and cache.key_of(path) == key:  # it was not written to meanwhile
        cache.write(key, plant)
    return plant
