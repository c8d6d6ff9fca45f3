"""Does this machine have what `make setup` and `make demo` need? A line a check, with what to do.

Run by the system's Python before any package is there: the standard library alone, and the syntax of Python 3.9.

    python3 include/embedded/doctor.py setup|demo [--quiet]
"""

import argparse
import contextlib
import json
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = (3, 11), (3, 13)
OLDEST_GLIBC = (2, 28)
"""The newest that a wheel asks for: Debian 10, Ubuntu 20.04, RHEL 8 and later have it."""

GB = 1 << 30
SETUP_GB, DEMO_GB = 5.0, 3.0
"""Disk: packages with their cache (3.3 seen), and what `make demo` leaves with six factories, with some to spare."""
SETUP_MEMORY_GB, DEMO_MEMORY_GB = 1.0, 5.0
LEAST_FILES, GOOD_FILES, GOOD_PROCESSES = 256, 1024, 512
PORTS = (
    ("Airflow", "FEMS_AIRFLOW_PORT", 8080),
    ("MLflow", "FEMS_MLFLOW_PORT", 5000),
    ("MinIO", "FEMS_MINIO_PORT", 9000),
)
UV_PYTHON = "make setup FEMS_PYTHON=$(uv python find 3.13)"
OK, WARN, FAIL = "ok", "warn", "FAIL"


class Finding(NamedTuple):
    """What a check says of the machine; `do` is empty where all is well."""

    state: str
    what: str
    do: str = ""


def system(kind: str, machine: str, glibc: str) -> Finding:
    """Check the system that the wheels are made for.

    Args:
        kind: as platform.system() says.
        machine: as platform.machine() says.
        glibc: such as "glibc 2.36"; empty where the C library is another one.
    """
    what = f"{kind} on {machine}, {glibc or 'no glibc'}"
    if kind != "Linux" or machine != "x86_64":
        return Finding(
            FAIL,
            what,
            "the packages are made for Linux on x86_64: use such a machine, a virtual one on macOS and Windows",
        )
    version = tuple(int(part) for part in re.findall(r"\d+", glibc)[:2])
    if version < OLDEST_GLIBC:
        return Finding(
            FAIL,
            what,
            "the packages need glibc 2.28 or later: Debian 10, Ubuntu 20.04, RHEL 8 or newer, not Alpine",
        )
    return Finding(OK, what)


def install(version: tuple, release: str) -> str:
    """Say how a Python that fits is installed.

    Args:
        version: of the Python that is there.
        release: the text of /etc/os-release, which names the distribution.
    """
    fits = OLDEST <= version[:2] <= NEWEST
    name = f"python{version[0]}.{version[1]}" if fits else "python3.11"
    others = "" if fits else " (or python3.12-venv, python3.13-venv: what the release has)"
    apt, dnf = f"`sudo apt install {name}-venv`{others}", "`sudo dnf install python3.13`"
    family = " ".join(re.findall(r"^ID(?:_LIKE)?=(.*)$", release, re.MULTILINE))
    if re.search("debian|ubuntu", family):
        system_package = apt
    elif re.search("fedora|rhel", family):
        system_package = dnf
    else:
        system_package = f"Debian and Ubuntu: {apt}; Fedora: {dnf}"
    return f"{system_package}. Without root, where uv is: `uv python install 3.13` and `{UV_PYTHON}`"


def python(version: tuple, executable: str, has_venv: bool, release: str) -> Finding:
    """Check the interpreter that makes the virtual environment."""
    what = f"Python {'.'.join(map(str, version[:3]))} ({executable})"
    if not OLDEST <= version[:2] <= NEWEST:
        return Finding(FAIL, f"{what}, needed is 3.11, 3.12 or 3.13", install(version, release))
    if not has_venv:
        return Finding(FAIL, f"{what} has no venv", install(version, release))
    return Finding(OK, what)


