"""The faults: each is done to a service at a moment and, where it would stay, taken back."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from embedded import room

STOPPED_S = 5.0
"""How long a stopped service is stopped, and a full disk full."""


@dataclass(frozen=True)
class Fault:
    """What is done: to a process, or to the disk."""

    name: str
    inject: Callable[[int, Path], None]


def kill(pid: int, folder: Path) -> None:
    """End a process and its children without a word."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def stop(pid: int, folder: Path) -> None:
    """Stop a process for a while, as a machine that swaps or a virtual machine that is moved does."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(pid, signal.SIGCONT)


def fill_disk(pid: int, folder: Path) -> None:
    """Fill the disk under the state folder for a while, but for less than the services need."""
    filling = folder / "fill"
    try:
        with filling.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, room.free_mb(folder) - room.LEAST_MB // 2) * 2**20)
        time.sleep(STOPPED_S)
    finally:
        filling.unlink(missing_ok=True)


KILL, STOP, FULL = Fault("kill -9", kill), Fault("SIGSTOP", stop), Fault("disk full", fill_disk)
