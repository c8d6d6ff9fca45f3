"""A lake of many factories with years behind them, as the local gateway would hold it, made in a minute.

Putting two million objects through the gateway takes hours. Their names, ETags and folders are written into its
metadata instead, in the rows that it writes itself; the objects are empty, and nothing that is measured reads them.
Indexes, marks and new files go through the lake's own functions.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fems.canonical import fingerprint
from fems.contracts.feed_index import PublishedMonth
from fems.contracts.raw_object import RawObject
from fems.lake import keys

FEED = "meter"
_DIRECTORY, _FILE = 2, 1


def factory_ids(count: int) -> list[str]:
    """Return the factories' IDs."""
    return [f"N{i:05d}" for i in range(count)]


def etag_of(key: str) -> str:
    """Return the ETag that an object of the past has here: the same for the same day or month of every factory."""
    return hashlib.md5(
        key.rpartition("factory=")[2].partition("/")[2].encode(), usedforsecurity=False
    ).hexdigest()


def raw_of(factory_id: str, first: date, last: date) -> list[RawObject]:
    """Return a factory's raw objects, a file a day."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    names = [(keys.raw_key(FEED, factory_id, day, "meter.csv"), day) for day in days]
    return [RawObject(key, etag_of(key), 0, day) for key, day in names]


def months_of(factory_id: str, first: date, last: date) -> dict[str, PublishedMonth]:
    """Return what is published of a factory: a month after the other."""
    months = sorted({f"{first + timedelta(days=i):%Y-%m}" for i in range((last - first).days + 1)})
    return {
        month: PublishedMonth(
            etag=etag_of(keys.manifest_key(FEED, factory_id, month)),
            fingerprint=fingerprint([factory_id, month]),
            empty=False,
            late=(),
            future_from=None,
        )
        for month in months
    }


class Metadata:
    """The gateway's metadata in SQLite, opened while no gateway runs on it."""

    def __init__(self, path: Path, bucket: str) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-400000;"
        )
        (self._root,) = self._db.execute(
            "SELECT inode FROM jfs_edge WHERE parent = 1 AND name = ?", (bucket.encode(),)
        ).fetchone()
        (self._next,) = self._db.execute(
            "SELECT max(inode) + 1 FROM jfs_node WHERE inode < 1 << 40"
        ).fetchone()
        self._owner = self._db.execute(
            "SELECT uid, gid FROM jfs_node WHERE inode = ?", (self._root,)
        ).fetchone()
        self._now = int(datetime.now(UTC).timestamp() * 1_000_000)
        self._folders: dict[str, int] = {"": self._root}
        self._nodes: list[tuple[int, ...]] = []
        self._edges: list[tuple[int, bytes, int, int]] = []
        self._etags: list[tuple[int, str, bytes]] = []

    def add(self, key: str, etag: str) -> None:
        """Add an empty object, and the folders above it."""
        folder, _, name = key.rpartition("/")
        inode = self._node(self._folder(folder), name, _FILE)
        self._etags.append((inode, "s3-etag", etag.encode()))
        if len(self._nodes) > 100_000:
            self.flush()

    def add_folders(self, prefixes: Iterable[str]) -> None:
        """Add the folders above the last one of some prefixes."""
        for prefix in prefixes:
            self._folder(prefix.rstrip("/").rpartition("/")[0])

    def _folder(self, path: str) -> int:
        if path not in self._folders:
            above, _, name = path.rpartition("/")
            self._folders[path] = self._node(self._folder(above), name, _DIRECTORY)
        return self._folders[path]

    def _node(self, parent: int, name: str, kind: int) -> int:
        inode, self._next = self._next, self._next + 1
        mode, links, length = (0o755, 2, 4096) if kind == _DIRECTORY else (0o644, 1, 0)
        times = (self._now,) * 3
        self._nodes.append(
            (inode, kind, 0, mode, *self._owner, *times, 0, 0, 0, links, length, 0, parent, 0, 0, 0)
        )
        self._edges.append((parent, name.encode(), inode, kind))
        return inode

    def copy(self, factory_id: str, others: Sequence[str]) -> None:
        """Give other factories the folders and objects of one, of which everything was added last and is all there."""
        self.flush()
        tops = self._db.execute(
            "SELECT parent, inode FROM jfs_edge WHERE name = ?", (f"factory={factory_id}".encode(),)
        ).fetchall()
        first = min(inode for _, inode in tops)
        size = self._next - first
        above = ", ".join(str(parent) for parent, _ in tops)
        for nth, other in enumerate(others, start=1):
            by = nth * size
            own = f"CASE WHEN parent IN ({above}) THEN parent ELSE parent + {by} END"
            name = f"CASE WHEN parent IN ({above}) THEN CAST('factory={other}' AS BLOB) ELSE name END"
            of_first = f"inode BETWEEN {first} AND {first + size - 1}"
            with self._db:
                self._db.execute(
                    f"INSERT INTO jfs_node SELECT inode + {by}, type, flags, mode, uid, gid, atime, mtime, ctime, "
                    f"atimensec, mtimensec, ctimensec, nlink, length, rdev, {own}, access_acl_id, default_acl_id, "
                    f"tier_id FROM jfs_node WHERE {of_first}"
                )
                self._db.execute(
                    f"INSERT INTO jfs_edge (parent, name, inode, type) SELECT {own}, {name}, inode + {by}, type "
                    f"FROM jfs_edge WHERE {of_first}"
                )
                self._db.execute(
                    f"INSERT INTO jfs_xattr (inode, name, value) SELECT inode + {by}, name, value "
                    f"FROM jfs_xattr WHERE {of_first}"
                )
        self._next += size * len(others)

    def flush(self) -> None:
        """Write what was added."""
        marks = ", ".join("?" * 19)
        with self._db:
            self._db.executemany(f"INSERT INTO jfs_node VALUES ({marks})", self._nodes)
            self._db.executemany(
                "INSERT INTO jfs_edge (parent, name, inode, type) VALUES (?, ?, ?, ?)", self._edges
            )
            self._db.executemany("INSERT INTO jfs_xattr (inode, name, value) VALUES (?, ?, ?)", self._etags)
            self._db.execute(
                "UPDATE jfs_counter SET value = max(value, ?) WHERE name = 'nextInode'", (self._next + 1024,)
            )
            self._db.execute(
                "UPDATE jfs_counter SET value = value + ? WHERE name = 'totalInodes'", (len(self._nodes),)
            )
        self._nodes, self._edges, self._etags = [], [], []

    def close(self) -> None:
        """Write the rest, and close it."""
        self.flush()
        self._db.close()


def fill(path: Path, bucket: str, factories: Sequence[str], first: date, last: date) -> int:
    """Write raw objects and manifests of some factories; returns how many.

    Args:
        path: the gateway's metadata; no gateway runs on it.
        bucket: there already.
        factories: their IDs.
        first: day of the first raw file.
        last: day of the last one.
    """
    objects = list(_objects(factories[0], first, last))
    with closing(Metadata(path, bucket)) as metadata:
        metadata.add_folders({keys.raw_prefix(FEED, ""), keys.manifest_prefix(FEED, "")})
        for key, etag in objects:
            metadata.add(key, etag)
        metadata.copy(factories[0], factories[1:])
    return len(objects) * len(factories)


def _objects(factory_id: str, first: date, last: date) -> Iterator[tuple[str, str]]:
    for raw in raw_of(factory_id, first, last):
        yield raw.key, raw.etag
    for month, published in months_of(factory_id, first, last).items():
        yield keys.manifest_key(FEED, factory_id, month), published.etag
