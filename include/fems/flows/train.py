"""Train: a factory's published hours into a registered model."""

import hashlib
import json
import logging
from datetime import UTC, datetime
from typing import Any

from fems import __version__, tracking
from fems.flows.history import as_history, month_of, published_hours
from fems.flows.platform import Platform, timed
from fems.lake import Lake

log = logging.getLogger(__name__)


def _data_fingerprint(lake: Lake, factory_id: str) -> str:
    """One text for all the partitions that a training saw."""
    prints = {month: m["fingerprint"] for month, m in lake.manifests("meter", factory_id).items()}
    return hashlib.sha256(json.dumps(prints, sort_keys=True).encode()).hexdigest()[:16]


@timed
def train_factory(
    platform: Platform,
    factory_id: str,
    *,
    epochs: int = 50,
    seed: int = 0,
    dag_run: str = "shell",
) -> dict[str, Any]:
    """Train, score and register a factory's model.

    Args:
        platform: where the published hours are.
        factory_id: the factory.
        epochs: at most so many passes over the data; training stops earlier when validation no longer improves.
        seed: of every random choice.
        dag_run: who asked, for the run's tags.

    Returns:
        factory_id, month (that the model is meant for), version, alias (champion or challenger), metrics.

    Raises:
        TooLittleHistory: too few days are published; says how many are needed.
    """
    from fems.model.train import train_factory as train_model

    hours = published_hours(platform, factory_id)
    history = as_history(platform, factory_id, hours)
    month = month_of(history.end)
    tags = {
        "dag_run": dag_run,
        "data_fingerprint": _data_fingerprint(platform.lake, factory_id),
        "code_version": __version__,
    }
    params = {
        "epochs": epochs,
        "seed": seed,
        "hours": len(history.hours),
        "equipment": len(history.equipment),
    }
    with tracking.training_run(factory_id, month, tags=tags, params=params) as run:
        trained = train_model(history, epochs=epochs, seed=seed, on_epoch=run.log_epoch)
        registered = run.register(trained, hours, datetime.now(UTC))
    log.info("factory %s: model version %s, %s", factory_id, registered.version, registered.reason)
    return {
        "factory_id": factory_id,
        "month": month,
        "version": registered.version,
        "alias": registered.alias,
        "metrics": trained.metrics,
    }


def trainable(platform: Platform) -> list[str]:
    """Return the factories that have published meter data."""
    return [
        factory_id
        for factory_id in platform.plant.factories
        if any(not manifest["empty"] for manifest in platform.lake.manifests("meter", factory_id).values())
    ]
