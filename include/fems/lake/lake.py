"""The lake: what the flows read and write in the object store, as typed records and tables."""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from fems.canonical import to_json
from fems.contracts.data_package import Resource
from fems.contracts.grains import TABLES, QuarantinedRow
from fems.contracts.manifest import Manifest
from fems.contracts.model_manifest import ModelManifest
from fems.contracts.raw_object import RawObject
from fems.errors import DataError
from fems.lake import keys, listing, records
from fems.lake.evaluations import Evaluations
from fems.lake.forecasts import Forecasts
from fems.lake.index import Indexes
from fems.lake.monitoring import Monitoring
from fems.lake.serialize import to_parquet
from fems.lake.store import FolderStore, MinioStore, Store, StoredObject
from fems.registry.sensors import Feed
from fems.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

log = logging.getLogger(__name__)

MakeBytes = Callable[[], bytes]


class Lake:
    """Everything the flows read and write: raw objects and partitions here, the rest in parts of its own.

    Args:
        store: the object store.
        indexed: whether indexes and marks of landings are kept; a lake that is read once needs none.

    Attributes:
        store: the object store; nothing outside this package reads or writes through it.
        evaluations, forecasts, monitoring, indexes: see there.
    """

    def __init__(self, store: Store, indexed: bool = True) -> None:
        self.store = store
        self.evaluations = Evaluations(store)
        self.forecasts = Forecasts(store)
        self.monitoring = Monitoring(store)
        self.indexes = Indexes(store, indexed)

    @classmethod
    def connect(cls, settings: Settings, role: str | None = None) -> "Lake":
        """Return the lake that the settings name, opened with the key of a role.

        Raises:
            ConfigError: the endpoint or the keys are not usable.
        """
        access_key, secret_key = settings.store_key(role)
        return cls(
            MinioStore(settings.s3_endpoint, access_key, secret_key, settings.s3_bucket, settings.s3_disk)
        )

    @classmethod
    def in_folder(cls, root: "Path", raw: "Path | None" = None) -> "Lake":
        """Return a lake in a folder with the bucket's keys.

        Args:
            root: the folder.
            raw: where raw/ lies, if elsewhere; it is only read there.
        """
        return cls(FolderStore(root, raw))

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        return records.get(self.store, key)

    def get_many(self, keys: Iterable[str], threads: int = 8) -> Iterator[bytes]:
        """Yield objects' bytes in the order asked for, fetched side by side."""
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self.store.get, keys)

    def put_many(self, items: Iterable[tuple[str, MakeBytes]], threads: int = 8) -> Iterator[str]:
        """Store what each function returns under its key, side by side; yields each key when it is in."""

        def put(item: tuple[str, MakeBytes]) -> str:
            self.store.put(item[0], item[1]())
            return item[0]

        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(put, items)

    def read_table(self, key: str) -> "pa.Table":
        """Return a Parquet object as a table; KeyError if there is none.

        Raises:
            DataError: what lies there is not Parquet.
        """
        return records.read_table(self.store, key)

    # raw/

    def raw_objects(self, feed: Feed, factory_id: str) -> list[RawObject]:
        """List a factory's raw objects of a feed, ordered by key; a key without a date= folder is passed over."""
        return listing.raw_objects(self.store, feed, factory_id)

    def raw_from(self, feed: Feed, factory_id: str, first: date) -> list[RawObject]:
        """List the raw objects of a day and of those after it; see `raw_objects`."""
        return listing.raw_from(self.store, feed, factory_id, first)

    def raw_of_month(self, feed: Feed, factory_id: str, month: str) -> list[RawObject]:
        """List the raw objects of a month, YYYY-MM; see `raw_objects`."""
        return listing.raw_of_month(self.store, feed, factory_id, month)

    def has_feed(self, feed: Feed, factory_id: str) -> bool:
        """Tell whether there is anything of a factory's feed, raw or published."""
        prefixes = keys.raw_prefix(feed, factory_id), keys.manifest_prefix(feed, factory_id)
        return any(next(iter(self.store.keys(prefix)), None) is not None for prefix in prefixes)

    def raw_keys(self) -> Iterator[str]:
        """Yield the key of every raw object, in order."""
        return self.store.keys("raw/")

    def raw_etags(self, prefix: str = "raw/") -> dict[str, str]:
        """Return the ETag of every raw object under a prefix, by key."""
        return {item.key: item.etag for item in self.store.list(prefix)}

    def add_raw(self, key: str, data: bytes, known: Mapping[str, str]) -> bool:
        """Store a raw object; one that is there with the same bytes is left.

        An object that is only the beginning of these bytes was put while its file was still being written: they take
        its place.

        Args:
            key: the object's.
            data: its bytes.
            known: see `raw_etags`.

        Returns:
            Whether it was stored.

        Raises:
            DataError: an object of that name is there with other content.
        """
        if key not in known:
            self.store.put(key, data)
            return True
        if self.check_raw(key, data, known):
            return False
        self.store.put(key, data)
        return True

    def check_raw(self, key: str, data: bytes, known: Mapping[str, str]) -> bool:
        """Compare a raw object that is there with the bytes that it should have.

        Returns:
            Whether it has them; False where it is only their beginning.

        Raises:
            DataError: it has other content.
        """
        # an ETag is no MD5 where the store took the object in parts: then the bytes decide
        if known[key] == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return True
        stored = self.get(key)
        if stored != data and not (stored and data.startswith(stored)):
            raise DataError(f"{key}: raw objects are never changed; land a correction under another name")
        return stored == data

    # processed/ and quarantine/

    def model_manifest(self, factory_id: str, run_id: str) -> ModelManifest | None:
        """Return the manifest of the model that a training run registered, None where none was written.

        Raises:
            DataError: what lies there is no manifest.
        """
        key = keys.model_manifest_key(factory_id, run_id)
        data = self.get(key)
        return None if data is None else ModelManifest.from_json(data, key)

    def write_model_manifest(self, factory_id: str, run_id: str, manifest: ModelManifest) -> None:
        """Write the manifest of the model that a training run is about to register."""
        self.store.put(keys.model_manifest_key(factory_id, run_id), manifest.to_json().encode())

    def part_keys(self, feed: Feed, factory_id: str, month: str | None = None) -> set[str]:
        """Return the key of every table of a factory, or of one month, whether a manifest names it or not."""
        folder = f"month={month}/" if month else ""
        return {
            key
            for table in TABLES
            for key in self.store.keys(keys.table_folder(feed, table, factory_id) + folder)
        }

    def manifest(self, feed: Feed, factory_id: str, month: str) -> Manifest | None:
        """Return a partition's metadata, None where it is not published.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to run.
        """
        return records.read_record(self.store, Manifest, keys.manifest_key(feed, factory_id, month))

    def manifests(self, feed: Feed, factory_id: str) -> dict[str, Manifest]:
        """Return every partition's metadata, month -> manifest, in order.

        Raises:
            UnknownFormat, DataError: one cannot be read; says what to run.
        """
        months = self.months(feed, factory_id)
        found = records.side_by_side(partial(self.manifest, feed, factory_id), months)
        return {
            month: manifest for month, manifest in zip(months, found, strict=True) if manifest is not None
        }

    def readable_manifests(self, feed: Feed, factory_id: str) -> dict[str, Manifest]:
        """Return `manifests` without those that cannot be read, each of them named in a warning.

        For ingest, to which a partition without readable metadata is one to be made anew.
        """
        return self.readable(feed, factory_id, self.months(feed, factory_id))

    def readable(self, feed: Feed, factory_id: str, months: Iterable[str]) -> dict[str, Manifest]:
        """Return the metadata of some months, read side by side; see `readable_manifests`."""
        wanted = list(months)
        found = records.side_by_side(partial(self.readable_manifest, feed, factory_id), wanted)
        return {month: each for month, each in zip(wanted, found, strict=True) if each is not None}

    def readable_manifest(self, feed: Feed, factory_id: str, month: str) -> Manifest | None:
        """Return a partition's metadata; None where it is not published, or with a warning, cannot be read."""
        try:
            return self.manifest(feed, factory_id, month)
        except DataError as error:
            log.warning("%s", error)
            return None

    def manifest_etags(self, feed: Feed, factory_id: str) -> dict[str, str]:
        """Return the ETag of each published month's metadata, in order, without reading any."""
        return listing.manifest_etags(self.store, feed, factory_id)

    def months(self, feed: Feed, factory_id: str) -> list[str]:
        """Return the published months of a factory, YYYY-MM, in order, without reading any."""
        return [keys.month_of(key) for key in self.store.keys(keys.manifest_prefix(feed, factory_id))]

    def published(self, feed: Feed, grain: str, factory_id: str, months: Iterable[str]) -> "pa.Table":
        """Return the published tables of some months as one, in the order of the months.

        Raises:
            DataError: a month is not published, or its table is gone; ingest puts that right.
        """
        import pyarrow as pa

        tables = [self._part(feed, grain, factory_id, month) for month in months]
        if not tables:
            raise DataError(f"factory {factory_id} has no published {feed} data; run ingest first")
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()

    def _part(self, feed: Feed, grain: str, factory_id: str, month: str) -> "pa.Table":
        """Read the table that the manifest names; a publish in between moves it, so the manifest is asked again."""
        for _ in range(3):
            manifest = self.manifest(feed, factory_id, month)
            if manifest is None:
                break
            try:
                key = keys.processed_key(feed, grain, factory_id, month, manifest.fingerprint)
                return self.read_table(key).replace_schema_metadata(None)
            except KeyError:
                continue
        raise DataError(f"factory {factory_id}, {feed} {grain}, {month}: not published; run ingest")

    def write_partition(
        self,
        feed: Feed,
        manifest: Manifest,
        tables: Mapping[str, "pa.Table"],
        quarantine: Mapping[date, Callable[[], "pa.Table"]],
        there: Collection[str] | None = None,
    ) -> None:
        """Write quarantine and tables, then the manifest that makes them count; then remove what it no longer names.

        The quarantine holds exactly this partition's bad rows, a file a day: what a correction healed is removed.

        Args:
            feed: the feed.
            manifest: the partition's metadata; it stands in each file's metadata, too, without the days.
            tables: name (see `fems.contracts.grains.TABLES`) -> table; none where no row could be used.
            quarantine: local day -> the making of the table of its bad rows.
            there: keys of the month's tables that lie there already, if they are known.
        """
        factory_id, month = manifest.factory_id, manifest.month
        named = {
            keys.processed_key(feed, name, factory_id, month, manifest.fingerprint): (name, table)
            for name, table in tables.items()
        }
        bad = {keys.quarantine_key(feed, factory_id, day): make for day, make in quarantine.items()}
        coming: dict[str, MakeBytes] = {key: partial(_packed, make) for key, make in bad.items()}
        coming |= {key: partial(_labelled, table, manifest, name) for key, (name, table) in named.items()}
        for _ in self.put_many(coming.items()):
            pass
        records.write_record(self.store, keys.manifest_key(feed, factory_id, month), manifest)
        old = self.part_keys(feed, factory_id, month) if there is None else set(there)
        for key in old - named.keys():
            self.store.delete(key)
        self._keep_quarantine(feed, factory_id, month, bad.keys())

    def write_quarantine(
        self,
        feed: Feed,
        factory_id: str,
        month: str,
        quarantine: Mapping[date, Callable[[], "pa.Table"]],
    ) -> None:
        """Write the bad rows of a month that may not be published itself; its tables stay as they are."""
        bad = {keys.quarantine_key(feed, factory_id, day): make for day, make in quarantine.items()}
        for _ in self.put_many((key, partial(_packed, make)) for key, make in bad.items()):
            pass
        self._keep_quarantine(feed, factory_id, month, bad.keys())

    def _keep_quarantine(self, feed: Feed, factory_id: str, month: str, wanted: Collection[str]) -> None:
        """Remove a month's quarantine but for some keys."""
        for key in list(self.store.keys(f"{keys.quarantine_prefix(feed, factory_id)}date={month}-")):
            if key not in wanted:
                self.store.delete(key)

    def take_back(self, feed: Feed, factory_id: str, month: str) -> None:
        """Remove a published month: the manifest first, so that no reader sees a part of it."""
        self.store.delete(keys.manifest_key(feed, factory_id, month))
        for key in self.part_keys(feed, factory_id, month):
            self.store.delete(key)
        self._keep_quarantine(feed, factory_id, month, ())
        self.store.delete(keys.quality_key(feed, factory_id, month))

    def quarantined(self, feed: Feed, factory_id: str) -> list[QuarantinedRow]:
        """Return every row of a factory's feed that could not be used, in the order of days.

        Raises:
            DataError: what lies there is not Parquet.
        """
        return [
            QuarantinedRow(**row)
            for key in self.store.keys(keys.quarantine_prefix(feed, factory_id))
            for row in self.read_table(key).to_pylist()
        ]

    def package_resources(self, factory_id: str) -> list[Resource]:
        """Return what a factory's data package describes; nothing where there is none, or none that can be read."""
        try:
            resources: list[Resource] = json.loads(self.get(keys.package_key(factory_id)) or b"{}")[
                "resources"
            ]
            return [each for each in resources if "path" in each]
        except (ValueError, KeyError, TypeError):
            return []

    def quarantine_before(self, feed: Feed, factory_id: str, day: date) -> Iterator[StoredObject]:
        """Yield the quarantine of a factory's feed of the days before one."""
        for item in self.store.list(keys.quarantine_prefix(feed, factory_id)):
            if item.key < keys.quarantine_key(feed, factory_id, day):
                yield item

    def remove_quarantine(self, items: Iterable[StoredObject]) -> None:
        """Remove quarantined rows for good; the manifests go on counting them, and raw holds them."""
        for item in items:
            if not item.key.startswith("quarantine/"):
                raise ValueError(f"{item.key} is no quarantine")
            self.store.delete(item.key)

    def write_package(self, factory_id: str, content: bytes) -> None:
        """Keep a factory's data package; it is written anew only if it says something else."""
        key = keys.package_key(factory_id)
        if self.get(key) != content:
            self.store.put(key, content)

    def remove_package(self, factory_id: str) -> None:
        """Remove a factory's data package; nothing happens if there is none."""
        self.store.delete(keys.package_key(factory_id))

    def has_package(self, factory_id: str) -> bool:
        """Tell whether a factory has a data package."""
        return self.get(keys.package_key(factory_id)) is not None


def _packed(make: Callable[[], "pa.Table"]) -> bytes:
    return to_parquet(make())


def _labelled(table: "pa.Table", manifest: Manifest, name: str) -> bytes:
    about = manifest.model_dump(mode="json", exclude={"days"}) | {"grain": name}
    # in one line: where lines are broken, Python's slow writer does it
    return to_parquet(table.replace_schema_metadata({b"fems": to_json(about, indent=None)}))
