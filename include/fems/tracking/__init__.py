"""All that talks to MLflow: runs with their figures, and the registry with its champions.

tracking: what the flows hold. server: reaching MLflow, and what its failures mean. runs: a parent run a month, a child
run a factory. artifacts: what a run holds. registry: versions, aliases, promotions.

names: how models are called. rest: what a reading command asks, without MLflow's client. A name of this package is
imported when it is first used: `fems status` needs none of what a training does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from fems.tracking.names import CHALLENGER, CHAMPION, EXPERIMENT, model_name

if TYPE_CHECKING:
    from fems.tracking.artifacts import as_text
    from fems.tracking.registry import Champion, Registered
    from fems.tracking.runs import TrainingRun
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

_HOMES = {
    "Champion": "registry",
    "Registered": "registry",
    "Server": "server",
    "Tracking": "tracking",
    "TrainingRun": "runs",
    "as_text": "artifacts",
}


def __getattr__(name: str) -> object:
    """Import a name of this package when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
