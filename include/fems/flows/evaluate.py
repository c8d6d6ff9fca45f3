"""Quality evaluation: what a partition must pass before it is published, and the record that stays of it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from fems.contracts.evaluation import EvaluatedMonth, EvaluationRecord, PastEvaluation, Profile
from fems.contracts.forecast import ForecastQuality
from fems.contracts.grains import GRAINS
from fems.contracts.manifest import Manifest
from fems.flows.partitions import PartitionPlan
from fems.forecast.tables import Forecast
from fems.lake.lake import Lake
from fems.process.partition import Partition
from fems.quality import baseline, docs, parameters, score
from fems.quality.evaluate import Evaluation, Evaluator
from fems.quality.table import TableView
from fems.registry.feed import FactoryFeed
from fems.registry.sensors import Feed

KEEP_DAYS = 90
"""How long Data Docs pages and the history of evaluations are kept."""


@dataclass(frozen=True)
class Evaluated:
    """The evaluation of a partition.

    Attributes:
        tables: grain -> evaluation.
        profile: what its hours look like (see `fems.quality.baseline`).
    """

    tables: dict[str, Evaluation]
    profile: Profile

    def count(self, severity: str, own_only: bool = False) -> int:
        """Return how many expectations of a severity failed.

        Args:
            severity: critical or warning.
            own_only: without those that compare with earlier months. What a partition's own metadata says must be
                the same when it is rebuilt, whatever was there before it.
        """
        return sum(
            not (own_only and finding.compares)
            for evaluation in self.tables.values()
            for finding in evaluation.failed(severity)
        )


def evaluate(
    evaluator: Evaluator, plan: PartitionPlan, source: FactoryFeed, partition: Partition, usual: Profile
) -> Evaluated:
    """Evaluate a partition's tables, each against its suite.

    Args:
        evaluator: Great Expectations.
        plan: which partition.
        source: registry and book.
        partition: its tables.
        usual: what the hours of the last accepted months look like; empty if there are none.
    """
    from fems.quality.gx import CheckContext

    hourly = source.grain_minutes <= 60  # shifts and days have no hours
    views = {
        grain: TableView(table.to_pandas())
        for grain, table in partition.tables.items()
        if grain != "hour" or hourly
    }
    profile = baseline.profile(views["hour"], source.zone) if hourly else {}
    context = CheckContext(native=views["native"], profile=profile, baseline=usual)
    evaluations = {}
    for grain, view in views.items():
        known = parameters.of_partition(source, grain, plan.first, plan.last, partition.suspended)
        evaluations[grain] = evaluator.evaluate(view, f"{plan.feed}_{grain}", known, context)
    return Evaluated(evaluations, profile)


def evaluation_record(
    plan: PartitionPlan,
    manifest: Manifest,
    partition: Partition,
    evaluated: Evaluated | None,
    refused: bool = False,
) -> EvaluationRecord:
    """Return what is kept of an evaluation. It holds no clock: the same data and suites give the same record.

    Args:
        plan: which partition.
        manifest: the partition's metadata.
        partition: its tables.
        evaluated: None for a month of which no row could be used.
        refused: whether it is not published, since a person has to be asked first.
    """
    tables = {} if evaluated is None else evaluated.tables
    return EvaluationRecord(
        factory_id=plan.factory_id,
        feed=plan.feed,
        month=plan.month,
        fingerprint=plan.fingerprint,
        published=not refused and (evaluated is None or evaluated.count("critical") == 0),
        critical_failed=0 if evaluated is None else evaluated.count("critical"),
        warning_failed=0 if evaluated is None else evaluated.count("warning"),
        tables={grain: evaluation.record for grain, evaluation in tables.items()},
        profile={} if evaluated is None else evaluated.profile,
        **dict(score.scores(manifest, partition.tables["native"])),
    )


def keep(lake: Lake, feed: Feed, record: EvaluationRecord, run: str, now: datetime | None = None) -> None:
    """Keep an evaluation as the last one of its month, and in the history.

    Args:
        lake: where.
        feed: the feed.
        record: see `evaluation_record`.
        run: which run made it.
        now: the time; the present if not given.
    """
    shared = {name: getattr(record, name) for name in EvaluatedMonth.model_fields}
    past = PastEvaluation(**shared, evaluated_at=now or datetime.now(UTC), run=run)
    lake.evaluations.write(record, past, feed)


def write_docs(
    lake: Lake, plan: PartitionPlan, evaluated: Evaluated, run: str, grains: tuple[str, ...] = GRAINS
) -> None:
    """Write the Data Docs page of each table of a partition."""
    now = datetime.now(UTC)
    for grain in evaluated.tables.keys() & set(grains):
        html = docs.page(evaluated.tables[grain].result, run, now)
        lake.evaluations.write_docs(plan.feed, plan.factory_id, plan.month, grain, html)


def prune(lake: Lake, feed: Feed, factory_id: str, today: date, keep_days: int = KEEP_DAYS) -> int:
    """Remove what is older than the set age: the history's records and the Data Docs of months that have ended since.

    The last evaluation of a month stays, since it says why the month is, or is not, published.

    Returns:
        The number of objects removed.
    """
    return lake.evaluations.prune(feed, factory_id, today - timedelta(days=keep_days))


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
) -> ForecastQuality:
    """Evaluate a forecast at every grain.

    Args:
        evaluator: Great Expectations.
        source: the factory's meters: registry and book.
        forecast: by machine and for the factory.
        origin: where it starts.
        horizon_minutes: how far it goes.
        recent: float64, kWh by hour of the whole factory as measured before the origin, NaN where missing.

    Raises:
        QualityFailed: something critical was not met; nothing may be published.
    """
    from fems.quality.gx import CheckContext

    warnings: list[str] = []
    for grain, table in forecast.equipment.items():
        known = parameters.of_forecast(source, grain, origin, horizon_minutes, recent)
        context = CheckContext(factory=forecast.factory[grain])
        evaluation = evaluator.evaluate(table, "forecast", known, context)
        evaluation.require(f"factory {source.factory_id}, forecast {grain} from {origin:%Y-%m-%d}")
        warnings += [f"{grain}: {finding}" for finding in evaluation.failed("warning")]
    return ForecastQuality(critical_failed=0, warning_failed=len(warnings), findings=tuple(warnings))
