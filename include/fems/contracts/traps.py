"""The states of steam traps and the events that come of them: what the stage hands over and the lake keeps."""

from enum import StrEnum


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
