"""The matrix of faults: what is tried, what counts as well, and that it goes on where it stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from faults.cells import FULL, KILL, MOMENTS, SERVICES, STAGES, STOP, Cell, cells
from faults.inject import FAULTS, LEFT_MB, little_room
from faults.results import NOT, Result, Results, reruns
from faults.state import State

from embedded import room

GOOD = Result(True, 0, 0, True, "by itself", 3.0, "1.0")
CELL = Cell("ingest", "minio", KILL, "middle")


def test_the_matrix_holds_every_service_in_every_stage() -> None:
    matrix = list(cells())
    assert len(matrix) == len({cell.key for cell in matrix}) == 8 * 4 * 2 * 3 + 5 * 3
    for service in SERVICES:
        for stage in STAGES:
            for fault in (KILL, STOP):
                for moment in MOMENTS:
                    assert Cell(stage, service, fault, moment) in matrix
    assert {cell.service for cell in matrix if cell.fault == FULL} == {"minio", "postgres"}


def test_airflow_runs_a_stage_whose_own_process_does_not_know_the_service() -> None:
    assert not CELL.by_dag
    assert Cell("train", "scheduler", KILL, "end").by_dag
    assert Cell("ingest", "postgres", KILL, "end").by_dag
    assert not Cell("train", "postgres", KILL, "end").by_dag


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"healed": reruns(1)}, True),
        ({"healed": reruns(2)}, False),
        ({"healed": NOT}, False),
        ({"met": False}, False),
        ({"lost": 1}, False),
        ({"half_written": 1}, False),
        ({"same": False}, False),
    ],
)
def test_what_counts_as_well(change: dict[str, object], good: bool) -> None:
    assert replace(GOOD, **change).good == good


def test_lost_are_rows_that_the_undisturbed_stage_made_and_rows_that_do_not_add_up() -> None:
    wanted = State("a", 100, 0)
    assert wanted.lost(wanted) == 0
    assert State("b", 97, 0).lost(wanted) == 3
    assert State("b", 101, 2).lost(wanted) == 2


def test_a_matrix_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path, other = tmp_path / "made" / "faults.json", replace(CELL, moment="end")
    results = Results(path)
    assert results.left([CELL, other]) == [CELL, other]
    results.keep(CELL, GOOD)
    results.keep(other, replace(GOOD, lost=5))
    again = Results(path)
    assert again.of == results.of
    new = replace(CELL, moment="start")
    assert again.left([CELL, other, new]) == [new, other]  # what went wrong is tried again, last
    assert [item.name for item in path.parent.iterdir()] == ["faults.json"]


def test_the_docs_table_says_what_went_wrong_and_what_was_not_tried(tmp_path: Path) -> None:
    results = Results(tmp_path / "faults.json")
    row = [Cell("ingest", "minio", KILL, moment) for moment in MOMENTS]
    results.keep(row[0], replace(GOOD, healed=reruns(1)))
    results.keep(row[1], replace(GOOD, lost=5, healed=reruns(2)))
    lines = results.markdown([*row, Cell("ingest", "minio", STOP, "start")]).splitlines()
    assert (
        lines[2] == "| minio | ingest | rerun · **5 lost, healed by 2 reruns** · not tried | not tried | - |"
    )


@pytest.fixture
def family() -> psutil.Process:
    """A process with a child."""
    child = f"import subprocess; subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(60)']).wait()"
    process = psutil.Process(subprocess.Popen([sys.executable, "-c", child]).pid)
    deadline = time.monotonic() + 10
    while not process.children() and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_a_killed_service_takes_its_children_along(family: psutil.Process, tmp_path: Path) -> None:
    child = family.children()[0]
    met: list[bool] = []
    FAULTS[KILL](family.pid, tmp_path, lambda: met.append(True))
    assert met
    os.waitpid(family.pid, 0)
    psutil.wait_procs([child], 5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_stopped_service_stands_still_with_its_children_and_goes_on(
    family: psutil.Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = family.children()[0]
    seen: list[str] = []

    def look(_: float) -> None:
        deadline = time.monotonic() + 10
        while seen != [psutil.STATUS_STOPPED] * 2 and time.monotonic() < deadline:
            seen[:] = [process.status() for process in (family, child)]

    monkeypatch.setattr("faults.inject.time.sleep", look)
    try:
        FAULTS[STOP](family.pid, tmp_path, lambda: None)
        assert seen == [psutil.STATUS_STOPPED] * 2
        assert psutil.STATUS_STOPPED not in (family.status(), child.status())
    finally:
        for process in (child, family):
            process.send_signal(signal.SIGKILL)
        os.waitpid(family.pid, 0)


def test_a_full_disk_is_full_to_its_last_block_and_then_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faults.inject.STOPPED_S", 0.3)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m", "none", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here: that takes root")
    try:
        left: list[int] = []
        before = shutil.disk_usage(tmp_path).free
        with little_room(tmp_path):
            assert room.free_mb(tmp_path) == LEFT_MB
            FAULTS[FULL](0, tmp_path, lambda: left.append(shutil.disk_usage(tmp_path).free))
        assert left and not any(left)
        assert shutil.disk_usage(tmp_path).free == before
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
