"""The plant at a glance: a row a factory with its next month, how good data and model are, what needs a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fems.contracts.evaluation import EvaluationRecord
from fems.contracts.forecast import ForecastSummary
from fems.contracts.track_record import MeasuredForecast
from fems.errors import DataError
from fems.flows.platform import Platform
from fems.lake.records import side_by_side
from fems.registry.factory import Factory

OLD_DAYS = 7
"""From so many days without new data on a factory needs a look."""
LIKELY_KEPT = 0.5
"""A budget that is less likely kept than this needs a look."""

Severity = Literal["critical", "warning", "note"]
_ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "note": 2}
Sort = Literal["needs", "name", "kwh", "change", "demand"]
SORTS: tuple[Sort, ...] = ("needs", "name", "kwh", "change", "demand")


@dataclass(frozen=True)
class Need:
    """Something that a person should look at: a code of `fems.views.words` (need_CODE) with what stands in its text."""

    severity: Severity
    code: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class PlantRow:
    """What the plant page shows of a factory.

    Attributes:
        factory_id: its ID. factory: from the registry.
        summary: of its newest forecast, None where there is none.
        evaluation: of its newest month of meter data, None where none was evaluated.
        measured: how its newest forecast did that was measured since, None before the first.
        needs: what a person should look at, the worst first.
    """

    factory_id: str
    factory: Factory
    summary: ForecastSummary | None
    evaluation: EvaluationRecord | None
    measured: MeasuredForecast | None
    needs: tuple[Need, ...]


def plant_rows(platform: Platform, now: datetime, factory_ids: Iterable[str] | None = None) -> list[PlantRow]:
    """Return a row for each factory, in the order of the registry.

    Args:
        platform: where the records lie.
        now: the time, for the age of the data.
        factory_ids: these alone; all if not given.

    Raises:
        ConfigError: a factory is not registered.
    """
    wanted = list(platform.plant.factories if factory_ids is None else factory_ids)
    for factory_id in wanted:
        platform.plant.factory(factory_id)
    return side_by_side(lambda factory_id: _row(platform, factory_id, now), wanted)


def _row(platform: Platform, factory_id: str, now: datetime) -> PlantRow:
    factory = platform.plant.factory(factory_id)
    unreadable: list[Need] = []
    summary = evaluation = measured = None
    try:
        latest = platform.lake.forecasts.latest(factory_id)
        summary = None if latest is None else platform.lake.forecasts.summary(latest.prefix)
    except DataError as error:
        unreadable.append(Need("critical", "unreadable", {"why": str(error)}))
    try:
        evaluation = platform.lake.evaluations.newest("meter", factory_id)
    except DataError as error:
        unreadable.append(Need("critical", "unreadable", {"why": str(error)}))
    try:
        measured = platform.lake.forecasts.measured(factory_id)
    except DataError as error:
        unreadable.append(Need("critical", "unreadable", {"why": str(error)}))
    needs = [*unreadable, *_of_data(evaluation, now), *_of_forecast(summary, platform, factory_id)]
    if measured is not None and measured.is_far_off:
        needs.append(Need("note", "missed", {"month": measured.month, "error": f"{measured.bias_pct:+.1f}"}))
    if measured is not None and measured.naive_ahead:
        needs.append(Need("note", "behind", {"month": measured.month}))
    return PlantRow(
        factory_id,
        factory,
        summary,
        evaluation,
        measured,
        tuple(sorted(needs, key=lambda need: _ORDER[need.severity])),
    )


def _of_data(evaluation: EvaluationRecord | None, now: datetime) -> list[Need]:
    if evaluation is None:
        return []
    needs = []
    if not evaluation.published:
        needs.append(Need("critical", "refused", {"month": evaluation.month}))
    last = max(evaluation.days, default=None)
    age = 0 if last is None else (now.date() - last).days
    if age > OLD_DAYS:
        needs.append(Need("note", "old", {"days": age}))
    return needs


def _of_forecast(summary: ForecastSummary | None, platform: Platform, factory_id: str) -> list[Need]:
    if summary is None:
        return [Need("note", "no_forecast")]
    needs = []
    threshold = platform.plant.monitoring.peak_chance
    chance = summary.demand.chance_over_contract if summary.demand is not None else None
    if chance is not None and chance >= threshold:
        values = {"chance": round(100 * chance), "threshold": round(100 * threshold)}
        needs.append(Need("warning", "contract", values))
    if summary.budget is not None and summary.budget.chance_to_keep is not None:
        kept = summary.budget.chance_to_keep
        if kept < LIKELY_KEPT:
            needs.append(Need("warning", "budget", {"chance": round(100 * kept)}))
    if summary.model.fallback is not None:
        needs.append(Need("note", "baseline"))
    heldout = summary.model.heldout
    if heldout is not None and heldout.is_poor:
        off = {"error": f"{heldout.total_error_pct:+.1f}", "coverage": f"{100 * heldout.coverage_80:.0f}"}
        needs.append(Need("note", "poor", off))
    return needs


def choose(
    rows: list[PlantRow], text: str = "", only_needs: bool = False, sort: Sort = "needs"
) -> list[PlantRow]:
    """Return the rows that a reader asks for.

    Args:
        rows: all of them.
        text: part of a factory's ID or name, in either language.
        only_needs: without those that need nothing but what is a note.
        sort: by what; what is not known stands last.
    """
    part = text.strip().casefold()
    chosen = [
        row
        for row in rows
        if part in f"{row.factory_id} {row.factory.name} {row.factory.name_ko}".casefold()
        and not (only_needs and not any(need.severity != "note" for need in row.needs))
    ]

    def worst(row: PlantRow) -> tuple[int, int]:
        return (min((_ORDER[need.severity] for need in row.needs), default=3), -len(row.needs))

    def down(value: float | None) -> tuple[bool, float]:
        return (value is None, 0.0 if value is None else -value)

    orders = {
        "needs": worst,
        "name": lambda row: row.factory.name.casefold(),
        "kwh": lambda row: down(row.summary.kwh if row.summary else None),
        "change": lambda row: down(
            row.summary.change.last_month.change_pct
            if row.summary and row.summary.change.last_month
            else None
        ),
        "demand": lambda row: down(
            row.summary.demand.chance_over_contract if row.summary and row.summary.demand else None
        ),
    }
    return sorted(chosen, key=orders[sort])
