"""The stored report of a forecast."""

from fems.errors import DataError
from fems.flows.platform import Platform
from fems.forecast.reasons import Language
from fems.lake import keys
from fems.report.page import opened_in


def report_page(
    platform: Platform, factory_id: str, month: str | None = None, language: Language = "ko"
) -> str:
    """Return the stored report of a factory's month, as one HTML page.

    Args:
        platform: where it lies.
        factory_id: whose.
        month: YYYY-MM; of several forecasts of it the newest counts. The newest forecast's if not given.
        language: which it opens in.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no forecast, or no report, of the month.
    """
    platform.plant.factory(factory_id)
    folder = platform.lake.forecasts.newest(factory_id, month)
    page = platform.lake.forecasts.report(folder)
    if page is None:
        raise DataError(f"{keys.report_key(folder)} is not there; make it with `fems report {factory_id}`")
    return opened_in(page, language)
