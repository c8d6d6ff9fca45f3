"""Sensors of feeds other than the meters of machines and the steam traps: gas, steam, water, production, weather."""

from pydantic import Field

from fems.registry.names import Id, OneLine
from fems.registry.yamlfile import StrictModel

Feed = Id
"""The name of a definition book: `meter`, `steam_trap`, `gas` and whatever else a plant measures."""


class FeedSensor(StrictModel):
    """A sensor of a feed; the key is the sensor ID. Of production, it is a line's product."""

    name: OneLine
    name_ko: OneLine | None = Field(None, description="the same in Korean")
    equipment: str | None = Field(None, description="the machine that it belongs to, a key of `equipment`")
    rated_per_hour: float | None = Field(
        None, gt=0, description="the most in an hour, in the unit of the quantity; sets its hard limits"
    )
