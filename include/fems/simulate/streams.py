"""Random numbers addressed by name and calendar, so that a month never depends on what else was asked for.

Every quantity draws from a stream of its own, keyed by the seed, the factory, the machine and the month. So a
month is the same in a run of one month and of fourteen, of one factory and of all, on one worker and on many.
"""

import hashlib
import math
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPOCH = date(1970, 1, 5)
"""A Monday before any simulated day; what lasts for weeks is laid out from here."""


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random stream of a seed and a name, as in `stream(7, "1100", "E01", "load", "2025-01")`."""
    digest = hashlib.blake2b("\x00".join(names).encode(), digest_size=16).digest()
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence([seed, int.from_bytes(digest, "big")]))
    )


def month_name(day: date) -> str:
    """Return a day's month as YYYY-MM."""
    return f"{day.year:04d}-{day.month:02d}"


def daily_draws(seed: int, *names: str, first: date, count: int) -> Floats:
    """Return one standard normal number a day, shape (count,), from `first` on."""
    draws: dict[str, Floats] = {}
    out = np.empty(count)
    for i in range(count):
        day = first + timedelta(days=i)
        month = month_name(day)
        if month not in draws:
            draws[month] = stream(seed, *names, month).standard_normal(31)
        out[i] = draws[month][day.day - 1]
    return out


def daily_noise(seed: int, *names: str, first: date, count: int, memory: float) -> Floats:
    """Return day-to-day noise of mean 0 and standard deviation 1, shape (count,).

    A moving average with weights memory**k over the last days: an AR(1) process cut off where it has
    forgotten, so that a day needs no history beyond those.
    """
    reach = 12
    weights = memory ** np.arange(reach + 1)
    weights /= np.sqrt((weights**2).sum())
    draws = daily_draws(seed, *names, first=first - timedelta(days=reach), count=count + reach)
    return np.convolve(draws, weights, mode="valid")


def ar1(rng: np.random.Generator, n: int, tau: float) -> Floats:
    """Return n steps of a stationary AR(1) process, mean 0 and deviation 1; `tau` is its memory in steps."""
    phi = math.exp(-1.0 / tau)
    shocks = rng.standard_normal(n)
    shocks[1:] *= math.sqrt(1.0 - phi * phi) / (1.0 - phi)
    return pd.Series(shocks).ewm(alpha=1.0 - phi, adjust=False).mean().to_numpy(dtype=np.float64)
