"""What the lake keeps of steam traps: two tables and their manifest, people's records, and what was told."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from fems.canonical import to_json
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.serialize import to_parquet


def trap_manifest(lake: Lake, factory_id: str) -> dict[str, Any] | None:
    """Return what a factory's newest tables are made of; None where there are none."""
    return _json(lake, keys.trap_manifest_key(factory_id))


def trap_keys(lake: Lake, factory_id: str) -> set[str]:
    """Return the key of every table of a factory's traps, whether a manifest names it or not."""
    return {key for folder in keys.trap_folders(factory_id) for key in lake.store.keys(folder)}


def write_trap_tables(
    lake: Lake, factory_id: str, tables: Mapping[str, pa.Table], manifest: dict[str, Any]
) -> None:
    """Write tables under new names, then the manifest that makes them count; then remove what it does not name."""
    for key, table in tables.items():
        lake.store.put(key, to_parquet(table))
    lake.store.put(keys.trap_manifest_key(factory_id), to_json(manifest))
    for key in trap_keys(lake, factory_id) - set(tables):
        lake.store.delete(key)


def write_trap_records(lake: Lake, factory_id: str, content: bytes) -> None:
    """Keep what people wrote down of a factory's traps."""
    lake.store.put(keys.trap_records_key(factory_id), content)


def told_trap_events(lake: Lake, factory_id: str) -> dict[str, dict[str, str]] | None:
    """Return which events were told, by which run; None where nothing was told yet."""
    return _json(lake, keys.trap_notices_key(factory_id))


def write_told_trap_events(lake: Lake, factory_id: str, told: dict[str, dict[str, str]]) -> None:
    """Keep which events were told, by which run."""
    lake.store.put(keys.trap_notices_key(factory_id), to_json(told))


def _json(lake: Lake, key: str) -> dict[str, Any] | None:
    content = lake.get(key)
    return None if content is None else json.loads(content)
