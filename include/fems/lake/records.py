"""Reading and writing single records and tables of a store: what every part of the lake shares."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from fems.contracts import record as records
from fems.contracts.record import Record
from fems.errors import DataError
from fems.lake.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R", bound=Record)

READERS = 16
"""Requests that wait for the store side by side."""


def side_by_side(read: Callable[[A], B], wanted: Iterable[A], readers: int = READERS) -> list[B]:
    """Return what is read for each, in their order; a request waits much longer than it works."""
    each = list(wanted)
    if len(each) < 2:
        return [read(one) for one in each]
    with ThreadPoolExecutor(readers) as pool:
        return list(pool.map(read, each))


def get(store: Store, key: str) -> bytes | None:
    """Return an object's bytes, or None where there is none."""
    try:
        return store.get(key)
    except KeyError:
        return None


def read_record(store: Store, kind: type[R], key: str) -> R | None:
    """Return a stored record, None where there is none.

    Raises:
        UnknownFormat: another version wrote it.
        DataError: it is no such record.
    """
    data = get(store, key)
    return None if data is None else records.read(kind, data, key)


def write_record(store: Store, key: str, record: Record) -> None:
    """Store a record."""
    store.put(key, records.write(record))


def read_table(store: Store, key: str, remedy: str = "remove it and run ingest again") -> "pa.Table":
    """Return a Parquet object as a table; KeyError if there is none.

    Raises:
        DataError: what lies there is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(pa.BufferReader(store.get(key)))
    except pa.ArrowInvalid as error:
        raise DataError(f"{key}: is not a Parquet table; {remedy}") from error
