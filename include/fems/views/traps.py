"""What people look at of steam traps: states, events, work list, track record, savings. Reads only."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pandas as pd

from fems.contracts.traps import FAULTS, TrapState
from fems.flows.platform import Platform
from fems.flows.traps import published_traps, trap_factories, trap_records
from fems.traps.page import TrapPage, render
from fems.traps.words import STATE_WORDS
from fems.traps.worklist import workbook

_DAYS = 14
"""Days before and after a repair that are compared."""
_LEAST_DAYS = 5


def newest(platform: Platform, factories: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return a row a trap on the last published day, faults first, and of those what costs most a day."""
    rows = []
    for factory_id in trap_factories(platform, factories):
        tables = published_traps(platform.lake, factory_id)
        if tables is None:
            continue
        traps = platform.plant.factory(factory_id).steam_traps
        days = tables[0].to_pandas()
        known = {row["event_id"]: row for row in tables[1].to_pylist()}
        for row in days[days["day"] == days["day"].max()].to_dict("records"):
            if row["trap_id"] not in traps:
                continue
            trap, a_day, event = traps[row["trap_id"]], _a_day(days, row), known.get(row["event_id"])
            if event is not None and row["state"] not in map(str, FAULTS):
                # The line may be off today: the fault is still there.
                row |= {
                    "state": event["kind"],
                    **{n: event[n] for n in ("reason", "reason_ko", "confidence")},
                }
            rows.append(
                {
                    **_plain(row),
                    "name": trap.name,
                    "name_ko": trap.name_ko or trap.name,
                    "since": event["start"] if event else None,
                    "leaks observable": trap.position in ("outlet", "body", "pair"),
                    "kg a day": a_day["steam_kg"],
                    "kg a day low": a_day["steam_kg_low"],
                    "kg a day high": a_day["steam_kg_high"],
                    "cost a day": a_day["cost"],
                    "currency": a_day["currency"],
                }
            )
    order = [*FAULTS, TrapState.cold_or_shut, TrapState.sensor_fault]
    rank = {str(state): number for number, state in enumerate(order)}
    return sorted(
        rows,
        key=lambda row: (
            -(row["cost a day"] or 0.0),
            -(row["kg a day"] or 0.0),
            rank.get(row["state"], 99),
            row["trap_id"],
        ),
    )


def _a_day(days: pd.DataFrame, row: dict[str, Any]) -> dict[str, Any]:
    """Return what a trap's open event loses on a usual day: the mean of its last seven."""
    names = ("steam_kg", "steam_kg_low", "steam_kg_high", "cost")
    mine = days[(days["event_id"] == row["event_id"]) & days["steam_kg"].notna()].tail(7)
    if row["event_id"] is None or mine.empty:
        return dict.fromkeys((*names, "currency"))
    means = {name: _known(mine[name].astype(float).mean()) for name in names}
    return {**means, "currency": mine["currency"].iloc[-1]}


def event_rows(platform: Platform, factories: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return a row an event with people's newest word on it, the newest first."""
    rows = []
    for factory_id in trap_factories(platform, factories):
        tables = published_traps(platform.lake, factory_id)
        words = trap_records(platform.lake, factory_id).newest_words()
        traps = platform.plant.factory(factory_id).steam_traps
        for row in tables[1].to_pylist() if tables else []:
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


def track_record(platform: Platform, factories: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return for each factory how many alarms were right, by people's word."""
    by_factory: dict[str, list[dict[str, Any]]] = {}
    for row in event_rows(platform, factories):
        by_factory.setdefault(row["factory_id"], []).append(row)
    found = []
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
                "right %": 100.0 * (judged - wrong) / judged if judged else None,
            }
        )
    return found


def savings(platform: Platform, factories: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return what each mended trap saved: measured energy a day of its boiler before the repair against after.

    Means of days on which steam was on, of the two weeks on either side. A boiler's meter is taken where the factory
    has one; else the whole factory, whose change has other causes, too. The avoided loss is the event's, and stands
    beside.
    """
    rows = []
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
                    "before kWh/day": before,
                    "after kWh/day": after,
                    "change %": 100.0 * (after / before - 1.0) if before and after is not None else None,
                    "days": _DAYS,
                    "loss avoided kg/day": _known(lost["steam_kg"].astype(float).mean()),
                }
            )
    return rows


def _boiler_days(platform: Platform, factory_id: str) -> tuple[str, "pd.Series[float]"]:
    """Return the boiler's name, or the whole factory's, and its measured energy a day."""
    factory = platform.plant.factory(factory_id)
    boilers = {
        machine.sensor: machine.name for machine in factory.equipment.values() if machine.kind == "boiler"
    }
    manifests = platform.lake.manifests("meter", factory_id)
    months = [month for month, manifest in manifests.items() if not manifest.empty]
    if not months:
        return "", pd.Series(dtype=float)
    table = platform.lake.published("meter", "day", factory_id, months).to_pandas()
    table["sensor_id"] = table["sensor_id"].astype(str)
    table = (
        table[table["sensor_id"].isin(boilers)]
        if boilers
        else table[table["sensor_id"] != factory.main_meter]
    )
    local = table["timestamp"].dt.tz_convert(factory.timezone).dt.date
    return ", ".join(boilers.values()) or "whole factory", table.groupby(local)["used_kwh"].sum(min_count=1)


def _mean(used: "pd.Series[float]", working: set[date], first: date, after: date) -> float | None:
    """Return the mean of working days in first..after, None of too few."""
    chosen = used[[first <= day < after and day in working for day in used.index]].dropna()
    return float(chosen.mean()) if len(chosen) >= _LEAST_DAYS else None


def work_list(platform: Platform, factories: Iterable[str] | None = None) -> tuple[bytes, int]:
    """Return the open events as an Excel file, what costs most a day first, and how many there are."""
    costs = {row["event_id"]: row for row in newest(platform, factories)}
    rows = [row for row in event_rows(platform, factories) if row["end"] is None]
    rows = [
        {**row, **{k: costs.get(row["event_id"], {}).get(k) for k in ("kg a day", "cost a day")}}
        for row in rows
    ]
    rows.sort(key=lambda row: (-(row["cost a day"] or 0.0), row["detected"]))
    return workbook(rows), len(rows)


def traps_page(platform: Platform, factory_id: str) -> str:
    """Return a factory's page of steam traps.

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
        )
    )


def states_in_words(states: dict[str, int]) -> str:
    """Return how many traps are in each state, in words."""
    return ", ".join(f"{count} {STATE_WORDS[TrapState(state)][0]}" for state, count in states.items())


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        str(key): None if isinstance(value, float) and value != value else value for key, value in row.items()
    }


def _known(value: float) -> float | None:
    return None if value != value else float(value)
