"""A note on each run of ingest that says where the quality evaluation is; Airflow's scheduler calls this."""

from typing import Any

from airflow.listeners import hookimpl

from fems_airflow.links import QUALITY_PATH, address


def _note(dag_run: Any) -> None:
    if dag_run.dag_id == "ingest" and not dag_run.note:
        dag_run.note = f"[Quality evaluation]({address(QUALITY_PATH)})"


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Leave the note."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Leave the note."""
    _note(dag_run)
