"""The form that a person sees when starting a Dag by hand."""

import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from fems.errors import ConfigError
from fems.registry.plant import load_plant
from fems.settings import settings


def factories_param() -> Param:
    """Return a choice of the registered factories; none chosen means all of them.

    The registry is read as the Dag file is, so a wrong factories.yaml shows as that file's import error, with its line.
    """
    known = list(load_plant(settings().factories_file).factories)
    return Param(
        None,
        type=["null", "array"],  # without "null" the form marks it as required
        items={"type": "string", "enum": known},
        examples=known,
        title="Factories",
        description="None chosen means all of factories.yaml.",
    )


def month_param() -> Param:
    """Return an optional month."""
    return Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{4}-(0[1-9]|1[0-2])$",
        title="Month",
        description="YYYY-MM. Empty means the month after each factory's published data.",
    )


def accept_param() -> Param:
    """Return whether a person accepts that a month loses something."""
    return Param(
        False,
        type="boolean",
        title="Accept a poorer month",
        description="Publish also a month that has less than the published one (sensors, days, values), "
        "and take back one whose raw objects are gone. Look at the failed task's message first.",
    )


def everything_param() -> Param:
    """Return whether everything is listed, and not only what can have changed."""
    return Param(
        False,
        type="boolean",
        title="List everything",
        description="Look at every raw object and table, as is done once a week by itself. Takes longer.",
    )


def known_params(params: Mapping[str, Any] | None, dag: Any) -> dict[str, Any]:
    """Return a run's params, once it is sure that it was started with none that its Dag does not have.

    Airflow puts every key of a run's conf among the params, and says nothing of a misspelt one.

    Raises:
        ConfigError: there is such a key; names those that the Dag has.
    """
    given = dict(params or {})
    unknown = sorted(set(given) - set(dag.params))
    if unknown:
        raise ConfigError(
            f"this run was started with {', '.join(map(repr, unknown))}, which the Dag {dag.dag_id} does not have; "
            f"it has {', '.join(sorted(dag.params))}"
        )
    return given


NOTHING = "nothing to do"
"""What a mapped task is called that was started although there is nothing for it: it ends green, with a line of log."""


def or_nothing(found: list[Any]) -> list[Any]:
    """Return what a task is mapped over; None once where there is nothing: mapped over nothing, Airflow shows it as
    skipped, in the colour of a run that went wrong.
    """
    return found or [None]


def note_nothing(why: str) -> None:
    """Say in a task's log that there is nothing to do, and why that is in order."""
    logging.getLogger(__name__).info("%s: %s", NOTHING, why)
