"""Steam traps: the state of each trap on each day, the events, and what they cost; evaluated and published."""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fems import __version__
from fems.canonical import to_json
from fems.errors import ConfigError, DataError
from fems.flows.platform import Platform
from fems.flows.publish import write_package
from fems.flows.trap_readings import published_readings
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.traps import trap_keys, trap_manifest, write_trap_records, write_trap_tables
from fems.registry.plant import Factory
from fems.registry.steam_traps import Repair, Stop
from fems.registry.trap_records import TrapRecords, Verdict, Word, read_records, write_records
from fems.traps.detector import detect
from fems.traps.features import day_features
from fems.traps.layout import layout_of, repaired_days, stopped_days
from fems.traps.tables import TrapTables

FORMAT = 1


def trap_factories(platform: Platform, asked: Iterable[str] | None = None) -> list[str]:
    """Return the factories that have traps and something published of them.

    Raises:
        ConfigError: one that was asked for is not registered, or has no traps.
    """
    wanted = list(asked or ())
    for factory_id in wanted:
        if not platform.plant.factory(factory_id).steam_traps:
            raise ConfigError(f"factory {factory_id} has no steam traps in factories.yaml")
    return [
        factory_id
        for factory_id in wanted or platform.plant.factories
        if platform.plant.factory(factory_id).steam_traps
        and (wanted or platform.lake.manifests("steam_trap", factory_id))
    ]


def watch_traps(platform: Platform, factory_id: str) -> dict[str, Any]:
    """Judge every published day of a factory's traps anew, and publish the two tables where anything changed.

    Days are judged in their order, each by itself and those before it: the same inputs give the same bytes, and new
    days change no earlier one.

    Args:
        platform: where the published data is.
        factory_id: whose traps.

    Returns:
        factory_id, traps, last_day, states (state -> traps on the last day), open (open events), opened and closed
        (events of the last day), published (False where nothing had changed).

    Raises:
        TooLittleHistory: nothing of its traps is published.
        QualityFailed: a critical expectation failed; the last good tables stay.
        ConfigError, DataError, ServiceUnavailable: as the parts.
    """
    factory = platform.plant.factory(factory_id)
    records = trap_records(platform.lake, factory_id)
    inputs = _inputs(platform.lake, factory_id, factory, records)
    fingerprint = hashlib.sha256(to_json(inputs)).hexdigest()[:16]
    manifest = trap_manifest(platform.lake, factory_id)
    if manifest is not None and manifest["fingerprint"] == fingerprint and _whole(platform.lake, manifest):
        return {**manifest["summary"], "published": False}
    days, events = judge(platform, factory_id, records)
    for name, table in (("trap_day", days), ("trap_events", events)):
        evaluation = platform.evaluator.evaluate(table.to_pandas(), name)
        evaluation.require(f"factory {factory_id}, {name}")
    summary = _summary(factory_id, days, events)
    _publish(platform.lake, factory_id, fingerprint, inputs, summary, days, events)
    write_package(platform, factory_id)
    return {**summary, "published": True}


def judge(platform: Platform, factory_id: str, records: TrapRecords) -> tuple[pa.Table, pa.Table]:
    """Return the tables `trap_day` and `trap_events` of all published days."""
    factory = platform.plant.factory(factory_id)
    traps = factory.steam_traps
    readings = published_readings(platform, factory_id)
    layout = layout_of(traps)
    features = day_features(readings, layout)
    detection = detect(
        features,
        layout,
        stopped=stopped_days(traps, (*factory.steam_stops, *records.stops), readings.days),
        repaired=repaired_days(traps, (*factory.trap_repairs, *records.repairs), readings.days),
    )
    tables = TrapTables(factory_id, traps, factory.steam, readings.days, features, detection)
    return tables.days_table(), tables.events_table()


def _inputs(lake: Lake, factory_id: str, factory: Factory, records: TrapRecords) -> dict[str, Any]:
    """Say what the tables are made of. It holds no clock: rebuilding gives the same bytes."""
    given = factory.model_dump(
        mode="json",
        include={"steam_traps", "steam", "steam_stops", "trap_repairs", "equipment", "timezone", "grain"},
    )
    parts = {
        feed: {month: manifest.fingerprint for month, manifest in lake.manifests(feed, factory_id).items()}
        for feed in ("steam_trap", "meter")
    }
    kept = {"repairs": records.repairs, "stops": records.stops}
    return {
        "format": FORMAT,
        "code_version": __version__,
        "registry": given,
        "partitions": parts,
        "records": {name: [one.model_dump(mode="json") for one in some] for name, some in kept.items()},
    }


def _summary(factory_id: str, days: pa.Table, events: pa.Table) -> dict[str, Any]:
    last = pc.max(days["day"]).as_py()
    newest = days.filter(pc.equal(days["day"], pa.scalar(last, pa.date32()))).to_pylist()
    states: dict[str, int] = {}
    for row in newest:
        states[row["state"]] = states.get(row["state"], 0) + 1
    rows = events.to_pylist()
    return {
        "factory_id": factory_id,
        "traps": len(newest),
        "last_day": last.isoformat(),
        "states": dict(sorted(states.items())),
        "open": [row["event_id"] for row in rows if row["end"] is None],
        "opened": [row["event_id"] for row in rows if row["detected"] == last],
        "closed": [row["event_id"] for row in rows if row["closed"] == last],
    }


