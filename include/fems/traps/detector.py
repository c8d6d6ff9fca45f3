"""Each trap's state on each day, from that day and those before it."""

from dataclasses import dataclass, field

import numpy as np

from fems.contracts.traps import FAULTS, LEAKS, TrapState
from fems.traps import rules
from fems.traps.baseline import Neighbours, agreed, usual
from fems.traps.clamps import Contact
from fems.traps.evidence import Day, Memory, Verdict
from fems.traps.features import Features
from fems.traps.layout import Bools, Floats, Ints, TrapLayout

STATES = tuple(TrapState)
CODE = {state: number for number, state in enumerate(STATES)}
_FAULT_CODES = np.array([CODE[state] for state in FAULTS])
_GOOD_DAYS_TO_CLOSE = 3
_LEAK_CODES = np.array([CODE[state] for state in LEAKS])
_SETTLED_DAYS, _LEVEL_DAYS = 14, 5
"""A leak is held to have settled after so many days, when so many of the newest ones are known."""
_WORSE_C, _WORSE_SIGMAS = 8.0, 5.0


@dataclass(frozen=True)
class OpenedEvent:
    """A fault of a trap, in numbers of days and traps.

    Attributes:
        trap: whose.
        start: first day of the evidence.
        detected: the day whose evening knew of it.
        kinds: day and state of each day with the fault.
        severity: shift of a temperature on each of them, degrees.
        confidence: of each of them.
        end: first day without it; empty while it is open.
        closed: the day on which that was known, and how: a repair, the third good day, or another fault.
    """

    trap: int
    start: int
    detected: int
    kinds: list[tuple[int, int]]
    severity: list[float]
    confidence: list[float]
    end: list[int] = field(default_factory=list)
    closed: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Detection:
    """What the detector says, arrays of shape (days, traps).

    Attributes:
        state: index into `STATES`.
        confidence: 0..1.
        main_usual: baseline of the main sensor, NaN where not known; `outlet_usual` of the outlet.
        main_moved: how far the main sensor is from it by its own past and its neighbours; `outlet_moved` the outlet.
        cause: index into `evidence.CAUSES`: why the state is what it is.
        event: number of the open event, -1 without.
        events: in the order of their detection.
    """

    state: Ints
    confidence: Floats
    main_usual: Floats
    outlet_usual: Floats
    main_moved: Floats
    outlet_moved: Floats
    cause: Ints
    event: Ints
    events: list[OpenedEvent]


def detect(features: Features, layout: TrapLayout, *, stopped: Bools, repaired: Bools) -> Detection:
    """Judge each day by itself and the days before.

    Args:
        features: figures of each day.
        layout: the traps.
        stopped: planned stops, shape (days, traps).
        repaired: repairs, shape (days, traps).
    """
    run = _Run(features, layout, stopped, repaired)
    for day in range(len(stopped)):
        run.judge(day)
    return run.detection


