"""What is to be told of a factory's steam traps: each opening and each closing once, and a digest of what is open."""

from typing import Any

from fems.contracts.traps import TrapState
from fems.flows.platform import Platform
from fems.flows.traps import published_traps
from fems.lake.traps import told_trap_events, write_told_trap_events

_SILENT = (TrapState.line_off,)


def trap_news(platform: Platform, factory_id: str, run_id: str) -> dict[str, Any]:
    """Return what a run is to tell of a factory's traps, and write down that it does.

    The same run is given the same again; no other run is. The first run of all tells of what is open, not of the
    past. Of traps whose line is off, by plan or not, the digest says nothing.

    Args:
        platform: where the tables are.
        factory_id: whose.
        run_id: who tells.

    Returns:
        factory_id, opened and closed (events), digest (open events of traps with steam).
    """
    tables = published_traps(platform.lake, factory_id)
    if tables is None:
        return {"factory_id": factory_id, "opened": [], "closed": [], "digest": []}
    days, events = tables
    told = told_trap_events(platform.lake, factory_id)
    rows = [_told(row) for row in events.to_pylist()]
    first = told is None
    kept: dict[str, dict[str, str]] = (
        {name: dict(some) for name, some in told.items()} if told else {"opened": {}, "closed": {}}
    )
    opened, closed = [], []
    for row in rows:
        event_id, over = row["event_id"], row["end"] is not None
        if kept["opened"].setdefault(event_id, "" if first and over else run_id) == run_id:
            opened.append(row)
        if over and kept["closed"].setdefault(event_id, "" if first else run_id) == run_id:
            closed.append(row)
    if kept != told or first:
        write_told_trap_events(platform.lake, factory_id, kept)
    last = max(days["day"].to_pylist())
    silent = {
        row["trap_id"] for row in days.to_pylist() if row["day"] == last and row["state"] in map(str, _SILENT)
    }
    return {
        "factory_id": factory_id,
        "opened": opened,
        "closed": closed,
        "digest": [row for row in rows if row["end"] is None and row["trap_id"] not in silent],
    }


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an event that a message needs, as a task can pass it on."""
    names = (
        "event_id",
        "trap_id",
        "kind",
        "confidence",
        "reason",
        "loss_kg_h",
        "loss_kg_h_low",
        "loss_kg_h_high",
    )
    dates = {name: row[name].isoformat() if row[name] else None for name in ("start", "detected", "end")}
    return {
        **{name: row[name] for name in names},
        **dates,
        "closing": row["closing"],
        "cost": row["cost"],
        "currency": row["currency"],
        "steam_kg": row["steam_kg"],
    }
