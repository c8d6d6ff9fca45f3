"""A factory's published hours as the model stage wants them."""

import pandas as pd

from fems.contracts.manifest import Manifest
from fems.errors import TooLittleHistory
from fems.flows.machines import of_machines
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.model.history import History


def with_tables(lake: Lake, factory_id: str) -> dict[str, Manifest]:
    """Return the manifests of a factory's meters by month, in order, without months of which no row could be used."""
    return {
        month: manifest
        for month, manifest in lake.manifests("meter", factory_id).items()
        if not manifest.empty
    }


def published_months(lake: Lake, factory_id: str) -> list[str]:
    """Return the published months of a factory's meters, in order.

    Raises:
        TooLittleHistory: there are none.
    """
    months = list(with_tables(lake, factory_id))
    if not months:
        raise TooLittleHistory(f"factory {factory_id} has no published meter data; run ingest first")
    return months


def published_hours(platform: Platform, factory_id: str) -> pd.DataFrame:
    """Return the hour table of every published month of a factory's meters, up to the last hour that has a value.

    A file under a wrong, later date makes days without a value; they must not move the end of the data. A row is a
    part of the factory: see `fems.flows.machines.of_machines`.

    Raises:
        TooLittleHistory: nothing is published yet.
        DataError: a publish was cut off.
    """
    return _hours(platform, factory_id, published_months(platform.lake, factory_id))


def published_end(platform: Platform, factory_id: str) -> pd.Timestamp:
    """Return the first instant after the published hours, by the newest month that has a value.

    Raises:
        TooLittleHistory: nothing is published yet.
        DataError: a publish was cut off.
    """
    for month in reversed(published_months(platform.lake, factory_id)):
        hours = _hours(platform, factory_id, [month])
        if len(hours):
            return pd.Timestamp(hours["timestamp"].max()) + pd.Timedelta(hours=1)
    raise TooLittleHistory(f"factory {factory_id} has no published hour with a value; run ingest first")


def _hours(platform: Platform, factory_id: str, months: list[str]) -> pd.DataFrame:
    hours = platform.lake.published("meter", "hour", factory_id, months).to_pandas()
    hours = of_machines(hours, platform.plant.factory(factory_id).meter_tree)
    known: pd.DataFrame = hours[hours["timestamp"] <= hours.loc[hours["used_kwh"].notna(), "timestamp"].max()]
    return known


def as_history(platform: Platform, factory_id: str, hours: pd.DataFrame) -> History:
    """Return an hour table as the model stage wants it, with the calendar and the shifts that the registry names."""
    factory = platform.plant.factory(factory_id)
    # A plan that nobody wrote down is the schema's default, and says nothing of this factory.
    shifts = factory.shifts if "shifts" in factory.model_fields_set else None
    return History.from_hour_table(
        hours, country=factory.country, holidays_off=factory.holidays_off, shifts=shifts
    )


def month_of(origin: pd.Timestamp) -> str:
    """Return the month that a forecast from an origin is for."""
    return f"{origin.year:04d}-{origin.month:02d}"
