"""What is known of a day, and what the days before leave behind: the material of the rules."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fems.contracts.traps import TrapState
from fems.traps.features import Features
from fems.traps.layout import Bools, Floats, Ints, TrapLayout

RECENT_DAYS = 5
"""Of so many known days the middle one tells what a single day's noise hides."""

CAUSES = (
    "usual",
    "no_data",
    "planned_stop",
    "line_off",
    "off_or_blocked",
    "flat",
    "sensors_contradict",
    "came_off",
    "not_warmed",
    "jumped",
    "too_hot",
    "broken_lately",
    "rose_to_steam",
    "cold",
    "cold_not_expected",
    "cold_outlet",
    "inlet_fell",
    "outlet_rose",
    "outlet_rose_much",
    "too_few_days",
    "no_flow",
    "leak_not_observable",
)
CAUSE = {name: number for number, name in enumerate(CAUSES)}

Settle = Callable[[Bools, TrapState, str, Floats | float], None]
"""Put traps that are not judged yet into a state: which ones, the state, its cause, how sure."""


@dataclass(frozen=True)
class Day:
    """All that is known of a day, arrays of shape (traps,)."""

    features: Features
    number: int
    layout: TrapLayout
    stopped: Bools
    main_usual: Floats
    outlet_usual: Floats
    main_moved: Floats
    outlet_moved: Floats
    line_moved: Floats
    main_sigma: Floats
    outlet_sigma: Floats
    floor_high: Floats
    outlet_floor_high: Floats
    jumped: Bools


@dataclass(frozen=True)
class Verdict:
    """What a day says of each trap, shape (traps,).

    Attributes:
        state: index into the states.
        cause: index into `CAUSES`.
        confidence: 0..1.
        start: day on which the evidence of a fault began.
        evaluated: whether the day could have shown the fault that is open, and did not.
    """

    state: Ints
    cause: Ints
    confidence: Floats
    start: Ints
    evaluated: Bools


class Recent:
    """The newest known values of each trap."""

    def __init__(self, traps: int) -> None:
        self._values = np.full((RECENT_DAYS, traps), np.nan)

    def keep(self, values: Floats, known: Bools) -> None:
        """Add a day's values where they are known."""
        self._values = np.where(known, np.concatenate([self._values[1:], values[None]]), self._values)

    def middle(self) -> Floats:
        """Return their median, NaN until all are there."""
        middle: Floats = np.sort(self._values, axis=0)[RECENT_DAYS // 2]
        return np.where(np.isnan(self._values).any(axis=0), np.nan, middle)

    def forget(self, traps: Ints) -> None:
        """Begin anew."""
        self._values[:, traps] = np.nan


class Memory:
    """What the days before leave behind, shape (traps,)."""

    def __init__(self, traps: int) -> None:
        self.cusum = np.zeros(traps)
        self.rise_start = np.full(traps, -1, dtype=np.int64)
        self.rise_clear, self.fell_clear, self.cold_clear = (
            np.full(traps, -1, dtype=np.int64) for _ in range(3)
        )
        self.rises, self.falls, self.outlet_falls = Recent(traps), Recent(traps), Recent(traps)
        self.leak_days = np.zeros(traps, dtype=np.int64)
        self.blow_days = np.zeros(traps, dtype=np.int64)
        self.fell_days = np.zeros(traps, dtype=np.int64)
        self.fell_start = np.full(traps, -1, dtype=np.int64)
        self.cold_start = np.full(traps, -1, dtype=np.int64)
        self.cold_days = np.zeros(traps, dtype=np.int64)
        self.longest_cold = np.zeros(traps, dtype=np.int64)
        self.came_off = np.zeros(traps, dtype=bool)
        self.heatings = np.zeros(traps, dtype=np.int64)
        self.warmed_sum = np.zeros(traps)
        self.warmed_most = np.zeros(traps)
        self.risen_days = np.zeros(traps, dtype=np.int64)
        self.offset = np.zeros(traps, dtype=bool)
        self.since_broken = np.full(traps, 99, dtype=np.int64)
        self.outlet_jumped = np.zeros(traps, dtype=bool)

    @property
    def suspected(self) -> Bools:
        """Traps whose newest days are not usual: they are no measure for others, nor for themselves."""
        return np.asarray((self.fell_days > 0) | (self.leak_days > 0) | (self.cold_start >= 0))

    def heat(self, warmed: Floats, cold: Bools, *, known: Bools) -> None:
        """Keep how far cold traps were warmed when their line was heated.

        Args:
            warmed: share of the way to their usual heat, NaN where the line was not heated.
            cold: which are cold today.
            known: of which that is known.
        """
        over = known & ~cold
        self.heatings[over], self.warmed_sum[over], self.warmed_most[over] = 0, 0.0, 0.0
        heated = known & cold & ~np.isnan(warmed)
        self.heatings[heated] += 1
        self.warmed_sum[heated] += warmed[heated]
        self.warmed_most[heated] = np.maximum(self.warmed_most[heated], warmed[heated])

    def forget_shifts(self, traps: Ints) -> None:
        """Forget what was suspected by the level of a sensor."""
        self.cusum[traps] = 0.0
        for count in (self.leak_days, self.blow_days, self.fell_days):
            count[traps] = 0
        for day in (self.rise_start, self.fell_start, self.rise_clear, self.fell_clear):
            day[traps] = -1
        for recent in (self.rises, self.falls, self.outlet_falls):
            recent.forget(traps)

    def forget(self, traps: Ints) -> None:
        """Begin anew."""
        self.forget_shifts(traps)
        self.cold_start[traps] = self.cold_clear[traps] = -1
        self.cold_days[traps] = 0


def begin(begun: Ints, clear: Ints, today: int, there: Bools, known: Bools) -> Ints:
    """Return since when the evidence is there, -1 where it is not.

    Where no day told anything between the last one without it and the first with it, the middle of that gap.

    Args:
        begun: as of yesterday.
        clear: the newest day without it, -1 where there was none; changed.
        today: number of the day.
        there: whether the evidence is there.
        known: whether the day tells.
    """
    first = np.where(clear >= 0, (clear + 1 + today) // 2, today)
    clear[known & ~there] = today
    return np.where(known & there & (begun < 0), first, np.where(known & ~there, -1, begun))
