"""The forecasts of a factory that lie in the lake, and how an address names one of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from fems.contracts.forecast import ForecastSummary
from fems.errors import DataError
from fems.flows.platform import Platform
from fems.lake import keys

FORECASTS = pa.schema(
    [(name, pa.string()) for name in ("factory_id", "month", "origin", "model", "baseline_because")]
    + [("horizon_minutes", pa.int64())]
    + [(name, pa.float64()) for name in ("kwh", "kwh_p10", "kwh_p90", "demand_kw", "cost", "tco2e")]
    + [("days", pa.int64()), ("whole_days", pa.int64()), ("newest", pa.bool_())]
)
"""A row a forecast: what a plant looks at first of its calendar month."""


@dataclass(frozen=True)
class Choice:
    """What names one of a factory's forecasts; None leaves it open.

    Attributes:
        month: YYYY-MM.
        origin: YYYY-MM-DDTHH:MM, in the factory's own zone.
        model: as its folder names it: v3, or a baseline's name.
        horizon: minutes.
    """

    month: str | None = None
    origin: str | None = None
    model: str | None = None
    horizon: int | None = None

    def __str__(self) -> str:
        month = self.month or "any month"
        return (
            f"{month} from {self.origin or 'any origin'} by {self.model or 'any model'} "
            f"over {f'{self.horizon:,} minutes' if self.horizon else 'any horizon'}"
        )


@dataclass(frozen=True)
class PublishedForecast:
    """A forecast that lies in the lake: its folder, its summary, and whether it is the newest."""

    folder: str
    summary: ForecastSummary
    newest: bool

    @property
    def choice(self) -> Choice:
        """What names it."""
        summary = self.summary
        return Choice(
            summary.month,
            f"{summary.origin:%Y-%m-%dT%H:%M}",
            keys.model_of(self.folder),
            summary.horizon_minutes,
        )

    def fits(self, choice: Choice) -> bool:
        """Tell whether it is one that a choice names."""
        own = self.choice
        return all(
            asked in (None, given)
            for asked, given in (
                (choice.month, own.month),
                (choice.origin, own.origin),
                (choice.model, own.model),
                (choice.horizon, own.horizon),
            )
        )


def published_forecasts(
    platform: Platform, factory_id: str, month: str | None = None, most: int | None = None
) -> tuple[PublishedForecast, ...]:
    """Return a factory's forecasts, or those of a month, the newest month and origin first.

    One that this version cannot read is left out: the next forecast makes it anew.

    Args:
        platform: where they lie.
        factory_id: whose.
        month: YYYY-MM.
        most: no more than so many.
    """
    forecasts = platform.lake.forecasts
    try:
        latest = forecasts.latest(factory_id)
    except DataError:
        latest = None
    found = []
    for folder in list(reversed(forecasts.folders(factory_id, month)))[:most]:
        try:
            summary = forecasts.summary(folder)
        except DataError:
            continue
        if summary is not None:
            found.append(PublishedForecast(folder, summary, latest is not None and latest.prefix == folder))
    return tuple(found)


def chosen_forecast(platform: Platform, factory_id: str, choice: Choice) -> str:
    """Return the folder of the forecast that a choice names; of several the newest.

    Raises:
        DataError: there is none; names those of the month.
    """
    if choice.origin is None and choice.model is None and choice.horizon is None:
        return platform.lake.forecasts.newest(factory_id, choice.month)
    there = published_forecasts(platform, factory_id, choice.month)
    for each in there:
        if each.fits(choice):
            return each.folder
    known = "; ".join(str(each.choice) for each in there[:6]) or "none"
    raise DataError(f"factory {factory_id} has no forecast of {choice}; there is: {known}")


def forecast_table(platform: Platform, factory_ids: Iterable[str] | None = None) -> pa.Table:
    """Return every whole forecast of some factories, or of all, as `FORECASTS`, oldest month first."""
    rows = []
    for factory_id in platform.plant.factories if factory_ids is None else factory_ids:
        for each in reversed(published_forecasts(platform, factory_id)):
            summary = each.summary
            rows.append(
                {
                    "factory_id": factory_id,
                    "month": summary.month,
                    "origin": summary.origin.isoformat(),
                    "model": f"{summary.model.name} {summary.model.version}",
                    "baseline_because": summary.model.fallback,
                    "horizon_minutes": summary.horizon_minutes,
                    "kwh": summary.kwh,
                    "kwh_p10": summary.kwh_p10,
                    "kwh_p90": summary.kwh_p90,
                    "demand_kw": summary.demand.kw if summary.demand else None,
                    "cost": summary.cost.total if summary.cost else None,
                    "tco2e": summary.carbon.tco2e if summary.carbon else None,
                    "days": summary.calendar.days,
                    "whole_days": summary.calendar.whole_days,
                    "newest": each.newest,
                }
            )
    return pa.Table.from_pylist(rows, FORECASTS)
