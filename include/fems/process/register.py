"""Running registers into the energy of each interval."""

from dataclasses import dataclass

import numpy as np

_LEAST_STEPS = 8
"""So many rising steps make a history of how fast a register runs."""

_TIMES_USUAL = 10.0
"""Beyond this x its usual step a register without a rating runs too fast to have rolled over."""

_CHANCE = 0.1
"""A fall counts as a roll-over only where an exchanged or restarted meter would look like one this seldom."""

_TIMES_BUSY = 4.0
"""Over a gap a register without a rating runs at most this x its usual step."""

_TIMES_LEAP = 2.0
"""A step beyond this x its usual one, after readings that stood still, makes up for them."""

_NEAREST = 3
"""So many leaps before and after a fall are looked at for the one that undoes it."""

_MOST_FALLS = 0.1
"""A column that falls in more than this share of its steps is no running register."""


@dataclass(frozen=True)
class _Pace:
    """How fast one register runs, by an interval.

    Attributes:
        most: the rating's limit; inf where there is none.
        usual: the 95th percentile of its rising steps; NaN where there are too few.
        fast: a step as great as it did three times; NaN likewise.
        mean: of its rising steps; NaN likewise.
        modulus: the value at which it rolls over to 0.
    """

    most: float
    usual: float
    fast: float
    mean: float
    modulus: float

    @classmethod
    def of(cls, readings: np.ndarray, at: np.ndarray, modulus: float, most: float) -> "_Pace":
        step = np.diff(readings[at])[np.diff(at) == 1]
        rising = step[(step >= 0) & (step <= (most if np.isfinite(most) else modulus / 2))]
        if len(rising) < _LEAST_STEPS:
            return cls(most, np.nan, np.nan, np.nan, modulus)
        moving = np.sort(rising[rising > 0])
        usual = float(moving[int(0.95 * (len(moving) - 1))]) if len(moving) else 0.0
        # not the greatest ones: they may be what is looked for
        fast = float(moving[-3]) if len(moving) > 2 else 0.0
        return cls(most, usual, fast, float(np.median(rising)), modulus)

    @property
    def one_step(self) -> float:
        """The most that it uses in one interval, by its rating and its history; inf where neither tells."""
        return float(np.fmin(self.most, _TIMES_USUAL * self.usual))

    @property
    def busy(self) -> float:
        """The most that can be believed of the intervals of a gap, on average; NaN where there is no history."""
        times = _TIMES_USUAL if np.isfinite(self.most) else _TIMES_BUSY
        return max(times * self.usual, self.fast)

    @property
    def leap(self) -> float:
        """What a step must pass to make up for readings that stood still; NaN where there is no history."""
        return max(_TIMES_LEAP * self.usual, self.fast)

    def too_fast(self, used: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Tell which steps no meter of this rating makes."""
        return used > (self.most if np.isfinite(self.most) else self.modulus / 2) * width

    def unknown(self, change: np.ndarray, used: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Tell of which steps the energy cannot be known.

        That is where it would be too fast; where the register fell and a roll-over is not plausible by its own
        history; where it rose over a gap as it never does, as another meter's would; and where it may have rolled over
        more than once in a gap.

        Args:
            change: float64, n: readings less the ones before.
            used: the same modulo the modulus.
            width: int64, n: intervals.
        """
        most = self.one_step * width
        # where neither a rating nor a history says how fast it may run, no fall is plausible
        rolled = (used <= most) & (most <= _CHANCE * self.modulus)
        often = (width > 1) & (self.mean * width > self.modulus / 2)
        leapt = (width > 1) & (used > self.busy * width)
        return self.too_fast(used, width) | ((change < 0) & ~rolled) | often | leapt


def energy_from_register(readings: np.ndarray, modulus: float, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy of each interval from one sensor's register.

    The register is read at the end of each interval; what an interval used is its reading less the one before. Over a
    gap the energy is known as a sum, and is spread evenly.

    A register that fell has rolled over only where that is plausible: at the pace that its rating and its own history
    allow, and where that pace is small beside the modulus, so that an exchanged or restarted meter would seldom look
    the same. Otherwise what was used since the reading before is not known, and nor is it where a gap ends far above
    what the register ever used in so long. Wrong readings that leave the register's course and return to it are
    dropped, and so are repeated readings before a leap that only makes up for them; the sum around them is known.
    Of a column that keeps falling nothing is known: it is no register.

    Args:
        readings: float64, T, NaN where there is none.
        modulus: the value at which the register rolls over to 0.
        limit: the most that one interval can use, same unit; inf where no rating says.

    Returns:
        energy: float64, T, NaN where unknown; spread: bool, T, shares of a longer span's sum.
    """
    steps = len(readings)
    energy, spread = np.full(steps, np.nan), np.zeros(steps, bool)
    at = np.flatnonzero(~np.isnan(readings))
    if len(at) < 2 or keeps_falling(readings[at]):
        return energy, spread
    pace = _Pace.of(readings, at, modulus, limit)
    at = np.delete(at, _glitches(readings, at, pace))
    used, width = np.mod(np.diff(readings[at]), modulus), np.diff(at)
    at = np.delete(at, _frozen(used, width, pace))
    change, width = np.diff(readings[at]), np.diff(at)
    used = np.mod(change, modulus)
    lost = pace.unknown(change, used, width)
    known = np.where(lost, np.nan, used / width)
    # each interval after the first reading belongs to the step that ends at or after it
    inside = slice(at[0] + 1, at[-1] + 1)
    owner = np.searchsorted(at, np.arange(inside.start, inside.stop)) - 1
    energy[inside] = known[owner]
    spread[inside] = (width > 1)[owner] & ~np.isnan(energy[inside])
    return energy, spread


def net_energy_from_register(
    readings: np.ndarray, modulus: float, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of a register of what flows in less what flows out: it may fall.

    A step that is more than the rating allows, or than the register ever made, is not known.
    """
    energy, spread = np.full(len(readings), np.nan), np.zeros(len(readings), bool)
    at = np.flatnonzero(~np.isnan(readings))
    if len(at) < 2:
        return energy, spread
    used = np.mod(np.diff(readings[at]) + modulus / 2, modulus) - modulus / 2
    width = np.diff(at)
    size = np.sort(np.abs(used[(width == 1) & (used != 0)]))
    usual = size[int(0.95 * (len(size) - 1))] if len(size) >= _LEAST_STEPS else np.inf
    most = np.where(width == 1, _TIMES_USUAL, _TIMES_BUSY) * usual
    known = np.where(np.abs(used) <= np.minimum(most, limit) * width, used / width, np.nan)
    inside = slice(at[0] + 1, at[-1] + 1)
    owner = np.searchsorted(at, np.arange(inside.start, inside.stop)) - 1
    energy[inside] = known[owner]
    spread[inside] = (width > 1)[owner] & ~np.isnan(energy[inside])
    return energy, spread


def keeps_falling(readings: np.ndarray) -> bool:
    """Tell whether a column of readings, none missing, falls so often that it is no running register."""
    falls = int((np.diff(readings) < 0).sum())
    return falls >= _LEAST_STEPS and falls > _MOST_FALLS * (len(readings) - 1)


def _glitches(readings: np.ndarray, at: np.ndarray, pace: _Pace) -> list[int]:
    """Return the positions in `at` of readings that leave the register's course and return to it.

    Wrong readings make the register fall: right after them where they were too high, down to them where they were too
    low. They are dropped where the register leaps the other way as well, and the readings around them fit each other.
    Another meter leaps once.
    """
    values = readings[at]
    change, width = np.diff(values), np.diff(at)
    falls = np.flatnonzero((change < 0) & pace.unknown(change, np.mod(change, pace.modulus), width))
    leaps = np.flatnonzero(np.mod(change, pace.modulus) > 0.5 * min(pace.one_step, pace.modulus / 4))
    dropped: set[int] = set()
    for fall in falls.tolist():
        if fall in dropped or fall + 1 in dropped:
            continue
        place = np.searchsorted(leaps, fall)
        # the nearest leaps: before it, from which on readings were too high; after it, up to which they were too low
        pairs = [(int(leap), fall + 1, int(leap)) for leap in leaps[max(0, place - _NEAREST) : place][::-1]]
        pairs += [(fall, int(leap) + 1, int(leap)) for leap in leaps[place:][: _NEAREST + 1] if leap > fall]
        pairs.sort(key=lambda pair: pair[1] - pair[0])
        for first, last, leap in pairs:
            if _joins(values, at, (first, last), pace) and _leaps_back(values, fall, leap, pace):
                dropped.update(range(first + 1, last))
                break
    return sorted(dropped)


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
    for leap in np.flatnonzero(pace.too_fast(used, width) | (used > pace.leap * width)):
        first = leap
        while first > 0 and used[first - 1] == 0:
            first -= 1
        span = width[first : leap + 1].sum()
        if first < leap and not (pace.too_fast(used[leap], span) or used[leap] > pace.leap * span):
            positions.extend(range(first + 1, leap + 1))
    return np.array(positions, np.int64)
