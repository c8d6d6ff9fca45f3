"""What people look at of steam traps: a row of each list, as pages, tables, work list and report show it."""

from datetime import date
from typing import TypedDict

from fems.contracts.traps import TrapDay, TrapEvent


class UsualLoss(TypedDict):
    """What an open event loses on a usual day: steam in kg, likely and its band, and its fuel's cost."""

    kg_a_day: float | None
    kg_a_day_low: float | None
    kg_a_day_high: float | None
    fuel_kwh_a_day: float | None
    cost_a_day: float | None


class TrapNow(TrapDay, UsualLoss):
    """A trap on the last published day; `since` is the first day of its open event."""

    name: str
    name_ko: str
    since: date | None
    leaks_observable: bool


class EventSeen(TrapEvent):
    """An event with its trap's names and people's newest word on it."""

    name: str
    name_ko: str
    word: str | None
    note: str | None


class WorkItem(EventSeen, UsualLoss):
    """An open event that waits for a person, with what it loses on a usual day."""


class AlarmRecord(TypedDict):
    """How many of a factory's alarms were right, by people's word."""

    factory_id: str
    events: int
    judged: int
    right: int
    wrong: int
    right_pct: float | None


class Saving(TypedDict):
    """A repair, and the measured energy a day before and after it.

    `machine` names what was measured, `days` how many on either side; `loss_avoided_kg_a_day` is the event's.
    """

    factory_id: str
    trap_id: str
    repaired: date
    note: str
    machine: str
    before_kwh_a_day: float | None
    after_kwh_a_day: float | None
    change_pct: float | None
    days: int
    loss_avoided_kg_a_day: float | None


class OpenTrap(UsualLoss):
    """An open event as a forecast's report shows it; `leak` tells whether steam is lost."""

    trap_id: str
    name: str
    name_ko: str
    state: str
    state_ko: str
    start: date
    confidence: float
    reason: str
    reason_ko: str
    currency: str | None
    leak: bool
