"""What supervisord runs for each service: `python -m embedded.launch STATE_DIR SERVICE` turns into it."""

import os
import signal
import sys
from pathlib import Path

from embedded import credentials, environment, postgres
from embedded.config import Config
from embedded.processes import end_orphans_of_killed_siblings, end_with_parent
from embedded.services import BY_NAME
from fems.errors import FemsError


def main(state: str, name: str) -> None:
    """Become the service. Its secrets come from the environment made here and stand in no command line."""
    config = Config.load(Path(state))
    service = BY_NAME[name]
    end_orphans_of_killed_siblings()
    if name == "postgres":
        postgres.run(config)
    secret = credentials.load(config.state / "credentials.json")
    command = service.command(config)
    os.chdir(config.state)
    # If supervisord itself is killed, its services go too: nothing is left that nobody looks after.
    end_with_parent(signal.SIGTERM)
    os.execve(command[0], command, environment.clean() | service.env(config, secret))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except FemsError as error:
        sys.exit(f"error: {error}")  # into the service's log, from which `up` quotes it
