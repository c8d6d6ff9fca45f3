"""Steam traps: the state of each trap on each day, the events, and what they cost; evaluated and published."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from fems import __version__
from fems.canonical import to_json
from fems.contracts.trap_views import UsualLoss
from fems.contracts.traps import (
    TrapDay,
    TrapEvent,
    TrapInputs,
    TrapManifest,
    TrapOutcome,
    TrapRows,
    TrapState,
    TrapSummary,
)
from fems.errors import ConfigError, DataError
from fems.flows.data_package import write_package
from fems.flows.platform import Platform
from fems.flows.trap_readings import published_readings
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.traps import (
    readable_trap_manifest,
    trap_keys,
    trap_manifest,
    trap_records,
    write_trap_tables,
)
from fems.registry.factory import Factory
from fems.registry.trap_records import TrapRecords
from fems.traps.detector import detect
from fems.traps.features import day_features
from fems.traps.layout import layout_of, repaired_days, stopped_days
from fems.traps.tables import TrapTables


def trap_factories(platform: Platform, asked: Iterable[str] | None = None) -> list[str]:
    """Return the factories that were asked for; none asked: all that have traps with published readings.

    Raises:
        ConfigError: one that was asked for is not registered, or has no traps.
    """
    wanted = list(asked or ())
    for factory_id in wanted:
        if not platform.plant.factory(factory_id).steam_traps:
            raise ConfigError(f"factory {factory_id} has no steam traps in factories.yaml")
    return wanted or factories_with_readings(platform, platform.plant.factories)


def factories_with_readings(platform: Platform, factories: Iterable[str]) -> list[str]:
    """Return those of some factories that have traps with published readings."""
    return [
        factory_id
        for factory_id in factories
        if platform.plant.factory(factory_id).steam_traps
        and any(not month.empty for month in platform.lake.manifests("steam_trap", factory_id).values())
    ]


def watch_traps(platform: Platform, factory_id: str) -> TrapOutcome:
    """Judge every published day of a factory's traps anew, and publish the two tables where anything changed.

    Days are judged in their order, each by itself and those before it: the same inputs give the same bytes, and new
    days change no earlier one.

    Args:
        platform: where the published data is.
        factory_id: whose traps.

    Raises:
        TooLittleHistory: nothing of its traps is published.
        QualityFailed: a critical expectation failed; the last good tables stay.
        ConfigError, DataError, ServiceUnavailable: as the parts.
    """
    begin = time.perf_counter()
    factory = platform.plant.factory(factory_id)
    records = trap_records(platform.lake, factory_id)
    inputs = _inputs(platform.lake, factory_id, factory, records)
    fingerprint = hashlib.sha256(to_json(inputs.model_dump(mode="json"))).hexdigest()[:16]
    manifest = readable_trap_manifest(platform.lake, factory_id)
    if manifest is not None and manifest.fingerprint == fingerprint and _whole(platform.lake, manifest):
        return _outcome(manifest.summary, begin, published=False)
    days, events = judge(platform, factory_id, records)
    for name, table in (("trap_day", days), ("trap_events", events)):
        evaluation = platform.evaluator.evaluate(table.to_pandas(), name)
        evaluation.require(f"factory {factory_id}, {name}")
    summary = _summary(factory_id, days, events)
    _publish(platform.lake, fingerprint, inputs, summary, days, events)
    write_package(platform, factory_id)
    return _outcome(summary, begin, published=True)


def _outcome(summary: TrapSummary, begin: float, *, published: bool) -> TrapOutcome:
    return TrapOutcome(**dict(summary), published=published, seconds=time.perf_counter() - begin)


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


def _inputs(lake: Lake, factory_id: str, factory: Factory, records: TrapRecords) -> TrapInputs:
    """Say what the tables are made of. It holds no clock: rebuilding gives the same bytes."""
    given = factory.model_dump(
        mode="json",
        include={"steam_traps", "steam", "steam_stops", "trap_repairs", "equipment", "timezone", "grain"},
    )
    parts = {
        feed: {month: manifest.fingerprint for month, manifest in lake.manifests(feed, factory_id).items()}
        for feed in ("steam_trap", "meter")
    }
    return TrapInputs(
        code_version=__version__,
        registry=given,
        partitions=parts,
        records={
            "repairs": tuple(repair.model_dump(mode="json") for repair in records.repairs),
            "stops": tuple(stop.model_dump(mode="json") for stop in records.stops),
        },
    )


def _summary(factory_id: str, days: pa.Table, events: pa.Table) -> TrapSummary:
    last = pc.max(days["day"]).as_py()
    states = Counter(row["state"] for row in rows_of_day(days, last))
    rows = rows_of_events(events)
    return TrapSummary(
        factory_id=factory_id,
        traps=states.total(),
        last_day=last,
        states={TrapState(state): count for state, count in sorted(states.items())},
        open=tuple(row["event_id"] for row in rows if row["end"] is None),
        opened=tuple(row["event_id"] for row in rows if row["detected"] == last),
        closed=tuple(row["event_id"] for row in rows if row["closed"] == last),
    )


def rows_of_day(days: pa.Table, day: date) -> list[TrapDay]:
    """Return the rows of the table `trap_day` that are of a day."""
    rows: list[TrapDay] = days.filter(pc.equal(days["day"], pa.scalar(day, pa.date32()))).to_pylist()
    return rows


def rows_of_events(events: pa.Table) -> list[TrapEvent]:
    """Return the rows of the table `trap_events`."""
    rows: list[TrapEvent] = events.to_pylist()
    return rows


def _months(days: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of each month."""
    names = pc.strftime(days["day"], format="%Y-%m")
    return {month: days.filter(pc.equal(names, month)) for month in sorted(pc.unique(names).to_pylist())}


def _publish(
    lake: Lake,
    fingerprint: str,
    inputs: TrapInputs,
    summary: TrapSummary,
    days: pa.Table,
    events: pa.Table,
) -> None:
    """Write the tables under new names, then the manifest that makes them count; then remove what it does not name."""
    factory_id, months = summary.factory_id, _months(days)
    parts = {keys.trap_day_key(factory_id, month, fingerprint): table for month, table in months.items()}
    parts[keys.trap_events_key(factory_id, fingerprint)] = events
    manifest = TrapManifest(
        factory_id=factory_id,
        fingerprint=fingerprint,
        inputs=inputs,
        months=tuple(months),
        rows=TrapRows(trap_day=len(days), trap_events=len(events)),
        summary=summary,
    )
    write_trap_tables(lake, parts, manifest)


def _whole(lake: Lake, manifest: TrapManifest) -> bool:
    """Tell whether all that a manifest names is there."""
    return set(part_keys(manifest)) <= trap_keys(lake, manifest.factory_id)


def part_keys(manifest: TrapManifest) -> list[str]:
    """Return the key of each table that a manifest names, the events last."""
    factory_id, fingerprint = manifest.factory_id, manifest.fingerprint
    return [
        *(keys.trap_day_key(factory_id, month, fingerprint) for month in manifest.months),
        keys.trap_events_key(factory_id, fingerprint),
    ]


def published_traps(lake: Lake, factory_id: str) -> tuple[pa.Table, pa.Table] | None:
    """Return the published tables `trap_day` and `trap_events` of a factory; None where there are none.

    Raises:
        DataError: a publish was cut off, or its metadata can't be read.
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


def currency(factory: Factory, usual: UsualLoss) -> str | None:
    """Return the currency of a loss; None of one without a cost."""
    price = factory.steam.price if factory.steam else None
    return price.currency if price and usual["cost_a_day"] is not None else None
