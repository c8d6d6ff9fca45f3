"""Backup and restore of a stack: its databases, its buckets and its secrets, in a folder of its owner alone."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedded import credentials, environment, postgres
from embedded.accounts import BUCKETS, LAKE
from embedded.stack import Stack
from fems import __version__
from fems.errors import ConfigError, ServiceUnavailable

FORMAT = 1
THREADS = 8

Report = Callable[[str], None]


@dataclass(frozen=True)
class Summary:
    """What a backup or a restore did.

    Args:
        objects: how many lie in the buckets. copied: how many of them were copied, the others were there.
        size: bytes of all.
        changed: objects of the lake that came back with another ETag; the next ingest rebuilds what they are part of.
    """

    objects: int
    copied: int
    size: int
    changed: int = 0


def back_up(stack: Stack, folder: Path, report: Report) -> Summary:
    """Write a backup, or bring the one that is there up to date; the stack runs on.

    The databases come first: every model that MLflow's names has its files when the bucket is copied. A partition that
    is published while its objects are copied may lack a table in the backup; after a restore it is stale, and the next
    ingest makes it again.

    Raises:
        ConfigError: the folder holds something else.
        ServiceUnavailable: a database could not be read.
    """
    mark = folder / "backup.json"
    if folder.exists() and any(folder.iterdir()) and not (folder / "databases").is_dir():
        raise ConfigError(f"{folder} holds something that is no backup: name an empty folder or a new one")
    (folder / "databases").mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    mark.unlink(missing_ok=True)  # half a backup is none
    shutil.copy(stack.config.credentials_file, folder / "credentials.json")
    for name in postgres.DATABASES:
        aside = folder / "databases" / f"{name}.new"
        _database(stack, "pg_dump", "--format=custom", f"--file={aside}", name)
        aside.replace(aside.with_suffix(".dump"))
        report(f"database {name}: {aside.with_suffix('.dump').stat().st_size:,} bytes")
    known = _listed(folder)
    there = {bucket: dict(_objects(stack, bucket)) for bucket in BUCKETS}
    missing = [
        (bucket, key)
        for bucket, objects in there.items()
        for key, stored in objects.items()
        if known.get(bucket, {}).get(key) != stored or not _file(folder, bucket, key).is_file()
    ]
    client = _client(stack)
    with ThreadPoolExecutor(THREADS) as pool:
        gone = [item for item in pool.map(lambda item: _fetch(client, folder, *item), missing) if item]
    for bucket, key in gone:
        del there[bucket][key]
    for bucket, objects in known.items():
        for key in set(objects) - set(there.get(bucket, {})):
            _file(folder, bucket, key).unlink(missing_ok=True)
    _write(folder / "objects.json", there)
    summary = _summary(there, copied=len(missing) - len(gone))
    made = {"format": FORMAT, "version": __version__, "made": datetime.now(UTC).isoformat(timespec="seconds")}
    _write(mark, made | {"objects": summary.objects, "bytes": summary.size})
    return summary


def restore(stack: Stack, folder: Path, report: Report) -> Summary:
    """Bring a backup into a state folder that holds no stack yet; the services that it needs are stopped at the end.

    Raises:
        ConfigError: the backup is not whole, or the state folder is in use.
        ServiceUnavailable: a service did not start, or refused what was put.
    """
    try:
        made = json.loads((folder / "backup.json").read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} holds no whole backup ({error})") from error
    if made["format"] != FORMAT:
        raise ConfigError(
            f"{folder}: a backup of format {made['format']}; this version reads format {FORMAT}"
        )
    if stack.config.credentials_file.exists():
        raise ConfigError(
            f"{stack.config.state} holds a stack already: a backup is restored into a new folder "
            f"(set FEMS_STATE_DIR, or move {stack.config.state} aside)"
        )
    stack.config.prepare()
    credentials.write_private(stack.config.credentials_file, (folder / "credentials.json").read_text())
    stack.up(("storage",))
    try:
        for name, owner in postgres.DATABASES.items():
            _database(
                stack, "pg_restore", "--clean", "--if-exists", "--no-owner", f"--role={owner}", "--exit-on-error",
                f"--dbname={name}", str(folder / "databases" / f"{name}.dump"),
            )  # fmt: skip
            report(f"database {name}: restored")
        listed, client = _listed(folder), _client(stack)
        wanted = [(bucket, key) for bucket, objects in listed.items() for key in objects]

        def put(item: tuple[str, str]) -> None:
            bucket, key = item
            client.fput_object(bucket, key, str(_file(folder, bucket, key)))

        with ThreadPoolExecutor(THREADS) as pool:
            for count, _ in enumerate(pool.map(put, wanted), 1):
                if count % 1000 == 0:
                    report(f"{count:,} of {len(wanted):,} objects")
        there = {bucket: dict(_objects(stack, bucket)) for bucket in BUCKETS}
        lacking = [item for item in wanted if item[1] not in there[item[0]]]
        if lacking:
            raise ServiceUnavailable(f"{len(lacking)} objects are not there, such as {lacking[0]}")
        changed = sum(there[LAKE][key] != stored for key, stored in listed.get(LAKE, {}).items())
        return _summary(there, copied=len(wanted), changed=changed)
    finally:
        stack.down()


def _summary(there: dict[str, dict[str, list[Any]]], copied: int, changed: int = 0) -> Summary:
    sizes = [size for objects in there.values() for _, size in objects.values()]
    return Summary(len(sizes), copied, sum(sizes), changed)


def _client(stack: Stack) -> Any:
    from minio import Minio

    secret = stack.credentials
    place = f"127.0.0.1:{stack.config.minio_port}"
    return Minio(place, secret.minio_user, secret.minio_password, secure=False)


def _objects(stack: Stack, bucket: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield each object's key with its ETag and size."""
    client = _client(stack)
    if client.bucket_exists(bucket):
        for item in client.list_objects(bucket, recursive=True):
            yield item.object_name, [item.etag, item.size]


def _fetch(client: Any, folder: Path, bucket: str, key: str) -> tuple[str, str] | None:
    """Copy an object; return it if it has gone since it was listed."""
    from minio.error import S3Error

    try:
        client.fget_object(bucket, key, str(_file(folder, bucket, key)))
    except S3Error as error:
        if error.code == "NoSuchKey":
            return bucket, key
        raise ServiceUnavailable(f"MinIO does not hand over {bucket}/{key}: {error}") from error
    return None


def _file(folder: Path, bucket: str, key: str) -> Path:
    path = folder / "objects" / bucket / key
    if ".." in path.relative_to(folder).parts:
        raise ConfigError(f"an object of the bucket {bucket} has a name that is no path: {key!r}")
    return path


def _listed(folder: Path) -> dict[str, dict[str, list[Any]]]:
    path = folder / "objects.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    credentials.write_private(path, json.dumps(content, indent=1) + "\n")


def _database(stack: Stack, program: str, *words: str) -> None:
    """Run one of PostgreSQL's programs as its superuser, who is named in the environment alone."""
    secret = stack.credentials
    variables = environment.clean() | {
        "PGHOST": str(stack.config.postgres_socket),
        "PGUSER": "postgres",
        "PGPASSWORD": secret.postgres_password,
        "LC_ALL": "C.UTF-8",
    }
    before = os.umask(0o077)
    try:
        done = subprocess.run(
            [str(postgres.binaries() / program), *words], env=variables, capture_output=True, text=True, check=False
        )  # fmt: skip
    finally:
        os.umask(before)
    if done.returncode:
        raise ServiceUnavailable(f"{program} failed: {done.stderr.strip()[-500:]}")
