"""One factory's page: its forecasts, how they did, its data and where its runs are."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from fems.contracts.evaluation import EvaluationRecord
from fems.flows.platform import Platform
from fems.report.content import track_record
from fems.views.forecasts import PublishedForecast, published_forecasts
from fems.views.plant import PlantRow, plant_rows

_EVALUATIONS = 12
"""How many of the newest months of quality the page shows."""


@dataclass(frozen=True)
class FactoryPage:
    """What the page shows.

    Attributes:
        row: the factory as on the plant page.
        forecasts: newest month and origin first.
        track: how earlier forecasts did, see `fems.report.content.track_record`.
        evaluations: feed -> the last evaluation of its newest months, newest first.
    """

    row: PlantRow
    forecasts: tuple[PublishedForecast, ...]
    track: pd.DataFrame
    evaluations: dict[str, tuple[EvaluationRecord, ...]]


def factory_page(platform: Platform, factory_id: str, now: datetime) -> FactoryPage:
    """Return what is known of a factory.

    Raises:
        ConfigError: it is not registered.
        DataError: a record cannot be read; says what to run.
    """
    row = plant_rows(platform, now, [factory_id])[0]
    lake = platform.lake
    forecasts = published_forecasts(platform, factory_id)
    table = lake.forecasts.track_record(factory_id)
    evaluations = {
        feed: tuple(lake.evaluations.by_month(feed, factory_id).values())[: -_EVALUATIONS - 1 : -1]
        for feed in platform.plant.feeds(factory_id)
    }
    return FactoryPage(
        row, forecasts, track_record(None if table is None else table.to_pandas()), evaluations
    )
