"""The only module that talks to MLflow: runs, figures, the registry and its champions."""

import contextlib
import logging
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

import fems
from fems.errors import NoModel, ServiceUnavailable
from fems.model import bundle as bundles
from fems.model.bundle import Bundle
from fems.model.history import MEASURED
from fems.model.train import TrainedFactory
from fems.settings import settings

EXPERIMENT = "fems-train"
CHAMPION, CHALLENGER = "champion", "challenger"

EXAMPLE_DAYS = 15
_NEEDED_TO_SERVE = ("mlflow", "tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "holidays")
_HEALTH_TIMEOUT_S = 5


@dataclass(frozen=True)
class Registered:
    """A new version in the registry: its alias ("" for none), and why it has it."""

    model: str
    version: str
    alias: str
    reason: str
    run_id: str


@dataclass(frozen=True)
class Champion:
    """The model that forecasts for a factory, with the metrics and tags it was registered with."""

    bundle: Bundle
    version: str
    run_id: str
    metrics: dict[str, float]
    tags: dict[str, str]


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

        with _talking():
            mlflow.log_metrics({f"{part}.{name}": value for name, value in figures.items()}, step=epoch)

    def register(self, trained: TrainedFactory, hour_table: pd.DataFrame, now: datetime) -> Registered:
        """Log what a training made, and register it as the factory's next version.

        A model that is not worse than weekly naive on its held-out window becomes champion. A worse one
        becomes challenger, unless there is no champion yet: then it forecasts all the same, and its tag
        says why.

        Args:
            trained: from `train_factory`.
            hour_table: what it was trained on; its last days become the input example.
            now: written into the tags that tell who was champion when.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        import mlflow

        made = trained.bundle(self.factory_id)
        with _talking(), tempfile.TemporaryDirectory() as folder:
            mlflow.log_metrics(bundles.finite(trained.metrics))
            _log_figures(trained)
            logged = _log_model(made, hour_table, Path(folder))
            return self._version(trained, logged, now)

    def _version(self, trained: TrainedFactory, logged: Any, now: datetime) -> Registered:
        client, name = _client(), model_name(self.factory_id)
        ours, naive = (trained.metrics[f"month_ahead.{key}"] for key in ("accuracy", "weekly_naive_accuracy"))
        before = _champion_version(client, name)
        good = ours >= naive
        alias = CHAMPION if good or before is None else CHALLENGER
        reason = f"accuracy {ours:.2f} against weekly naive {naive:.2f}"
        if not good and before is None:
            reason += ", worse, but the first model of this factory"
        tags = {
            "factory": self.factory_id,
            "month": self.month,
            "gate": trained.month_ahead.gate,
            "trained_until": trained.month_ahead.trained_until.isoformat(),
            "promotion": f"{alias}: {reason}",
        }
        if alias == CHAMPION:
            tags["champion_since"] = now.isoformat()
        _ensure_model(client, name, self.factory_id)
        version = client.create_model_version(
            name, logged.artifact_path, self.run_id, tags=tags, model_id=logged.model_id
        ).version
        client.set_registered_model_alias(name, alias, version)
        if alias == CHAMPION and before is not None:
            client.set_model_version_tag(name, before.version, "champion_until", now.isoformat())
        return Registered(name, str(version), alias, reason, self.run_id)


@contextlib.contextmanager
def training_run(
    factory_id: str,
    month: str,
    *,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
) -> Iterator[TrainingRun]:
    """Open a run in the experiment `fems-train`; what is raised within marks it FAILED.

    Args:
        factory_id: whose model.
        month: YYYY-MM that the model is trained for.
        tags: such as dag_run; runs are found again by them.
        params: what the training was asked to do.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    mlflow = _mlflow()
    with _talking():
        mlflow.set_experiment(EXPERIMENT)
        run = mlflow.start_run(
            run_name=f"{factory_id}|{month}",
            tags={
                "factory": factory_id,
                "month": month,
                "protocols": "one-step, month-ahead",
                **(tags or {}),
            },
        )
    status = "FAILED"
    try:
        with _talking():
            mlflow.log_params(dict(params or {}))
        yield TrainingRun(factory_id, month, run.info.run_id)
        status = "FINISHED"
    finally:
        with _talking():
            mlflow.end_run(status)


def load_champion(factory_id: str, threads: int = 1) -> Champion:
    """Fetch the model that forecasts for a factory.

    Raises:
        NoModel: none is registered, or none is champion.
        ServiceUnavailable: MLflow does not answer.
        DataError: what is registered is no bundle that this code can read.
    """
    mlflow = _mlflow()
    with _talking(), tempfile.TemporaryDirectory() as folder:
        version = _required_champion(factory_id)
        local = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{version.name}/{version.version}", dst_path=folder
        )
        found = bundles.load(Path(local) / "artifacts" / "bundle", threads)
        return Champion(found, str(version.version), version.run_id, dict(found.metrics), dict(version.tags))


