"""What electricity costs by season and time of day, and what it emits: the registry's `tariffs` and `grid_emission`."""

import re
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from fems.calendar import REST, SATURDAY, Days, kinds_of_days
from fems.registry.yamlfile import WrongAt

Load = Literal["light", "medium", "maximum"]
LOADS: tuple[Load, ...] = get_args(Load)
"""Kinds of hours, as Korean tariffs name them: 경부하, 중간부하, 최대부하."""

_SPAN = re.compile(r"^([01]\d|2[0-4]):00-([01]\d|2[0-4]):00$")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Season(_Strict):
    """Some months of the year, the hours of each load in them and what a kWh costs then."""

    name: str
    months: tuple[int, ...] = Field(min_length=1, description="1 to 12; each month is in one season")
    hours: dict[Load, tuple[str, ...]] = Field(
        description="load -> spans of whole hours such as 22:00-08:00; together each hour of the day once"
    )
    per_kwh: dict[Load, float] = Field(description="load -> price of a kWh")

    @field_validator("months")
    @classmethod
    def _are_months(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= month <= 12 for month in months):
            raise ValueError(f"{list(months)}: months are 1 to 12")
        return months

    @model_validator(mode="after")
    def _covers_the_day(self) -> "Season":
        owner: dict[int, Load] = {}
        for load, spans in self.hours.items():
            for i, span in enumerate(spans):
                for hour in _hours_of(span, ("hours", load, i)):
                    if hour in owner:
                        raise WrongAt(
                            ("hours", load, i),
                            f"overlap: {hour:02d}:00-{hour + 1:02d}:00 is {owner[hour]} load and {load} load",
                        )
                    owner[hour] = load
        gap = [hour for hour in range(24) if hour not in owner]
        if gap:
            raise WrongAt(("hours",), f"gap: {gap[0]:02d}:00-{gap[0] + 1:02d}:00 has no load")
        unpriced = set(self.hours) - set(self.per_kwh)
        if unpriced:
            raise WrongAt(("per_kwh",), f"no price for {', '.join(sorted(unpriced))} load")
        return self

    @property
    def load_of_hour(self) -> NDArray[np.int64]:
        """(24,) indices into `LOADS`."""
        out = np.zeros(24, dtype=np.int64)
        for load, spans in self.hours.items():
            for span in spans:
                out[_hours_of(span, ())] = LOADS.index(load)
        return out


class Tariff(_Strict):
    """A time-of-use tariff: an energy price by season and load, and a price of the maximum demand."""

    name: str
    name_ko: str
    source: str = Field(description="where the figures are from")
    year: int = Field(description="of the figures")
    example: bool = Field(False, description="whether the report is to say that this is an example")
    currency: str = "KRW"
    demand_per_kw: float = Field(0.0, ge=0, description="a month, for each kW of the month's maximum demand")
    saturday_maximum_as: Load = Field(
        "maximum", description="what the hours of maximum load count as on Saturdays"
    )
    rest_day_as: Load | None = Field(
        None,
        description="what every hour of a Sunday or public holiday counts as; the usual load if not given",
    )
    seasons: tuple[Season, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _covers_the_year(self) -> "Tariff":
        owner: dict[int, str] = {}
        for i, season in enumerate(self.seasons):
            for month in season.months:
                if month in owner:
                    raise WrongAt(
                        ("seasons", i, "months"),
                        f"overlap: month {month} is in {owner[month]} and in {season.name}",
                    )
                owner[month] = season.name
        gap = [month for month in range(1, 13) if month not in owner]
        if gap:
            raise WrongAt(("seasons",), f"gap: month {gap[0]} is in no season")
        return self

    def season(self, month: int) -> Season:
        """Return the season of a month, 1 to 12."""
        return next(season for season in self.seasons if month in season.months)

    def loads(self, days: Days, hours: NDArray[np.int64], country: str) -> NDArray[np.int64]:
        """Return (T,) the load of hours, as indices into `LOADS`.

        Args:
            days: (T,) local days.
            hours: (T,) hours of the day, 0 to 23.
            country: ISO 3166 code; its public holidays are days of rest.
        """
        months = days.astype("datetime64[M]").astype(int) % 12 + 1
        out = np.zeros(len(days), dtype=np.int64)
        for season in self.seasons:
            rows = np.isin(months, season.months)
            out[rows] = season.load_of_hour[hours[rows]]
        kinds = kinds_of_days(days, country)
        out[(kinds == SATURDAY) & (out == LOADS.index("maximum"))] = LOADS.index(self.saturday_maximum_as)
        if self.rest_day_as is not None:
            out[kinds == REST] = LOADS.index(self.rest_day_as)
        return out

    def prices(self, days: Days, loads: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (T,) what a kWh costs in hours of the given loads."""
        months = days.astype("datetime64[M]").astype(int) % 12 + 1
        table = np.full((13, len(LOADS)), np.nan)
        for season in self.seasons:
            for load, price in season.per_kwh.items():
                table[list(season.months), LOADS.index(load)] = price
        return table[months, loads]

    @model_validator(mode="after")
    def _shifted_loads_have_prices(self) -> "Tariff":
        needed = {self.rest_day_as, self.saturday_maximum_as} - {None, "maximum"}
        for i, season in enumerate(self.seasons):
            lacking = needed - set(season.per_kwh)
            if lacking:
                raise WrongAt(
                    ("seasons", i, "per_kwh"), f"no price for {', '.join(sorted(map(str, lacking)))} load"
                )
        return self


class GridEmission(_Strict):
    """What the use of a MWh from a country's grid emits."""

    tco2e_per_mwh: float = Field(gt=0)
    year: int = Field(description="whose generation the factor is of")
    source: str


def _hours_of(span: str, place: tuple[int | str, ...]) -> list[int]:
    found = _SPAN.match(span)
    first, end = (int(found[1]), int(found[2])) if found else (0, 0)
    if not found or first == end or first == 24:
        raise WrongAt(place, f"{span!r}: write whole hours such as 22:00-08:00")
    return [hour % 24 for hour in range(first, end if end > first else end + 24)]
