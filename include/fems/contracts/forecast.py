"""A forecast's summary, which makes its tables one forecast, and the pointer to a factory's newest one."""

from collections.abc import Mapping
from datetime import date as Day
from typing import ClassVar, Literal

from fems.contracts.record import Instant, Part, Record

POOR_TOTAL_PCT = 10.0
POOR_COVERAGE_PCT = 60.0
"""A held-out month whose total was further off, or that had fewer of its hours in the 80 % band, is told in words."""


class HeldOut(Part):
    """What a model got wrong on the month that its training held out; protocol month-ahead.

    Attributes:
        accuracy: 100 x (1 - RMSE of scaled values); weekly_naive and profile (hour of the week) on the same window.
        total_error_pct: of the window's kWh, above 0 where the forecast was too high.
        coverage_80: 0 to 1, the share of hours in the 80 % band.
    """

    accuracy: float
    weekly_naive: float
    profile: float
    total_error_pct: float
    coverage_80: float

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, float]) -> "HeldOut | None":
        """Return it from what a training logged (`month_ahead.accuracy`, ...); None where that does not say."""
        names = {"weekly_naive": "weekly_naive_accuracy", "profile": "profile_accuracy"}
        figures = {name: metrics.get(f"month_ahead.{names.get(name, name)}") for name in cls.model_fields}
        if any(value is None for value in figures.values()):
            return None
        return cls.model_validate(figures)

    @property
    def is_poor(self) -> bool:
        """Whether it was so far off that a reader is told in words."""
        return abs(self.total_error_pct) > POOR_TOTAL_PCT or 100 * self.coverage_80 < POOR_COVERAGE_PCT


class ForecastModel(Part):
    """Who forecast.

    Attributes:
        name: of the registered model, or of the baseline.
        version: of the registry; the baseline's name again.
        trained_until: the first instant that it has not seen.
        fallback: why a baseline forecasts, None where the champion does.
        fallback_code: the same as a word.
        notice: why an earlier champion forecasts than the one that has the alias; None where it is that one.
        heldout: how the model did on its held-out month; None for a baseline.
    """

    name: str
    version: str
    trained_until: Instant
    fallback: str | None = None
    fallback_code: Literal["no_model", "too_little_data"] | None = None
    notice: str | None = None
    heldout: HeldOut | None = None


class ForecastQuality(Part):
    """How the forecast's own evaluation ended: nothing critical, or it would not be there."""

    critical_failed: int
    warning_failed: int
    findings: tuple[str, ...]


class Reasons(Part):
    """Why a day or a month is high or low, in a line of each language."""

    reason_ko: str
    reason_en: str


class PeakDay(Reasons):
    """One of the days with the most energy."""

    date: Day
    kwh: float


class ForecastDay(PeakDay):
    """A day of the forecast.

    Attributes:
        kwh_p10, kwh_p90: its 80 % band.
        rank: 1 is the highest, 0 a part of a day.
        hours: how many of it are known or forecast.
        measured: whether the whole day was before the origin.
        kw: its highest demand, the median of what is forecast; None where it cannot be told.
    """

    kwh_p10: float
    kwh_p90: float
    rank: int
    hours: int
    measured: bool
    kw: float | None


class CalendarDays(Part):
    """The calendar month that a forecast is shown, compared and costed by.

    Attributes:
        days: how many it has. whole_days: of which every hour is known or forecast.
        measured_kwh: the part of the energy that was measured before the origin.
    """

    days: int
    whole_days: int
    measured_kwh: float


class BudgetOutlook(Part):
    """A month's budget beside its forecast.

    Attributes:
        unit: kwh, or cost in the tariff's currency.
        amount: the budget. expected: what is forecast.
        chance_to_keep: 0 to 1, that the month stays at or under it; None without a band.
    """

    unit: Literal["kwh", "cost"]
    amount: float
    expected: float
    chance_to_keep: float | None


class EquipmentShare(Part):
    """A machine's energy, its share of the factory's, and of the power at the most likely maximum demand, %."""

    sensor_id: str
    name: str
    kwh: float
    share_pct: float
    peak_share_pct: float | None


class DemandSummary(Part):
    """The maximum demand.

    Attributes:
        kw: its median; kw_p10 and kw_p90 its quantiles.
        at: the start of the interval that is most likely the highest. minutes: of the interval.
        day_chance: 0 to 1, that it is on that day.
        contract_kw: the contract power, None where the registry has none.
        chance_over_contract: 0 to 1, that the maximum passes it.
    """

    kw: float
    kw_p10: float
    kw_p90: float
    at: Instant
    day_chance: float
    minutes: int
    contract_kw: float | None
    chance_over_contract: float | None


