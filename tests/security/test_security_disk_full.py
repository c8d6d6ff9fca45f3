"""A full disk: said at once, nothing is half written, and the services come back by themselves."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from embedded import room
from embedded.accounts import LAKE, access_key
from embedded.config import Config
from embedded.ports import free_ports
from embedded.stack import Stack
from fems.errors import ServiceUnavailable
from fems.lake.store import MinioStore

pytestmark = [pytest.mark.services, pytest.mark.security]


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of 400 MB, in memory."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here: that takes root")
    folder.parent.chmod(0o711)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, leave_mb: int) -> Path:
    path = disk / "fill"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (room.free_mb(disk) - leave_mb) * 2**20)
    return path


def stack_on(disk: Path) -> Stack:
    airflow, mlflow, minio = free_ports(3)
    stack = Stack(Config.of(disk / "state", airflow_port=airflow, mlflow_port=mlflow, minio_port=minio))
    stack.up(("storage",))
    return stack


def wait_until_healthy(stack: Stack) -> None:
    deadline = time.monotonic() + 60
    while {word for service, word, _ in stack.status() if service.group == "storage"} != {"healthy"}:
        assert time.monotonic() < deadline, stack.status()
        time.sleep(0.5)


def test_a_full_disk_is_said_and_forgotten_when_there_is_room(small_disk: Path) -> None:
    stack = stack_on(small_disk)
    try:
        key = stack.credentials.store_passwords["operator"]
        store = MinioStore(stack.config.minio_url, access_key("operator"), key, LAKE, stack.config.state)
        store.put("raw/kept", b"kept")
        filled = fill(small_disk, 8)
        start = time.monotonic()
        with pytest.raises(ServiceUnavailable, match=r"disk of .*state.* is full .*make room"):
            store.put("raw/new", b"x")
        assert time.monotonic() - start < 1
        assert store.get("raw/kept") == b"kept"
        assert {word for service, word, _ in stack.status() if service.group == "storage"} == {"unhealthy"}
        assert "is full" in stack.status()[0][2]
        # What a full disk does to them; they must not be tried three times and given up.
        for name in ("minio", "postgres"):
            os.kill(stack.supervisor.states()[name]["pid"], 9)
        time.sleep(12)
        assert {stack.supervisor.states()[name]["statename"] for name in ("minio", "postgres")} == {"RUNNING"}
        assert "starts by itself" in (stack.config.logs / "minio.log").read_text()
        filled.unlink()
        wait_until_healthy(stack)
        store.put("raw/new", b"x")
        assert store.get("raw/kept") == b"kept" and store.get("raw/new") == b"x"
    finally:
        (small_disk / "fill").unlink(missing_ok=True)
        stack.down()


def test_supervisord_outlives_a_disk_without_a_free_block(small_disk: Path) -> None:
    stack = stack_on(small_disk)
    try:
        for log in stack.config.logs.glob("*"):  # so that the next line needs a page of its own
            with log.open("ab") as file:
                file.write(b" " * (-log.stat().st_size % 4096))
        filled = fill(small_disk, 1)
        with filled.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)) == 4096:
                pass
        pids = [stack.supervisor.states()[name]["pid"] for name in ("minio", "postgres")]
        for pid in pids:  # of which supervisord has to log something
            os.kill(pid, 9)
        time.sleep(3)
        assert stack.running()
        filled.unlink()
        wait_until_healthy(stack)
        stack.down()  # which supervisord logs, and there is room
        assert "the disk was full: up to" in (stack.config.logs / "supervisord.log").read_text()
    finally:
        (small_disk / "fill").unlink(missing_ok=True)
        stack.down()


def test_nothing_is_started_on_a_full_disk(small_disk: Path) -> None:
    fill(small_disk, 8)
    with pytest.raises(ServiceUnavailable, match="is full"):
        Stack(Config.of(small_disk / "state")).up(("storage",))
