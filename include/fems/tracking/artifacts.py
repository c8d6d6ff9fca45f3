"""What a run holds besides its metrics: a description, its dataset, pictures, the backtest as a table, the model."""

import contextlib
import logging
import re
import shutil
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from fems.contracts.horizon import HORIZON_MINUTES
from fems.contracts.model_manifest import ModelManifest
from fems.model import bundle as bundles
from fems.model import source
from fems.model.bundle import Bundle
from fems.model.history import MEASURED
from fems.model.train import TrainedFactory

EXAMPLE_DAYS = 15
_NEEDED_TO_SERVE = (
    "mlflow",
    "numpy",
    "pandas",
    "holidays",
    "statsmodels",
)
_COLUMNS = {
    "accuracy": "accuracy, %",
    "rmse_scaled": "RMSE scaled",
    "mae": "MAE, kWh",
    "r2": "R2",
    "total_error_pct": "total error, %",
}


def description(trained: TrainedFactory, alias: str, reason: str) -> str:
    """Describe a version in Markdown: what became of it and why, and its scores; MLflow shows it on top of a page."""
    held, one_step = trained.holdout, trained.one_step.metrics
    methods = pd.DataFrame(trained.scored).T.sort_values("accuracy", ascending=False)
    weighed_by = (
        f"the LSTM has {trained.month_ahead.trust:.0%} of the weight among the experts"
        if trained.month_ahead.gate == "network"
        else "the LSTM erred more than the cross-validated prior in validation, so the prior weighs the experts"
    )
    return "\n".join(
        [
            f"**{alias}.** {reason}.",
            "",
            f"**month-ahead**, held out: {len(held)} hours from {held.index[0]:%Y-%m-%d %H:%M}; "
            f"{trained.metrics['month_ahead.coverage_80']:.0%} of them in the 80 % band. Here {weighed_by}.",
            "",
            methods[list(_COLUMNS)].rename(columns=_COLUMNS).round(3).to_markdown(),
            "",
            f"**one-step**, the study's protocol: {one_step['accuracy']:.2f} %, "
            f"persistence {one_step['persistence_accuracy']:.2f} %.",
        ]
    )


def log_dataset(factory_id: str, hour_table: pd.DataFrame, fingerprint: str) -> None:
    """Log the hour table as the run's dataset: its columns, its size and its fingerprint, not its rows."""
    import mlflow

    logging.getLogger("mlflow.data").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of integer columns that could have gaps
        dataset = mlflow.data.from_pandas(
            hour_table,
            source=f"processed/meter/grain=hour/factory={factory_id}/",
            targets="used_kwh",
            name=f"{factory_id} hours",
            digest=fingerprint,
        )
        mlflow.log_input(dataset, context="training")


def log_tables(trained: TrainedFactory) -> None:
    """Log the backtest: a row a method, and the held-out window hour by hour."""
    import mlflow

    methods = pd.DataFrame(trained.scored).T.rename_axis("method").reset_index()
    mlflow.log_table(methods, "backtest.json")
    held = trained.holdout.reset_index()
    mlflow.log_text(held.to_csv(index=False), "holdout.csv")


def log_figures(trained: TrainedFactory) -> None:
    """Draw the learning curve, and the forecast of the held-out window against the truth."""
    import mlflow
    from matplotlib.figure import Figure

    curves = Figure(figsize=(6, 3.5), layout="constrained")
    for part, curve in trained.curves.items():
        axes = curves.subplots()
        for name in ("loss", "val_loss"):
            axes.plot(range(1, len(curve) + 1), [row.get(name, float("nan")) for row in curve], label=name)
        axes.set(
            title=f"{part.replace('_', ' ')}: learning curve", xlabel="epoch", ylabel="MSE, min-max scaled"
        )
        axes.legend()
    mlflow.log_figure(curves, "figures/learning_curve.png")

    held = trained.holdout
    forecast = Figure(figsize=(12, 4), layout="constrained")
    axes = forecast.subplots()
    axes.fill_between(held.index, held["p10_kwh"], held["p90_kwh"], alpha=0.2, label="80 % band")
    for name in ("truth", "month_ahead", "weekly_naive"):
        axes.plot(held.index, held[name], label=name.replace("_", " "), linewidth=0.9)
    axes.set(title="Held-out window, month-ahead: forecast against truth", ylabel="kWh an hour")
    axes.legend()
    mlflow.log_figure(forecast, "figures/month_ahead_holdout.png")


def log_model(made: Bundle, hour_table: pd.DataFrame, folder: Path) -> tuple[Any, ModelManifest]:
    """Log a bundle as a model from code, with signature, input example and pinned requirements; no pickle.

    Args:
        made: the bundle.
        hour_table: its last days become the input example.
        folder: scratch.

    Returns:
        MLflow's ModelInfo, and the manifest of the bundle.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    manifest = bundles.save(made, folder / "bundle")
    outputs = [ColSpec("string", name) for name in ("timestamp", "factory_id", "sensor_id")]
    outputs.append(ColSpec("double", "used_kwh"))
    inputs = [*outputs, *(ColSpec("double", name, required=False) for name in MEASURED[1:])]
    logged = mlflow.pyfunc.log_model(
        name=_logged_name(made.factory_id),
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"bundle": str(folder / "bundle")},
        code_paths=[str(_code(folder))],
        signature=ModelSignature(
            Schema(inputs),
            Schema(outputs),
            ParamSchema([ParamSpec("horizon_minutes", "long", HORIZON_MINUTES)]),
        ),
        input_example=_example(hour_table),
        pip_requirements=_requirements(),
    )
    return logged, manifest


def _logged_name(factory_id: str) -> str:
    """Return the logged model's name: factory and protocol, without what MLflow takes in no name."""
    return f"{re.sub(r'[^0-9A-Za-z_-]', '-', factory_id)}-month-ahead"


def as_text(hour_table: pd.DataFrame) -> pd.DataFrame:
    """Return an hour table as a caller over HTTP sends it: times as ISO 8601 text with their offset."""
    kept = ["timestamp", "factory_id", "sensor_id", *(name for name in MEASURED if name in hour_table)]
    text = {name: hour_table[name].astype(str) for name in ("factory_id", "sensor_id")}
    text["timestamp"] = hour_table["timestamp"].map(pd.Timestamp.isoformat)
    return hour_table[kept].assign(**text).reset_index(drop=True)


def _code(folder: Path) -> Path:
    """Put together the part of this package that serving needs: the model's code."""
    target = folder / "fems"
    for name, file in source.source_files().items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return target


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