class MonthComparison(Part):
    """A measured month that the forecast is set beside.

    Attributes:
        month: YYYY-MM.
        kwh: of its measured hours, brought to the whole month. kwh_per_day: the same by day.
        change_pct: of the forecast's kWh per day against it.
        working_days: Mondays to Fridays without the holidays that the factory keeps.
    """

    month: str
    kwh: float
    kwh_per_day: float
    change_pct: float | None
    working_days: int


class Change(Part):
    """The month before, and the same month of last year; None where too few hours of it are known."""

    last_month: MonthComparison | None
    last_year: MonthComparison | None


class Carbon(Part):
    """Emission by the grid's factor, with the factor, its year and its source."""

    tco2e: float
    tco2e_per_mwh: float
    year: int
    source: str


class LoadCost(Part):
    """The hours of one load (light, middle, maximum), their energy and what it costs."""

    load: str
    hours: int
    kwh: float
    cost: float


class Cost(Part):
    """What energy and maximum demand cost by a tariff, before taxes and surcharges.

    Attributes:
        total: energy and demand, less what is paid for what is fed in. by_load: the energy's part.
        feed_in: what is paid for energy fed into the grid; feed_in_kwh: how much that is.
        name, name_ko, currency: of the tariff. example: whether its prices are made up.
        source, valid_from: of the price list that holds on the first day.
    """

    total: float
    energy: float
    demand: float
    feed_in: float = 0.0
    feed_in_kwh: float = 0.0
    by_load: tuple[LoadCost, ...]
    name: str
    name_ko: str
    currency: str
    example: bool
    source: str
    valid_from: Day


class Outlook(Part):
    """What a plant looks at first in a forecast, and what stands behind it.

    Attributes:
        rows: native rows of the factory, from the origin on.
        calendar: the calendar month that all of this is of, but for rows and horizon_kwh.
        kwh: of the calendar month: measured before the origin, forecast from there; kwh_p10 and kwh_p90 its band, None
            without a demand's draws.
        horizon_kwh: of the horizon from the origin, which is what is scored.
        alike: how many of the highest days cannot be told apart: their difference is far inside the band.
        peak_days: the highest whole days that are forecast, the month's reasons among theirs.
        top_equipment: the machines, most energy first.
        days: all of them, in the order of time.
        month_reasons: what makes the month high or low.
        working_days: Mondays to Fridays without the holidays that the factory keeps.
        demand, change, carbon, cost, budget: see there; None where it cannot be told.
        no_cost: why there is no cost although a tariff is registered.
    """

    rows: int
    calendar: CalendarDays
    horizon_kwh: float
    alike: int
    kwh: float
    kwh_p10: float | None
    kwh_p90: float | None
    peak_days: tuple[PeakDay, ...]
    top_equipment: tuple[EquipmentShare, ...]
    days: tuple[ForecastDay, ...]
    month_reasons: Reasons
    working_days: int
    demand: DemandSummary | None
    change: Change
    carbon: Carbon | None
    cost: Cost | None
    no_cost: str | None = None
    budget: BudgetOutlook | None


class PlanEffect(Reasons):
    """What is planned of a machine, and what its energy makes of it; the same in words as `Reasons`.

    Attributes:
        sensor_id: of the machine.
        kind: of plan.
        planned: production over the usual in %, hours of stops or of extra shifts, or degrees Celsius in the mean.
        energy_pct: change of the machine's energy in the hours concerned.
        kwh: the same in kWh.
        kept: whether past stops were mostly kept; those of a machine that keeps none count for nothing.
    """

    sensor_id: str
    kind: Literal["stop", "production", "shift", "temperature"]
    planned: float
    energy_pct: float
    kwh: float
    kept: bool


class ForecastSummary(Outlook, Record):
    """The summary that is stored beside a forecast's tables; written last, it makes them one forecast.

    Attributes:
        factory_id, month: whose, and YYYY-MM that it is filed under.
        origin: the first forecast instant. horizon_minutes: how far.
        model: who forecast.
        data_fingerprint: of the published months that it could see.
        code_version: of the package. simulated: whether the data is.
        quality: its own evaluation.
        plans: what was planned at the origin, and what it makes of the forecast; empty where nothing was.
    """

    REMEDY: ClassVar[str] = "run `fems forecast` for the month again"

    factory_id: str
    month: str
    origin: Instant
    horizon_minutes: int
    model: ForecastModel
    data_fingerprint: str
    code_version: str
    simulated: bool
    quality: ForecastQuality
    plans: tuple[PlanEffect, ...] = ()


class LatestForecast(Record):
    """The pointer to a factory's newest forecast: where it lies, and what it is of."""

    REMEDY: ClassVar[str] = "run `fems forecast` again"

    factory_id: str
    month: str
    origin: Instant
    prefix: str
