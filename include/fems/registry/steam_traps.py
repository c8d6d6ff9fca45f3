"""What people write down of steam: traps, boiler and fuel, repairs and planned stops."""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from fems.registry.names import OneLine
from fems.registry.yamlfile import StrictModel

Position = Literal["inlet", "outlet", "body", "pair"]
TrapType = Literal["float", "inverted_bucket", "thermodynamic", "thermostatic", "orifice"]
Application = Literal["process", "drip", "tracer"]
Service = Literal["continuous", "batch", "seasonal"]


class SteamTrap(StrictModel):
    """A steam trap with a thermal sensor, or two; the key is the ID of its sensor, of a pair the inlet's."""

    name: OneLine
    name_ko: OneLine | None = Field(None, description="the same in Korean")
    set_point_c: float = Field(gt=0, description="temperature of a trap that works, degrees Celsius")
    type: TrapType | None = None
    position: Position | None = Field(
        None, description="where its sensor sits; pair: one at the inlet, one at the outlet"
    )
    outlet_sensor: str | None = Field(None, description="of a pair, the ID of the sensor at the outlet")
    line: OneLine | None = Field(
        None, description="steam line; traps of one line are held against each other"
    )
    pressure_bar_g: float | None = Field(None, gt=0, le=100, description="of its line, above the atmosphere")
    back_pressure_bar_g: float | None = Field(None, ge=0, description="behind the trap")
    orifice_mm: float | None = Field(None, gt=0, le=60, description="diameter; without it no loss is counted")
    application: Application | None = None
    service: Service | None = Field(
        None, description="continuous: hot whenever its line is; batch, seasonal: its supply is shut at times"
    )
    equipment: str | None = Field(None, description="the machine it serves, a key under `equipment`")
    condensate_returns: bool | None = Field(
        None, description="whether its condensate comes back to the boiler"
    )
    installed: date | None = Field(None, description="since when the trap is there")

    @model_validator(mode="after")
    def _pair_is_whole(self) -> "SteamTrap":
        if self.position == "pair" and self.outlet_sensor is None:
            raise ValueError("position: pair needs outlet_sensor, the ID of its second sensor")
        if self.position != "pair" and self.outlet_sensor is not None:
            raise ValueError("outlet_sensor goes with position: pair")
        behind = self.back_pressure_bar_g
        if behind is not None and self.pressure_bar_g is not None and behind >= self.pressure_bar_g:
            raise ValueError(
                f"back_pressure_bar_g {behind} must be under pressure_bar_g {self.pressure_bar_g}"
            )
        return self


class Quoted(StrictModel):
    """A figure that somebody published: with its year and its source."""

    year: int = Field(ge=1990, le=2100)
    source: str = Field(min_length=1)

    @property
    def cited(self) -> str:
        """Return the source with its year."""
        return f"{self.source}, {self.year}"


class Efficiency(Quoted):
    """Of a boiler, 0 to 1, on the net or the gross calorific value of its fuel."""

    value: float = Field(gt=0, le=1)
    basis: Literal["net", "gross"]


class FeedWater(Quoted):
    """Temperature of the water that the boiler is fed with, degrees Celsius."""

    value: float = Field(gt=0, lt=200)


class FuelPrice(Quoted):
    """What a megajoule of fuel costs."""

    per_mj: float = Field(gt=0)
    currency: str = "KRW"
    basis: Literal["net", "gross"]


class FuelEmission(Quoted):
    """What a gigajoule of fuel emits. Never the electricity grid's factor."""

    kgco2e_per_gj: float = Field(ge=0)
    basis: Literal["net", "gross"]


class Steam(StrictModel):
    """How a factory makes its steam; what is absent is not counted."""

    fuel: str | None = Field(None, description="its name, such as natural gas")
    boiler_efficiency: Efficiency | None = None
    feed_water_c: FeedWater | None = None
    price: FuelPrice | None = None
    emission: FuelEmission | None = None

    @model_validator(mode="after")
    def _one_basis(self) -> "Steam":
        """Net and gross differ by a tenth for gas: they are never mixed."""
        parts = (self.boiler_efficiency, self.price, self.emission)
        if len({part.basis for part in parts if part is not None}) > 1:
            raise ValueError("boiler_efficiency, price and emission must be on one basis, net or gross")
        if (self.price or self.emission) and self.fuel is None:
            raise ValueError("fuel: name the fuel that the price and the factor are of")
        return self

    def quoted(self) -> Iterator[tuple[str, str, str]]:
        """Yield each figure as its name, its value and its source with the year."""
        if self.boiler_efficiency is not None:
            given = self.boiler_efficiency
            yield "boiler efficiency", f"{given.value:g}, {given.basis}", given.cited
        if self.feed_water_c is not None:
            yield "feed water", f"{self.feed_water_c.value:g} °C", self.feed_water_c.cited
        if self.price is not None:
            price = self.price
            yield f"{self.fuel}", f"{price.per_mj:g} {price.currency}/MJ, {price.basis}", price.cited
        if self.emission is not None:
            factor = self.emission
            yield f"{self.fuel}", f"{factor.kgco2e_per_gj:g} kgCO2e/GJ, {factor.basis}", factor.cited


class Repair(StrictModel):
    """A trap that was mended or changed: what it measured before says nothing of it any more."""

    trap_id: str
    day: date
    note: str = ""


class Stop(StrictModel):
    """Days on which a trap, a line or the whole factory has no steam by plan, both ends included."""

    first: date
    last: date
    line: str | None = Field(None, description="None: the whole factory, or the one trap")
    trap_id: str | None = Field(None, description="of one trap whose supply is shut")
    note: str = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Stop":
        if self.last < self.first:
            raise ValueError(f"the stop ends on {self.last}, before it begins on {self.first}")
        return self
