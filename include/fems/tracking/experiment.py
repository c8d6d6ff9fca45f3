"""The experiment of all trainings: what its page says, and a view in which the models stand with their figures."""

import json
from typing import TYPE_CHECKING

from fems.tracking.names import DESCRIPTION, EXPERIMENT, VIEW
from fems.tracking.server import despite_races

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEADLINES = {
    "accuracy": "month_ahead.accuracy",
    "accuracy.weekly_naive": "month_ahead.weekly_naive_accuracy",
    "accuracy.profile": "month_ahead.profile_accuracy",
    "accuracy.one_step": "one_step.accuracy",
}
"""What MLflow's lists and comparisons open with, since they sort by name -> the figure. Of the protocol month-ahead but
for the last."""

_ABOUT = (
    "A run a month holds the mean of its factories; below it stands a run a factory. Select factories' runs and "
    "*Compare*: `accuracy` (protocol month-ahead, in %) stands first, then `accuracy.weekly_naive` and "
    "`accuracy.profile`, of the same held-out 42,300 minutes; `accuracy.one_step` is the study's protocol. The tag "
    "`promotion` holds which model became champion, or why not, and each run's description tells it at length. "
    "MLflow's menus for language models go away with *Model training*, top left."
)
_COLUMNS = [
    *(f"metrics.`{name}`" for name in HEADLINES),
    *(f"tags.`{name}`" for name in ("factory", "simulated", "promotion")),
]
_VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
_VIEW = json.dumps(
    {
        "searchFilter": "tags.level = 'factory'",
        "orderByKey": "tags.`month`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": _COLUMNS,
    }
)
"""What MLflow's page keeps of a shared view: the factories' runs, newest month first, with their figures.

Its own order, by time, would show the months alone, and no figure.
"""


def experiment_id(client: "MlflowClient") -> str:
    """Find or make the experiment; described as it is made: no second write that two trainings could race for."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            tags = {DESCRIPTION: _ABOUT, _VIEW_TAG: _VIEW}
            return str(client.create_experiment(EXPERIMENT, tags=tags))
        except MlflowException:
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
    made = str(found.experiment_id)
    if found.tags.get(_VIEW_TAG) != _VIEW:  # another version made it
        despite_races(lambda: client.set_experiment_tag(made, _VIEW_TAG, _VIEW))
    return made
