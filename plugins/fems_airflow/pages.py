"""The pages in Airflow's menu and links: plant, factory, quality, report, workbook, and the REST interface.

Airflow mounts a plugin's app as it is; that only who is logged in may read is asked for here, with the same dependency
that Airflow's own pages use.
"""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from airflow.sdk.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from fems.errors import FemsError
from fems.registry.sensors import Feed
from fems_airflow.api import reading_platform, router

if TYPE_CHECKING:
    from fems.views.forecasts import Choice

PREFIX = "/fems"

# Nothing of a page comes from another host, and no page runs a script of its own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

Month = Annotated[str, Path(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
# Not from the domain's rooms: every process of Airflow imports this, and they bring pandas and pyarrow.
Grain = Literal["native", "hour", "day"]
Language = Literal["ko", "en"]
Origin = Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$")]
Horizon = Annotated[int | None, Query(ge=60)]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_COOKIE = "fems_language"


def base_path() -> str:
    """Return the path that Airflow itself is served under, without a slash at its end."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


def _html(text: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(text, status, headers=_HEADERS)


def language_of(request: Request) -> Language:
    """Return the language of a page: what the address says, what was chosen before, or the browser's."""
    from fems.views.pages import language_of

    chosen = request.query_params.get("lang") or request.cookies.get(_COOKIE)
    return language_of(request.headers.get("accept-language", ""), chosen)


def _root() -> str:
    return f"{base_path()}{PREFIX}"


def _know(request: Request, *names: str) -> None:
    """Refuse an address that asks for what a page does not have, rather than pass over it."""
    unknown = sorted(set(request.query_params) - {*names, "lang"})
    if unknown:
        raise HTTPException(
            422, f"this page does not know {', '.join(unknown)}; it knows {', '.join([*names, 'lang'])}"
        )


def _message(request: Request, text: str, status: int) -> HTMLResponse:
    """A page that says what is wrong with an address, and where else to look."""
    from fems.registry.plant import load_plant
    from fems.settings import settings
    from fems.views.pages import message_page
    from fems.views.words import TEXT

    language = language_of(request)
    factories = [
        {"id": factory_id, "name": factory.name, "name_ko": factory.name_ko}
        for factory_id, factory in load_plant(settings().factories_file).factories.items()
    ]
    heading = TEXT[language]["not_found"]
    return _html(message_page(heading, text, language, _root(), factories), status)


async def logged_in(request: Request) -> None:
    """Let through who may see Airflow's own pages.

    Every process of Airflow loads its plugins; only the API server, which asks, pays for these imports.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user

    user = await get_user(request, None, await bearer_scheme(request))
    if not get_auth_manager().is_authorized_view(access_view=AccessView.WEBSITE, user=user):
        raise HTTPException(403, "you may not see this page")


app = FastAPI(
    title="FEMS Forecast",
    description="Read-only tables of factories, forecasts, peaks, quality and track record; .csv for CSV.",
    dependencies=[Depends(logged_in)],
    docs_url=None,
    redoc_url=None,
    openapi_url="/api/openapi.json",
)
app.include_router(router)


def _wants_page(request: Request) -> bool:
    return "/api/" not in request.url.path and "text/html" in request.headers.get("accept", "")


@app.exception_handler(FemsError)
def explained(request: Request, error: Exception) -> Response:
    """Answer in one line what the package can explain."""
    text = f"{type(error).__name__}: {error}"
    return _message(request, text, 404) if _wants_page(request) else JSONResponse({"detail": text}, 404)


@app.exception_handler(RequestValidationError)
def malformed(request: Request, error: Exception) -> Response:
    """Say which part of an address is wrong."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return _message(request, text, 422) if _wants_page(request) else JSONResponse({"detail": text}, 422)


@app.exception_handler(HTTPException)
def refused(request: Request, error: HTTPException) -> Response:
    """Send a person who is not logged in to the login, and back here; say the rest on a page."""
    if error.status_code == 401 and _wants_page(request):
        here = quote(str(request.url), safe="")
        return RedirectResponse(f"{base_path()}/api/v2/auth/login?next={here}")
    if _wants_page(request):
        return _message(request, str(error.detail), error.status_code)
    return JSONResponse({"detail": error.detail}, error.status_code)


@app.middleware("http")
async def remember_language(request: Request, call_next):  # type: ignore[no-untyped-def]
    """Keep the language that a reader chose."""
    response = await call_next(request)
    if request.query_params.get("lang") in ("ko", "en"):
        response.set_cookie(_COOKIE, request.query_params["lang"], samesite="lax", httponly=True)
    return response


@app.get("/", include_in_schema=False)
@app.get("", include_in_schema=False)
def plant(
    request: Request,
    q: str = "",
    sort: Literal["needs", "name", "kwh", "change", "demand"] = "needs",
    needs: bool = False,
) -> HTMLResponse:
    """All factories, what needs a look first."""
    from fems.views.pages import Asked, plant_page
    from fems.views.plant import plant_rows

    rows = plant_rows(reading_platform(), datetime.now(UTC))
    return _html(plant_page(rows, Asked(q, sort, needs), language_of(request), _root()))


@app.get("/health", include_in_schema=False)
def operations(request: Request) -> HTMLResponse:
    """Services, the Dags' last good runs, how old each factory's data is, the disk."""
    from fems.views.health import health
    from fems.views.pages import health_page
    from fems_airflow.last_runs import last_runs

    seen = health(reading_platform(), datetime.now(UTC), last_runs())
    return _html(health_page(seen, language_of(request), _root(), base_path()))


@app.get("/factory/{factory}", include_in_schema=False)
def factory_overview(request: Request, factory: str) -> HTMLResponse:
    """One factory: its forecasts, how they did, its data and its runs."""
    from fems.views.factory import factory_page
    from fems.views.pages import factory_html

    page = factory_page(reading_platform(), factory, datetime.now(UTC))
    mlflow = os.environ.get("FEMS_MLFLOW_PAGES")
    return _html(factory_html(page, language_of(request), _root(), base_path(), mlflow))


@app.get("/quality", include_in_schema=False)
def quality_overview(request: Request) -> HTMLResponse:
    """The factories and months that were evaluated, and what of them needs a look."""
    from fems.views.quality_pages import overview_page

    return _html(overview_page(reading_platform(), language_of(request), _root()))


@app.get("/quality/{factory}", include_in_schema=False)
def quality_of_factory(request: Request, factory: str) -> HTMLResponse:
    """The months of one factory."""
    from fems.views.quality_pages import overview_page

    return _html(overview_page(reading_platform(), language_of(request), _root(), factory))


@app.get("/quality/{feed}/{factory}/{month}", include_in_schema=False)
def quality_month(request: Request, feed: Feed, factory: str, month: Month) -> HTMLResponse:
    """One month of a factory."""
    from fems.views.quality_pages import month_page

    return _html(month_page(reading_platform(), factory, feed, month, language_of(request), _root()))


@app.get("/quality/{feed}/{factory}/{month}/{grain}", include_in_schema=False)
def quality_docs(feed: Feed, factory: str, month: Month, grain: Grain) -> HTMLResponse:
    """The Data Docs page of a table's last evaluation."""
    platform = reading_platform()
    platform.plant.factory(factory)
    page = platform.lake.evaluations.docs(feed, factory, month, grain)
    if page is None:
        raise HTTPException(404, f"no Data Docs of {feed} {grain}, {month} are kept")
    return _html(page)


@app.get("/report/{factory}", include_in_schema=False)
def report_newest(request: Request, factory: str) -> HTMLResponse:
    """The report of a factory's newest forecast."""
    from fems.views.report import report_page

    _know(request)
    return _html(report_page(reading_platform(), factory, language=language_of(request), root=_root()))


def _chosen(
    request: Request,
    month: Month,
    origin: Origin = None,
    model: str | None = None,
    horizon: Horizon = None,
) -> "Choice":
    """Return which of a month's forecasts an address asks for."""
    from fems.views.forecasts import Choice

    _know(request, "origin", "model", "horizon")
    return Choice(month, origin, model, horizon)


@app.get("/report/{factory}/{month}", include_in_schema=False)
def report_of_month(request: Request, factory: str, choice: Annotated[Any, Depends(_chosen)]) -> HTMLResponse:
    """The report of a factory's month; of several forecasts the newest of those that fit."""
    from fems.views.report import report_page

    return _html(report_page(reading_platform(), factory, choice, language_of(request), _root()))


@app.get("/workbook/{factory}", include_in_schema=False)
def workbook_newest(request: Request, factory: str) -> Response:
    """The Excel workbook of a factory's newest forecast."""
    _know(request)
    return _workbook(request, factory)


@app.get("/workbook/{factory}/{month}", include_in_schema=False)
def workbook_of_month(request: Request, factory: str, choice: Annotated[Any, Depends(_chosen)]) -> Response:
    """The Excel workbook of a factory's month, as the report."""
    return _workbook(request, factory, choice)


def _workbook(request: Request, factory: str, choice: "Choice | None" = None) -> Response:
    from fems.views.forecasts import Choice
    from fems.views.report import workbook_file

    name, data = workbook_file(reading_platform(), factory, language_of(request), choice or Choice())
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "Cache-Control": "no-store",
    }
    return Response(data, media_type=_XLSX, headers=headers)


@app.get("/traps/{factory}")
def traps_of_factory(request: Request, factory: str) -> HTMLResponse:
    """A factory's steam traps: by what they cost, each with its chart."""
    from fems.views.traps import traps_page

    return _html(traps_page(reading_platform(), factory, _root(), language_of(request)))


@app.get("/traps/{factory}/worklist.xlsx")
def trap_work_list(factory: str) -> Response:
    """The open events of a factory's steam traps as an Excel file."""
    from fems.views.traps import work_list

    content, _ = work_list(reading_platform(), [factory])
    return Response(content, media_type=_XLSX, headers=_HEADERS)


@app.get("/{path:path}", include_in_schema=False)
def no_such_page(request: Request, path: str) -> Response:
    """Say that there is no such page, and where else to look."""
    from fems.views.words import TEXT

    return _message(request, TEXT[language_of(request)]["not_found_lead"], 404)
