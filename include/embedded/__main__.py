"""`python -m embedded`: starts, stops and shows the services of one machine."""

import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from embedded.accounts import access_key
from embedded.advice import advice
from embedded.config import Config
from embedded.dagruns import last_runs
from embedded.services import by_name
from embedded.stack import GROUPS, Stack, private_files, tail
from embedded.supervision import log_file
from fems.errors import ConfigError, FemsError
from fems.tracking.rest import experiments_page

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="MinIO, PostgreSQL, MLflow and Airflow on this machine, from Python wheels.",
)  # fmt: skip
# A pipe has no width of its own, and 80 columns would cut the tables.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print what this package can explain as a line, and end with 1."""
    try:
        yield
    except FemsError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


@app.command()
def up(
    only: Annotated[
        list[str] | None,
        typer.Option(help="A group (storage, tracking, airflow) or a service; may be repeated."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, max=16, help="Celery workers that run the tasks; none: the scheduler runs them itself."
        ),
    ] = None,
) -> None:
    """Start the services and wait until each works."""
    with one_line_errors():
        config = Config.from_environment()
        stack = Stack(config if workers is None else replace(config, workers=workers))
        start = time.monotonic()
        stack.up(only or GROUPS, lambda title, seconds: out.print(f"  {title:<24} {seconds:5.1f} s"))
        out.print(f"up in {time.monotonic() - start:.1f} s")
        show_addresses(stack)


@app.command()
def down() -> None:
    """Stop what `up` started, and nothing else. The data stays."""
    with one_line_errors():
        stack = Stack.find()
        out.print("stopped" if stack.down() else f"nothing is running ({stack.config.state})")


@app.command()
def status() -> None:
    """Show each service; ends with 1 if one of them does not work."""
    with one_line_errors():
        rows = Stack.find().status()
        table = Table("service", "state", "", box=None)
        for service, state, detail in rows:
            table.add_row(service.title, state, detail)
        out.print(table)
        if any(state != "healthy" for _, state, _ in rows):
            raise typer.Exit(1)


@app.command()
def health() -> None:
    """Show services, the Dags' last good runs, how old the data is, the disk; ends with 1 if something needs a look."""
    from datetime import UTC, datetime

    from fems.cli.health import health_tables
    from fems.flows.platform import Platform
    from fems.views.health import health as ask

    with one_line_errors():
        stack = Stack.find()
        if not stack.running():
            raise ConfigError(f"nothing is running ({stack.config.state}): `make up` starts it")
        os.environ.update(stack.environment())
        seen = ask(Platform.from_environment(), datetime.now(UTC), last_runs(stack.airflow()))
        for each in health_tables(seen):
            out.print(each)
        if not seen.ok:
            raise typer.Exit(1)


@app.command()
def env() -> None:
    """Print `export` lines, with which airflow and fems at a shell use the stack.

    eval "$(python -m embedded env)"
    """
    with one_line_errors():
        for key, value in Stack.find().environment().items():
            print(f"export {key}={shlex.quote(value)}")


@app.command()
def logs(service: str, lines: Annotated[int, typer.Option("--lines", "-n")] = 50) -> None:
    """Print the end of a service's log."""
    with one_line_errors():
        config = Stack.find().config
        known = by_name(config)
        if service not in known:
            raise ConfigError(f"there is no service {service!r}: choose from {', '.join(known)}")
        print(tail(log_file(config, service), lines))


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder, or an earlier backup.")],
) -> None:
    """Copy databases, buckets and secrets into a folder; the stack runs on. Again: only what is new is copied."""
    from embedded.backup import back_up

    with one_line_errors(), private_files():
        done = back_up(Stack.find(), folder, lambda text: out.print(f"  {text}"))
        out.print(f"{done.objects:,} objects ({done.size / 1e6:,.1f} MB), {done.copied:,} copied: {folder}")
        out.print("it holds every secret of the stack: keep it where only you can read")


@app.command()
def restore(folder: Annotated[Path, typer.Argument(help="What `backup` wrote.")]) -> None:
    """Make a new stack of a backup, in a state folder that holds none; `make up` starts it."""
    from embedded.backup import restore as bring_back

    with one_line_errors():
        done = bring_back(Stack(Config.from_environment()), folder, lambda text: out.print(f"  {text}"))
        out.print(
            f"{done.objects:,} objects ({done.size / 1e6:,.1f} MB) restored; `make up` starts the stack"
        )
        if done.changed:
            out.print(f"{done.changed:,} objects have another ETag: the next ingest rebuilds their months")


DaysOption = Annotated[int | None, typer.Option(min=1, help="Older than this goes; without it all stays.")]


@app.command()
def prune(
    quarantine_days: DaysOption = None,
    log_days: DaysOption = None,
    run_days: DaysOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove old quarantine, task logs and records of runs; raw files, tables, forecasts and models never."""
    from embedded.retention import prune as remove_old

    with one_line_errors():
        if quarantine_days is log_days is run_days is None:
            raise ConfigError("nothing to do: name --quarantine-days, --log-days or --run-days")
        stack = Stack.find()
        os.environ.update(stack.environment())
        remove_old(
            stack, lambda text: out.print(f"  {text}"), quarantine_days=quarantine_days, log_days=log_days,
            run_days=run_days, dry_run=dry_run,
        )  # fmt: skip


@app.command()
def demo(
    factories: Annotated[
        str, typer.Option(help="IDs with commas between; all of factories.yaml if empty.")
    ] = "",
    months: Annotated[int, typer.Option(min=1, help="How many months to simulate.")] = 14,
    epochs: Annotated[
        int,
        typer.Option(min=1, help="Of the one-step model, at most; the Dag's own default is the study's 50."),
    ] = 20,
) -> None:
    """Start everything and take raw files through Airflow to next month's forecast. Leaves the UIs up."""
    from embedded import demo as show

    try:
        stack = Stack(Config.from_environment())
        show.run(stack, out, factories, months, epochs, show_addresses)
    except Exception as error:
        # What this package cannot explain is shown whole, with the place in the code.
        explained = str(error) if isinstance(error, FemsError) else "".join(traceback.format_exception(error))
        print(f"error: {explained}", "what to do:", sep="\n", file=sys.stderr)
        for words in advice(f"{type(error).__name__}: {explained}"):
            print(f"- {words}", file=sys.stderr)
        raise typer.Exit(1) from error


def show_addresses(stack: Stack) -> None:
    """Print where the services are and how to log in."""
    secret, config = stack.credentials, stack.config
    rows = (
        (
            "Airflow",
            config.airflow_url,
            ", ".join(f"{user} / {password}" for user, password in secret.airflow_passwords.items()),
        ),
        (
            "MLflow",
            experiments_page(config.mlflow_url),
            f"reader / {secret.mlflow_reader_password}, or admin / {secret.mlflow_admin_password}",
        ),
        ("MinIO (S3)", config.minio_url, f"{access_key('operator')} / {secret.store_passwords['operator']}"),
    )
    for title, url, login in rows:
        out.print(f"{title:<12}{url:<24}  {login}")
    out.print(f"secrets and data: {config.state}")


if __name__ == "__main__":
    os.umask(0o077)  # the state folder holds secrets and raw files
    app(prog_name="python -m embedded")
