"""What is to be told of a factory's steam traps: each opening and each closing once, and a digest of what is open."""

from fems.contracts.traps import TrapEvent, TrapEventsTold, TrapNews, TrapNotice, TrapState
from fems.flows.platform import Platform
from fems.flows.traps import published_traps, rows_of_day, rows_of_events
from fems.lake.traps import trap_events_told, write_trap_events_told

_SILENT = (TrapState.line_off,)


def trap_news(platform: Platform, factory_id: str, run_id: str) -> TrapNews:
    """Return what a run is to tell of a factory's traps, and write down that it does.

    The same run is given the same again; no other run is. The first run of all tells of what is open, not of the
    past. Of traps whose line is off, by plan or not, the digest says nothing.

    Args:
        platform: where the tables are.
        factory_id: whose.
        run_id: who tells.

    Raises:
        UnknownFormat, DataError: what was told before, or the tables' metadata, can't be read; says what to do.
    """
    tables = published_traps(platform.lake, factory_id)
    if tables is None:
        return TrapNews(factory_id=factory_id)
    days, events = tables
    told = trap_events_told(platform.lake, factory_id)
    kept_opened, kept_closed = (dict(told.opened), dict(told.closed)) if told else ({}, {})
    opened, closed, waiting = [], [], []
    last = max(days["day"].to_pylist())
    silent = {row["trap_id"] for row in rows_of_day(days, last) if row["state"] in _SILENT}
    for row in rows_of_events(events):
        event_id, over, notice = row["event_id"], row["end"] is not None, _notice(row)
        if kept_opened.setdefault(event_id, "" if told is None and over else run_id) == run_id:
            opened.append(notice)
        if over and kept_closed.setdefault(event_id, "" if told is None else run_id) == run_id:
            closed.append(notice)
        if not over and row["trap_id"] not in silent:
            waiting.append(notice)
    kept = TrapEventsTold(opened=kept_opened, closed=kept_closed)
    if kept != told:
        write_trap_events_told(platform.lake, factory_id, kept)
    return TrapNews(factory_id=factory_id, opened=tuple(opened), closed=tuple(closed), digest=tuple(waiting))


def _notice(row: TrapEvent) -> TrapNotice:
    """Return the part of an event that a message needs."""
    return TrapNotice.model_validate({name: row[name] for name in TrapNotice.model_fields})  # type: ignore[literal-required]