def has_champion(factory_id: str) -> bool:
    """Tell whether a factory has a model that forecasts for it.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    _mlflow()
    with _talking():
        return _champion_version(_client(), model_name(factory_id)) is not None


def champion_metrics(factory_id: str) -> tuple[str, dict[str, float]]:
    """Return the champion's version and the metrics that its run logged.

    Raises:
        NoModel: the factory has no champion.
        ServiceUnavailable: MLflow does not answer.
    """
    _mlflow()
    with _talking():
        version = _required_champion(factory_id)
        return str(version.version), dict(_client().get_run(version.run_id).data.metrics)


def model_name(factory_id: str) -> str:
    """Return the registered model of a factory."""
    return f"fems-{factory_id}"


def _mlflow() -> Any:
    """Import MLflow, quiet and impatient, and point it at the server of the settings."""
    uri = settings().mlflow_uri
    _reach(uri)
    for name, value in {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    return mlflow


def _client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient(settings().mlflow_uri)


def _reach(uri: str) -> None:
    """Ask for the server's health before its client, which takes minutes to give up."""
    if not uri.startswith(("http://", "https://")):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_HEALTH_TIMEOUT_S):  # noqa: S310 - http, see above
            return
    except (urllib.error.URLError, OSError) as error:
        raise ServiceUnavailable(f"MLflow at {uri} does not answer: {error}") from error


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """Turn what MLflow raises when its server fails into an error that is worth a retry."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        code = getattr(error, "error_code", "INTERNAL_ERROR")
        if code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"):
            raise ServiceUnavailable(f"MLflow at {settings().mlflow_uri}: {error}") from error
        raise


def _champion_version(client: Any, name: str) -> Any:
    """Return the champion's version, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        # A model without that alias is answered with INVALID_PARAMETER_VALUE.
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _required_champion(factory_id: str) -> Any:
    version = _champion_version(_client(), model_name(factory_id))
    if version is None:
        raise NoModel(f"factory {factory_id} has no champion in MLflow; train it first")
    return version


def _ensure_model(client: Any, name: str, factory_id: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, tags={"factory": factory_id})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _log_model(made: Bundle, hour_table: pd.DataFrame, folder: Path) -> Any:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    bundles.save(made, folder / "bundle")
    outputs = [ColSpec("string", name) for name in ("timestamp", "factory_id", "sensor_id")]
    outputs.append(ColSpec("double", "used_kwh"))
    inputs = [*outputs, *(ColSpec("double", name, required=False) for name in MEASURED[1:])]
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(bundles.__file__).with_name("pyfunc.py")),
        artifacts={"bundle": str(folder / "bundle")},
        code_paths=[str(_code(folder))],
        signature=ModelSignature(
            Schema(inputs), Schema(outputs), ParamSchema([ParamSpec("horizon_minutes", "long", 42_300)])
        ),
        input_example=_example(hour_table),
        pip_requirements=_requirements(),
    )


def _code(folder: Path) -> Path:
    """Put together the part of this package that serving needs."""
    source, target = Path(fems.__file__).parent, folder / "fems"
    target.mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(source / name, target / name)
    shutil.copytree(source / "model", target / "model", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def as_text(hour_table: pd.DataFrame) -> pd.DataFrame:
    """Return an hour table as a caller over HTTP sends it: times as ISO 8601 text with their offset."""
    kept = ["timestamp", "factory_id", "sensor_id", *(name for name in MEASURED if name in hour_table)]
    text = {name: hour_table[name].astype(str) for name in ("factory_id", "sensor_id")}
    text["timestamp"] = hour_table["timestamp"].map(pd.Timestamp.isoformat)
    return hour_table[kept].assign(**text).reset_index(drop=True)


def _example(hour_table: pd.DataFrame) -> pd.DataFrame:
    times = hour_table["timestamp"]
    return as_text(hour_table[times > times.max() - pd.Timedelta(days=EXAMPLE_DAYS)])


def _requirements() -> list[str]:
    """Pin what serving needs to what is installed; MLflow would start the model again to find out."""
    pins = []
    for name in _NEEDED_TO_SERVE:
        with contextlib.suppress(metadata.PackageNotFoundError):
            pins.append(f"{name}=={metadata.version(name)}")
    return pins


def _log_figures(trained: TrainedFactory) -> None:
    import mlflow
    from matplotlib.figure import Figure

    curves = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, (part, curve) in zip(curves.subplots(1, 2), trained.curves.items(), strict=True):
        for name in ("loss", "val_loss"):
            axes.plot(range(1, len(curve) + 1), [row.get(name) for row in curve], label=name)
        axes.set(
            title=f"{part.replace('_', ' ')}: learning curve", xlabel="epoch", ylabel="MSE, min-max scaled"
        )
        axes.legend()
    mlflow.log_figure(curves, "figures/learning_curves.png")

    held = trained.holdout
    forecast = Figure(figsize=(12, 4), layout="constrained")
    axes = forecast.subplots()
    axes.fill_between(held.index, held["p10_kwh"], held["p90_kwh"], alpha=0.2, label="80 % band")
    for name in ("truth", "lstm", "weekly_naive"):
        axes.plot(held.index, held[name], label=name.replace("_", " "), linewidth=0.9)
    axes.set(title="Held-out window, month-ahead: forecast against truth", ylabel="kWh an hour")
    axes.legend()
    mlflow.log_figure(forecast, "figures/month_ahead_holdout.png")
