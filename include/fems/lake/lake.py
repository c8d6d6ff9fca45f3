"""The lake: what the flows read and write in the object store."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fems.contracts.grains import TABLES
from fems.contracts.raw_object import RawObject
from fems.errors import DataError
from fems.lake import keys
from fems.lake.store import MinioStore, Store
from fems.registry.plant import Feed
from fems.settings import Settings

log = logging.getLogger(__name__)


class Lake:
    """Everything the flows read and write."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def connect(cls, settings: Settings) -> "Lake":
        """Return the lake that the settings name.

        Raises:
            ConfigError: the endpoint or the keys are not usable.
        """
        return cls(
            MinioStore(
                settings.s3_endpoint,
                settings.s3_access_key.get_secret_value(),
                settings.s3_secret_key.get_secret_value(),
                settings.s3_bucket,
            )
        )

    def raw_objects(self, feed: Feed, factory_id: str) -> list[RawObject]:
        """List a factory's raw objects of a feed, ordered by key; a key without a date= folder is passed over."""
        found = []
        for item in self.store.list(f"raw/{feed}/factory={factory_id}/"):
            match = keys.RAW_KEY.match(item.key)
            if keys.DELIVERED_KEY.match(item.key):
                continue  # the whole of a file that was cut into days
            if match:
                try:
                    day = date.fromisoformat(match["date"])
                except ValueError:
                    log.warning("%s: passed over, there is no such date", item.key)
                    continue
                found.append(RawObject(item.key, item.etag, item.size, day))
            else:
                log.warning("%s: passed over, its folder is not date=YYYY-MM-DD/", item.key)
        return sorted(found)

    def get_many(self, keys: Iterable[str], threads: int = 8) -> Iterator[bytes]:
        """Yield objects' bytes in the order asked for, fetched side by side."""
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self.store.get, keys)

    def put_many(self, items: Iterable[tuple[str, Callable[[], bytes]]], threads: int = 8) -> Iterator[str]:
        """Store what each function returns under its key, side by side; yields each key when it is in."""

        def put(item: tuple[str, Callable[[], bytes]]) -> str:
            self.store.put(item[0], item[1]())
            return item[0]

        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(put, items)

    def read_json(self, key: str) -> dict[str, Any] | None:
        """Return a JSON object, or None where there is none.

        Raises:
            DataError: what lies there is not JSON.
        """
        data = self.get(key)
        if data is None:
            return None
        try:
            return json.loads(data)
        except ValueError as error:
            raise DataError(f"{key}: is not JSON; remove it and run ingest again") from error

    def read_table(self, key: str) -> pa.Table:
        """Return a Parquet object as a table; KeyError if there is none.

        Raises:
            DataError: what lies there is not Parquet.
        """
        try:
            return pq.read_table(pa.BufferReader(self.store.get(key)))
        except pa.ArrowInvalid as error:
            raise DataError(f"{key}: is not a Parquet table; remove it and run ingest again") from error

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        try:
            return self.store.get(key)
        except KeyError:
            return None

    def part_keys(self, feed: Feed, factory_id: str, month: str | None = None) -> set[str]:
        """Return the key of every table of a factory, or of one month, whether a manifest names it or not."""
        folder = f"month={month}/" if month else ""
        return {
            key
            for table in TABLES
            for key in self.store.keys(keys.table_folder(feed, table, factory_id) + folder)
        }

    def manifests(self, feed: Feed, factory_id: str) -> dict[str, dict[str, Any]]:
        """Return every partition's metadata, month -> manifest, in order; a broken one is as good as none."""
        prefix = f"processed/{feed}/_manifest/factory={factory_id}/"
        found = {}
        for key in self.store.keys(prefix):
            month = key.removeprefix(prefix + "month=").removesuffix(".json")
            try:
                manifest = self.read_json(key)
            except DataError as error:
                log.warning("%s", error)
                continue
            if manifest is not None:
                found[month] = manifest
        return found

    def published(self, feed: Feed, grain: str, factory_id: str, months: Iterable[str]) -> pa.Table:
        """Return the published tables of some months as one, in the order of the months.

        Raises:
            DataError: a month is not published, or its table is gone; ingest puts that right.
        """
        tables = [self._part(feed, grain, factory_id, month) for month in months]
        if not tables:
            raise DataError(f"factory {factory_id} has no published {feed} data; run ingest first")
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()

    def _part(self, feed: Feed, grain: str, factory_id: str, month: str) -> pa.Table:
        """Read the table that the manifest names; a publish in between moves it, so the manifest is asked again."""
        for _ in range(3):
            manifest = self.read_json(keys.manifest_key(feed, factory_id, month))
            if manifest is None:
                break
            try:
                key = keys.processed_key(feed, grain, factory_id, month, manifest["fingerprint"])
                return self.read_table(key).replace_schema_metadata(None)
            except KeyError:
                continue
        raise DataError(f"factory {factory_id}, {feed} {grain}, {month}: not published; run ingest")
