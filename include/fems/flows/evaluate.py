"""Quality evaluation: what a partition must pass before it is published, and the record that stays of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from fems.contracts.grains import GRAINS
from fems.errors import DataError
from fems.flows.partitions import PartitionPlan
from fems.forecast.tables import Forecast
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.serialize import to_json
from fems.process.partition import Partition
from fems.quality import docs, drift, parameters, score
from fems.quality.evaluate import Evaluation, Evaluator
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Feed

USUAL_MONTHS = 3
"""How many accepted months say what is usual."""

KEEP_DAYS = 90
"""How long Data Docs pages and the history of evaluations are kept."""


@dataclass(frozen=True)
class Evaluated:
    """The evaluation of a partition.

    Attributes:
        tables: grain -> evaluation.
        profile: what its hours look like (see `fems.quality.drift`).
    """

    tables: dict[str, Evaluation]
    profile: drift.Profile

    def count(self, severity: str, own_only: bool = False) -> int:
        """Return how many expectations of a severity failed.

        Args:
            severity: critical or warning.
            own_only: without those that compare with earlier months. What is told of a partition itself must be the
                same when it is rebuilt, whatever was there before it.
        """
        return sum(
            not (own_only and finding.compares)
            for evaluation in self.tables.values()
            for finding in evaluation.failed(severity)
        )


def evaluate(
    evaluator: Evaluator, plan: PartitionPlan, source: FactoryFeed, partition: Partition, usual: drift.Profile
) -> Evaluated:
    """Evaluate a partition's tables, each against its suite.

    Args:
        evaluator: Great Expectations.
        plan: which partition.
        source: registry and book.
        partition: its tables.
        usual: what the hours of the last accepted months look like; empty if there are none.
    """
    frames = {grain: table.to_pandas() for grain, table in partition.tables.items()}
    profile = drift.profile(frames["hour"], source.zone)
    beside = {"native": frames["native"], "profile": profile, "usual": usual}
    found = {}
    for grain, frame in frames.items():
        known = parameters.of_partition(source, grain, plan.first, plan.last, partition.suspended)
        found[grain] = evaluator.evaluate(frame, f"{plan.feed}_{grain}", known, beside)
    return Evaluated(found, profile)


def usual_before(lake: Lake, feed: Feed, factory_id: str, month: str) -> drift.Profile:
    """Return what the hours of the last accepted months before a month look like."""
    profiles: list[drift.Profile] = []
    for _, record in sorted(_records(lake, feed, factory_id), reverse=True, key=lambda item: item[0]):
        if record["month"] < month and record["published"] and record["profile"]:
            profiles.append(record["profile"])
            if len(profiles) == USUAL_MONTHS:
                break
    return drift.usual(profiles)


def _records(lake: Lake, feed: Feed, factory_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the last evaluation of each month: its key and the record; a broken one is as good as none."""
    for key in lake.store.keys(f"quality/{feed}/factory={factory_id}/"):
        try:
            record = lake.read_json(key)
        except DataError:
            continue
        if record is not None and "tables" in record:
            yield key, record


def records(lake: Lake, feed: Feed, factory_id: str) -> dict[str, dict[str, Any]]:
    """Return the last evaluation of each month, published or not: month -> record, in order."""
    found = {record["month"]: record for _, record in _records(lake, feed, factory_id)}
    return dict(sorted(found.items()))


def record_of(
    plan: PartitionPlan,
    manifest: dict[str, Any],
    partition: Partition,
    evaluated: Evaluated | None,
    poorer: bool = False,
) -> dict[str, Any]:
    """Return what is kept of an evaluation. It holds no clock: the same data and suites give the same record.

    Args:
        plan: which partition.
        manifest: what the partition says of itself.
        partition: its tables.
        evaluated: None for a month of which no row could be used.
        poorer: whether it is not published, since the published month has more.
    """
    tables = {} if evaluated is None else evaluated.tables
    return {
        "factory_id": plan.factory_id,
        "feed": plan.feed,
        "month": plan.month,
        "fingerprint": plan.fingerprint,
        "published": not poorer and (evaluated is None or evaluated.count("critical") == 0),
        "critical_failed": 0 if evaluated is None else evaluated.count("critical"),
        "warning_failed": 0 if evaluated is None else evaluated.count("warning"),
        "tables": {grain: evaluation.to_json() for grain, evaluation in tables.items()},
        "profile": {} if evaluated is None else evaluated.profile,
        **score.scores(manifest, partition.tables["native"]),
    }


