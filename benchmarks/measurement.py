"""A line of results.json, and how long something takes."""

import gc
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter


@dataclass(frozen=True)
class Measurement:
    """A figure from simulated data, alone or beside a peer's.

    Attributes:
        name: what was measured.
        ours: our figure; a median where n is a number of repeats.
        peer: what it is compared with, `-` if nothing.
        peer_value: the peer's figure.
        ratio: over 1 is in our favour.
        unit: of both figures.
        n: repeats; of a share, how many things it is a share of.
    """

    name: str
    ours: float
    peer: str
    peer_value: float | None
    ratio: float | None
    unit: str
    n: int


def alone(name: str, ours: float, unit: str, n: int) -> Measurement:
    """Return a figure that has no peer."""
    return Measurement(name, ours, "-", None, None, unit, n)


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    gc.collect()
    begun = perf_counter()
    work()
    return perf_counter() - begun


def peak_mb() -> float:
    """Return the most memory that this process held.

    Linux hands a parent's ru_maxrss down to its children, so there it is read where it starts anew with a program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
