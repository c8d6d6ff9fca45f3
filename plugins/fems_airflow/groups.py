"""Tasks that take groups of factories: how they are named, and what happens where one of the factories fails."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from fems.contracts.outcomes import GroupOutcome
from fems.errors import AccessDenied, ConfigError, DataError, SomeFailed, SomeRefused, is_missing_library
from fems_airflow.assets import INGESTED, PROCESSED

if TYPE_CHECKING:
    from fems.flows.platform import Platform

log = logging.getLogger(__name__)

NAMES = (
    "{% set ids = task.op_kwargs['factories'] or ['nothing to do'] %}"
    "{{ ids | join(', ') if ids | length <= 12 else ids[0] ~ ' to ' ~ ids[-1] ~ ' (' ~ ids | length ~ ')' }}"
)
"""The `map_index_template` of a task over groups: each by the factories that it has."""

_PERMANENT = (DataError, ConfigError, AccessDenied)


def groups_of(platform: "Platform", factories: Sequence[str], most: int | None = None) -> list[list[str]]:
    """Return some factories in groups, so many as fit the tasks that may run at once.

    Args:
        platform: knows the registry and the settings.
        factories: which.
        most: the most in a group; `FEMS_FACTORIES_PER_TASK` if not given.
    """
    from fems.flows.groups import group_factories

    return group_factories(
        platform.plant,
        factories,
        at_once=conf.getint("core", "parallelism"),
        most=most or platform.settings.factories_per_task,
        most_groups=conf.getint("core", "max_map_length"),
    )


def in_turn(
    factories: Sequence[str], work: Callable[[str], dict[str, Any]], context: Mapping[str, Any]
) -> dict[str, Any]:
    """Do something for each factory of a group; what an earlier try did is not done again.

    Args:
        factories: the group.
        work: what to do; returns what the task passes on.
        context: the task's. Its `task_state_store` keeps what is done from one try to the next, and is cleared once all
            is: who clears the task in the UI wants it done again. Where some failed, its `ti` passes on what the others
            returned.

    Returns:
        A `GroupOutcome` as JSON: what `work` returned in this try or an earlier one.

    Raises:
        SomeRefused: some failed, and none of them is worth a retry. The others are done.
        SomeFailed: some failed that may pass at another try, which takes up no other.
    """
    memory = context["task_state_store"]
    results: dict[str, dict[str, Any]] = {}
    failed: dict[str, Exception] = {}
    for place, factory_id in enumerate(factories, start=1):
        done = memory.get(f"done/{factory_id}")
        if done is not None:
            log.info("factory %s: done by an earlier try (%s of %s)", factory_id, place, len(factories))
            results[factory_id] = done
            continue
        try:
            results[factory_id] = work(factory_id)
        except Exception as error:
            if is_missing_library(error):
                raise
            log.exception("factory %s failed (%s of %s)", factory_id, place, len(factories))
            failed[factory_id] = error
            continue
        memory.set(f"done/{factory_id}", results[factory_id])
        log.info("factory %s: done (%s of %s)", factory_id, place, len(factories))
    outcome = GroupOutcome.of(results).model_dump(mode="json")
    if not failed:
        memory.clear()
        return outcome
    context["ti"].xcom_push(key="return_value", value=outcome)
    if len(factories) == 1:
        raise failed[factories[0]]
    kind = SomeRefused if all(isinstance(error, _PERMANENT) for error in failed.values()) else SomeFailed
    raise kind(failed, of=len(factories))


def tell_published(outcome: Mapping[str, Any], outlet_events: Mapping[Any, Any]) -> None:
    """Leave an event of `fems_processed` for each factory of a group of which something was published."""
    for factory_id, result in outcome["factories"].items():
        if result["partitions"]:
            extra = {"factory_id": factory_id, "months": result["months"]}
            outlet_events[INGESTED].add(PROCESSED, extra=extra)