class _Run:
    """The memory of the detector while it goes through the days."""

    def __init__(self, features: Features, layout: TrapLayout, stopped: Bools, repaired: Bools) -> None:
        shape = stopped.shape
        self.features, self.layout, self.stopped, self.repaired = features, layout, stopped, repaired
        self.neighbours = Neighbours(layout)
        self.main = Contact(features.main_c, features.main_jump)
        self.outlet = Contact(features.outlet_c, features.outlet_jump)
        self.good = np.zeros(shape, dtype=bool)
        self.trusted = np.zeros(shape, dtype=bool)
        nothing = np.full(shape, np.nan)
        self.detection = Detection(
            state=np.zeros(shape, dtype=np.int64),
            confidence=np.zeros(shape),
            main_usual=nothing.copy(),
            outlet_usual=nothing.copy(),
            main_moved=nothing.copy(),
            outlet_moved=nothing.copy(),
            cause=np.zeros(shape, dtype=np.int64),
            event=np.full(shape, -1),
            events=[],
        )
        traps = shape[1]
        self.memory = Memory(traps)
        self.open: list[OpenedEvent | None] = [None] * traps
        self.numbers = np.full(traps, -1)
        self.good_days = np.zeros(traps, dtype=np.int64)
        self.level = np.zeros(traps)
        self.frozen_main = np.full(traps, np.nan)
        self.frozen_outlet = np.full(traps, np.nan)
        self.frozen_sigma = np.full(traps, np.nan)

    def judge(self, day: int) -> None:
        """Judge one day."""
        f, out = self.features, self.detection
        self._close_repaired(day)
        is_open = self.numbers >= 0
        jumped = self.main.jumped(day, ~is_open) | self.outlet.jumped(day, ~is_open)
        self.memory.forget_shifts(np.flatnonzero(jumped))
        main = usual(self.main.values, self.good, day, rules.LEAST_SIGMA_MAIN)
        outlet = usual(self.outlet.values, self.good, day, rules.LEAST_SIGMA_OUTLET)
        # An event keeps the baseline of the day it was opened: it shall not become usual.
        main_usual = np.where(is_open & ~np.isnan(self.frozen_main), self.frozen_main, main.median)
        keep = is_open & ~np.isnan(self.frozen_outlet)
        outlet_usual = np.where(keep, self.frozen_outlet, outlet.median)
        sigma = np.where(keep, self.frozen_sigma, outlet.sigma)
        sound = ~is_open & ~self.memory.suspected
        main_own, outlet_own = f.main_c[day] - main_usual, f.outlet_c[day] - outlet_usual
        line_moved = self.neighbours.shift(main_own, sound)
        main_moved = agreed(main_own, line_moved)
        outlet_moved = agreed(outlet_own, self.neighbours.shift(outlet_own, sound))
        main_moved = np.where(np.isnan(main_own), np.nan, main_moved)
        outlet_moved = np.where(np.isnan(outlet_own), np.nan, outlet_moved)
        seen = Day(
            features=f,
            number=day,
            layout=self.layout,
            stopped=self.stopped[day],
            main_usual=main_usual,
            outlet_usual=outlet_usual,
            main_moved=main_moved,
            outlet_moved=outlet_moved,
            line_moved=line_moved,
            main_sigma=main.sigma,
            outlet_sigma=sigma,
            floor_high=self._floor_high(day, f.floor_c),
            outlet_floor_high=self._floor_high(day, f.outlet_floor_c),
            jumped=jumped,
        )
        verdict = rules.judge(seen, self.memory, self._open_kinds(), self.level)
        out.main_usual[day], out.outlet_usual[day] = main_usual, outlet_usual
        out.main_moved[day], out.outlet_moved[day] = main_moved, outlet_moved
        for trap in np.flatnonzero(self.memory.risen_days == rules.RISEN_DAYS):
            self.good[:day, trap] = False  # learned while it had a fault
        self._events(day, verdict, seen, main.median, outlet.median, outlet.sigma)
        out.state[day], out.confidence[day], out.cause[day] = verdict.state, verdict.confidence, verdict.cause
        out.event[day] = self.numbers
        self.trusted[day] = verdict.state != CODE[TrapState.sensor_fault]
        usable = ~np.isin(verdict.state, _FAULT_CODES) & (verdict.state != CODE[TrapState.sensor_fault])
        self.good[day] = (
            usable
            & ~np.isnan(f.main_c[day])
            & ~self.stopped[day]
            & (self.numbers < 0)
            & ~self.memory.suspected
        )

    def _floor_high(self, day: int, floors: Floats) -> Floats:
        """Return how far a sensor's coldest hours lie over what they were, NaN where it never cools."""
        past = usual(floors, self.trusted, day, 1.0).median
        own = np.where(past < rules.COOLED_C, floors[day] - past, np.nan)
        if np.count_nonzero(~np.isnan(own)) < rules.COOLED_TRAPS:
            return np.full(len(own), np.nan)  # alone, a warm spring looks the same
        return agreed(own, self.neighbours.shift(own, np.ones(len(own), dtype=bool)))

    def _events(
        self, day: int, verdict: Verdict, seen: Day, main: Floats, outlet: Floats, sigma: Floats
    ) -> None:
        """Open, go on with and close events."""
        fault = np.isin(verdict.state, _FAULT_CODES)
        shift = np.fmax(np.abs(np.nan_to_num(seen.main_moved)), np.abs(np.nan_to_num(seen.outlet_moved)))
        for trap in np.flatnonzero(fault | (self.numbers >= 0)).tolist():
            event = self.open[trap]
            if event is None:
                self._open(trap, min(int(verdict.start[trap]), day), day, verdict, float(shift[trap]))
                self.frozen_main[trap], self.frozen_outlet[trap] = main[trap], outlet[trap]
                self.frozen_sigma[trap] = sigma[trap]
            elif fault[trap] and (since := self._another_since(day, trap, event, verdict)) is not None:
                event.end.append(since)
                event.closed.append((day, "another"))
                self._open(trap, since, day, verdict, float(shift[trap]))
            elif fault[trap]:
                event.kinds.append((day, int(verdict.state[trap])))
                event.severity.append(float(shift[trap]))
                event.confidence.append(float(verdict.confidence[trap]))
                self.good_days[trap] = 0
                self.level[trap] = max(self.level[trap], shift[trap])
            elif verdict.evaluated[trap]:
                self.good_days[trap] += 1
                if self.good_days[trap] >= _GOOD_DAYS_TO_CLOSE:
                    self._close(trap, self._first_good(day, trap), day, "recovered")

    def _another_since(self, day: int, trap: int, event: OpenedEvent, verdict: Verdict) -> int | None:
        """Return since when a trap with an open event has another fault than that, None if it has not.

        Another is water where steam was lost, or the reverse, on two days; and a leak that had settled and now passes
        far more than before.
        """
        before, newest = event.kinds[-1]
        lost = [bool(np.isin(kind, _LEAK_CODES)) for kind in (event.kinds[0][1], newest, verdict.state[trap])]
        if lost[0] != lost[1] == lost[2]:
            return before
        return self._worse_since(day, trap, event) if all(lost) else None

    def _worse_since(self, day: int, trap: int, event: OpenedEvent) -> int | None:
        moved = self.detection.outlet_moved[event.detected : day + 1, trap]
        known = np.flatnonzero(~np.isnan(moved))
        if len(known) < _LEVEL_DAYS + 2 or known[-3] < _SETTLED_DAYS or known[-1] != len(moved) - 1:
            return None
        level = np.median(moved[known[-_LEVEL_DAYS - 2 : -2]])
        least = max(_WORSE_C, _WORSE_SIGMAS * float(np.nan_to_num(self.frozen_sigma[trap])))
        newest = known[-2:]
        return int(event.detected + newest[0]) if (moved[newest] - level > least).all() else None

    def _open(self, trap: int, start: int, day: int, verdict: Verdict, shift: float) -> None:
        kinds, confidence = [(day, int(verdict.state[trap]))], [float(verdict.confidence[trap])]
        event = OpenedEvent(trap, start, day, kinds, [shift], confidence)
        self.open[trap], self.numbers[trap] = event, len(self.detection.events)
        self.detection.events.append(event)
        self.good_days[trap] = 0
        self.level[trap] = shift
        self.good[start : day + 1, trap] = False

    def _open_kinds(self) -> Ints:
        return np.array([-1 if event is None else event.kinds[-1][1] for event in self.open], dtype=np.int64)

    def _first_good(self, day: int, trap: int) -> int:
        """Return the day after the newest one with the fault."""
        event = self.open[trap]
        return event.kinds[-1][0] + 1 if event is not None else day

    def _close(self, trap: int, end: int, day: int, how: str) -> None:
        event = self.open[trap]
        if event is None:
            return
        event.end.append(end)
        event.closed.append((day, how))
        self.open[trap], self.numbers[trap] = None, -1
        self.memory.forget(np.array([trap]))

    def _close_repaired(self, day: int) -> None:
        """A repaired trap begins anew: what was measured before says nothing of it any more."""
        for trap in np.flatnonzero(self.repaired[day]):
            self._close(int(trap), day, day, "repaired")
            self.good[:day, trap] = False
            self.memory.forget(np.array([trap]))
