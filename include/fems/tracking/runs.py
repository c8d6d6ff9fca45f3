"""Runs: a parent a month, a child a factory, figures as they come."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fems.errors import FemsError
from fems.model import bundle as bundles
from fems.model.promotion import Verdict
from fems.model.train import TrainedFactory
from fems.tracking import artifacts, registry
from fems.tracking.registry import Registered
from fems.tracking.server import client, connect, talking

EXPERIMENT = "fems-train"
_PARENT = "mlflow.parentRunId"
_DESCRIPTION = "mlflow.note.content"
_ABOUT = (
    "Open a month, select its factories' runs, *Compare*: `month_ahead.accuracy` beside "
    "`month_ahead.weekly_naive_accuracy` and `month_ahead.profile_accuracy`, of the same held-out 42,300 minutes; "
    "`one_step.accuracy` (the study's protocol) beside `one_step.persistence_accuracy`. The tag `promotion` says which "
    "model became champion, or why not, and each run's description says it at length. MLflow's menus for language "
    "models go away with *Model training*, top left."
)
_SETTLE_S = 0.5
_LONGEST_TRAINING_S = 4 * 3600  # the task's own limit is three hours


class TrainingRun:
    """An open run; made by `training_run`."""

    def __init__(self, factory_id: str, month: str, run_id: str) -> None:
        self.factory_id = factory_id
        self.month = month
        self.run_id = run_id

    def log_epoch(self, part: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Log the figures of one epoch as they come; fits `train_factory(on_epoch=...)`.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        import mlflow

        with talking():
            mlflow.log_metrics({f"{part}.{name}": value for name, value in figures.items()}, step=epoch)

    def log_data(self, partitions: Mapping[str, Mapping[str, str]]) -> None:
        """Log which published partitions the training saw: month -> fingerprint and definition-book version.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        import mlflow

        with talking():
            mlflow.log_dict({month: dict(seen) for month, seen in partitions.items()}, "data/partitions.json")

    def register(
        self, trained: TrainedFactory, hour_table: pd.DataFrame, verdict: Verdict, now: datetime
    ) -> Registered:
        """Log what a training made, and register it as the factory's next version.

        Args:
            trained: from `train_factory`.
            hour_table: what it was trained on; its last days become the input example.
            verdict: whether it becomes champion; the reason is kept in the version's tags either way.
            now: written into the tags that tell who was champion when.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        import mlflow

        tags = {
            "factory": self.factory_id,
            "month": self.month,
            "gate": trained.month_ahead.gate,
            "trained_until": trained.month_ahead.trained_until.isoformat(),
            "holdout_origin": trained.holdout.index[0].isoformat(),
        }
        with talking(), tempfile.TemporaryDirectory() as folder:
            mlflow.log_metrics(bundles.finite(trained.metrics))
            artifacts.log_tables(trained)
            artifacts.log_figures(trained)
            logged = artifacts.log_model(trained.bundle(self.factory_id), hour_table, Path(folder))
            made = registry.register(self.factory_id, logged, self.run_id, tags, verdict, now)
            mlflow.set_tags(
                {
                    "gate": tags["gate"],
                    "model_version": made.version,
                    "promotion": f"{made.alias}: {made.reason}",
                    _DESCRIPTION: artifacts.described(trained, made),
                }
            )
            return made


@contextlib.contextmanager
def training_run(
    factory_id: str,
    month: str,
    *,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
) -> Iterator[TrainingRun]:
    """Open a factory's run under its month's in the experiment `fems-train`; what is raised within marks it FAILED.

    Args:
        factory_id: whose model.
        month: YYYY-MM that the model is trained for.
        tags: such as dag_run; runs are found again by them.
        params: what the training was asked to do.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    parent = month_run(month)
    mlflow = connect()
    with talking():
        experiment = mlflow.set_experiment(EXPERIMENT).experiment_id
        _close_abandoned(client(), experiment, factory_id, (tags or {}).get("dag_run"))
        run = mlflow.start_run(
            run_name=f"{factory_id}|{month}",
            tags={
                _PARENT: parent,
                "level": "factory",
                "factory": factory_id,
                "month": month,
                "protocols": "one-step, month-ahead",
                **(tags or {}),
            },
        )
    status = "FAILED"
    try:
        with talking():
            mlflow.log_params(dict(params or {}))
        yield TrainingRun(factory_id, month, run.info.run_id)
        status = "FINISHED"
    finally:
        # What was raised within says more than a server that is gone by now.
        with contextlib.nullcontext() if status == "FINISHED" else contextlib.suppress(FemsError), talking():
            mlflow.end_run(status)


def _close_abandoned(talk: Any, experiment: str, factory_id: str, dag_run: str | None) -> None:
    """Mark as FAILED the factory's runs that nobody will end: MLflow, or the training itself, died within them.

    Those are the runs of an earlier try of the same task, and all that began longer ago than a training may last.
    """
    running = talk.search_runs(
        [experiment], f"attributes.status = 'RUNNING' and tags.factory = '{factory_id}'"
    )
    oldest_ms = 1000 * (time.time() - _LONGEST_TRAINING_S)
    for run in running:
        earlier_try = dag_run is not None and run.data.tags.get("dag_run") == dag_run
        if earlier_try or run.info.start_time < oldest_ms:
            talk.set_tag(run.info.run_id, "abandoned", "its training ended without a word")
            talk.set_terminated(run.info.run_id, "FAILED")


def month_run(month: str) -> str:
    """Find or make the run that a month's factories stand under, and return its ID.

    Factories train in tasks of their own, and two may start at once; MLflow cannot make a run only if there is none.
    So each looks again after it made one, and all but the oldest are taken back.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    mlflow = connect()
    with talking():
        talk = client()
        experiment = mlflow.set_experiment(EXPERIMENT).experiment_id
        found = _parents(talk, experiment, month)
        if not found:
            talk.set_experiment_tag(experiment, _DESCRIPTION, _ABOUT)
            made = talk.create_run(
                experiment, run_name=month, tags={"level": "month", "month": month}
            ).info.run_id
            time.sleep(_SETTLE_S)
            found = _parents(talk, experiment, month) or [made]
            if found[0] != made:
                talk.delete_run(made)
            else:
                talk.set_terminated(made)
        return found[0]


def _parents(talk: Any, experiment: str, month: str) -> list[str]:
    """IDs of the runs of a month, oldest first."""
    runs = talk.search_runs([experiment], f"tags.level = 'month' and tags.month = '{month}'")
    return [r.info.run_id for r in sorted(runs, key=lambda r: (r.info.start_time, r.info.run_id))]
