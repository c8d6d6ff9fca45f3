"""Who may do what in the object store: an account a role, each with the least it needs.

The same on MinIO and on the local gateway, which is MinIO's own layer with its users and policies. `python -m
embedded.accounts` makes the buckets and the accounts; compose runs it once before everything else.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fems.errors import ConfigError, FemsError, ServiceUnavailable

LAKE, MODELS, LOGS = "fems", "mlflow", "logs"
BUCKETS = (LAKE, MODELS, LOGS)
MARK = "accounts"
"""The file in a local store's folder that says which accounts it has."""
_ALL = ("",)


@dataclass(frozen=True)
class Role:
    """What an account may do in its bucket, by the beginning of the key; it may list all of it.

    Args:
        why: who has it.
        reads, writes, deletes: beginnings of keys.
        bucket: the only one that it opens.
    """

    why: str
    reads: tuple[str, ...] = _ALL
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    bucket: str = LAKE


_MADE_BY_INGEST = ("processed/", "quarantine/", "quality/")
_MADE_BY_TRAPS = ("processed/trap_day/", "processed/trap_events/", "processed/datapackage-", "traps/")
_MADE = (*_MADE_BY_INGEST, "forecasts/")
_INDEXES = ("index/", "landed/")
"""What a night finds new by: indexes, and the marks that landing leaves."""

ROLES: Mapping[str, Role] = {
    "landing": Role("brings raw files", reads=("raw/",), writes=("raw/", "landed/")),
    "ingest": Role(
        "the Dag ingest", writes=(*_MADE_BY_INGEST, "index/"), deletes=(*_MADE_BY_INGEST, *_INDEXES)
    ),
    "training": Role("the Dag train", writes=("quality/", "models/"), deletes=("quality/",)),
    "forecast": Role("the Dag forecast", writes=("forecasts/", "quality/"), deletes=("quality/",)),
    "monitor": Role("the Dags monitor and retrain", writes=("forecasts/", "monitor/")),
    "traps": Role("the Dag traps", writes=_MADE_BY_TRAPS, deletes=_MADE_BY_TRAPS),
    "pages": Role("Airflow's API server, for its pages", reads=(*_MADE, "traps/")),
    "operator": Role(
        "a person at a shell: all that the roles above may",
        writes=("raw/", *_MADE, *_INDEXES, "models/", "monitor/", "traps/"),
        deletes=(*_MADE, *_INDEXES, "monitor/", "traps/"),
    ),
    "mlflow": Role("the MLflow server", writes=_ALL, deletes=_ALL, bucket=MODELS),
    "logs": Role("Airflow, for the logs of tasks that ran on a worker", writes=_ALL, bucket=LOGS),
}
TASKS = ("ingest", "training", "forecast", "monitor", "traps")
"""Whose keys the tasks of Airflow get."""


def access_key(role: str) -> str:
    """Return the name of a role's account."""
    return f"fems-{role}"


def policy(role: Role) -> dict[str, Any]:
    """Return a role as a policy of S3."""
    place = f"arn:aws:s3:::{role.bucket}"

    def allow(actions: Iterable[str], prefixes: Iterable[str] | None = None) -> dict[str, Any]:
        resources = [place] if prefixes is None else [f"{place}/{prefix}*" for prefix in prefixes]
        return {"Effect": "Allow", "Action": [f"s3:{action}" for action in actions], "Resource": resources}

    statements = [
        allow(["ListBucket", "GetBucketLocation", "ListBucketMultipartUploads"]),
        allow(["GetObject"], role.reads),
    ]
    if role.writes:
        statements.append(
            allow(["PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"], role.writes)
        )
    if role.deletes:
        statements.append(allow(["DeleteObject"], role.deletes))
    return {"Version": "2012-10-17", "Statement": statements}


def digest(passwords: Mapping[str, str]) -> str:
    """Return what changes when a policy or a password does; tells nothing of either."""
    wanted = {name: [policy(role), passwords[name]] for name, role in ROLES.items()}
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def made(folder: Path) -> str:
    """Return the digest of the accounts that were made in a local store's folder; "" if none were."""
    try:
        return (folder / MARK).read_text()
    except FileNotFoundError:
        return ""


def apply(endpoint: str, user: str, password: str, passwords: Mapping[str, str]) -> None:
    """Make the buckets that are missing, and every account with its policy and password.

    Args:
        endpoint: http://HOST:PORT.
        user: MinIO's root.
        password: its.
        passwords: the secret key of each role.

    Raises:
        ServiceUnavailable: MinIO did not do it.
    """
    import urllib3
    from minio import Minio, MinioAdmin
    from minio.credentials.providers import StaticProvider
    from minio.error import MinioAdminException, MinioException

    parts = urlsplit(endpoint)
    secure, place = parts.scheme == "https", parts.netloc

    def make() -> None:
        client = Minio(place, access_key=user, secret_key=password, secure=secure)
        for bucket in BUCKETS:
            if not client.bucket_exists(bucket):
                client.make_bucket(bucket)
        admin = MinioAdmin(endpoint=place, credentials=StaticProvider(user, password), secure=secure)
        for name, role in ROLES.items():
            key = access_key(name)
            admin.user_add(key, passwords[name])
            admin.policy_add(key, policy=policy(role))
            admin.policy_set(key, user=key)

    for again in (True, True, False):
        try:
            return make()
        except (MinioException, MinioAdminException, urllib3.exceptions.HTTPError) as error:
            # A store that has just started, on a machine that is busy, may answer 500 for a while.
            if not again:
                raise ServiceUnavailable(f"MinIO did not make its buckets and accounts: {error}") from error
            time.sleep(3)


def keys(passwords: Mapping[str, str], roles: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what a file named by FEMS_S3_KEYS_FILE holds: role -> its key."""
    return {role: {"access_key": access_key(role), "secret_key": passwords[role]} for role in roles}


def main() -> None:
    """Make the accounts of the file FEMS_S3_KEYS_FILE on FEMS_S3_ENDPOINT, as MinIO's root of MINIO_ROOT_USER_FILE."""
    try:
        path = Path(os.environ["FEMS_S3_KEYS_FILE"])
        passwords = {role: key["secret_key"] for role, key in json.loads(path.read_text()).items()}
        user, root = (
            Path(os.environ[f"MINIO_ROOT_{word}_FILE"]).read_text().strip() for word in ("USER", "PASSWORD")
        )
        apply(os.environ["FEMS_S3_ENDPOINT"], user, root, passwords)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"the object store's accounts cannot be read: {error!r}; run `make env`") from error


if __name__ == "__main__":
    try:
        main()
    except FemsError as error:
        sys.exit(f"error: {error}")
