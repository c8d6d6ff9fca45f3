"""Do all shared objects of this environment find what they need, and can each package with native code be imported?

`python -m embedded.natives` on the machine, or in the image, that the packages are to run on. A wheel may count on a
library of the system that the machine it was tried on happened to have.
"""

import importlib.metadata
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

SYSTEM = {
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
}
"""What a bare Debian, Ubuntu and Fedora have: glibc; GCC's runtime and zlib, which their package managers need."""

OPTIONAL = {
    "omppool": "one of numba's three ways to run threads, and no code of ours asks numba for threads",
    "tbbpool": "another of them",
    "libecpg": "SQL inside C programs, which PostgreSQL's server does not load",
}
"""Files that nothing of ours loads, by how their names begin, and why."""

_IMPORT_SECONDS = 300
_IMPORTED_BY = {"psycopg_binary": "psycopg"}
"""Modules that only another may import."""


def native_files(site: Path) -> list[Path]:
    """Return the shared objects and programs under a folder, which begin with ELF's four bytes; none of `OPTIONAL`."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        named = re.search(r"\.so(\.\d+)*$", path.name) is not None
        if not named and not path.stat().st_mode & 0o111:
            continue
        with path.open("rb") as file:
            if file.read(4) == b"\x7fELF":
                found.append(path)
    return [path for path in found if not path.name.startswith(tuple(OPTIONAL))]


def needs(path: Path) -> dict[str, str]:
    """Return where the loader finds each library that a file needs, by its name; "" where it does not.

    Raises:
        RuntimeError: there is no `ldd`.
    """
    try:
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RuntimeError(
            "there is no ldd: install the package libc-bin (Debian) or glibc-common"
        ) from error
    pairs = re.findall(r"^\s+(\S+) => (not found|\S+)", listed.stdout, re.MULTILINE)
    return {name: "" if where == "not found" else where for name, where in pairs}


def missing(files: Sequence[Path]) -> dict[Path, list[str]]:
    """Return the libraries that are found nowhere, by file.

    A library that a wheel brings is there, though `ldd` of another of its libraries may not find it: the loader looks
    where the module that asked first says.
    """
    brought = {path.name for path in files}
    with ThreadPoolExecutor() as pool:
        listed = zip(files, pool.map(needs, files), strict=True)
        lacking = {
            path: [name for name, where in found.items() if not where and name not in brought]
            for path, found in listed
        }
    return {path: names for path, names in lacking.items() if names}


def from_system(files: Sequence[Path], site: Path) -> set[str]:
    """Return the names of all libraries that are taken from outside the environment."""
    with ThreadPoolExecutor() as pool:
        listed = list(pool.map(needs, files))
    return {
        name
        for found in listed
        for name, where in found.items()
        if where and not Path(where).resolve().is_relative_to(site)
    }


def native_packages(site: Path) -> Iterator[tuple[str, str]]:
    """Yield the distributions with extension modules, each with a module of it to import."""
    for distribution in sorted(
        importlib.metadata.distributions(path=[str(site)]), key=lambda d: d.name.lower()
    ):
        modules = {
            _module(PurePosixPath(file)) for file in distribution.files or () if _is_extension(file.name)
        }
        tops = sorted({module.split(".")[0] for module in modules if module})
        for top in [top for top in tops if not top.startswith("_")] or tops:
            yield distribution.name, _IMPORTED_BY.get(top, top)


def _is_extension(name: str) -> bool:
    return name.endswith(".so")


def _module(file: PurePosixPath) -> str:
    """Return the module of an extension's file; "" where it is a library beside the modules, as in numpy.libs."""
    parts = [*file.parts[:-1], file.name.partition(".")[0]]
    return "" if any(not part.isidentifier() for part in parts) else ".".join(parts)


def import_error(module: str) -> str:
    """Import a module in a process of its own; return the last line of what went wrong, "" where nothing did."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            capture_output=True, text=True, check=False, timeout=_IMPORT_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not imported within {_IMPORT_SECONDS} s"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]


def main() -> int:
    """Print what is missing; return 1 if anything is."""
    site = Path(sysconfig.get_path("platlib")).resolve()
    files = native_files(site) + native_files(site.parents[2] / "bin")
    print(f"{len(files)} shared objects and programs under {site}")
    lacking = missing(files)
    for path, names in lacking.items():
        print(f"FAIL {path.relative_to(site.parents[2])}: the system has no {', '.join(names)}")
    outside = from_system(files, site)
    print(f"of the system: {', '.join(sorted(outside))}")
    print(
        f"of these, not on every bare Debian, Ubuntu and Fedora: {', '.join(sorted(outside - SYSTEM)) or 'none'}"
    )
    failed = 0
    packages = list(native_packages(site))
    with ThreadPoolExecutor() as pool:
        errors = list(pool.map(import_error, [module for _, module in packages]))
    for (package, module), error in zip(packages, errors, strict=True):
        if error:
            failed += 1
            print(f"FAIL import {module} ({package}): {error}")
    print(f"{len(packages) - failed} of {len(packages)} native packages imported")
    return int(bool(lacking or failed))


if __name__ == "__main__":
    sys.exit(main())
