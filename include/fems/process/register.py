"""Running registers into the energy of each interval."""

import numpy as np


def _steps(readings: np.ndarray, at: np.ndarray, modulus: float) -> tuple[np.ndarray, np.ndarray]:
    """Energy and number of intervals between neighbouring readings; a register that fell has rolled over."""
    return np.mod(np.diff(readings), modulus), np.diff(at)


def energy_from_register(
    readings: np.ndarray, modulus: float, limit: float, longest_span: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy of each interval from one sensor's register.

    The register is read at the end of each interval; what an interval used is its reading less the one before,
    modulo the roll-over value. Over a gap the energy is known as a sum, and is spread evenly if the gap is short. A
    lone reading to which and from which the register would have had to run faster than the limit is dropped, and so
    are repeated readings before a leap that only makes up for them. Where the register still would have had to run
    too fast, the meter was reset or exchanged, and that interval is unknown.

    Args:
        readings: float64, T, NaN where there is none.
        modulus: the value at which the register rolls over to 0.
        limit: the most that one interval can use, same unit.
        longest_span: intervals over which a sum is spread; of a longer one no interval is known.

    Returns:
        energy: float64, T, NaN where unknown; spread: bool, T, shares of a longer span's sum.
    """
    steps = len(readings)
    energy, spread = np.full(steps, np.nan), np.zeros(steps, bool)
    at = np.flatnonzero(~np.isnan(readings))
    if len(at) < 2:
        return energy, spread
    used, width = _steps(readings[at], at, modulus)
    too_fast = used > limit * width
    lone = np.flatnonzero(too_fast[:-1] & too_fast[1:]) + 1
    if len(lone):
        over, span = (
            np.mod(readings[at[lone + 1]] - readings[at[lone - 1]], modulus),
            at[lone + 1] - at[lone - 1],
        )
        lone = lone[over <= limit * span]
        at = np.delete(at, lone)
        used, width = _steps(readings[at], at, modulus)
        too_fast = used > limit * width
    frozen = _frozen(used, width, too_fast, limit)
    if len(frozen):
        at = np.delete(at, frozen)
        used, width = _steps(readings[at], at, modulus)
        too_fast = used > limit * width
    known = np.where(too_fast | (width > longest_span), np.nan, used / width)
    # each interval after the first reading belongs to the step that ends at or after it
    inside = slice(at[0] + 1, at[-1] + 1)
    owner = np.searchsorted(at, np.arange(inside.start, inside.stop)) - 1
    energy[inside] = known[owner]
    spread[inside] = (width > 1)[owner] & ~np.isnan(energy[inside])
    return energy, spread


def _frozen(used: np.ndarray, width: np.ndarray, too_fast: np.ndarray, limit: float) -> np.ndarray:
    """Return the readings of a register that stood still and then made up for it in one leap."""
    found: list[int] = []
    for leap in np.flatnonzero(too_fast):
        first = leap
        while first > 0 and used[first - 1] == 0:
            first -= 1
        if first < leap and used[leap] <= limit * width[first : leap + 1].sum():
            found.extend(range(first + 1, leap + 1))
    return np.array(found, np.int64)
