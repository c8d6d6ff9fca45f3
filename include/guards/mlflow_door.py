"""Who may do what in MLflow, beside its own login: readers read, pages of other origins are refused."""

import base64
from typing import Any
from urllib.parse import urlsplit

from guards.logins import App, Attempt, Scope, address, header

WRITERS = ("platform", "admin")
READING = ("GET", "HEAD", "OPTIONS")
# Parts of MLflow that this platform does not use, each a way to make the server call other hosts or run code.
UNUSED = (
    "gateway",
    "assistant",
    "jobs",
    "webhooks",
    "mcp-servers",
    "scorers",
    "workspaces",
    "promptlab",
    "invocations",
)


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
    segments = [segment for segment in scope["path"].lower().split("/") if segment]
    origin, host = header(scope, b"origin"), header(scope, b"host")
    if origin and urlsplit(origin.decode("latin-1")).netloc != host.decode("latin-1"):
        return "a page of another origin may not call this server"
    unused = next((segment for segment in segments if segment in UNUSED), "")
    if unused and "mlflow-artifacts" not in segments and "static-files" not in segments:
        return f"{unused} is switched off on this server"
    if scope["method"] in READING or user_of(scope) in WRITERS or not user_of(scope):
        return ""  # without a user MLflow itself asks for one
    last = segments[-1] if segments else ""
    if scope["method"] == "POST" and (last.startswith("search") or last in ("graphql", "ui-telemetry")):
        return ""
    return "this account may only read"


class MlflowDoor:
    """The ASGI middleware of `refusal`."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or answer 403 with the reason."""
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
