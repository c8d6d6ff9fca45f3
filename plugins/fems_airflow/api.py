"""Read-only REST under /fems/api, behind Airflow's own login: JSON, and CSV where the address ends in .csv."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from fems.flows.platform import Platform

router = APIRouter(prefix="/api")

Factory = Annotated[str, Path(description="a factory's ID, such as 1100")]


def reading_platform() -> "Platform":
    """Return the platform, opened with the key that only reads."""
    from fems.flows.platform import Platform

    return Platform.from_environment(role="pages")


def _answer(table: Any, request: Request) -> Response:
    if not request.url.path.endswith(".csv"):
        return JSONResponse(jsonable_encoder(table.to_pylist()))
    from fems.views.csv import to_csv

    return Response(to_csv(table), media_type="text/csv; charset=utf-8")


def _of_a_factory(read: Callable[[Any, Any, str], Any]) -> Callable[..., Response]:
    def endpoint(factory: Factory, request: Request) -> Response:
        from fems.views import records

        return _answer(read(records, reading_platform(), factory), request)

    return endpoint


def _factories(request: Request) -> Response:
    from fems.views import records

    return _answer(records.factories(reading_platform()), request)


ENDPOINTS: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("/factories", "The registry's factories", _factories),
    (
        "/factories/{factory}/forecasts",
        "Every forecast of a factory: month, model, energy, maximum demand, cost, emission",
        _of_a_factory(lambda records, platform, factory: records.forecasts(platform, factory)),
    ),
    (
        "/factories/{factory}/forecast/day",
        "The newest forecast by day; a row without a sensor is the whole factory",
        _of_a_factory(lambda records, platform, factory: records.forecast(platform, factory, "day")),
    ),
    (
        "/factories/{factory}/forecast/hour",
        "The newest forecast by hour; a row without a sensor is the whole factory",
        _of_a_factory(lambda records, platform, factory: records.forecast(platform, factory, "hour")),
    ),
    (
        "/factories/{factory}/peaks",
        "The days of the newest forecast, the highest first, each with its reason",
        _of_a_factory(lambda records, platform, factory: records.peaks(platform, factory)),
    ),
    (
        "/factories/{factory}/quality",
        "The last evaluation of each month and feed",
        _of_a_factory(lambda records, platform, factory: records.quality(platform, factory)),
    ),
    (
        "/factories/{factory}/track-record",
        "How past forecasts did beside what was measured",
        _of_a_factory(lambda records, platform, factory: records.track_record(platform, factory)),
    ),
)

for path, summary, endpoint in ENDPOINTS:
    router.get(path, summary=summary)(endpoint)
    router.get(f"{path}.csv", summary=f"{summary} (CSV)")(endpoint)
