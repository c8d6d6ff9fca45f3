"""Running registers into the energy of each interval."""

from dataclasses import dataclass

import numpy as np

_LEAST_STEPS = 8
"""So many rising steps make a history of how fast a register runs."""

_TIMES_USUAL = 10.0
"""Beyond this x its usual step a register without a rating runs too fast to have rolled over."""

_CHANCE = 0.1
"""A fall counts as a roll-over only where an exchanged or restarted meter would look like one this seldom."""

_GLITCH_READINGS = 4
"""So many wrong readings in a row, at most, are dropped for the sum around them."""


@dataclass(frozen=True)
class _Pace:
    """How fast one register runs, by an interval.

    Attributes:
        most: the rating's limit; inf where there is none.
        usual: the 95th percentile of its rising steps; NaN where there are too few.
        mean: of its rising steps; NaN likewise.
        modulus: the value at which it rolls over to 0.
    """

    most: float
    usual: float
    mean: float
    modulus: float

    @classmethod
    def of(cls, readings: np.ndarray, at: np.ndarray, modulus: float, most: float) -> "_Pace":
        step = np.diff(readings[at])[np.diff(at) == 1]
        rising = step[(step >= 0) & (step <= (most if np.isfinite(most) else modulus / 2))]
        if len(rising) < _LEAST_STEPS:
            return cls(most, np.nan, np.nan, modulus)
        moving = np.sort(rising[rising > 0])
        usual = moving[int(0.95 * (len(moving) - 1))] if len(moving) else 0.0
        return cls(most, float(usual), float(np.median(rising)), modulus)

    @property
    def one_step(self) -> float:
        """The most that it uses in one interval, by its rating and its history; inf where neither tells."""
        return float(np.fmin(self.most, _TIMES_USUAL * self.usual))

    def too_fast(self, used: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Tell which steps no meter of this rating makes."""
        return used > (self.most if np.isfinite(self.most) else self.modulus / 2) * width

    def unknown(self, change: np.ndarray, used: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Tell of which steps the energy cannot be known.

        That is where it would be too fast; where the register fell and a roll-over is not plausible by its own
        history; and where it may have rolled over more than once in a gap.

        Args:
            change: float64, n: readings less the ones before.
            used: the same modulo the modulus.
            width: int64, n: intervals.
        """
        most = self.one_step * width
        # where neither a rating nor a history says how fast it may run, no fall is plausible
        rolled = (used <= most) & (most <= _CHANCE * self.modulus)
        often = (width > 1) & (self.mean * width > self.modulus / 2)
        return self.too_fast(used, width) | ((change < 0) & ~rolled) | often


def energy_from_register(
    readings: np.ndarray, modulus: float, limit: float, longest_span: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy of each interval from one sensor's register.

    The register is read at the end of each interval; what an interval used is its reading less the one before. Over a
    gap the energy is known as a sum, and is spread evenly if the gap is short.

    A register that fell has rolled over only where that is plausible: at the pace that its rating and its own history
    allow, and where that pace is small beside the modulus, so that an exchanged or restarted meter would seldom look
    the same. Otherwise what was used since the reading before is not known. A few wrong readings that leave the
    register's course and return to it are dropped, and so are repeated readings before a leap that only makes up for
    them; the sum around them is known.

    Args:
        readings: float64, T, NaN where there is none.
        modulus: the value at which the register rolls over to 0.
        limit: the most that one interval can use, same unit; inf where no rating says.
        longest_span: intervals over which a sum is spread; of a longer one no interval is known.

    Returns:
        energy: float64, T, NaN where unknown; spread: bool, T, shares of a longer span's sum.
    """
    steps = len(readings)
    energy, spread = np.full(steps, np.nan), np.zeros(steps, bool)
    at = np.flatnonzero(~np.isnan(readings))
    if len(at) < 2:
        return energy, spread
    pace = _Pace.of(readings, at, modulus, limit)
    at = np.delete(at, _glitches(readings, at, pace))
    used, width = np.mod(np.diff(readings[at]), modulus), np.diff(at)
    at = np.delete(at, _frozen(used, width, pace))
    change, width = np.diff(readings[at]), np.diff(at)
    used = np.mod(change, modulus)
    lost = pace.unknown(change, used, width) | (width > longest_span)
    known = np.where(lost, np.nan, used / width)
    # each interval after the first reading belongs to the step that ends at or after it
    inside = slice(at[0] + 1, at[-1] + 1)
    owner = np.searchsorted(at, np.arange(inside.start, inside.stop)) - 1
    energy[inside] = known[owner]
    spread[inside] = (width > 1)[owner] & ~np.isnan(energy[inside])
    return energy, spread


def _glitches(readings: np.ndarray, at: np.ndarray, pace: _Pace) -> list[int]:
    """Return the positions in `at` of readings that leave the register's course and return to it.

    A wrong reading makes the register fall: right after it where it was too high, down to it where it was too low. It
    is dropped where the register leaps the other way as well, and the readings around it fit each other. Another meter
    leaps once.
    """
    values = readings[at]
    change, width = np.diff(values), np.diff(at)
    falls = np.flatnonzero((change < 0) & pace.unknown(change, np.mod(change, pace.modulus), width))
    dropped: list[int] = []
    for fall in falls.tolist():
        if fall in dropped or fall + 1 in dropped:
            continue
        for count in range(1, _GLITCH_READINGS + 1):
            high = (fall - count, fall + 1)  # the readings up to the fall were too high
            low = (fall, fall + 1 + count)  # those after it are too low
            leaps = {high: fall - count, low: fall + count}
            fits = [
                pair
                for pair, leap in leaps.items()
                if _joins(values, at, pair, pace) and _leaps_back(values, fall, leap, pace)
            ]
            if fits:
                dropped.extend(range(fits[0][0] + 1, fits[0][1]))
                break
    return dropped


def _joins(values: np.ndarray, at: np.ndarray, pair: tuple[int, int], pace: _Pace) -> bool:
    """Tell whether a register may have run from one reading to the other, and hardly through those between."""
    first, last = pair
    if first < 0 or last >= len(at):
        return False
    change = np.array([values[last] - values[first]])
    width = np.array([at[last] - at[first]])
    used = np.mod(change, pace.modulus)
    if pace.unknown(change, used, width)[0]:
        return False
    return bool(used[0] <= pace.one_step * width[0])


def _leaps_back(values: np.ndarray, fall: int, leap: int, pace: _Pace) -> bool:
    """Tell whether a fall is more than any step of the register, and another step goes up as far."""
    up, down = values[leap + 1] - values[leap], values[fall] - values[fall + 1]
    return bool(down > pace.one_step and np.mod(up, pace.modulus) >= 0.5 * down)


def _frozen(used: np.ndarray, width: np.ndarray, pace: _Pace) -> np.ndarray:
    """Return the positions of readings of a register that stood still and then made up for it in one leap."""
    positions: list[int] = []
    for leap in np.flatnonzero(pace.too_fast(used, width)):
        first = leap
        while first > 0 and used[first - 1] == 0:
            first -= 1
        if first < leap and not pace.too_fast(used[leap], width[first : leap + 1].sum()):
            positions.extend(range(first + 1, leap + 1))
    return np.array(positions, np.int64)
