"""supervisord, as the process that adopts the orphans of what it runs: `python -m embedded.daemon CONF`."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from supervisor import loggers

from embedded.processes import adopt_orphans


class LossyLog(loggers.RotatingFileHandler):
    """A log that loses what a full disk has no room for, and says so when there is room again.

    supervisor's own prints the error into another file; where that fails, too, supervisord ends, and every service
    with it.
    """

    lost = 0
    stream: Any

    def emit(self, record: loggers.LogRecord) -> None:
        """Write a record, if it can be written."""
        with suppress(OSError):
            if self.stream.closed:  # a roll-over found no room for the new file
                self.stream = Path(self.baseFilename).open("ab")  # noqa: SIM115 - supervisor closes it
            if self.lost:
                self.stream.write(
                    b"[the disk was full: up to %d writes before this one are lost]\n" % self.lost
                )
                self.stream.flush()
                self.lost = 0
            super().emit(record)
            return
        self.lost += 1

    def handleError(self) -> None:
        """Count a record that supervisor could not write."""
        self.lost += 1


def main(conf: str) -> None:
    """Run supervisord in the foreground until it is told to stop."""
    from supervisor.supervisord import main as supervisord

    adopt_orphans()
    loggers.RotatingFileHandler = LossyLog
    supervisord(["--nodaemon", "--silent", "--configuration", conf])


if __name__ == "__main__":
    main(sys.argv[1])
