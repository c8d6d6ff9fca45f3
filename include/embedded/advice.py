"""What to do when the demo fails: the last lines that it prints."""

import re

_SAYS = (
    (
        r"cannot open shared object file|ImportError|ModuleNotFoundError|LibraryNotFound",
        "a package or a library of the system is missing: `make setup` installs the packages again; "
        "`.venv/bin/python -m embedded.natives` names what this system lacks",
    ),
    (
        r"MemoryError|SIGKILL|Killed|return code -9|exit code -9",
        "the system ended a process, most often for want of memory: `make doctor` says what is left; "
        'with less to do: `make demo DEMO="--factories 2160"`',
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "the disk is full: `make doctor` says what is needed",
    ),
    (
        r"Too many open files|Resource temporarily unavailable",
        "a limit of this user is too low: `make doctor` says which, and how to raise it",
    ),
    (
        r"ServiceUnavailable|did not answer|not healthy|has not read the Dags",
        "`.venv/bin/python -m embedded status` shows each service, `.venv/bin/python -m embedded logs SERVICE` its log",
    ),
    (r"port \d+ is taken", "`make doctor` shows every port that is needed"),
)


def advice(error: str) -> list[str]:
    """Say what to do about an error, the most likely first; how to go on always."""
    return [
        *(words for pattern, words in _SAYS if re.search(pattern, error)),
        "docs/runbook.md explains each error by its name",
        "`make demo` again goes on where this ended; `make down` stops what runs",
    ]
