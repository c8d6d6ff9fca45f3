"""Room on the disk: services that need it wait for it, and say so."""

import shutil
import time
from pathlib import Path

LEAST_MB = 64
"""With less than this no service is started: PostgreSQL and the object store end when they can't write."""


def free_mb(folder: Path) -> int:
    """Return how many MB may still be written into a folder."""
    return shutil.disk_usage(folder).free // 2**20


def shortage(folder: Path) -> str:
    """Return what is wrong in a line, empty where there is room."""
    left = free_mb(folder)
    return (
        ""
        if left >= LEAST_MB
        else f"the disk of {folder} is full ({left} MB left, {LEAST_MB} MB are needed): make room"
    )


def wait(folder: Path, poll_s: float = 2.0) -> None:
    """Return when there is room; what it waits for is printed once, into the service's log."""
    if missing := shortage(folder):
        print(f"warning: {missing}; the service starts by itself then", flush=True)
        while shortage(folder):
            time.sleep(poll_s)
        print("there is room again", flush=True)
