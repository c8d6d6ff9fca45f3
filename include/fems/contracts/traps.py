"""The states of steam traps and the events that come of them: what the stage hands over and the lake keeps."""

from datetime import date
from enum import StrEnum
from typing import ClassVar, Literal, TypedDict

from pydantic import JsonValue

from fems.contracts.record import Outcome, Part, Record


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


class Loss(TypedDict):
    """What lost steam weighs and is worth, kg and kWh; None where it can't be said."""

    steam_kg_low: float | None
    steam_kg: float | None
    steam_kg_high: float | None
    heat_kwh: float | None
    fuel_kwh: float | None
    cost: float | None
    currency: str | None
    tco2e: float | None


class TrapDay(Loss):
    """A row of the table `trap_day`: a trap on a local day."""

    day: date
    factory_id: str
    trap_id: str
    state: str
    confidence: float
    reason: str
    reason_ko: str
    event_id: str | None
    steam_hours: float
    measured_pct: float
    main_c: float | None
    main_usual_c: float | None
    outlet_c: float | None
    outlet_usual_c: float | None
    loss_kg_h: float | None


class TrapEvent(Loss):
    """A row of the table `trap_events`: a fault of a trap, from its first day to its last."""

    event_id: str
    factory_id: str
    trap_id: str
    kind: str
    start: date
    detected: date
    end: date | None
    closed: date | None
    closing: str | None
    severity_c: float
    confidence: float
    reason: str
    reason_ko: str
    steam_hours: float
    loss_kg_h_low: float | None
    loss_kg_h: float | None
    loss_kg_h_high: float | None


class TrapInputs(Part):
    """What the tables of a factory's traps are made of.

    Attributes:
        format: of the tables.
        code_version: of the package.
        registry: what the registry says of the factory, as far as the traps need it.
        partitions: feed -> month -> fingerprint.
        records: repairs and planned stops that people wrote down.
    """

    format: int = 1
    code_version: str
    registry: dict[str, JsonValue]
    partitions: dict[str, dict[str, str]]
    records: dict[Literal["repairs", "stops"], tuple[JsonValue, ...]]


class TrapSummary(Part):
    """How a factory's traps were on the last published day.

    Attributes:
        factory_id: which. traps: how many. last_day: local.
        states: state -> traps.
        open: events that are open. opened, closed: on that day.
    """

    factory_id: str
    traps: int
    last_day: date
    states: dict[TrapState, int]
    open: tuple[str, ...]
    opened: tuple[str, ...]
    closed: tuple[str, ...]


class TrapRows(Part):
    """How many rows each table has."""

    trap_day: int
    trap_events: int


class TrapManifest(Record):
    """The metadata of a factory's trap tables. It holds no clock: rebuilding gives the same bytes.

    Attributes:
        factory_id: which.
        fingerprint: of everything that they are made from; their names bear it.
        inputs: all of that. months: YYYY-MM of the tables of days.
        rows: of each table. summary: of the last day.
    """

    REMEDY: ClassVar[str] = "run `fems traps watch`, which makes the tables anew"

    factory_id: str
    fingerprint: str
    inputs: TrapInputs
    months: tuple[str, ...]
    rows: TrapRows
    summary: TrapSummary


class TrapOutcome(Outcome, TrapSummary):
    """What a watch of a factory's traps came to; `published` is False where nothing had changed."""

    published: bool


class TrapNotice(Part):
    """What a message says of an event; see `TrapEvent`."""

    event_id: str
    trap_id: str
    kind: TrapState
    start: date
    detected: date
    end: date | None
    closing: str | None
    confidence: float
    reason: str
    loss_kg_h: float | None
    loss_kg_h_low: float | None
    loss_kg_h_high: float | None
    steam_kg: float | None
    cost: float | None
    currency: str | None


class TrapNews(Part):
    """What a run is to tell of a factory's traps: events that opened and closed, and a digest of those still open."""

    factory_id: str
    opened: tuple[TrapNotice, ...] = ()
    closed: tuple[TrapNotice, ...] = ()
    digest: tuple[TrapNotice, ...] = ()


class FactoryTraps(Outcome):
    """What a task made of a factory's traps, and what is to be told of them."""

    watched: TrapOutcome
    news: TrapNews


class TrapEventsTold(Record):
    """Which openings and closings were told: event -> the run that told it, or nothing where no run had to."""

    REMEDY: ClassVar[str] = "remove it; the next run of the Dag `traps` tells of what is open"

    opened: dict[str, str]
    closed: dict[str, str]
