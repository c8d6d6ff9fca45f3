"""The faults: each is done to a service at a moment and, where it would stay, taken back."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from embedded import room
from faults.cells import FULL, KILL, STOP

STOPPED_S = 5.0
"""How long a stopped service is stopped, and a full disk full."""
_BLOCK = 64 * 1024


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


def kill(pid: int, folder: Path) -> None:
    """End a process and its children without a word."""
    _signal(_family(pid), signal.SIGKILL)


def stop(pid: int, folder: Path) -> None:
    """Stop a process and its children for a while, as a machine that swaps or is moved does."""
    family = _family(pid)
    _signal(family, signal.SIGSTOP)
    try:
        time.sleep(STOPPED_S)
    finally:
        _signal(family, signal.SIGCONT)


def fill_disk(pid: int, folder: Path) -> None:
    """Fill the disk under the state folder for a while, to its last block."""
    filling = folder / "fill"
    try:
        with filling.open("wb", buffering=0) as file:
            deadline = time.monotonic() + STOPPED_S
            # What others free meanwhile is taken, too.
            while time.monotonic() < deadline:
                with suppress(OSError):
                    os.posix_fallocate(
                        file.fileno(), 0, filling.stat().st_size + room.free_mb(folder) * 2**20
                    )
                with suppress(OSError):
                    file.seek(0, os.SEEK_END)
                    while file.write(bytes(_BLOCK)) == _BLOCK:
                        pass
                time.sleep(0.1)
    finally:
        filling.unlink(missing_ok=True)


FAULTS: dict[str, Callable[[int, Path], None]] = {KILL: kill, STOP: stop, FULL: fill_disk}
