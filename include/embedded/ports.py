"""Is a port free, and if not, who has it?"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from embedded.doctor import can_listen
from fems.errors import ConfigError


@dataclass(frozen=True)
class Wanted:
    """A port that a service is about to open."""

    port: int
    service: str
    variable: str


def holder(port: int) -> str:
    """Return `name (pid N)` of what listens on a port, or words that say it can't be told."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process (its name can't be seen from this user)"


def require_free(wanted: Iterable[Wanted]) -> None:
    """Check every port before anything is started.

    Raises:
        ConfigError: a port is taken or named twice; names the port, service, holder and variable.
    """
    seen: dict[int, Wanted] = {}
    for want in wanted:
        if want.port in seen:
            other = seen[want.port]
            raise ConfigError(
                f"port {want.port} is wanted by both {other.service} and {want.service}: "
                f"change {other.variable} or {want.variable}"
            )
        seen[want.port] = want
        if not can_listen(want.port):
            raise ConfigError(
                f"port {want.port} for {want.service} is taken by {holder(want.port)}: "
                f"stop it, or set {want.variable} to a free port"
            )


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, for tests."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
