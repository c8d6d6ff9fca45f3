"""supervisord, as the process that adopts the orphans of what it runs: `python -m embedded.daemon CONF`."""

import sys

from embedded.processes import adopt_orphans


def main(conf: str) -> None:
    """Run supervisord in the foreground until it is told to stop."""
    from supervisor.supervisord import main as supervisord

    adopt_orphans()
    supervisord(["--nodaemon", "--silent", "--configuration", conf])


if __name__ == "__main__":
    main(sys.argv[1])
