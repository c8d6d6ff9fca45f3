"""Alarms against the truth: what was found, when, as what; and the alarms that were wrong, each by its cause."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from benchmarks.traps.plant import SCORED_FROM, TrapYear
from benchmarks.traps.rules import Alarm, is_leak
from fems.calendar import holidays_of
from fems.simulate.traps import TrapEvent

FAULT_KINDS = ("blocked", "flooded", "blow_through", "leak")
_STEAM_HOURS = 3.0
_LEAST_DAYS = 5
"""A fault counts where its trap had steam on so many days before it was mended."""
_AFTER = timedelta(days=1)
BIG_LEAK = 0.3


@dataclass(frozen=True)
class Case:
    """A true fault, and the alarm that found it.

    Attributes:
        fault: the truth.
        position: of the trap's sensor.
        alarm: of those raised within it the first to say the same loss, of steam or of capacity; None without one.
        kind: what it called that on most days of the fault.
        delay: days with steam from its start to the day on which the alarm said so.
        start_error: days from its start to the start that the alarm names.
    """

    fault: TrapEvent
    position: str
    alarm: Alarm | None
    kind: str | None
    delay: int | None
    start_error: int | None


@dataclass
class Score:
    """Of some trap-years.

    Attributes:
        cases: faults that could be seen.
        wrong: why each wrong alarm was raised.
        trap_years: of all traps that were watched.
        leaks_of_inlets: alarms of a leak at traps with an inlet sensor alone: there must be none.
    """

    cases: list[Case] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    trap_years: float = 0.0
    leaks_of_inlets: int = 0

    def of(self, *kinds: str, pair: bool = False, least: float = 0.0, most: float = 2.0) -> list[Case]:
        """Return the cases of some kinds."""
        return [
            case
            for case in self.cases
            if case.fault.kind in kinds
            and (not pair or case.position == "pair")
            and least <= case.fault.severity < most
        ]

    @property
    def false_alarms(self) -> int:
        """Wrong alarms without those on valves that somebody had shut: those look like a blocked trap."""
        return sum(count for why, count in self.wrong.items() if why != SHUT)


SHUT = "valve shut by hand, not declared"


def score(year: TrapYear, alarms: Sequence[Alarm], into: Score) -> None:
    """Add a factory's year to a score."""
    traps = year.factory.steam_traps
    local = year.starts.tz_localize(None)
    first = SCORED_FROM.date()
    days = local.to_numpy().astype("datetime64[D]")
    all_days, day = np.unique(days, return_inverse=True)
    last = all_days[-1].astype(object)
    hours = np.zeros((len(all_days), len(traps)))
    np.add.at(hours, day, year.supplied * 0.25)
    index = {number.astype(object): i for i, number in enumerate(all_days)}
    into.trap_years += len(traps) * ((last - first).days + 1) / 365.0
    used: set[int] = set()
    for number, (trap_id, trap) in enumerate(traps.items()):
        mine = [(i, alarm) for i, alarm in enumerate(alarms) if alarm.trap_id == trap_id]
        for fault in (e for e in year.events if e.trap_id == trap_id and e.kind in FAULT_KINDS):
            begins, ends = fault.start.date(), fault.end.date()
            inside = [(i, a) for i, a in mine if begins <= a.detected <= ends + _AFTER]
            used.update(i for i, _ in inside)
            if begins < first or ends > last:
                continue
            steam = hours[index[begins] : index[ends], number] >= _STEAM_HOURS
            sees_leak = trap.position in ("pair", "outlet", "body")
            if steam.sum() < _LEAST_DAYS or (fault.kind in ("leak", "blow_through") and not sees_leak):
                continue
            leak = fault.kind in ("leak", "blow_through")
            until = ends + _AFTER
            right = [(since, a) for _, a in inside if (since := a.first(leak, until)) is not None]
            since, alarm = min(right, key=lambda pair: pair[0], default=(None, None))
            delay = None if since is None else int(steam[: (since - begins).days].sum())
            error = None if alarm is None else (alarm.start - begins).days
            kind = None if alarm is None else alarm.kind(leak, until)
            into.cases.append(Case(fault, trap.position or "", alarm, kind, delay, error))
    for i, alarm in enumerate(alarms):
        if traps[alarm.trap_id].position == "inlet" and any(is_leak(kind) for _, kind in alarm.kinds):
            into.leaks_of_inlets += 1
        if i not in used and alarm.detected >= first:
            into.wrong[_why(year, alarm)] += 1


def _why(year: TrapYear, alarm: Alarm) -> str:
    """Return what happened at the trap when a wrong alarm was raised, its own matters first."""
    own = [event for event in year.events if event.trap_id == alarm.trap_id]
    return _of_trap(own, alarm) or _of_supply(year, alarm)


def _near(event: TrapEvent, alarm: Alarm, after: int) -> bool:
    return event.start.date() <= alarm.detected <= event.end.date() + timedelta(days=after)


def _of_trap(own: Sequence[TrapEvent], alarm: Alarm) -> str | None:
    if any(event.kind == "shut" and _near(event, alarm, 1) for event in own):
        return SHUT
    for event in own:
        if event.kind.startswith("sensor_") and _near(event, alarm, 2):
            return event.kind
    if any(event.kind == "clamped" and _near(event, alarm, 10) for event in own):
        return "sensor clamped anew"
    if any(event.kind in FAULT_KINDS and _near(event, alarm, 15) for event in own):
        return "after a repair"
    return None


def _of_supply(year: TrapYear, alarm: Alarm) -> str:
    line = year.factory.steam_traps[alarm.trap_id].line
    whole = [event for event in year.events if event.trap_id is None and event.line in (None, line)]
    for kind, label in (("planned_stop", "stop"), ("line_shut", "line shut"), ("boiler_trip", "outage")):
        if any(event.kind == kind and _near(event, alarm, 1) for event in whole):
            return label
    if holidays_of(year.factory.country, np.array([alarm.detected], dtype="datetime64[D]"))[0]:
        return "holiday"
    number = list(year.factory.steam_traps).index(alarm.trap_id)
    days = year.starts.tz_localize(None).to_numpy().astype("datetime64[D]")
    if year.supplied[days == np.datetime64(alarm.detected), number].sum() * 0.25 < _STEAM_HOURS:
        return "no steam"
    for event in whole:
        edges = (event.start.date(), event.end.date()) if event.kind == "pressure_step" else ()
        if any(0 <= (alarm.detected - edge).days <= 4 for edge in edges):
            return "pressure step"
    return "other"


def share(cases: Sequence[Case]) -> float:
    """Return the share of faults that was found."""
    return sum(case.alarm is not None for case in cases) / len(cases) if cases else float("nan")


def delays(cases: Sequence[Case]) -> list[int]:
    """Return the delays of those that were found."""
    return [case.delay for case in cases if case.delay is not None]
