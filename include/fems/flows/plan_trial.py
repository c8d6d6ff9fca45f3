"""Try plans before they are decided: what each would make of the month's energy, peak, cost and emission.

Nothing is published and nothing is written.
"""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from fems.contracts.horizon import HORIZON_MINUTES
from fems.contracts.record import Part
from fems.errors import DataError, NoModel
from fems.flows.history import as_history, published_hours
from fems.flows.machines import machine_columns
from fems.flows.origin import origin_of
from fems.flows.plans import known_plan
from fems.flows.platform import Platform
from fems.flows.prediction import draw, machine_names, native_before, predict
from fems.forecast.calendar_month import reach_minutes
from fems.model.plans import Plan
from fems.registry.factory import Factory

AS_KNOWN = "as known"
"""The name of what the factory's feeds of plans say, without any plan that is tried."""


class TriedPlan(Part):
    """What a calendar month would be with a plan.

    Attributes:
        name: of the plan.
        kwh: of the month.
        peak_kw: the median of its maximum demand; None where nothing can be said of it.
        cost, currency: by the tariff; None where the factory has none.
        tco2e: None where the country has no emission factor.
        effects: what the plan makes of each machine, in English.
    """

    name: str
    kwh: float
    peak_kw: float | None
    cost: float | None
    currency: str | None
    tco2e: float | None
    effects: tuple[str, ...]


def try_plans(
    platform: Platform,
    factory_id: str,
    files: Mapping[str, Path],
    month: str | None = None,
    horizon_minutes: int = HORIZON_MINUTES,
    origin: str | None = None,
) -> tuple[TriedPlan, ...]:
    """Forecast a factory's month with what is known, and then with each plan on top of it.

    Args:
        platform: where the data and the champion are.
        factory_id: whose.
        files: name -> a CSV file of a plan, see `read_plan`.
        month: as in `forecast_factory`.
        horizon_minutes: likewise.
        origin: likewise.

    Raises:
        NoModel: no champion forecasts this factory, and a baseline knows no plans.
        DataError: a plan cannot be; says which row and why.
        ConfigError, TooLittleHistory: as `forecast_factory`.
    """
    history = as_history(platform, factory_id, published_hours(platform, factory_id))
    start = origin_of(history.end, factory_id, month, origin)
    known = history.until(start)
    end = start + pd.Timedelta(minutes=reach_minutes(start, horizon_minutes))
    factory = platform.plant.factory(factory_id)
    plans = {name: read_plan(path, factory, start, end) for name, path in files.items()}
    fed = known_plan(platform, factory_id).plan.known_at(start)
    made = predict(platform, factory_id, known, start, horizon_minutes, fed)
    if made.champion is None:
        raise NoModel(f"factory {factory_id}: a plan is tried with a model, and {made.model.fallback}")
    names = machine_names(platform, factory_id)
    native = native_before(platform, factory_id, start, list(made.kwh.columns))
    tried = []
    for name, plan in {AS_KNOWN: Plan(), **plans}.items():
        result = made.planned(fed.and_then(plan), known, names)
        outlook = draw(platform, factory_id, result, known, start, horizon_minutes, native).outlook
        tried.append(
            TriedPlan(
                name=name,
                kwh=outlook.kwh,
                peak_kw=outlook.demand.kw if outlook.demand else None,
                cost=outlook.cost.total if outlook.cost else None,
                currency=outlook.cost.currency if outlook.cost else None,
                tco2e=outlook.carbon.tco2e if outlook.carbon else None,
                effects=tuple(effect.reason_en for effect in result.plans),
            )
        )
    return tuple(tried)


def read_plan(path: Path, factory: Factory, origin: pd.Timestamp, end: pd.Timestamp) -> Plan:
    """Read a plan that is to be tried: a CSV file with the columns of `fems.model.plans.COLUMNS`.

    Args:
        path: the file. Times without an offset are the factory's; `known_at` may be left out.
        factory: whose; a machine is named by its sensor or by its key in factories.yaml.
        origin: the forecast's first instant.
        end: the first instant after it.

    Raises:
        DataError: the file or a row cannot be, or a row is of a time that is not forecast.
    """
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path}: is no CSV file with a header: {error}") from error
    if table.empty:
        raise DataError(f"{path}: has no rows")
    sensors = machine_columns(factory)
    zone = ZoneInfo(factory.timezone)
    table["sensor_id"] = (
        table["sensor_id"].map(lambda name: sensors.get(name, name)) if "sensor_id" in table else ""
    )
    for name in {"start", "end", "known_at"} & set(table.columns):
        table[name] = table[name].map(lambda written: _local(written, zone), na_action="ignore")
    try:
        plan = Plan.from_table(table, list(sensors.values()), known_at=origin)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    for number, entry in enumerate(plan.entries, start=1):
        if entry.end <= origin or entry.start >= end:
            raise DataError(
                f"{path}: plan, row {number}: {entry.start} to {entry.end} is not forecast; the forecast is of "
                f"{origin} to {end}"
            )
        if entry.known_at > origin:
            raise DataError(
                f"{path}: plan, row {number}: known at {entry.known_at}, after the forecast's origin, {origin}: it "
                "would move nothing"
            )
    return plan


def _local(written: str, zone: ZoneInfo) -> object:
    """Read a time; as it was written where it cannot be read, for the error that names the row."""
    try:
        instant = pd.Timestamp(written)
        return instant.tz_localize(zone) if instant.tz is None else instant.tz_convert(zone)
    except ValueError:
        return written
