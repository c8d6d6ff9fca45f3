"""Object stores: MinIO, or a folder with the same keys. The only module that talks to MinIO."""

import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from fems.errors import AccessDenied, ConfigError, ServiceUnavailable

if TYPE_CHECKING:
    from minio.datatypes import Object as MinioObject

T = TypeVar("T")

_DENIED = {"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"}

_UNKNOWN_ACCOUNT = "InvalidAccessKeyId"
_PATIENCE = 10.0
"""Seconds that a store may take after its start until it knows its accounts; until then it calls each key wrong."""

_FULL = {"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded"}
_RESERVE = 128 * 2**20
"""Bytes that a local store leaves free: the databases beside it need room to go on, and to stop."""


@dataclass(frozen=True, order=True)
class StoredObject:
    """An object as a listing tells it."""

    key: str
    etag: str
    size: int


class Store(Protocol):
    """What a lake needs of an object store."""

    def list(self, prefix: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield every object under a prefix, ordered by key; of those whose keys come after one, if it is given."""

    def keys(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Yield the keys of `list`: what a listing costs where no ETag is asked for."""

    def get(self, key: str) -> bytes:
        """Return an object's bytes; KeyError if there is none."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object whole."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""


def _files_below(folder: str, below: str) -> Iterator[str]:
    """Yield the paths of all files below a folder, from `below` on; links to folders are not followed."""
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path, f"{below}{entry.name}/")
            elif entry.is_file():
                yield f"{below}{entry.name}"


class FolderStore:
    """A folder that holds the same keys as the bucket would; raw/ may lie in another one, and is only read there."""

    def __init__(self, root: Path, raw: Path | None = None) -> None:
        self.root, self._raw = root, raw or root

    def _path(self, key: str) -> Path:
        return (self._raw if key.startswith("raw/") else self.root) / key

    def keys(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Yield the key of every file under a prefix, in order."""
        folder = prefix.rpartition("/")[0]  # as in a bucket, a prefix may end inside a name
        base = self._path(folder + "/")
        for name in sorted(_files_below(str(base), "")):
            key = f"{folder}/{name}".lstrip("/")
            if key.startswith(prefix) and key > (after or "") and not key.endswith(".part"):
                yield key

    def list(self, prefix: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield every file under a prefix; the ETag is the MD5 of its bytes, as for a plain S3 put."""

        def stored(key: str) -> StoredObject:
            data = self.get(key)
            return StoredObject(key, hashlib.md5(data, usedforsecurity=False).hexdigest(), len(data))

        with ThreadPoolExecutor(2) as pool:  # hashing takes its time, and lets other threads run
            yield from pool.map(stored, self.keys(prefix, after))

    def get(self, key: str) -> bytes:
        """Return a file's bytes; KeyError if there is none."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def put(self, key: str, data: bytes) -> None:
        """Write a file aside and move it into place."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(path.name + ".part")
        aside.write_bytes(data)
        aside.replace(path)

    def delete(self, key: str) -> None:
        """Remove a file; nothing happens if there is none."""
        self._path(key).unlink(missing_ok=True)


class MinioStore:
    """A bucket of MinIO, or of any store that speaks plain S3."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        disk: Path | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        import urllib3
        from minio import Minio

        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(f"FEMS_S3_ENDPOINT={endpoint!r}: write http://HOST:PORT or https://HOST:PORT")
        if not access_key or not secret_key:
            raise ConfigError(
                "FEMS_S3_ACCESS_KEY and FEMS_S3_SECRET_KEY are not set "
                "(`python -m embedded env` prints the local stack's)"
            )
        self.endpoint, self.bucket, self._disk, self._patience = endpoint, bucket, disk, patience
        pool = urllib3.PoolManager(
            maxsize=16,
            block=True,  # however many threads ask, so many requests are under way
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = Minio(
            parts.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=parts.scheme == "https",
            http_client=pool,
        )

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn a client's error into one of ours."""
        import urllib3
        from minio.error import MinioException, S3Error

        try:
            yield
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchObject"):
                raise KeyError(key) from error
            if error.code in _DENIED:
                raise AccessDenied(
                    f"{self.endpoint} refuses this account {key!r} in bucket {self.bucket!r} ({error.code}): "
                    "its key is wrong, or its role may not do that (FEMS_S3_ACCESS_KEY or FEMS_S3_KEYS_FILE)"
                ) from error
            if error.code == "NoSuchBucket":
                raise ConfigError(
                    f"{self.endpoint} has no bucket {self.bucket!r} (FEMS_S3_BUCKET)"
                ) from error
            if error.code in _FULL:
                raise ServiceUnavailable(
                    f"{key!r} was not put: the disk of {self.endpoint} is full ({error.code}); make room, start again"
                ) from error
            raise ServiceUnavailable(f"{self.endpoint} answered {error.code} for {key!r}") from error
        except ValueError as error:  # the client's own check of a bucket's or an object's name
            raise ConfigError(f"FEMS_S3_BUCKET={self.bucket!r}, key {key!r}: {error}") from error
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise ServiceUnavailable(
                f"the object store at {self.endpoint} did not answer for {key!r}: is it up? ({type(error).__name__})"
            ) from error

    def _ask(self, key: str, request: Callable[[], T]) -> T:
        """Return what the store answers; an account that it does not know yet is asked for again for a while."""
        from minio.error import S3Error

        deadline = time.monotonic() + self._patience
        with self._explained(key):
            while True:
                try:
                    return request()
                except S3Error as error:
                    if error.code != _UNKNOWN_ACCOUNT or time.monotonic() >= deadline:
                        raise
                    time.sleep(0.5)

    def list(self, prefix: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield every object under a prefix, ordered by key."""

        def begin() -> Iterator["MinioObject"]:
            rest = self._client.list_objects(self.bucket, prefix=prefix, recursive=True, start_after=after)
            first = next(rest, None)
            return rest if first is None else chain([first], rest)

        items = self._ask(prefix, begin)
        with self._explained(prefix):
            for item in items:
                yield StoredObject(item.object_name or "", (item.etag or "").strip('"'), item.size or 0)

    def keys(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Yield the key of every object under a prefix, in order."""
        return (item.key for item in self.list(prefix, after))

    def get(self, key: str) -> bytes:
        """Return an object's bytes; KeyError if there is none."""

        def read() -> bytes:
            response = self._client.get_object(self.bucket, key)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

        return self._ask(key, read)

    def put(self, key: str, data: bytes) -> None:
        """Write an object; a reader sees the old one or the new one, never a part."""
        if self._disk is not None and (left := shutil.disk_usage(self._disk).free) < len(data) + _RESERVE:
            raise ServiceUnavailable(
                f"{key!r} was not put: the disk of {self._disk}, where {self.endpoint} keeps its objects, is full "
                f"({left // 2**20} MB left); make room and start again"
            )
        self._ask(key, lambda: self._client.put_object(self.bucket, key, io.BytesIO(data), len(data)))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        self._ask(key, lambda: self._client.remove_object(self.bucket, key))


def check_account(endpoint: str, access_key: str, secret_key: str, bucket: str) -> None:
    """Ask a store once whether it knows an account.

    Raises:
        AccessDenied: it does not, or the account may not list the bucket.
        ServiceUnavailable: it did not answer.
        ConfigError: there is no such bucket.
    """
    next(MinioStore(endpoint, access_key, secret_key, bucket, patience=0).keys("raw/none"), None)
