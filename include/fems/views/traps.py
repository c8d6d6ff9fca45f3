"""What people look at of steam traps: states, events, work list, track record, savings. Reads only."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import pandas as pd

from fems.contracts.trap_views import AlarmRecord, EventSeen, Saving, TrapNow, UsualLoss, WorkItem
from fems.contracts.traps import FAULTS, TrapDay, TrapEvent, TrapState
from fems.flows.machines import of_machines
from fems.flows.platform import Platform
from fems.flows.traps import (
    currency,
    published_traps,
    rows_of_day,
    rows_of_events,
    trap_factories,
)
from fems.lake.traps import trap_records
from fems.registry.steam_traps import SteamTrap
from fems.traps.loss import usual_loss
from fems.traps.page import TrapPage, render
from fems.traps.words import STATE_WORDS, Language
from fems.traps.worklist import workbook

_DAYS = 14
"""Days before and after a repair that are compared."""
_LEAST_DAYS = 5


def newest(platform: Platform, factories: Iterable[str] | None = None) -> list[TrapNow]:
    """Return a row a trap on the last published day, faults first, and of those what costs most a day."""
    rows: list[TrapNow] = []
    for factory_id in trap_factories(platform, factories):
        tables = published_traps(platform.lake, factory_id)
        if tables is None:
            continue
        factory, days = platform.plant.factory(factory_id), tables[0].to_pandas()
        known = {event["event_id"]: event for event in rows_of_events(tables[1])}
        for row in rows_of_day(tables[0], days["day"].max()):
            trap = factory.steam_traps.get(row["trap_id"])
            if trap is not None:
                usual = usual_loss(days, row["event_id"])
                rows.append(
                    _now(row, trap, known.get(row["event_id"] or ""), usual, currency(factory, usual))
                )
    order = [*FAULTS, TrapState.cold_or_shut, TrapState.sensor_fault]
    rank = {str(state): number for number, state in enumerate(order)}
    return sorted(
        rows,
        key=lambda row: (
            -(row["cost_a_day"] or 0.0),
            -(row["kg_a_day"] or 0.0),
            rank.get(row["state"], 99),
            row["trap_id"],
        ),
    )


def _now(
    row: TrapDay, trap: SteamTrap, event: TrapEvent | None, usual: UsualLoss, currency: str | None
) -> TrapNow:
    now: TrapNow = {
        **row,
        **usual,
        "name": trap.name,
        "name_ko": trap.name_ko or trap.name,
        "since": event["start"] if event else None,
        "leaks_observable": trap.position in ("outlet", "body", "pair"),
        "currency": currency,
    }
    if event is not None and row["state"] not in FAULTS:
        # The line may be off today: the fault is still there.
        now["state"], now["confidence"] = event["kind"], event["confidence"]
        now["reason"], now["reason_ko"] = event["reason"], event["reason_ko"]
    return now


def event_rows(platform: Platform, factories: Iterable[str] | None = None) -> list[EventSeen]:
    """Return a row an event with people's newest word on it, the newest first."""
    rows: list[EventSeen] = []
    for factory_id in trap_factories(platform, factories):
        tables = published_traps(platform.lake, factory_id)
        words = trap_records(platform.lake, factory_id).newest_words()
        traps = platform.plant.factory(factory_id).steam_traps
        for row in rows_of_events(tables[1]) if tables else []:
            word, trap = words.get(row["event_id"]), traps.get(row["trap_id"])
            rows.append(
                {
                    **row,
                    "name": trap.name if trap else row["trap_id"],
                    "name_ko": (trap.name_ko or trap.name) if trap else row["trap_id"],
                    "word": word.word if word else None,
                    "note": word.note if word else None,
                }
            )
    return sorted(rows, key=lambda row: (row["detected"], row["event_id"]), reverse=True)


def track_record(platform: Platform, factories: Iterable[str] | None = None) -> list[AlarmRecord]:
    """Return for each factory how many alarms were right, by people's word."""
    by_factory: dict[str, list[EventSeen]] = {}
    for row in event_rows(platform, factories):
        by_factory.setdefault(row["factory_id"], []).append(row)
    found: list[AlarmRecord] = []
    for factory_id, rows in sorted(by_factory.items()):
        wrong = sum(row["word"] == "false_alarm" for row in rows)
        judged = sum(row["word"] is not None for row in rows)
        found.append(
            {
                "factory_id": factory_id,
                "events": len(rows),
                "judged": judged,
                "right": judged - wrong,
                "wrong": wrong,
                "right_pct": 100.0 * (judged - wrong) / judged if judged else None,
            }
        )
    return found


