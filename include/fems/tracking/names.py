"""How things are called in MLflow."""

EXPERIMENT = "fems-train"
DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow's pages show as a description, in Markdown."""
VIEW = "models"
"""The shared view that the experiment's page opens with."""

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases: the version that forecasts, and the newest one that does not."""


def model_name(factory_id: str) -> str:
    """Return the registered model of a factory."""
    return f"fems-{factory_id}"
