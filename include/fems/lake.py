"""The lake: the keys under which everything lies, and what the flows read and write there."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fems.errors import DataError
from fems.plant import Feed
from fems.settings import Settings
from fems.store import MinioStore, Store

log = logging.getLogger(__name__)

_RAW_KEY = re.compile(
    r"^raw/(?P<feed>[^/]+)/factory=(?P<factory>[^/]+)/date=(?P<date>\d{4}-\d{2}-\d{2})/(?P<name>.+)$"
)

GRAINS = ("native", "hour", "day")
ORIGINALS = "originals"
TABLES = (*GRAINS, ORIGINALS)
"""What a partition is published as: a table a grain, and the originals of the values that are others now."""


@dataclass(frozen=True, order=True)
class RawObject:
    """A raw object: what it is called, what is in it (its ETag), and the factory's day it stands for."""

    key: str
    etag: str
    size: int
    day: date

    @property
    def name(self) -> str:
        """What the collector called the file."""
        return self.key.rsplit("/", 1)[1]


def raw_key(feed: Feed, factory_id: str, day: date, name: str) -> str:
    """Return the key of a raw object."""
    return f"raw/{feed}/factory={factory_id}/date={day.isoformat()}/{name}"


def _table_folder(feed: Feed, table: str, factory_id: str) -> str:
    # The underscore keeps what is no grain out of hive-style readers' way.
    name = f"_{table}" if table == ORIGINALS else f"grain={table}"
    return f"processed/{feed}/{name}/factory={factory_id}/"


def processed_key(feed: Feed, table: str, factory_id: str, month: str, fingerprint: str) -> str:
    """Return the key of a published table (hive-style, so that DuckDB, Spark and pandas read it as it is)."""
    return f"{_table_folder(feed, table, factory_id)}month={month}/part-{fingerprint}.parquet"


def package_key(factory_id: str) -> str:
    """Return the key of the Frictionless Data Package that describes a factory's published tables.

    It lies above them all: a package may only name what lies below it.
    """
    return f"processed/datapackage-{factory_id}.json"


def manifest_key(feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a partition's metadata; the underscore keeps it out of hive-style readers' way."""
    return f"processed/{feed}/_manifest/factory={factory_id}/month={month}.json"


def quarantine_key(feed: Feed, factory_id: str, day: date) -> str:
    """Return the key of the rows of a day that cannot be used."""
    return f"quarantine/{feed}/factory={factory_id}/date={day.isoformat()}/rows.parquet"


def quality_key(feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a partition's evaluation."""
    return f"quality/{feed}/factory={factory_id}/month={month}.json"


def forecast_prefix(factory_id: str, month: str) -> str:
    """Return where a factory's forecasts of a month lie."""
    return f"forecasts/factory={factory_id}/month={month}/"


def latest_key(factory_id: str) -> str:
    """Return the key of the pointer to a factory's newest forecast."""
    return f"forecasts/factory={factory_id}/latest.json"


def track_record_key(factory_id: str) -> str:
    """Return the key of the table of how a factory's forecasts did."""
    return f"forecasts/factory={factory_id}/track_record.parquet"


def to_json(value: Any) -> bytes:
    """Serialise with sorted keys, so that the same content is the same bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode()


def to_parquet(table: pa.Table) -> bytes:
    """Serialise a table; the same content is the same bytes."""
    # Times of a regular grid are all differences; everything else repeats, a meter's readings included.
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    others = [name for name in table.column_names if name not in times]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        coerce_timestamps="us",
        use_dictionary=others,
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
    )
    return sink.getvalue().to_pybytes()


class Lake:
    """Everything the flows read and write."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def connect(cls, settings: Settings, role: str | None = None) -> "Lake":
        """Return the lake that the settings name, opened with the key of a role.

        Raises:
            ConfigError: the endpoint or the keys are not usable.
        """
        access_key, secret_key = settings.store_key(role)
        return cls(MinioStore(settings.s3_endpoint, access_key, secret_key, settings.s3_bucket))

    def raw_objects(self, feed: Feed, factory_id: str) -> list[RawObject]:
        """List a factory's raw objects of a feed, ordered by key; a key without a date= folder is passed over."""
        found = []
        for item in self.store.list(f"raw/{feed}/factory={factory_id}/"):
            match = _RAW_KEY.match(item.key)
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
            for key in self.store.keys(_table_folder(feed, table, factory_id) + folder)
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
            manifest = self.read_json(manifest_key(feed, factory_id, month))
            if manifest is None:
                break
            try:
                key = processed_key(feed, grain, factory_id, month, manifest["fingerprint"])
                return self.read_table(key).replace_schema_metadata(None)
            except KeyError:
                continue
        raise DataError(f"factory {factory_id}, {feed} {grain}, {month}: not published; run ingest")
