"""The pages that Airflow's UI links to: quality evaluations and forecast reports, behind Airflow's own login.

Airflow mounts a plugin's app as it is; that only who is logged in may read is asked for here, with the same dependency
that Airflow's own pages use.
"""

from html import escape
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote, urlsplit

from airflow.sdk.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from fems.errors import FemsError
from fems.registry.plant import Feed

if TYPE_CHECKING:
    from fems.flows.platform import Platform

PREFIX = "/fems"
QUALITY = f"{PREFIX}/quality"

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


def base_path() -> str:
    """Return the path that Airflow itself is served under, without a slash at its end."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


def _platform() -> "Platform":
    """Return the platform, opened with the key that only reads."""
    from fems.flows.platform import Platform

    return Platform.from_environment(role="pages")


def _html(text: str) -> HTMLResponse:
    return HTMLResponse(text, headers=_HEADERS)


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
    dependencies=[Depends(logged_in)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)


@app.exception_handler(FemsError)
def explained(request: Request, error: Exception) -> Response:
    """Answer in one line what the package can explain."""
    return HTMLResponse(f"<p>{type(error).__name__}: {escape(str(error))}</p>", 404, headers=_HEADERS)


@app.exception_handler(HTTPException)
def to_login(request: Request, error: HTTPException) -> Response:
    """Send a person who is not logged in to the login, and back here."""
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        here = quote(str(request.url), safe="")
        return RedirectResponse(f"{base_path()}/api/v2/auth/login?next={here}")
    return JSONResponse({"detail": error.detail}, error.status_code)


@app.get("/quality")
def quality_overview() -> HTMLResponse:
    """All months that were evaluated."""
    from fems.quality.pages import overview
    from fems.views.quality import quality_overview

    return _html(overview(quality_overview(_platform()), f"{base_path()}{QUALITY}"))


@app.get("/quality/{factory}")
def quality_of_factory(factory: str) -> HTMLResponse:
    """The months of one factory."""
    from fems.quality.pages import overview
    from fems.views.quality import quality_overview

    return _html(overview(quality_overview(_platform(), [factory]), f"{base_path()}{QUALITY}"))


@app.get("/quality/{feed}/{factory}/{month}")
def quality_month(feed: Feed, factory: str, month: Month) -> HTMLResponse:
    """One month of a factory."""
    from fems.views.quality import month_page

    root = f"{base_path()}{QUALITY}"
    return _html(month_page(_platform(), factory, feed, month, root))


@app.get("/quality/{feed}/{factory}/{month}/{grain}")
def quality_docs(feed: Feed, factory: str, month: Month, grain: Grain) -> HTMLResponse:
    """The Data Docs page of a table's last evaluation."""
    platform = _platform()
    platform.plant.factory(factory)
    page = platform.lake.evaluations.docs(feed, factory, month, grain)
    if page is None:
        raise HTTPException(404, f"no Data Docs of {feed} {grain}, {month} are kept")
    return _html(page)


@app.get("/report/{factory}")
def report_newest(factory: str, lang: Language = "ko") -> HTMLResponse:
    """The report of a factory's newest forecast."""
    from fems.views.report import report_page

    return _html(report_page(_platform(), factory, None, lang))


@app.get("/report/{factory}/{month}")
def report_of_month(factory: str, month: Month, lang: Language = "ko") -> HTMLResponse:
    """The report of a factory's month."""
    from fems.views.report import report_page

    return _html(report_page(_platform(), factory, month, lang))