def environment(folder: Path, version: tuple) -> Finding:
    """Check a virtual environment that is there already: it may have moved, or its Python may be gone.

    Args:
        folder: of the environment.
        version: of the Python that `make setup` would take for a new one.
    """
    interpreter, remove = folder / "bin" / "python", f"remove it: `rm -rf {folder}`"
    if not interpreter.is_symlink() and not interpreter.exists():
        return Finding(OK, f"no {folder.name} yet")
    try:
        asked = subprocess.run(
            [str(interpreter), "-c", "import sys; print(*sys.version_info[:3])"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return Finding(FAIL, f"{folder.name} has no Python that runs", remove)
    own = tuple(int(part) for part in asked.stdout.split())
    what = f"{folder.name} is of Python {'.'.join(map(str, own))}"
    if not OLDEST <= own[:2] <= NEWEST:
        return Finding(FAIL, what, remove)
    fems = folder / "bin" / "fems"
    if fems.exists() and str(folder) not in fems.read_text(errors="replace")[:1000]:
        return Finding(FAIL, f"{folder.name} was made elsewhere and moved here", remove)
    if own[:2] != version[:2] and OLDEST <= version[:2] <= NEWEST:
        return Finding(
            WARN, f"{what} and stays so, this is {version[0]}.{version[1]}", f"to change, {remove}"
        )
    return Finding(OK, what)


def disk(free: float, needed: float, where: Path) -> Finding:
    """Check the free space, bytes."""
    what = f"{free / GB:.1f} GB free at {where}, needed about {needed / GB:.0f}"
    if free < needed:
        return Finding(FAIL, what, "free some space, or clone to a larger disk")
    return Finding(OK, what)


def memory(available: Optional[float], needed: float) -> Finding:  # noqa: UP045
    """Check the memory that can still be had, bytes; None where the system does not say."""
    if available is None:
        return Finding(WARN, "memory: this system does not say", f"have {needed / GB:.0f} GB free")
    what = f"{available / GB:.1f} GB of memory available, needed about {needed / GB:.0f}"
    if available < needed:
        return Finding(
            WARN, what, 'end other programs, or take fewer factories: `make demo DEMO="--factories 2160"`'
        )
    return Finding(OK, what)


def limits(files: int, processes: int) -> Iterator[Finding]:
    """Check how many files and processes a user may have open; -1 is no limit."""
    for name, value, least, good, flag in (
        ("open files", files, LEAST_FILES, GOOD_FILES, "n"),
        ("processes", processes, 128, GOOD_PROCESSES, "u"),
    ):
        what = f"{'no limit' if value < 0 else value} of {name}"
        if 0 <= value < good:
            state = FAIL if value < least else WARN
            yield Finding(state, what, f"allow more in this shell first: `ulimit -{flag} {good}`")
        else:
            yield Finding(OK, what)


def ports(environ: dict, ours: set, is_free: Callable[[int], bool]) -> Iterator[Finding]:
    """Check the ports of the user interfaces.

    Args:
        environ: variables that may choose other ports.
        ours: ports that this project's own services listen on now.
        is_free: whether a port of 127.0.0.1 can be listened on.
    """
    for service, variable, usual in PORTS:
        text = environ.get(variable, str(usual))
        if not text.isdigit() or not 0 < int(text) < 65536:
            yield Finding(FAIL, f"{variable}={text}", "name a port, 1 to 65535")
            continue
        port = int(text)
        if port in ours:
            yield Finding(OK, f"port {port} ({service}) is this project's own service")
        elif is_free(port):
            yield Finding(OK, f"port {port} ({service}) is free")
        else:
            do = f"end the program that listens there, or choose another: `export {variable}={port + 100}`"
            yield Finding(FAIL, f"port {port} ({service}) is taken", do)


def available_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> Optional[float]:  # noqa: UP045
    """Return the bytes that can be had: what the system has left, or a container's limit where that is less."""
    try:
        kilobytes = re.search(r"^MemAvailable:\s+(\d+)", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    if kilobytes is None:
        return None
    left = float(kilobytes[1]) * 1024
    with contextlib.suppress(OSError, ValueError):  # "max" is no number, and no limit
        limit = float((cgroup / "memory.max").read_text())
        left = min(left, limit - float((cgroup / "memory.current").read_text()))
    return left


def own_ports(state: Path) -> set:
    """Return the ports of this project's services if they run."""
    try:
        pid = int((state / "supervisord.pid").read_text())
        if b"supervisord" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return set()
        config = json.loads((state / "stack.json").read_text())
    except (OSError, ValueError):
        return set()
    return {value for key, value in config.items() if key.endswith("_port")}


def can_listen(port: int) -> bool:
    """Tell whether 127.0.0.1:port can be listened on; an old connection that lingers there does not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def has_venv() -> bool:
    """Tell whether this Python can make a virtual environment; Debian keeps that in a package of its own."""
    try:
        import ensurepip
        import venv
    except ImportError:
        return False
    return bool(ensurepip and venv)


def glibc() -> str:
    """Return such as "glibc 2.36", empty where the C library is another one."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""


def os_release() -> str:
    """Return the text that names the distribution, empty where there is none."""
    try:
        return Path("/etc/os-release").read_text()
    except OSError:
        return ""


def examine(purpose: str) -> Iterator[Finding]:
    """Check this machine for `setup` or for `demo`, which sets up first."""
    folder = ROOT / ".venv"
    yield system(platform.system(), platform.machine(), glibc())
    yield python(tuple(sys.version_info), sys.executable, has_venv(), os_release())
    yield environment(folder, tuple(sys.version_info))
    demo = purpose == "demo"
    needed = (0.0 if (folder / ".ready").exists() else SETUP_GB) + (DEMO_GB if demo else 0.0)
    yield disk(shutil.disk_usage(ROOT).free, needed * GB, ROOT)
    yield memory(available_memory(), (DEMO_MEMORY_GB if demo else SETUP_MEMORY_GB) * GB)
    yield from limits(
        resource.getrlimit(resource.RLIMIT_NOFILE)[0], resource.getrlimit(resource.RLIMIT_NPROC)[0]
    )
    if demo:
        state = Path(os.environ.get("FEMS_STATE_DIR") or ROOT / ".local")
        yield from ports(dict(os.environ), own_ports(state), can_listen)


def main() -> int:
    """Print a line a check; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("purpose", choices=("setup", "demo"))
    parser.add_argument("--quiet", action="store_true", help="only what is not well")
    arguments = parser.parse_args()
    findings = list(examine(arguments.purpose))
    for finding in findings:
        if finding.state != OK or not arguments.quiet:
            line = f"{finding.state:<5}{finding.what}" + (f": {finding.do}" if finding.do else "")
            print(line, file=sys.stderr if arguments.quiet else sys.stdout)
    failed = any(finding.state == FAIL for finding in findings)
    if failed:
        print("error: this machine lacks what is needed, see each FAIL", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
