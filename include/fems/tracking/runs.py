"""Runs: a parent a month with the mean of its factories, a child a factory with its figures as they come."""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fems.errors import FemsError
from fems.lake.lake import Lake
from fems.model import bundle as bundles
from fems.model.promotion import Decision
from fems.model.train import TrainedFactory
from fems.tracking import artifacts
from fems.tracking.experiment import HEADLINES, experiment_id
from fems.tracking.names import DESCRIPTION
from fems.tracking.registry import Registered, Registry
from fems.tracking.server import Server, despite_races

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PARENT = "mlflow.parentRunId"
_PROCESS = "process"
_SETTLE_S = 0.5
_LOOKS = 10
"""How often an open run of a month is looked at, each after `_SETTLE_S`, until it is taken for its maker's last act."""
_LONGEST = timedelta(hours=4)
"""A task is stopped after three hours; a run of another machine that is older has no process any more."""


class TrainingRun:
    """An open run; made by `training_run`."""

    def __init__(
        self, server: Server, lake: Lake, factory_id: str, month: str, run_id: str, parent_id: str
    ) -> None:
        self._server, self._lake = server, lake
        self.factory_id = factory_id
        self.month = month
        self.run_id = run_id
        self.parent_id = parent_id

    def log_epoch(self, part: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Log the figures of one epoch as they come; fits `train_factory(on_epoch=...)`.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        import mlflow

        with self._server.errors():
            mlflow.log_metrics({f"{part}.{name}": value for name, value in figures.items()}, step=epoch)

    def log_data(
        self, hour_table: pd.DataFrame, partitions: Mapping[str, Mapping[str, str]], fingerprint: str
    ) -> None:
        """Log which published partitions the training saw, and the hour table as the run's dataset.

        Args:
            hour_table: what is trained on.
            partitions: month -> fingerprint and definition-book version.
            fingerprint: of all of them; the dataset's digest.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        import mlflow

        with self._server.errors():
            mlflow.log_dict({month: dict(seen) for month, seen in partitions.items()}, "data/partitions.json")
            artifacts.log_dataset(self.factory_id, hour_table, fingerprint)

    def register(
        self, trained: TrainedFactory, hour_table: pd.DataFrame, decision: Decision, now: datetime
    ) -> Registered:
        """Log what a training made, and register it as the factory's next version.

        The manifest of its bundle is in the lake before the version is.

        Args:
            trained: from `train_factory`.
            hour_table: what it was trained on; its last days become the input example.
            decision: whether it becomes champion; the reason is kept in the version's tags either way.
            now: written into the tags that tell who was champion when.

        Raises:
            ServiceUnavailable: MLflow or the lake does not answer.
        """
        import mlflow

        tags = {
            "factory": self.factory_id,
            "month": self.month,
            "protocol": "month-ahead",
            "gate": trained.month_ahead.gate,
            "trained_until": trained.month_ahead.trained_until.isoformat(),
            "holdout_origin": trained.holdout.index[0].isoformat(),
        }
        with self._server.errors(), tempfile.TemporaryDirectory() as folder:
            metrics = bundles.finite(trained.metrics)
            headlines = {name: metrics[of] for name, of in HEADLINES.items() if of in metrics}
            mlflow.log_metrics(metrics | headlines)
            mlflow.log_params(trained.parameters)
            artifacts.log_tables(trained)
            artifacts.log_figures(trained)
            logged, manifest = artifacts.log_model(trained.bundle(self.factory_id), hour_table, Path(folder))
            self._lake.write_model_manifest(self.factory_id, self.run_id, manifest)
            alias = "champion" if decision.promoted else "challenger"
            description = artifacts.description(trained, alias, decision.reason)
            made = Registry(self._server, self._lake).register(
                self.factory_id, logged, self.run_id, tags, decision, description, now
            )
            mlflow.set_tags(
                {
                    "gate": tags["gate"],
                    "model_version": made.version,
                    "promotion": f"{made.alias}: {made.reason}",
                    DESCRIPTION: f"Version {made.version} of {made.model}. {description}",
                }
            )
            _log_mean(self._server.client(), self.parent_id)
            return made


@contextlib.contextmanager
def training_run(
    server: Server,
    lake: Lake,
    factory_id: str,
    month: str,
    *,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, str | int | float] | None = None,
) -> Iterator[TrainingRun]:
    """Open a factory's run under its month's in the experiment `fems-train`; what is raised within marks it FAILED.

    A run of the same factory that still is RUNNING though its process is gone is closed first.

    Args:
        server: MLflow.
        lake: gets the manifest of what is registered.
        factory_id: whose model.
        month: YYYY-MM that the model is trained for.
        tags: such as dag_run; runs are looked up by them.
        params: what the training was asked to do.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    parent = month_run(server, month)
    mlflow = server.connect()
    with server.errors():
        experiment = experiment_id(server.client())
        _close_abandoned(server.client(), experiment, factory_id, (tags or {}).get("dag_run"))
        run = mlflow.start_run(
            experiment_id=experiment,
            run_name=f"{factory_id}|{month}",
            tags={
                _PARENT: parent,
                _PROCESS: _this_process(),
                "level": "factory",
                "factory": factory_id,
                "month": month,
                "protocols": "one-step, month-ahead",
                **(tags or {}),
            },
        )
    status = "FAILED"
    try:
        with server.errors():
            mlflow.log_params(dict(params or {}))
        yield TrainingRun(server, lake, factory_id, month, run.info.run_id, parent)
        status = "FINISHED"
    finally:
        # What was raised within tells more than a server that is gone by now.
        lenient = contextlib.nullcontext() if status == "FINISHED" else contextlib.suppress(FemsError)
        with lenient, server.errors():
            mlflow.end_run(status)


def month_run(server: Server, month: str) -> str:
    """Find or make the run that a month's factories stand under, and return its ID.

    Factories train in tasks of their own, and two may start at once; MLflow cannot make a run only if there is none.
    So a run that was just made is open, and whoever made it looks again after a while: a closed one counts before it,
    an older one too, and then it is taken back; else it is closed, and stays. A request that took long comes too late
    to change what others have read.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    server.connect()
    with server.errors():
        client, made = server.client(), None
        experiment = experiment_id(client)
        parents = _parents(client, experiment, month)
        if not parents:
            tags = {"level": "month", "month": month, DESCRIPTION: "The mean of the factories below."}
            made = client.create_run(experiment, run_name=month, tags=tags).info.run_id
        for _ in range(_LOOKS):
            if parents and parents[0][1]:
                break
            time.sleep(_SETTLE_S)
            parents = _parents(client, experiment, month) or ([(made, False)] if made else [])
            if not parents or parents[0][0] == made:
                break
        if not parents:  # whoever made it took it back
            return month_run(server, month)
        chosen, closed = parents[0]
        if made and made != chosen:
            client.delete_run(made)
        if not closed:
            client.set_terminated(chosen)  # it is this one's, or whoever made it is gone
        return chosen


def _parents(client: "MlflowClient", experiment: str, month: str) -> list[tuple[str, bool]]:
    """IDs of the runs of a month, and whether each is closed; closed ones first, then the oldest."""
    runs = client.search_runs([experiment], f"tags.level = 'month' and tags.month = '{month}'")
    ended = {run.info.run_id: run.info.status == "FINISHED" for run in runs}
    runs = sorted(runs, key=lambda r: (not ended[r.info.run_id], r.info.start_time, r.info.run_id))
    return [(run.info.run_id, ended[run.info.run_id]) for run in runs]


def _log_mean(client: "MlflowClient", parent: str) -> None:
    """Log the mean of a month's factories, each by its newest finished or running model, on the month's run."""
    experiment = client.get_run(parent).info.experiment_id
    runs = client.search_runs(
        [experiment], f"tags.`{_PARENT}` = '{parent}'", order_by=["attributes.start_time DESC"]
    )
    newest: dict[str, Run] = {}
    for run in runs:
        if "accuracy" in run.data.metrics:
            newest.setdefault(run.data.tags["factory"], run)
    for name in HEADLINES:
        values = [run.data.metrics[name] for run in newest.values() if name in run.data.metrics]
        if values:
            _log_despite_races(client, parent, name, sum(values) / len(values))
    _log_despite_races(client, parent, "factories", float(len(newest)))


def _log_despite_races(client: "MlflowClient", run_id: str, name: str, value: float) -> None:
    despite_races(lambda: client.log_metric(run_id, name, value))


def _close_abandoned(client: "MlflowClient", experiment: str, factory_id: str, dag_run: str | None) -> None:
    """Mark a factory's runs as FAILED that nobody will end: MLflow, or the training itself, died within them.

    Those are the runs of an earlier try of the same task, and those whose process is gone.
    """
    runs = client.search_runs(
        [experiment], f"tags.factory = '{factory_id}' and attributes.status = 'RUNNING'"
    )
    for run in runs:
        started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
        earlier_try = dag_run is not None and run.data.tags.get("dag_run") == dag_run
        if earlier_try or _is_gone(run.data.tags.get(_PROCESS, ""), started):
            client.set_tag(run.info.run_id, "abandoned", "its training ended without a word")
            client.set_terminated(run.info.run_id, "FAILED")


def _this_process() -> str:
    """Return host, process and the second it was started in, which together are not given twice."""
    import psutil  # type: ignore[import-untyped]

    return f"{socket.gethostname()}/{os.getpid()}/{int(psutil.Process().create_time())}"


def _is_gone(process: str, started: datetime) -> bool:
    """Tell whether a run's process is over; of another machine's only its age tells."""
    import psutil

    host, _, rest = process.partition("/")
    pid, _, created = rest.partition("/")
    if host == socket.gethostname() and pid.isdigit():
        try:
            return str(int(psutil.Process(int(pid)).create_time())) != created
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
    return datetime.now(UTC) - started > _LONGEST
