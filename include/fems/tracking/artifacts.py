"""What a run holds beside its metrics: its story in words, pictures, the backtest as a table, the model."""

import contextlib
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

import fems
from fems.model import bundle as bundles
from fems.model.bundle import Bundle
from fems.model.history import MEASURED
from fems.model.train import TrainedFactory
from fems.tracking.registry import Registered

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


def described(trained: TrainedFactory, made: Registered) -> str:
    """Tell in Markdown what became of a model and why; MLflow shows it on top of the run's page."""
    held, one_step = trained.holdout, trained.one_step.metrics
    methods = pd.DataFrame(trained.scored).T.sort_values("accuracy", ascending=False)
    weighed_by = (
        f"the LSTM has {trained.month_ahead.trust:.0%} of the say in the experts' weights"
        if trained.month_ahead.gate == "network"
        else "the LSTM earned nothing in validation, so the cross-validated prior weighs the experts"
    )
    return "\n".join(
        [
            f"**Version {made.version}: {made.alias}.** {made.reason}.",
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


def log_tables(trained: TrainedFactory) -> None:
    """Log the backtest: a row a method, and the held-out window hour by hour."""
    import mlflow

    methods = pd.DataFrame(trained.scored).T.rename_axis("method").reset_index()
    mlflow.log_table(methods, "backtest.json")
    held = trained.holdout.reset_index()
    mlflow.log_text(held.to_csv(index=False), "holdout.csv")


def log_figures(trained: TrainedFactory) -> None:
    """Draw the learning curves, and the forecast of the held-out window against the truth."""
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


def log_model(made: Bundle, hour_table: pd.DataFrame, folder: Path) -> Any:
    """Log a bundle as a model from code, with signature, input example and pinned requirements; no pickle.

    Args:
        made: the bundle.
        hour_table: its last days become the input example.
        folder: scratch.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    bundles.save(made, folder / "bundle")
    outputs = [ColSpec("string", name) for name in ("timestamp", "factory_id", "sensor_id")]
    outputs.append(ColSpec("double", "used_kwh"))
    inputs = [*outputs, *(ColSpec("double", name, required=False) for name in MEASURED[1:])]
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"bundle": str(folder / "bundle")},
        code_paths=[str(_code(folder))],
        signature=ModelSignature(
            Schema(inputs), Schema(outputs), ParamSchema([ParamSpec("horizon_minutes", "long", 42_300)])
        ),
        input_example=_example(hour_table),
        pip_requirements=_requirements(),
    )


def as_text(hour_table: pd.DataFrame) -> pd.DataFrame:
    """Return an hour table as a caller over HTTP sends it: times as ISO 8601 text with their offset."""
    kept = ["timestamp", "factory_id", "sensor_id", *(name for name in MEASURED if name in hour_table)]
    text = {name: hour_table[name].astype(str) for name in ("factory_id", "sensor_id")}
    text["timestamp"] = hour_table["timestamp"].map(pd.Timestamp.isoformat)
    return hour_table[kept].assign(**text).reset_index(drop=True)


def _code(folder: Path) -> Path:
    """Put together the part of this package that serving needs."""
    source, target = Path(fems.__file__).parent, folder / "fems"
    target.mkdir()
    for name in ("__init__.py", "errors.py", "calendar.py"):
        shutil.copy(source / name, target / name)
    shutil.copytree(source / "model", target / "model", ignore=shutil.ignore_patterns("__pycache__"))
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
