"""What the lake keeps of steam traps: two tables and their manifest, people's records, and what was told."""

import logging
from collections.abc import Mapping

import pyarrow as pa

from fems.contracts.traps import TrapEventsTold, TrapManifest
from fems.errors import DataError
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.records import read_record, write_record
from fems.lake.serialize import to_parquet
from fems.registry.trap_records import TrapRecords, read_records, write_records

log = logging.getLogger(__name__)


def trap_manifest(lake: Lake, factory_id: str) -> TrapManifest | None:
    """Return what a factory's newest tables are made of; None where there are none.

    Raises:
        UnknownFormat, DataError: it can't be read; says what to run.
    """
    return read_record(lake.store, TrapManifest, keys.trap_manifest_key(factory_id))


def readable_trap_manifest(lake: Lake, factory_id: str) -> TrapManifest | None:
    """Return `trap_manifest`, or None with a warning where it can't be read: those tables are to be made anew."""
    try:
        return trap_manifest(lake, factory_id)
    except DataError as error:
        log.warning("%s", error)
        return None


def trap_keys(lake: Lake, factory_id: str) -> set[str]:
    """Return the key of every table of a factory's traps, whether a manifest names it or not."""
    return {key for folder in keys.trap_folders(factory_id) for key in lake.store.keys(folder)}


def write_trap_tables(lake: Lake, tables: Mapping[str, pa.Table], manifest: TrapManifest) -> None:
    """Write tables under new names, then the manifest that makes them count; then remove what it does not name."""
    for key, table in tables.items():
        lake.store.put(key, to_parquet(table))
    write_record(lake.store, keys.trap_manifest_key(manifest.factory_id), manifest)
    for key in trap_keys(lake, manifest.factory_id) - set(tables):
        lake.store.delete(key)


def trap_records(lake: Lake, factory_id: str) -> TrapRecords:
    """Return what people wrote down of a factory's traps.

    Raises:
        DataError: what lies there is something else.
    """
    key = keys.trap_records_key(factory_id)
    return read_records(lake.get(key), key)


def write_trap_records(lake: Lake, factory_id: str, records: TrapRecords) -> None:
    """Keep what people wrote down of a factory's traps."""
    lake.store.put(keys.trap_records_key(factory_id), write_records(records))


def trap_events_told(lake: Lake, factory_id: str) -> TrapEventsTold | None:
    """Return which events were told, by which run; None where nothing was told yet.

    Raises:
        UnknownFormat, DataError: it can't be read; says what to do.
    """
    return read_record(lake.store, TrapEventsTold, keys.trap_notices_key(factory_id))


def write_trap_events_told(lake: Lake, factory_id: str, told: TrapEventsTold) -> None:
    """Keep which events were told, by which run."""
    write_record(lake.store, keys.trap_notices_key(factory_id), told)
