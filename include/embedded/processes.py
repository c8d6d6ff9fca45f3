"""Processes: none of ours outlives the stack, and none of anybody else's is touched."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress

import psutil  # type: ignore[import-untyped]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parent dies, so that they are still found."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: signal.Signals) -> None:
    """Ask for a signal when this process's parent dies. Survives exec, not a change of user."""
    _prctl(_PR_SET_PDEATHSIG, number)


def end(processes: Iterable[psutil.Process], patience: float = 5.0) -> None:
    """End processes: politely, then not. psutil compares start times, so a recycled pid is left alone."""
    left = list(processes)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(left, patience)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, patience)


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """Return all processes under one."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end_orphans_of_killed_siblings() -> None:
    """End what a supervised program left behind when it was killed: the scheduler's workers and their tasks.

    Run by a program that supervisord, which adopts orphans, has just started. Supervised programs lead a
    process group; a process under supervisord whose group's leader is gone has lost its program.
    """
    for child in psutil.Process(os.getppid()).children():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            leader = os.getpgid(child.pid)
            if leader != child.pid and not psutil.pid_exists(leader):
                end([*descendants(child), child], 2)
