"""The states of steam traps and the events that come of them: what the stage hands over and the lake keeps."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal


class TrapState(StrEnum):
    """How a trap was on a day."""

    ok = "ok"
    suspected_leak = "suspected_leak"
    blow_through = "blow_through"
    flooded = "flooded"
    blocked = "blocked"
    blocked_or_flooded = "blocked_or_flooded"
    cold_or_shut = "cold_or_shut"
    line_off = "line_off"
    sensor_fault = "sensor_fault"
    learning = "learning"
    not_observable = "not_observable"


FAULTS = (
    TrapState.suspected_leak,
    TrapState.blow_through,
    TrapState.flooded,
    TrapState.blocked,
    TrapState.blocked_or_flooded,
)
"""States that are a fault of the trap: an event is opened for them."""

LEAKS = (TrapState.suspected_leak, TrapState.blow_through)
"""Faults that lose steam; the others are a risk, not a price."""

Closing = Literal["repaired", "recovered"]


@dataclass(frozen=True)
class TrapEvent:
    """A fault of a trap, from its start to its end.

    Attributes:
        trap_id: whose.
        kind: a state of `FAULTS`: what the evidence of the newest day says.
        start: first day of the evidence.
        detected: the day whose evening knew of it.
        end: first day without it, None while it is open.
        closed: the day on which that was known; a repair, or the third good day in a row.
        closing: what closed it.
        severity_c: the largest shift of a temperature by it, degrees.
        confidence: 0..1, the highest of its days.
        reason: evidence of the day of detection, in English.
        reason_ko: the same in Korean.
    """

    trap_id: str
    kind: TrapState
    start: date
    detected: date
    end: date | None
    closed: date | None
    closing: Closing | None
    severity_c: float
    confidence: float
    reason: str
    reason_ko: str

    @property
    def event_id(self) -> str:
        """A name for it that does not change: the trap and the day on which it was detected."""
        return f"{self.trap_id}-{self.detected:%Y%m%d}"
