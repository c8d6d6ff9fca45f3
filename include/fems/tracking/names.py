"""How models are called in MLflow's registry."""

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases: the version that forecasts, and the newest one that does not."""


def model_name(factory_id: str) -> str:
    """Return the registered model of a factory."""
    return f"fems-{factory_id}"
