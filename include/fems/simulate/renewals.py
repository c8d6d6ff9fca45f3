"""What happens again and again over the years: laid out from one epoch, so that every month sees the same of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fems.simulate.streams import Floats, stream

_COUNT = 600


@dataclass(frozen=True)
class Spells:
    """Spells of something that begins, lasts and begins again.

    Attributes:
        start: in days since the epoch, ascending, shape (n,).
        end: of each, shape (n,).
        draws: numbers in 0..1 that belong to each, shape (n, 6).
    """

    start: Floats
    end: Floats
    draws: Floats

    def touching(self, low: float, high: float) -> Iterator[tuple[float, float, Floats]]:
        """Yield start, end and draws of those with a part in low..high (days since the epoch)."""
        for index in np.flatnonzero((self.start < high) & (self.end > low)):
            yield float(self.start[index]), float(self.end[index]), self.draws[index]

    def at(self, days: Floats) -> NDArray[np.bool_]:
        """Return whether one is on at each instant, same shape."""
        index = np.searchsorted(self.start, days, side="right") - 1
        on: NDArray[np.bool_] = (index >= 0) & (days < self.end[index.clip(0)])
        return on


def spells(seed: int, *names: str, gap: tuple[float, float], length: tuple[float, float]) -> Spells:
    """Draw the spells of a name: gaps between them and their lengths are uniform, in days."""
    rng = stream(seed, *names, "spells")
    gaps, lengths = rng.uniform(*gap, _COUNT), rng.uniform(*length, _COUNT)
    first = rng.uniform(0.0, gap[1])
    start = first + np.cumsum(gaps + lengths) - gaps[0] - lengths
    return Spells(start, start + lengths, rng.random((_COUNT, 6)))
