"""All that talks to MLflow: runs with their figures, and the registry with its champions.

tracking: what the flows hold. server: reaching MLflow, and what its failures mean. runs: a parent run a month, a child
run a factory. artifacts: what a run holds. registry: versions, aliases, promotions.
"""

from fems.tracking.artifacts import as_text
from fems.tracking.registry import CHALLENGER, CHAMPION, Champion, Registered, model_name
from fems.tracking.runs import EXPERIMENT, TrainingRun
from fems.tracking.server import Server
from fems.tracking.tracking import Tracking

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "EXPERIMENT",
    "Champion",
    "Registered",
    "Server",
    "Tracking",
    "TrainingRun",
    "as_text",
    "model_name",
]
