"""The stored report and workbook of a forecast."""

from fems.errors import DataError
from fems.flows.platform import Platform
from fems.forecast.reasons import Language
from fems.lake import keys
from fems.report.page import opened_in


def report_page(
    platform: Platform,
    factory_id: str,
    month: str | None = None,
    language: Language = "ko",
    origin: str | None = None,
    model: str | None = None,
) -> str:
    """Return the stored report of a factory's month, as one HTML page.

    Args:
        platform: where it lies.
        factory_id: whose.
        month: YYYY-MM; of several forecasts of it the newest counts. The newest forecast's if not given.
        language: which it opens in.
        origin: of the month's forecasts the one from this instant, YYYY-MM-DDTHH:MM in its own zone.
        model: and by this model, as its folder names it: v3, or a baseline's name.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no such forecast, or it has no report.
    """
    platform.plant.factory(factory_id)
    folder = _chosen(platform, factory_id, month, origin, model)
    page = platform.lake.forecasts.report(folder)
    if page is None:
        raise DataError(f"{keys.report_key(folder)} is not there; make it with `fems report {factory_id}`")
    return opened_in(page, language)


def _chosen(
    platform: Platform, factory_id: str, month: str | None, origin: str | None, model: str | None
) -> str:
    forecasts = platform.lake.forecasts
    if month is None or (origin is None and model is None):
        return forecasts.newest(factory_id, month)
    for folder in reversed(forecasts.folders(factory_id, month)):
        if model is not None and not folder.endswith(f"/model={model}/"):
            continue
        summary = forecasts.summary(folder)
        if summary is not None and origin in (None, f"{summary.origin:%Y-%m-%dT%H:%M}"):
            return folder
    raise DataError(
        f"factory {factory_id} has no forecast of {month} from {origin or 'any origin'} by {model or 'any model'}"
    )


def workbook_file(platform: Platform, factory_id: str, language: Language) -> tuple[str, bytes]:
    """Return the name and the bytes of the Excel workbook of a factory's newest forecast.

    Raises:
        ConfigError: the factory is not registered.
        DataError: there is no forecast, or it has no workbook.
    """
    factory = platform.plant.factory(factory_id)
    folder = platform.lake.forecasts.newest(factory_id)
    data = platform.lake.forecasts.workbook(folder, language)
    if data is None:
        key = keys.workbook_key(folder, language)
        raise DataError(f"{key} is not there; make it with `fems report {factory_id}`")
    name = factory.name_ko if language == "ko" else factory.name
    month = folder.partition("/month=")[2][:7]
    return f"{name} {factory_id} {month}.xlsx", data
