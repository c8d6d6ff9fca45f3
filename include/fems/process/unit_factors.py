"""The factors by which values in another unit are off."""

import numpy as np

FAR = 30.0
"""A factor beyond this, or below one part in it, is told apart from a machine's own ups and downs by its size."""


def factors(grain_minutes: int) -> np.ndarray:
    """Return the factors by which a wrong unit moves an interval's energy, ascending; 1 is not among them.

    Args:
        grain_minutes: the interval. Mean power in kW taken for energy in kWh is off by the intervals in an hour.
    """
    an_hour = 60 / grain_minutes
    some = {1000.0, an_hour, 1000 * an_hour} - {1.0}
    return np.array(sorted(some | {1 / factor for factor in some}))


def times(factor: float) -> str:
    """Say a factor: "1,000 times", "1/4 of"."""
    return f"{factor:,.4g} times" if factor > 1 else f"1/{1 / factor:,.4g} of"
