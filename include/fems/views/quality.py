"""What a person reads of the evaluations: a grid of factories and months, what needs a look, one month in detail."""

from collections.abc import Iterable, Sequence

from fems.contracts.evaluation import EvaluationRecord
from fems.contracts.record import Part
from fems.errors import DataError
from fems.flows.platform import Platform
from fems.lake.records import side_by_side
from fems.registry.factory import Factory
from fems.registry.sensors import Feed

GRID_MONTHS = 12
"""How many of the newest months the page of all factories shows."""


class QualityRow(Part):
    """A month that was evaluated.

    Attributes:
        factory_id, feed, month: which. published: whether it passed.
        score: see `fems.quality.score.score`. trend: see `fems.quality.score.trend`.
        worst_day: with its score; None where no day has one.
        critical_failed, warning_failed: expectations that were not met. failed: which, each with its grain.
    """

    factory_id: str
    feed: str
    month: str
    published: bool
    score: float | None
    trend: float | None
    worst_day: str | None
    critical_failed: int
    warning_failed: int
    failed: tuple[str, ...]

    @property
    def needs_a_look(self) -> bool:
        """Whether something was not met."""
        return not self.published or self.critical_failed + self.warning_failed > 0


def quality_overview(
    platform: Platform,
    factory_ids: Iterable[str] | None = None,
    feed: Feed | None = None,
    newest: int | None = None,
) -> list[QualityRow]:
    """Return a row for each month that was evaluated: by factory and feed, the newest month first.

    Args:
        platform: where the records are.
        factory_ids: these alone; all if not given.
        feed: this one alone; all that a factory has if not given.
        newest: read no more than so many of the newest months.

    Raises:
        ConfigError: a factory is not registered.
        UnknownFormat: another version evaluated a month; says what to run.
    """
    wanted = [
        (factory_id, each)
        for factory_id in factory_ids or platform.plant.factories
        for each in platform.plant.feeds(factory_id)
        if feed in (None, each)
    ]
    found = side_by_side(lambda pair: _rows_of(platform, pair[0], pair[1], newest), wanted)
    return [row for rows in found for row in rows]


def _rows_of(platform: Platform, factory_id: str, feed: Feed, newest: int | None) -> list[QualityRow]:
    from fems.quality import score

    known = list(platform.lake.evaluations.by_month(feed, factory_id, newest).values())
    so_far = [record.score for record in known]
    return [
        QualityRow(
            factory_id=factory_id,
            feed=feed,
            month=record.month,
            published=record.published,
            score=record.score,
            trend=score.trend(so_far[: i + 1]),
            worst_day=_worst_day(record),
            critical_failed=record.critical_failed,
            warning_failed=record.warning_failed,
            failed=tuple(sorted({f"{grain}: {each.expectation}" for grain, each in record.findings()})),
        )
        for i, record in reversed(list(enumerate(known)))
    ]


class GridRow(Part):
    """A factory's feed in the grid: its evaluated months, None where there is none."""

    factory_id: str
    feed: str
    months: tuple[QualityRow | None, ...]


def quality_grid(rows: Sequence[QualityRow]) -> tuple[list[str], list[GridRow]]:
    """Lay evaluated months out as a grid: the months, newest first, and a row for each factory and feed."""
    months = sorted({row.month for row in rows}, reverse=True)
    by_feed: dict[tuple[str, str], dict[str, QualityRow]] = {}
    for row in rows:
        by_feed.setdefault((row.factory_id, row.feed), {})[row.month] = row
    grid = [
        GridRow(factory_id=factory_id, feed=feed, months=tuple(found.get(month) for month in months))
        for (factory_id, feed), found in by_feed.items()
    ]
    return months, grid


def to_look_at(rows: Iterable[QualityRow]) -> list[QualityRow]:
    """Return the months that did not meet everything: refused ones first, then by what failed, the newest first."""
    found = sorted((row for row in rows if row.needs_a_look), key=lambda row: row.month, reverse=True)
    return sorted(found, key=lambda row: (row.published, -row.critical_failed, -row.warning_failed))


def sensor_names(factory: Factory, feed: Feed, korean: bool) -> dict[str, str]:
    """Return sensor ID -> the name of its machine or trap, or its own."""

    def in_language(name: str, name_ko: str | None) -> str:
        return name_ko or name if korean else name

    if feed == "meter":
        return {
            sensor: in_language(node.name, node.name_ko)
            for node in factory.meter_tree.nodes
            for sensor in node.sensors
        }
    if feed == "steam_trap":
        names = {}
        for trap_id, trap in factory.steam_traps.items():
            names[trap_id] = in_language(trap.name, trap.name_ko)
            if trap.outlet_sensor is not None:
                names[trap.outlet_sensor] = names[trap_id]
        return names
    sensors = factory.sensors.get(feed, {})
    return {sensor_id: in_language(each.name, each.name_ko) for sensor_id, each in sensors.items()}


def _worst_day(record: EvaluationRecord) -> str | None:
    scored = [(each.score, day) for day, each in record.days.items() if each.score is not None]
    if not scored:
        return None
    score, day = min(scored)
    return f"{day} ({score:.1f})"


def month_record(platform: Platform, factory_id: str, feed: Feed, month: str) -> EvaluationRecord:
    """Return a month's last evaluation.

    Raises:
        ConfigError: the factory or its feed is not registered.
        DataError: the month was not evaluated.
        UnknownFormat: another version evaluated it; says what to run.
    """
    platform.plant.mapping(factory_id, feed)  # names what is unknown
    known = platform.lake.evaluations.by_month(feed, factory_id)
    if month not in known:
        there = f"{min(known)} to {max(known)}" if known else "none"
        raise DataError(f"factory {factory_id}, {feed}: {month} was not evaluated (evaluated: {there})")
    return known[month]


def month_picture(platform: Platform, record: EvaluationRecord) -> bytes:
    """Return a month's evaluation as a PNG."""
    from fems.quality.picture import picture

    simulated = ", simulated data" if platform.plant.factory(record.factory_id).simulated else ""
    return picture(record, f"{record.factory_id} {record.feed} {record.month}{simulated}")
