"""What a person reads of the evaluations: all months in a table, and one month as a page or a picture."""

from collections.abc import Iterable

from fems.contracts.evaluation import EvaluationRecord
from fems.contracts.grains import GRAINS
from fems.contracts.record import Part
from fems.errors import DataError
from fems.flows.platform import Platform
from fems.registry.sensors import Feed


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


def quality_overview(platform: Platform, factory_ids: Iterable[str] | None = None) -> list[QualityRow]:
    """Return a row for each month that was evaluated: by factory and feed, the newest month first.

    Raises:
        ConfigError: a factory is not registered.
        UnknownFormat: another version evaluated a month; says what to run.
    """
    from fems.quality import pages, score

    rows = []
    for factory_id in factory_ids or platform.plant.factories:
        for feed in platform.plant.feeds(factory_id):
            known = list(platform.lake.evaluations.by_month(feed, factory_id).values())
            so_far = [record.score for record in known]
            for i in reversed(range(len(known))):
                record = known[i]
                failed = {f"{grain}: {each.expectation}" for grain, each in pages.findings(record)}
                rows.append(
                    QualityRow(
                        factory_id=record.factory_id,
                        feed=record.feed,
                        month=record.month,
                        published=record.published,
                        score=record.score,
                        trend=score.trend(so_far[: i + 1]),
                        worst_day=_worst_day(record),
                        critical_failed=record.critical_failed,
                        warning_failed=record.warning_failed,
                        failed=tuple(sorted(failed)),
                    )
                )
    return rows


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


def month_page(platform: Platform, factory_id: str, feed: Feed, month: str, root: str | None = None) -> str:
    """Return a month's evaluation as a page.

    Args:
        platform: where the records are.
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM.
        root: where such pages lie, for links; none if not given.

    Raises:
        ConfigError, DataError, UnknownFormat: see `month_record`.
    """
    from fems.quality import pages

    record = month_record(platform, factory_id, feed, month)
    factory, evaluations = platform.plant.factory(factory_id), platform.lake.evaluations
    docs_there = evaluations.docs_grains(feed, factory_id, month)
    return pages.month(
        record,
        evaluations.history(feed, factory_id, month),
        month_picture(platform, record),
        {
            grain: f"{root}/{feed}/{factory_id}/{month}/{grain}"
            for grain in GRAINS
            if root is not None and grain in docs_there
        },
        name=factory.name,
        simulated=factory.simulated,
        root=root,
    )
