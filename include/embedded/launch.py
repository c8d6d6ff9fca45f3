"""What supervisord runs for each service: `python -m embedded.launch STATE_DIR SERVICE` turns into it."""

import os
import shutil
import signal
import sys
from pathlib import Path

from embedded import credentials, environment, postgres, room, users, valkey, volume
from embedded.config import Config
from embedded.processes import end_orphans_of_killed_siblings, end_with_parent
from embedded.services import by_name
from fems.errors import FemsError


def main(state: str, name: str) -> None:
    """Become the service. Its secrets come from the environment made here and stand in no command line."""
    config = Config.load(Path(state))
    service = by_name(config)[name]
    end_orphans_of_killed_siblings()
    room.wait(config.state)
    secret = credentials.load(config.credentials_file)
    if name == "postgres":
        postgres.run(config, secret)
    if name == "valkey":
        valkey.run(config, secret)
    if name == "minio":
        volume.forget_locks(config.state / name)
    command, variables = service.command(config), environment.clean() | service.env(config, secret)
    os.chdir(config.state)
    if service.scratch:
        _empty(config.state / name)
    if service.user:
        variables |= _settle(config.state / name, service.user)
    # If supervisord itself is killed, its services go too: nothing is left that nobody looks after.
    end_with_parent(signal.SIGTERM)
    os.execve(command[0], command, variables)  # noqa: S606 - no shell is wanted


def _empty(folder: Path) -> None:
    """Begin with an empty folder: whatever a worker needs comes from the database, the object store and MLflow."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.chdir(folder)


def _settle(folder: Path, name: str) -> dict[str, str]:
    """Move into a service's own folder, as its own user where we are root. Returns what that changes for it."""
    account = users.own_account(name, folder)
    users.make_private(folder, account)
    os.chdir(folder)
    if account and users.can_run(account, folder, "guards.mlflow_door, uvicorn"):
        if name == "fems-minio":
            volume.hand_over(folder, account)
        users.become(account)
    elif account:
        print(f"warning: {account.pw_name} can't read {sys.prefix}; the service runs as root", flush=True)
    return {"HOME": str(folder)}


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except FemsError as error:
        sys.exit(f"error: {error}")  # into the service's log, from which `up` quotes it
