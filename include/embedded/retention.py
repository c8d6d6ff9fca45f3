"""How long a stack keeps quarantine, task logs and Airflow's records of runs. Nothing goes unless it is asked for."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from embedded import environment
from embedded.accounts import LOGS
from embedded.services import program
from embedded.stack import Stack
from fems.errors import ServiceUnavailable
from fems.flows.platform import Platform
from fems.flows.prune import prune_quarantine

Report = Callable[[str], None]


def prune(
    stack: Stack,
    report: Report,
    *,
    quarantine_days: int | None = None,
    log_days: int | None = None,
    run_days: int | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> None:
    """Remove what is older than so many days; a kind for which none is given is left alone.

    Raw files, published tables, forecasts and models have no such number: they never go by age.

    Raises:
        ServiceUnavailable: a service did not answer, or Airflow did not clean its tables.
    """
    now = now or datetime.now(UTC)
    verb = "would go" if dry_run else "gone"
    if quarantine_days is not None:
        done = prune_quarantine(
            Platform.from_environment(), (now - timedelta(days=quarantine_days)).date(), dry_run
        )
        report(f"quarantine: {done.objects:,} objects, {done.size:,} bytes {verb}")
    if log_days is not None:
        before = now - timedelta(days=log_days)
        files = _local_logs(stack.config.task_logs, before, dry_run)
        objects = _stored_logs(stack, before, dry_run)
        report(f"task logs: {files:,} files, {objects:,} objects {verb}")
    if run_days is not None:
        _clean_runs(stack, now - timedelta(days=run_days), dry_run)
        report(f"Airflow's runs that ended before {now - timedelta(days=run_days):%Y-%m-%d}: {verb}")


def _local_logs(folder: Path, before: datetime, dry_run: bool) -> int:
    old = [path for path in folder.rglob("*.log") if path.stat().st_mtime < before.timestamp()]
    if not dry_run:
        for path in old:
            path.unlink(missing_ok=True)
        for place in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(place.iterdir()):
                place.rmdir()
    return len(old)


def _stored_logs(stack: Stack, before: datetime, dry_run: bool) -> int:
    """As MinIO's root: the account that writes logs cannot remove one."""
    from minio import Minio

    secret = stack.credentials
    client = Minio(
        f"127.0.0.1:{stack.config.minio_port}", secret.minio_user, secret.minio_password, secure=False
    )
    old = [
        item.object_name
        for item in client.list_objects(LOGS, recursive=True)
        if item.last_modified is not None and item.last_modified < before
    ]
    if not dry_run:
        for name in old:
            client.remove_object(LOGS, name)
    return len(old)


_OF_RUNS = (
    "dag_run", "task_instance", "task_instance_history", "task_reschedule", "xcom", "log", "job", "asset_event",
    "import_error", "callback", "deadline", "trigger", "task_state_store",
)  # fmt: skip


def _clean_runs(stack: Stack, before: datetime, dry_run: bool) -> None:
    """Have Airflow clean its tables of runs; a Dag's last run by its schedule stays, and so do the Dags."""
    words = ["db", "clean", "--clean-before-timestamp", before.isoformat(), "--skip-archive", "--yes"]
    words += ["--tables", ",".join(_OF_RUNS)]
    done = subprocess.run(
        [program("airflow"), *words, "--error-on-cleanup-failure", *(["--dry-run"] if dry_run else [])],
        env=environment.clean(os.environ) | stack.environment(),
        cwd=stack.config.state, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ServiceUnavailable(f"`airflow db clean` failed: {(done.stderr or done.stdout).strip()[-500:]}")
