"""All that talks to MLflow: runs with their figures, and the registry with its champions.

server: reaching MLflow, and what its failures mean. runs: a parent run a month, a child run a factory. artifacts: what
a run holds. registry: versions, aliases, promotions.
"""

from fems.tracking.artifacts import as_text
from fems.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    Champion,
    Registered,
    champion_metrics,
    find_champion,
    has_champion,
    load_champion,
    model_name,
    promote,
    rollback,
)
from fems.tracking.runs import EXPERIMENT, TrainingRun, month_run, training_run

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "EXPERIMENT",
    "Champion",
    "Registered",
    "TrainingRun",
    "as_text",
    "champion_metrics",
    "find_champion",
    "has_champion",
    "load_champion",
    "model_name",
    "month_run",
    "promote",
    "rollback",
    "training_run",
]
