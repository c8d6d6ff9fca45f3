"""What electricity costs by season and time of day, and what it emits: the registry's `tariffs` and `grid_emission`."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from fems.calendar import REST, SATURDAY, WORKDAY, Days, kinds_of_days
from fems.errors import DataError
from fems.registry.yamlfile import StrictModel, WrongAt

Load = Literal["light", "medium", "maximum"]
LOADS: tuple[Load, ...] = get_args(Load)
"""Kinds of hours, as Korean tariffs name them: 경부하, 중간부하, 최대부하."""

_MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$")
_SPAN = re.compile(r"^([01]\d|2[0-4]):00-([01]\d|2[0-4]):00$")


class Discount(StrictModel):
    """Hours of Saturdays, Sundays and public holidays that cost less."""

    hours: tuple[str, ...] = Field(min_length=1, description="spans of whole hours such as 11:00-14:00")
    pct: float = Field(gt=0, le=100, description="% off the price of a kWh")

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        for i, span in enumerate(hours):
            _hours_of(span, (i,))
        return hours


class Season(StrictModel):
    """Some months of the year, the hours of each load in them and what a kWh costs then."""

    name: str
    months: tuple[int, ...] = Field(min_length=1, description="1 to 12; each month is in one season")
    hours: dict[Load, tuple[str, ...]] = Field(
        description="load -> spans of whole hours such as 22:00-08:00; together each hour of the day once"
    )
    per_kwh: dict[Load, float] = Field(description="load -> price of a kWh")
    weekend_discount: Discount | None = Field(
        None, description="hours of Saturdays, Sundays and public holidays that cost less"
    )

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


class PriceList(StrictModel):
    """The hours and prices of a tariff from a day on."""

    valid_from: date = Field(description="the first day on which they hold; the next list ends them")
    source: str = Field(description="where the figures are from")
    demand_per_kw: float = Field(0.0, ge=0, description="a month, for each kW of the month's maximum demand")
    feed_in_per_kwh: float = Field(
        0.0, ge=0, description="what is paid for a kWh that the factory feeds into the grid"
    )
    saturday_maximum_as: Load = Field(
        "maximum", description="what the hours of maximum load count as on Saturdays"
    )
    rest_day_as: Load | None = Field(
        None,
        description="what every hour of a Sunday or public holiday counts as; the usual load if not given",
    )
    seasons: tuple[Season, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _covers_the_year(self) -> "PriceList":
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

    @model_validator(mode="after")
    def _shifted_loads_have_prices(self) -> "PriceList":
        needed = {self.rest_day_as, self.saturday_maximum_as} - {None, "maximum"}
        for i, season in enumerate(self.seasons):
            lacking = needed - set(season.per_kwh)
            if lacking:
                raise WrongAt(
                    ("seasons", i, "per_kwh"), f"no price for {', '.join(sorted(map(str, lacking)))} load"
                )
        return self

    def loads(self, days: Days, hours: NDArray[np.int64], country: str) -> NDArray[np.int64]:
        """Return (T,) the load of hours, as indices into `LOADS`; arguments as in `Tariff.loads`."""
        months = _months(days)
        out = np.zeros(len(days), dtype=np.int64)
        for season in self.seasons:
            rows = np.isin(months, season.months)
            out[rows] = season.load_of_hour[hours[rows]]
        kinds = kinds_of_days(days, country)
        out[(kinds == SATURDAY) & (out == LOADS.index("maximum"))] = LOADS.index(self.saturday_maximum_as)
        if self.rest_day_as is not None:
            out[kinds == REST] = LOADS.index(self.rest_day_as)
        return out

    def prices(self, days: Days, hours: NDArray[np.int64], country: str) -> NDArray[np.float64]:
        """Return (T,) the price of a kWh; arguments as in `Tariff.loads`."""
        months = _months(days)
        table = np.full((13, len(LOADS)), np.nan)
        for season in self.seasons:
            for load, price in season.per_kwh.items():
                table[list(season.months), LOADS.index(load)] = price
        out: NDArray[np.float64] = table[months, self.loads(days, hours, country)]
        free = kinds_of_days(days, country) != WORKDAY
        for season in self.seasons:
            discount = season.weekend_discount
            if discount is not None:
                spans = [hour for span in discount.hours for hour in _hours_of(span, ())]
                out[free & np.isin(months, season.months) & np.isin(hours, spans)] *= 1 - discount.pct / 100
        return out


class Tariff(StrictModel):
    """A time-of-use tariff: an energy price by season and load, and a price of the maximum demand, dated."""

    name: str
    name_ko: str
    example: bool = Field(False, description="whether the report is to say that this is an example")
    currency: str = "KRW"
    price_lists: tuple[PriceList, ...] = Field(
        min_length=1, description="oldest first; a past month keeps the list that held then"
    )

    @model_validator(mode="after")
    def _are_in_order(self) -> "Tariff":
        for i, (earlier, later) in enumerate(pairwise(self.price_lists)):
            if later.valid_from <= earlier.valid_from:
                raise WrongAt(
                    ("price_lists", i + 1, "valid_from"),
                    f"overlap: {later.valid_from} is not after {earlier.valid_from}, where the list before it begins",
                )
        return self

    def on(self, day: date) -> PriceList:
        """Return the price list that holds on a day.

        Raises:
            DataError: the day is before the first list.
        """
        lists = [prices for prices in self.price_lists if prices.valid_from <= day]
        if not lists:
            raise DataError(
                f"tariff {self.name}: its prices begin on {self.price_lists[0].valid_from}, and {day} is before that; "
                "add the list of that time to factories.yaml"
            )
        return lists[-1]

    def loads(self, days: Days, hours: NDArray[np.int64], country: str) -> NDArray[np.int64]:
        """Return (T,) the load of hours, as indices into `LOADS`.

        Args:
            days: (T,) local days.
            hours: (T,) hours of the day, 0 to 23.
            country: ISO 3166 code; its public holidays are days of rest.

        Raises:
            DataError: a day is before the first price list.
        """
        out = np.zeros(len(days), dtype=np.int64)
        for prices, rows in self._by_list(days):
            out[rows] = prices.loads(days[rows], hours[rows], country)
        return out

    def prices(self, days: Days, hours: NDArray[np.int64], country: str) -> NDArray[np.float64]:
        """Return (T,) the price of a kWh in hours; arguments and errors as in `loads`."""
        out = np.zeros(len(days))
        for prices, rows in self._by_list(days):
            out[rows] = prices.prices(days[rows], hours[rows], country)
        return out

    def _by_list(self, days: Days) -> Iterator[tuple[PriceList, NDArray[np.bool_]]]:
        """Yield each price list that holds on some of the days, and on which."""
        if len(days) == 0:
            return
        self.on(days.min().astype("datetime64[D]").item())
        begins = np.array([prices.valid_from for prices in self.price_lists], dtype="datetime64[D]")
        which = np.searchsorted(begins, days.astype("datetime64[D]"), side="right") - 1
        for i in np.unique(which):
            yield self.price_lists[int(i)], which == i


class GridEmission(StrictModel):
    """What the use of a MWh from a country's grid emits, by a year's factor."""

    tco2e_per_mwh: float = Field(gt=0)
    year: int = Field(description="whose generation the factor is of")
    source: str


def emission_factor(factors: Sequence[GridEmission], year: int) -> GridEmission | None:
    """Return the factor for a year: its own, or else the newest before it; the oldest for a year before them all."""
    if not factors:
        return None
    known = sorted(factors, key=lambda factor: factor.year)
    return next((factor for factor in reversed(known) if factor.year <= year), known[0])


class Budget(StrictModel):
    """What a factory means to stay under in a calendar month."""

    unit: Literal["kwh", "cost"] = Field(description="kwh, or cost in the tariff's currency")
    every_month: float | None = Field(None, gt=0)
    by_month: dict[str, float] = Field(
        default_factory=dict, description="YYYY-MM -> this month's, before `every_month`"
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Budget":
        if self.every_month is None and not self.by_month:
            raise ValueError("budget: give every_month or by_month")
        for month, amount in self.by_month.items():
            if not _MONTH.match(month):
                raise WrongAt(("by_month", month), f"{month!r}: write YYYY-MM")
            if amount <= 0:
                raise WrongAt(("by_month", month), "a budget is above 0")
        return self

    def of(self, month: str) -> float | None:
        """Return the budget of a month, YYYY-MM; None where there is none."""
        return self.by_month.get(month, self.every_month)


def _months(days: Days) -> NDArray[np.int64]:
    """Return (D,) 1 to 12."""
    return days.astype("datetime64[M]").astype(np.int64) % 12 + 1


def _hours_of(span: str, place: tuple[int | str, ...]) -> list[int]:
    match = _SPAN.match(span)
    first, end = (int(match[1]), int(match[2])) if match else (0, 0)
    if not match or first == end or first == 24:
        raise WrongAt(place, f"{span!r}: write whole hours such as 22:00-08:00")
    return [hour % 24 for hour in range(first, end if end > first else end + 24)]