def keep(lake: Lake, record: dict[str, Any], run: str, now: datetime | None = None) -> None:
    """Keep an evaluation as the last one of its month, and in the history.

    Args:
        lake: where.
        record: see `record_of`.
        run: which run made it.
        now: the time; the present if not given.
    """
    at = now or datetime.now(UTC)
    feed, factory_id, month = record["feed"], record["factory_id"], record["month"]
    history = {k: v for k, v in record.items() if k != "profile"}
    lake.store.put(
        f"{_history_folder(feed, factory_id, month)}{at:%Y%m%dT%H%M%S%f}.json",
        to_json({**history, "evaluated_at": at.isoformat(), "run": run}),
    )
    lake.store.put(keys.quality_key(feed, factory_id, month), to_json(record))


def _history_folder(feed: str, factory_id: str, month: str) -> str:
    return f"quality/_history/{feed}/factory={factory_id}/month={month}/"


def history(lake: Lake, feed: Feed, factory_id: str, month: str) -> list[dict[str, Any]]:
    """Return every evaluation of a month that is still kept, the newest first."""
    found = sorted(lake.store.keys(_history_folder(feed, factory_id, month)), reverse=True)
    return [record for record in map(lake.read_json, found) if record is not None]


def docs_key(feed: str, factory_id: str, month: str, grain: str) -> str:
    """Return the key of the Data Docs page of a table's last evaluation."""
    return f"quality/_docs/{feed}/factory={factory_id}/month={month}/{grain}.html"


def write_docs(
    lake: Lake, plan: PartitionPlan, evaluated: Evaluated, run: str, grains: tuple[str, ...] = GRAINS
) -> None:
    """Write the Data Docs page of each table of a partition."""
    now = datetime.now(UTC)
    for grain in grains:
        html = docs.page(evaluated.tables[grain].result, run, now)
        lake.store.put(docs_key(plan.feed, plan.factory_id, plan.month, grain), html.encode())


def prune(lake: Lake, feed: Feed, factory_id: str, today: date, keep_days: int = KEEP_DAYS) -> int:
    """Remove what is older than the set age: the history's records and the Data Docs of months that have ended since.

    The last evaluation of a month stays, since it says why the month is, or is not, published.

    Returns:
        The number of objects removed.
    """
    limit = today - timedelta(days=keep_days)
    old = [
        key
        for key in lake.store.keys(f"quality/_history/{feed}/factory={factory_id}/")
        if key.rsplit("/", 1)[1][:8] < f"{limit:%Y%m%d}"
    ]
    recent = {
        key.split("/month=")[1][:7]
        for key in lake.store.keys(f"quality/_history/{feed}/factory={factory_id}/")
        if key not in set(old)
    }
    old += [
        key
        for key in lake.store.keys(f"quality/_docs/{feed}/factory={factory_id}/")
        if key.split("/month=")[1][:7] not in recent
    ]
    for key in old:
        lake.store.delete(key)
    return len(old)


def evaluate_training(evaluator: Evaluator, source: FactoryFeed, hours: pd.DataFrame) -> Evaluation:
    """Evaluate what a model is to be trained on.

    Args:
        evaluator: Great Expectations.
        source: the factory's meters: registry and book.
        hours: its published hours, a row a machine and hour.
    """
    table = hours.sort_values(["sensor_id", "timestamp"], ignore_index=True)  # they come month by month
    return evaluator.evaluate(table, "training", parameters.of_training(source, table))


def evaluate_forecast(
    evaluator: Evaluator,
    source: FactoryFeed,
    forecast: Forecast,
    origin: pd.Timestamp,
    horizon_minutes: int,
    recent: np.ndarray,
) -> dict[str, Any]:
    """Evaluate a forecast at every grain.

    Args:
        evaluator: Great Expectations.
        source: the factory's meters: registry and book.
        forecast: by machine and for the factory.
        origin: where it starts.
        horizon_minutes: how far it goes.
        recent: float64, kWh by hour of the whole factory as measured before the origin, NaN where missing.

    Returns:
        critical_failed (0), warning_failed, and findings: what was not met, a line each.

    Raises:
        QualityFailed: something critical was not met; nothing may be published.
    """
    warnings: list[str] = []
    for grain, table in forecast.equipment.items():
        known = parameters.of_forecast(source, grain, origin, horizon_minutes, recent)
        found = evaluator.evaluate(table, "forecast", known, {"factory": forecast.factory[grain]})
        found.require(f"factory {source.factory_id}, forecast {grain} from {origin:%Y-%m-%d}")
        warnings += [f"{grain}: {finding}" for finding in found.failed("warning")]
    return {"critical_failed": 0, "warning_failed": len(warnings), "findings": warnings}