def _months(days: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of each month."""
    names = pc.strftime(days["day"], format="%Y-%m")
    return {month: days.filter(pc.equal(names, month)) for month in sorted(pc.unique(names).to_pylist())}


def _publish(
    lake: Lake,
    factory_id: str,
    fingerprint: str,
    inputs: dict[str, Any],
    summary: dict[str, Any],
    days: pa.Table,
    events: pa.Table,
) -> None:
    """Write the tables under new names, then the manifest that makes them count; then remove what it does not name."""
    months = _months(days)
    parts = {keys.trap_day_key(factory_id, month, fingerprint): table for month, table in months.items()}
    parts[keys.trap_events_key(factory_id, fingerprint)] = events
    manifest = {
        "factory_id": factory_id,
        "fingerprint": fingerprint,
        "inputs": inputs,
        "months": list(months),
        "rows": {"trap_day": len(days), "trap_events": len(events)},
        "summary": summary,
    }
    write_trap_tables(lake, factory_id, parts, manifest)


def _whole(lake: Lake, manifest: dict[str, Any]) -> bool:
    """Tell whether all that a manifest names is there."""
    return set(part_keys(manifest)) <= trap_keys(lake, manifest["factory_id"])


def part_keys(manifest: dict[str, Any]) -> list[str]:
    """Return the key of each table that a manifest names, the events last."""
    factory_id, fingerprint = manifest["factory_id"], manifest["fingerprint"]
    return [
        *(keys.trap_day_key(factory_id, month, fingerprint) for month in manifest["months"]),
        keys.trap_events_key(factory_id, fingerprint),
    ]


def published_traps(lake: Lake, factory_id: str) -> tuple[pa.Table, pa.Table] | None:
    """Return the published tables `trap_day` and `trap_events` of a factory; None where there are none.

    Raises:
        DataError: a publish was cut off.
    """
    manifest = trap_manifest(lake, factory_id)
    if manifest is None:
        return None
    try:
        *days, events = [lake.read_table(key).replace_schema_metadata(None) for key in part_keys(manifest)]
    except KeyError as error:
        raise DataError(
            f"factory {factory_id}: a table of its traps is gone; run `fems traps watch`"
        ) from error
    return pa.concat_tables(days), events


def trap_records(lake: Lake, factory_id: str) -> TrapRecords:
    """Return what people wrote down of a factory's traps."""
    key = keys.trap_records_key(factory_id)
    return read_records(lake.get(key), key)


def add_repair(platform: Platform, repair: Repair) -> str:
    """Write a repair down; it resets the trap's baseline. Returns the factory.

    Raises:
        ConfigError: no such trap, or it was not there yet.
    """
    factory_id = factory_of(platform, repair.trap_id)
    try:
        platform.plant.factory(factory_id).check_repair(repair)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    records = trap_records(platform.lake, factory_id)
    if repair not in records.repairs:
        _keep(platform.lake, factory_id, records.model_copy(update={"repairs": (*records.repairs, repair)}))
    return factory_id


def add_stop(platform: Platform, factory_id: str, stop: Stop) -> None:
    """Write a planned stop down: no alarm comes of these days.

    Raises:
        ConfigError: no such factory, line or trap.
    """
    factory = platform.plant.factory(factory_id)
    lines = sorted({trap.line for trap in factory.steam_traps.values() if trap.line})
    if stop.line is not None and stop.line not in lines:
        raise ConfigError(
            f"factory {factory_id} has no steam line {stop.line!r} (there are {', '.join(lines) or 'none'})"
        )
    if stop.trap_id is not None and stop.trap_id not in factory.steam_traps:
        raise ConfigError(f"factory {factory_id} has no steam trap {stop.trap_id!r}")
    records = trap_records(platform.lake, factory_id)
    if stop not in records.stops:
        _keep(platform.lake, factory_id, records.model_copy(update={"stops": (*records.stops, stop)}))


def add_verdict(platform: Platform, event_id: str, word: Word, day: date, note: str) -> str:
    """Keep a person's word on an event. Returns the factory.

    Raises:
        ConfigError: there is no such event.
    """
    factory_id = factory_of(platform, event_id.rsplit("-", 1)[0])
    tables = published_traps(platform.lake, factory_id)
    known = tables[1]["event_id"].to_pylist() if tables else []
    if event_id not in known:
        raise ConfigError(f"there is no event {event_id!r}; `fems traps events` lists them")
    records = trap_records(platform.lake, factory_id)
    said = Verdict(event_id=event_id, word=word, day=day, note=note)
    _keep(platform.lake, factory_id, records.model_copy(update={"verdicts": (*records.verdicts, said)}))
    return factory_id


def _keep(lake: Lake, factory_id: str, records: TrapRecords) -> None:
    write_trap_records(lake, factory_id, write_records(records))


def factory_of(platform: Platform, trap_id: str) -> str:
    """Return the factory that a trap is in.

    Raises:
        ConfigError: no factory has it.
    """
    for factory_id, factory in platform.plant.factories.items():
        if trap_id in factory.steam_traps:
            return factory_id
    raise ConfigError(f"no factory has a steam trap {trap_id!r} in factories.yaml")
