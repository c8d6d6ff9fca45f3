"""The quality pages, Korean and English: the grid of factories and months, and one month. Without script."""

from calendar import monthcalendar
from collections.abc import Mapping, Sequence
from datetime import date

from fems.contracts.evaluation import EvaluationRecord, Scored
from fems.contracts.grains import GRAINS
from fems.flows.platform import Platform
from fems.forecast.reasons import Language
from fems.registry.sensors import Feed
from fems.views.pages import render
from fems.views.quality import (
    GRID_MONTHS,
    month_record,
    quality_grid,
    quality_overview,
    sensor_names,
    to_look_at,
)
from fems.views.quality_words import expectation_words, feed_name

WORST = 8
"""How many columns and sensors a month shows."""
_STEPS = (90.0, 95.0, 98.0, 99.5)


def level(score: float | None) -> int | None:
    """Return which of the five colours a score has, 0 the worst; None without a score."""
    return None if score is None else sum(score >= step for step in _STEPS)


def overview_page(platform: Platform, language: Language, root: str, factory_id: str | None = None) -> str:
    """Return the grid of factories and months, and below it what needs a look; of one factory every month.

    Args:
        platform: where the evaluations are.
        language: of its texts.
        root: the path that all pages lie under.
        factory_id: this one alone.

    Raises:
        ConfigError: the factory is not registered.
        UnknownFormat: another version evaluated a month; says what to run.
    """
    newest = GRID_MONTHS if factory_id is None else None
    rows = quality_overview(platform, None if factory_id is None else [factory_id], newest=newest)
    months, grid = quality_grid(rows)
    return render(
        "quality.html.j2", language, root, {}, months=months, grid=grid, look=to_look_at(rows), rows=rows,
        factory_id=factory_id, newest=newest, plant=platform.plant, level=level, feed_name=feed_name,
        words=expectation_words,
    )  # fmt: skip


def month_page(
    platform: Platform,
    factory_id: str,
    feed: Feed,
    month: str,
    language: Language = "ko",
    root: str | None = None,
) -> str:
    """Return a month's evaluation as a page.

    Args:
        platform: where the records are.
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM.
        language: of its texts.
        root: the path that all pages lie under, for links; none if not given: a page that stands alone.

    Raises:
        ConfigError, DataError, UnknownFormat: see `month_record`.
    """
    record = month_record(platform, factory_id, feed, month)
    factory, evaluations = platform.plant.factory(factory_id), platform.lake.evaluations
    return render(
        "quality_month.html.j2", language, root or "", {}, record=record, factory=factory, feed=feed,
        history=evaluations.history(feed, factory_id, month), weeks=_weeks(record),
        columns=_worst(record.columns), sensors=_worst(record.sensors),
        names=sensor_names(factory, feed, language == "ko"),
        docs=evaluations.docs_grains(feed, factory_id, month) if root is not None else set(),
        grains=[grain for grain in GRAINS if grain in record.tables], alone=root is None, level=level,
        feed_name=feed_name, words=expectation_words,
    )  # fmt: skip


def _weeks(record: EvaluationRecord) -> list[list[tuple[int, float | None]]]:
    """Return the month's weeks, Monday first, as days with their score; day 0 is another month's."""
    year, month = map(int, record.month.split("-"))

    def score(day: int) -> float | None:
        scored = record.days.get(date(year, month, day)) if day else None
        return None if scored is None else scored.score

    return [[(day, score(day)) for day in week] for week in monthcalendar(year, month)]


def _worst(scored: Mapping[str, Scored]) -> Sequence[tuple[str, float]]:
    """Return the names with the largest shares of values that are not as measured, %."""
    shares = [(name, 100 - each.score) for name, each in scored.items() if each.score is not None]
    return sorted(shares, key=lambda each: (-each[1], each[0]))[:WORST]
