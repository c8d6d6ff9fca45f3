"""Who may do what in MLflow, beside its own login: readers read, pages of other origins are refused."""

import base64
from typing import Any
from urllib.parse import urlsplit

from guards.logins import App, Attempt, Scope, address, header

WRITERS = ("platform", "admin")
READING = ("GET", "HEAD", "OPTIONS")
_APIS = ("api", "ajax-api")
# What this platform and MLflow's own pages use; everything else is switched off. What a later version of MLflow adds is
# off as well, until somebody has looked at it: parts of it call other hosts, or run code.
_PAGES = (
    "static-files",
    "build",
    "health",
    "version",
    "graphql",
    "get-artifact",
    "model-versions",
    "signup",
)
_AREAS = {
    "2.0": (
        "experiments",
        "runs",
        "metrics",
        "artifacts",
        "upload-artifact",
        "logged-models",
        "registered-models",
        "model-versions",
        "users",
    ),
    "3.0": ("server-info", "ui-telemetry", "users", "roles", "logged-models"),
}
_ONLY_READ = ("traces", "unified-traces", "datasets")
"""Areas that the pages ask, and in which nobody writes."""
_ACCOUNTS = ("users", "roles")
_OFF = {("runs", "create-promptlab-run")}
_QUESTIONS = {
    ("experiments", "search"),
    ("experiments", "search-datasets"),
    ("runs", "search"),
    ("logged-models", "search"),
    ("registered-models", "get-latest-versions"),
    ("traces", "search"),
    ("traces", "metrics"),
    ("traces", "batchGetInfos"),
    ("datasets", "search"),
    ("ui-telemetry",),
}
"""What is asked by POST, since the question is long."""


def user_of(scope: Scope) -> str:
    """Return the user that a request names in HTTP Basic; empty where it names none. The password is not checked."""
    scheme, _, text = header(scope, b"authorization").partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return base64.b64decode(text.strip()).decode().partition(":")[0]
    except ValueError:
        return ""


def attempt(scope: Scope) -> Attempt | None:
    """Return the login that a request tries: every request to MLflow brings its password."""
    credentials = header(scope, b"authorization")
    return Attempt(f"{address(scope)} {user_of(scope)}", credentials) if credentials else None


def refusal(scope: Scope) -> str:
    """Return why a request is refused before MLflow sees it; empty where it is not."""
    segments = tuple(segment for segment in scope["path"].split("/") if segment)
    origin, host = header(scope, b"origin"), header(scope, b"host")
    if origin and urlsplit(origin.decode("latin-1")).netloc != host.decode("latin-1"):
        return "a page of another origin may not call this server"
    names = [name.lower() for name, _ in scope["headers"]]
    if any(names.count(name) > 1 for name in (b"authorization", b"host")):
        return "a request has one Host and one Authorization"  # of two, one part sees the first, another the last
    if ".." in segments:
        return "a path does not lead upwards"
    if not _is_used(segments):
        return f"{'/'.join(segments)} is switched off on this server"
    if scope["method"] in READING or not user_of(scope):
        return ""  # without a user MLflow itself asks for one
    if scope["method"] == "POST" and (segments == ("graphql",) or segments[3:] in _QUESTIONS):
        return ""
    if segments[3:4] and segments[3] in _ONLY_READ and segments[0] in _APIS:
        return f"nobody writes {segments[3]} on this server"
    if segments[3:4] and segments[3] in _ACCOUNTS and user_of(scope) != "admin":
        return "accounts and rights are the administrator's"
    return "" if user_of(scope) in WRITERS else "this account may only read"


def _is_used(segments: tuple[str, ...]) -> bool:
    """Tell whether a path is of a part of MLflow that is used."""
    if not segments or segments[0] in _PAGES:
        return True
    if segments[0] not in _APIS or len(segments) < 3:
        return False
    version, part = segments[1:3]
    if part == "mlflow-artifacts":
        return version == "2.0"
    if part != "mlflow" or segments[3:] in _OFF:
        return False
    return segments[3:4] != () and segments[3] in (*_AREAS.get(version, ()), *_ONLY_READ)


class MlflowDoor:
    """The ASGI middleware of `refusal`."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or answer 403 with the reason. Nothing here speaks over a WebSocket."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        reason = refusal(scope) if scope["type"] == "http" else ""
        if not reason:
            await self.app(scope, receive, send)
            return
        text = f"Refused: {reason}.\n".encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": text})
