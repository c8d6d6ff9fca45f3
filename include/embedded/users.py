"""Users of the operating system: where root starts the services, each that can has a user of its own."""

import logging
import os
import pwd
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def own_account(name: str, folder: Path) -> pwd.struct_passwd | None:
    """Return whom root runs a service as: the owner of its folder, or a new user. None where we are not root."""
    if os.geteuid() != 0:
        return None
    with suppress(
        KeyError
    ):  # a folder may have come from another machine, with users that are not known here
        if folder.exists() and folder.stat().st_uid != 0:
            return pwd.getpwuid(folder.stat().st_uid)
    with suppress(KeyError):
        return pwd.getpwnam(name)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(name)
    except (OSError, subprocess.CalledProcessError):  # no useradd here, or a system that can't be written to
        return pwd.getpwnam("nobody")


def make_private(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make a folder that its user alone may enter; what lies in it already becomes the user's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if account is None:
        return
    folders = [folder, *(entry for entry in folder.iterdir() if entry.is_dir())]
    if any(each.stat().st_uid != account.pw_uid for each in folders):
        for path in [*folder.rglob("*"), folder]:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def let_through(path: Path, account: pwd.struct_passwd) -> None:
    """Let a user pass through the folders above a path: the right to pass, not the one to list."""
    for folder in path.parents:
        status = folder.stat()
        if status.st_uid != account.pw_uid and not status.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)


def can_run(account: pwd.struct_passwd, folder: Path, module: str) -> bool:
    """Tell whether a user can read this environment's packages; one that root keeps to itself shuts it out."""
    for path in (Path(sys.executable), Path(sys.executable).resolve(), folder, *map(Path, sys.path)):
        if path.exists():
            let_through(path, account)
    outcome = subprocess.run(
        [sys.executable, "-c", f"import {module}"], cwd=folder, capture_output=True, check=False,
        user=account.pw_uid, group=account.pw_gid, extra_groups=[],
    )  # fmt: skip
    return outcome.returncode == 0


def become(account: pwd.struct_passwd) -> None:
    """Turn this process into a user's, for good."""
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
