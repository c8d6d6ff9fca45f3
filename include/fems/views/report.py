"""The stored report and workbook of a forecast, and the bar above the report that leads elsewhere."""

from fems.errors import DataError
from fems.flows.platform import Platform
from fems.forecast.reasons import Language
from fems.lake import keys
from fems.report.page import opened_in
from fems.views.forecasts import Choice, chosen_forecast, published_forecasts
from fems.views.pages import report_bar

OTHERS = 24
"""How many of a factory's forecasts the bar offers."""
_ANY = Choice()


def report_page(
    platform: Platform,
    factory_id: str,
    choice: Choice = _ANY,
    language: Language = "ko",
    root: str | None = None,
) -> str:
    """Return the stored report of a forecast, as one HTML page.

    Args:
        platform: where it lies.
        factory_id: whose.
        choice: which forecast; of several that fit the newest, the factory's newest if it names none.
        language: which it opens in.
        root: the path that all pages lie under, for the bar that leads to them; no bar if not given.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no such forecast, or it has no report.
    """
    factory = platform.plant.factory(factory_id)
    folder = chosen_forecast(platform, factory_id, choice)
    stored = platform.lake.forecasts.report(folder)
    if stored is None:
        raise DataError(f"{keys.report_key(folder)} is not there; make it with `fems report {factory_id}`")
    page = opened_in(stored, language)
    if root is None:
        return page
    there = published_forecasts(platform, factory_id, most=OTHERS)
    bar = report_bar(factory_id, factory, folder, there, language, root)
    return page.replace("<body>", f"<body>\n{bar}", 1)


def workbook_file(
    platform: Platform, factory_id: str, language: Language, choice: Choice = _ANY
) -> tuple[str, bytes]:
    """Return the name and the bytes of the Excel workbook of a forecast.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no such forecast, or it has no workbook.
    """
    factory = platform.plant.factory(factory_id)
    folder = chosen_forecast(platform, factory_id, choice)
    data = platform.lake.forecasts.workbook(folder, language)
    if data is None:
        key = keys.workbook_key(folder, language)
        raise DataError(f"{key} is not there; make it with `fems report {factory_id}`")
    name = factory.name_ko if language == "ko" else factory.name
    month = folder.partition("/month=")[2][:7]
    return f"{name} {factory_id} {month}.xlsx", data
