"""The faults: each is done to a service at a moment and, where it would stay, taken back."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from embedded import room
from faults.cells import FULL, KILL, STOP

STOPPED_S = 5.0
"""How long a stopped service is stopped, and a full disk full."""
LEFT_MB = 256
"""What is free on a disk that is to be filled: more than the services ask for, and little enough to go at once."""
_BLOCK = 64 * 1024

InPlace = Callable[[], None]
"""Called once a fault is there."""


def _family(pid: int) -> list[psutil.Process]:
    """Return a process and all below it: PostgreSQL's connections, the scheduler's tasks, MLflow's workers."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def kill(pid: int, folder: Path, in_place: InPlace) -> None:
    """End a process and its children without a word."""
    in_place()  # what it is done to may be gone at once
    _signal(_family(pid), signal.SIGKILL)


def stop(pid: int, folder: Path, in_place: InPlace) -> None:
    """Stop a process and its children for a while, as a machine that swaps or is moved does."""
    family = _family(pid)
    _signal(family, signal.SIGSTOP)
    in_place()
    try:
        time.sleep(STOPPED_S)
    finally:
        _signal(family, signal.SIGCONT)


@contextmanager
def little_room(folder: Path) -> Iterator[None]:
    """Leave `LEFT_MB` on the disk of a folder: a gigabyte takes longer to fill than a stage to end."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, room.free_mb(folder) - LEFT_MB) * 2**20)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def fill_disk(pid: int, folder: Path, in_place: InPlace) -> None:
    """Fill the disk under the state folder for a while, to its last block."""
    filling = folder / "fill"
    try:
        with filling.open("wb", buffering=0) as file:
            deadline = time.monotonic() + STOPPED_S
            while time.monotonic() < deadline:  # what others free meanwhile is taken, too
                with suppress(OSError):
                    size = filling.stat().st_size
                    os.posix_fallocate(file.fileno(), size, max(1, room.free_mb(folder)) * 2**20)
                with suppress(OSError):
                    file.seek(0, os.SEEK_END)
                    while file.write(bytes(_BLOCK)) == _BLOCK:
                        pass
                in_place()
                time.sleep(0.1)
    finally:
        filling.unlink(missing_ok=True)


FAULTS: dict[str, Callable[[int, Path, InPlace], None]] = {KILL: kill, STOP: stop, FULL: fill_disk}