def savings(platform: Platform, factories: Iterable[str] | None = None) -> list[Saving]:
    """Return what each mended trap saved: measured energy a day of its boiler before the repair against after.

    Means of days on which steam was on, of the two weeks on either side. A boiler's meter is taken where the factory
    has one; else the whole factory, whose change has other causes, too. The avoided loss is the event's, and stands
    beside.
    """
    rows: list[Saving] = []
    for factory_id in trap_factories(platform, factories):
        tables = published_traps(platform.lake, factory_id)
        factory, records = platform.plant.factory(factory_id), trap_records(platform.lake, factory_id)
        repairs = (*factory.trap_repairs, *records.repairs)
        if tables is None or not repairs:
            continue
        days = tables[0].to_pandas()
        machine, used = _boiler_days(platform, factory_id)
        for repair in repairs:
            mine = days[(days["trap_id"] == repair.trap_id) & (days["steam_hours"] > 0)]
            working = set(mine["day"])
            before = _mean(used, working, repair.day - timedelta(days=_DAYS), repair.day)
            after = _mean(
                used, working, repair.day + timedelta(days=1), repair.day + timedelta(days=_DAYS + 1)
            )
            lost = mine[(mine["day"] < repair.day) & (mine["day"] >= repair.day - timedelta(days=_DAYS))]
            rows.append(
                {
                    "factory_id": factory_id,
                    "trap_id": repair.trap_id,
                    "repaired": repair.day,
                    "note": repair.note,
                    "machine": machine,
                    "before_kwh_a_day": before,
                    "after_kwh_a_day": after,
                    "change_pct": 100.0 * (after / before - 1.0) if before and after is not None else None,
                    "days": _DAYS,
                    "loss_avoided_kg_a_day": _known(lost["steam_kg"].astype(float).mean()),
                }
            )
    return rows


def _boiler_days(platform: Platform, factory_id: str) -> tuple[str, "pd.Series[float]"]:
    """Return the boiler's name, or the whole factory's, and its measured energy a day."""
    factory = platform.plant.factory(factory_id)
    boilers = {
        node.column: node.name
        for machine, node in zip(factory.equipment.values(), factory.meter_tree.nodes, strict=False)
        if machine.kind == "boiler"
    }
    manifests = platform.lake.manifests("meter", factory_id)
    months = [month for month, manifest in manifests.items() if not manifest.empty]
    if not months:
        return "", pd.Series(dtype=float)
    table = platform.lake.published("meter", "day", factory_id, months).to_pandas()
    table = of_machines(table.astype({"sensor_id": "str"}), factory.meter_tree)
    table = table[table["sensor_id"].isin(boilers)] if boilers else table
    local = table["timestamp"].dt.tz_convert(factory.timezone).dt.date
    return ", ".join(boilers.values()) or "whole factory", table.groupby(local)["used_kwh"].sum(min_count=1)


def _mean(used: "pd.Series[float]", working: set[date], first: date, after: date) -> float | None:
    """Return the mean of working days in first..after, None of too few."""
    chosen = used[[first <= day < after and day in working for day in used.index]].dropna()
    return float(chosen.mean()) if len(chosen) >= _LEAST_DAYS else None


def work_list(platform: Platform, factories: Iterable[str] | None = None) -> tuple[bytes, int]:
    """Return the open events as an Excel file, what costs most a day first, and how many there are."""
    usual = {row["event_id"]: row for row in newest(platform, factories)}
    rows = [
        _work(row, usual.get(row["event_id"]))
        for row in event_rows(platform, factories)
        if row["end"] is None
    ]
    rows.sort(key=lambda row: (-(row["cost_a_day"] or 0.0), row["detected"]))
    return workbook(rows), len(rows)


def _work(event: EventSeen, now: TrapNow | None) -> WorkItem:
    """Return an open event with what it loses; of a trap that is no longer registered that is not known."""
    return {
        **event,
        "kg_a_day": now["kg_a_day"] if now else None,
        "kg_a_day_low": now["kg_a_day_low"] if now else None,
        "kg_a_day_high": now["kg_a_day_high"] if now else None,
        "fuel_kwh_a_day": now["fuel_kwh_a_day"] if now else None,
        "cost_a_day": now["cost_a_day"] if now else None,
    }


def traps_page(
    platform: Platform, factory_id: str, root: str | None = None, language: Language = "ko"
) -> str:
    """Return a factory's page of steam traps.

    Args:
        platform: where the tables are.
        factory_id: whose.
        root: the path that the other pages lie under, to lead back to the factory; None for a file of its own.
        language: which it opens in; the reader can change it on the page.

    Raises:
        ConfigError: the factory is not registered, or has no traps.
        DataError: a publish was cut off.
    """
    trap_factories(platform, [factory_id])
    factory = platform.plant.factory(factory_id)
    tables = published_traps(platform.lake, factory_id)
    days = tables[0].to_pandas() if tables else pd.DataFrame()
    return render(
        TrapPage(
            factory_id=factory_id,
            name=factory.name,
            name_ko=factory.name_ko,
            simulated=factory.simulated,
            steam=factory.steam,
            traps=newest(platform, [factory_id]),
            events=event_rows(platform, [factory_id]),
            record=track_record(platform, [factory_id]),
            savings=savings(platform, [factory_id]),
            days=days,
            root=root,
        ),
        language,
    )


def states_in_words(states: Mapping[TrapState, int]) -> str:
    """Return how many traps are in each state, in words."""
    return ", ".join(f"{count} {STATE_WORDS[state][0]}" for state, count in states.items())


def _known(value: float) -> float | None:
    return None if value != value else float(value)
