"""Files of other programs are read in a child process with limits: what breaks a reader breaks no ingest.

A workbook or a Parquet file is the work of a library in another language, which a crafted file can make ask for any
memory, run for ever, or abort. The child has limits of memory and time; an object that passes them is refused by name,
and the next one gets a new child. It stays for the objects to come, since it takes a second to start.
"""

import atexit
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from typing import IO

import pyarrow as pa

from fems.errors import UndecodableObject
from fems.raw.containers import Cells, read_container

MEMORY = 1 << 30
"""Bytes that the child may take beside what it has when it starts."""
SECONDS = 60.0
"""How long one object may take."""
_LENGTH = struct.Struct(">Q")


def read_apart(data: bytes, what: str) -> list[Cells]:
    """Read an object in the child: its tables, see `read_container`.

    Args:
        data: the object.
        what: to call it in errors, such as `the Excel workbook`.

    Raises:
        UndecodableObject: it cannot be read, or not within the limits.
    """
    with _lock:
        return _started().read(data, what)


class _Child:
    """A running child, and the process that started it (a fork of that must start its own)."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        # one thread, and memory from the system: what is reserved ahead would count against the limit
        calm = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from fems.raw.child import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": paths, "PATH": os.environ.get("PATH", ""), **calm},
            close_fds=True,
        )

    def read(self, data: bytes, what: str) -> list[Cells]:
        deadline = time.monotonic() + SECONDS
        try:
            reply = self._ask(data, deadline)
        except TimeoutError as error:
            self.end()
            raise UndecodableObject(f"{what} takes longer than {SECONDS:.0f} s to read: refused") from error
        except (OSError, EOFError) as error:
            self.end()
            raise UndecodableObject(
                f"{what} breaks its reader, or needs more than {MEMORY >> 20} MiB to read: refused"
            ) from error
        if reply[:1] == b"E":
            raise UndecodableObject(reply[1:].decode())
        return _unpacked(memoryview(reply)[1:])

    def _ask(self, data: bytes, deadline: float) -> bytes:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise EOFError
        writer = threading.Thread(target=_send, args=(stdin, data), daemon=True)
        writer.start()
        [size] = _LENGTH.unpack(_receive(stdout, _LENGTH.size, deadline))
        return _receive(stdout, size, deadline)

    def end(self) -> None:
        """Stop it; nothing happens if it is gone."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # bytes that nobody reads any more
                    continue


_lock = threading.Lock()
_children: list[_Child] = []


def _started() -> _Child:
    if _children and (_children[0].owner != os.getpid() or _children[0].process.poll() is not None):
        _children.clear()
    if not _children:
        _children.append(_Child())
    return _children[0]


@atexit.register
def stop() -> None:
    """End the child, if there is one."""
    while _children:
        child = _children.pop()
        if child.owner == os.getpid():
            child.end()


def _send(stdin: IO[bytes], data: bytes) -> None:
    try:
        stdin.write(_LENGTH.pack(len(data)))
        stdin.write(data)
        stdin.flush()
    except (OSError, ValueError):  # the child is gone: that is told where its answer is read
        return


def _receive(stdout: IO[bytes], size: int, deadline: float) -> bytes:
    parts: list[bytes] = []
    while size:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stdout], [], [], left)[0]:
            raise TimeoutError
        part = os.read(stdout.fileno(), min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def serve() -> None:
    """Be the child: read objects from stdin, and answer each on stdout with its tables or an error."""
    import resource

    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path of ours
        own = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while head := stdin.read(_LENGTH.size):
        try:
            reply = b"T" + _packed(read_container(stdin.read(_LENGTH.unpack(head)[0])))
        except UndecodableObject as error:
            reply = b"E" + str(error).encode()
        stdout.write(_LENGTH.pack(len(reply)))
        stdout.write(reply)
        stdout.flush()
        del reply


def _packed(tables: list[Cells]) -> bytes:
    """Lay tables out as Arrow streams, one after the other, each behind its length."""
    out = []
    for cells in tables:
        about = json.dumps({"name": cells.name, "visible": cells.visible, "header": cells.header})
        names = (
            [f"c{i}" for i in range(len(cells.columns))]
            + [f"t{i}" for i in range(len(cells.typed))]
            + ["lines"]
        )
        columns = [*cells.columns, *(pa.array(mask) for mask in cells.typed), pa.array(cells.lines)]
        table = pa.table(columns, names=names).replace_schema_metadata({"about": about})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.unify_dictionaries())
        buffer = sink.getvalue()
        out += [_LENGTH.pack(buffer.size), buffer.to_pybytes()]
    return b"".join(out)


def _unpacked(reply: memoryview) -> list[Cells]:
    tables = []
    while len(reply):
        [size] = _LENGTH.unpack(reply[: _LENGTH.size])
        table = pa.ipc.open_stream(pa.py_buffer(reply[_LENGTH.size : _LENGTH.size + size])).read_all()
        reply = reply[_LENGTH.size + size :]
        about = json.loads(table.schema.metadata[b"about"])
        width = (table.num_columns - 1) // 2
        typed = [table[f"t{i}"].to_numpy() for i in range(width)]
        columns = [table[f"c{i}"] for i in range(width)]
        tables.append(
            Cells(about["name"], about["visible"], about["header"], columns, typed, table["lines"].to_numpy())
        )
    return tables
