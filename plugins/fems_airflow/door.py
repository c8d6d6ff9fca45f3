"""What stands before Airflow's pages: only known host names, and passwords are tried slowly."""

import os
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf
from starlette.middleware.trustedhost import TrustedHostMiddleware

from guards.logins import Attempt, LoginThrottle, Scope, address

_LOGINS = ("/auth/token", "/auth/token/cli", "/auth/login")
_LOCAL = ("localhost", "127.0.0.1")


def attempt(scope: Scope) -> Attempt | None:
    """Return the login that a request tries. Whose it is stands in its body; so it counts for its address."""
    if scope["method"] != "POST" or not scope["path"].rstrip("/").endswith(_LOGINS):
        return None
    return Attempt(address(scope))


def allowed_hosts() -> list[str]:
    """Return the names under which this server answers.

    Those of FEMS_ALLOWED_HOSTS (commas between; `*.example.org` stands for all below it), beside this machine's own and
    those by which Airflow itself knows the server.
    """
    asked = [name.strip() for name in os.environ.get("FEMS_ALLOWED_HOSTS", "").split(",") if name.strip()]
    own = (("api", "base_url"), ("core", "execution_api_server_url"))
    known = [urlsplit(conf.get(*option, fallback="")).hostname for option in own]
    return [*dict.fromkeys([*asked, *_LOCAL, *filter(None, known)])]


def middlewares() -> list[dict[str, Any]]:
    """Return what Airflow puts before its API server; the last one sees a request first."""
    return [
        {"name": "login throttle", "middleware": LoginThrottle, "kwargs": {"attempt": attempt}},
        {
            "name": "allowed hosts",
            "middleware": TrustedHostMiddleware,
            "kwargs": {"allowed_hosts": allowed_hosts(), "www_redirect": False},
        },
    ]
