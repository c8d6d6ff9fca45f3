"""Train: a factory's published hours into a registered model."""

import logging
from datetime import UTC, datetime

from fems.canonical import fingerprint
from fems.contracts.outcomes import TrainingOutcome
from fems.errors import DataError
from fems.flows.evaluate import evaluate_training
from fems.flows.history import as_history, month_of, published_hours, with_tables
from fems.flows.plans import known_plan
from fems.flows.platform import Platform, timed
from fems.lake.lake import Lake
from fems.model import promotion
from fems.model.history import History
from fems.model.plans import Plan
from fems.model.source import code_version
from fems.model.train import TrainedFactory
from fems.model.train import train_factory as train_model
from fems.tracking import Tracking

log = logging.getLogger(__name__)


@timed
def train_factory(
    platform: Platform,
    factory_id: str,
    *,
    epochs: int = 50,
    seed: int = 0,
    dag_run: str = "shell",
    reason: str = "",
) -> TrainingOutcome:
    """Train, score and register a factory's model.

    Args:
        platform: where the published hours are.
        factory_id: the factory.
        epochs: of the one-step model at most; it stops earlier once validation no longer improves.
        seed: of every random choice.
        dag_run: who asked, for the run's tags.
        reason: why, where the monitor or a person asked for it; a tag, too.

    Raises:
        TooLittleHistory: too few days are published; says how many are needed.
        QualityFailed: the training set failed its suite; nothing is trained.
        ServiceUnavailable: MLflow or MinIO does not answer; the champion that was there keeps serving.
    """
    hours = published_hours(platform, factory_id)
    history = as_history(platform, factory_id, hours)
    evaluated = evaluate_training(platform.evaluator, platform.source(factory_id, "meter"), hours)
    evaluated.require(f"factory {factory_id}, training set", refused="not trained on")
    for finding in evaluated.record.findings:
        log.warning("factory %s, training set: %s", factory_id, finding)
    month = month_of(history.end)
    seen = partitions(platform.lake, factory_id)
    seen_fingerprint = fingerprint(seen)
    tags = {
        "dag_run": dag_run,
        "data_fingerprint": seen_fingerprint,
        "book_version": ", ".join(sorted({p["book_version"] for p in seen.values()})),
        "code_version": code_version(),
        "simulated": str(platform.plant.factory(factory_id).simulated).lower(),
        "training_set_warnings": str(evaluated.record.warning_failed),
        **({"reason": reason} if reason else {}),
    }
    params: dict[str, str | int | float] = {
        "epochs": epochs,
        "seed": seed,
        "hours": len(history.hours),
        "from": history.hours[0].isoformat(),
        "until": history.end.isoformat(),
        "equipment": len(history.equipment),
        "country": history.country,
        "shifts": history.shifts or "",
    }
    planned = known_plan(platform, factory_id)
    plan = planned.plan.known_at(history.end)
    if plan.entries:
        tags["plan_fingerprint"] = planned.fingerprint(history.end)
        params["plan_entries"] = len(plan.entries)
    with platform.tracking.training_run(factory_id, month, tags=tags, params=params) as run:
        run.log_data(hours, seen, seen_fingerprint)
        trained = train_model(history, epochs=epochs, seed=seed, on_epoch=run.log_epoch, plan=plan)
        decision = _decide(platform.tracking, factory_id, trained, history, plan)
        registered = run.register(trained, hours, decision, datetime.now(UTC))
    log.info("factory %s: model version %s, %s", factory_id, registered.version, registered.reason)
    return TrainingOutcome(
        factory_id=factory_id,
        month=month,
        version=registered.version,
        alias=registered.alias,
        reason=registered.reason,
        metrics=trained.metrics,
    )


def trainable(platform: Platform) -> list[str]:
    """Return the factories that have published meter data."""
    return [factory_id for factory_id in platform.plant.factories if with_tables(platform.lake, factory_id)]


def partitions(lake: Lake, factory_id: str) -> dict[str, dict[str, str]]:
    """Return what a training sees: month -> fingerprint and book_version of its published partition."""
    return {
        month: {"fingerprint": manifest.fingerprint, "book_version": manifest.book_version}
        for month, manifest in with_tables(lake, factory_id).items()
    }


def _decide(
    tracking: Tracking, factory_id: str, trained: TrainedFactory, history: History, plan: Plan
) -> promotion.Decision:
    """Judge what was trained against the champion on the same window."""
    ours, naive = (trained.metrics[f"month_ahead.{name}"] for name in ("accuracy", "weekly_naive_accuracy"))
    registered = tracking.find_champion(factory_id)
    if registered is None:
        return promotion.decide(ours, naive, None)
    version, _ = registered
    try:
        champion = tracking.load_champion(factory_id)
    except DataError as error:
        unknown = promotion.ChampionScore(version, None, f"it cannot be used any more: {error}")
        return promotion.decide(ours, naive, unknown)
    if champion.notice is not None:
        unknown = promotion.ChampionScore(version, None, champion.notice)
        return promotion.decide(ours, naive, unknown)
    score = promotion.score_champion(
        version,
        champion.bundle,
        trained.holdout,
        trained.span,
        history,
        champion.tags.get("holdout_origin", ""),
        plan,
    )
    return promotion.decide(ours, naive, score)
