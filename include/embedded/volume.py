"""The disk under the local object store: a JuiceFS volume, blocks in a folder and metadata in SQLite."""

import pwd
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from fems.errors import ServiceUnavailable


def meta_file(folder: Path) -> Path:
    """Return the metadata of the volume in a folder."""
    return folder / "meta" / "meta.db"


def create(folder: Path, juicefs: str) -> None:
    """Make the volume unless it is there.

    Raises:
        ServiceUnavailable: it could not be made.
    """
    blocks, meta, aside = folder / "blocks", folder / "meta", folder / "meta.new"
    if meta.exists():
        return
    # Formatted aside and renamed, so that a format cut short leaves nothing that looks whole.
    shutil.rmtree(aside, ignore_errors=True)
    for made in (blocks, aside):
        made.mkdir(parents=True, exist_ok=True)
    command = [
        juicefs, "format", "--storage", "file", "--bucket", f"{blocks}/", "--trash-days", "0",
        f"sqlite3://{aside / 'meta.db'}", "minio",
    ]  # fmt: skip
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if outcome.returncode:
        last = (outcome.stderr.strip().splitlines() or ["no message"])[-1]
        raise ServiceUnavailable(f"MinIO's disk could not be formatted in {folder}: {last}")
    aside.rename(meta)


def hand_over(folder: Path, account: pwd.struct_passwd) -> None:
    """Make everything in the volume a user's: the gateway may do what the user that runs it may.

    Only while no gateway runs on it.
    """
    with closing(sqlite3.connect(meta_file(folder))) as meta, meta:
        meta.execute(
            "UPDATE jfs_node SET uid = ?, gid = ? WHERE uid <> ?",
            (account.pw_uid, account.pw_gid, account.pw_uid),
        )


def forget_locks(folder: Path) -> None:
    """Take away the locks of a gateway that was killed: the next would wait a minute for them, and know no account.

    Only while no gateway runs on it.
    """
    with closing(sqlite3.connect(meta_file(folder))) as meta, meta:
        meta.execute("DELETE FROM jfs_flock")
        meta.execute("DELETE FROM jfs_plock")
