"""What a person reads of the evaluations: all months in a table, and one month as a page or a picture."""

from collections.abc import Iterable
from typing import Any

from fems.contracts.grains import GRAINS
from fems.errors import DataError
from fems.flows.evaluate import docs_key, history, records
from fems.flows.platform import Platform
from fems.quality import pages, score
from fems.registry.plant import Feed

_SHOWN = ("factory_id", "feed", "month", "published", "score", "critical_failed", "warning_failed")


def overview(platform: Platform, factory_ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return a row for each month that was evaluated: by factory and feed, the newest month first.

    Returns:
        factory_id, feed, month, published, score, trend (see `fems.quality.score.trend`), worst_day (with its score),
        critical_failed, warning_failed, failed (expectations that were not met).

    Raises:
        ConfigError: a factory is not registered.
    """
    rows = []
    for factory_id in factory_ids or platform.plant.factories:
        for feed in platform.plant.feeds(factory_id):
            known = list(records(platform.lake, feed, factory_id).values())
            so_far = [record["score"] for record in known]
            for i in reversed(range(len(known))):
                record = known[i]
                worst = min(
                    (
                        (each["score"], day)
                        for day, each in record["days"].items()
                        if each["score"] is not None
                    ),
                    default=None,
                )
                rows.append(
                    {
                        name: record[name]
                        for name in (
                            "factory_id",
                            "feed",
                            "month",
                            "published",
                            "score",
                            "critical_failed",
                            "warning_failed",
                        )
                    }
                    | {
                        "trend": score.trend(so_far[: i + 1]),
                        "worst_day": None if worst is None else f"{worst[1]} ({worst[0]:.1f})",
                        "failed": sorted(
                            {f"{each['grain']}: {each['expectation']}" for each in pages.findings(record)}
                        ),
                    }
                )
    return rows


def month_record(platform: Platform, factory_id: str, feed: Feed, month: str) -> dict[str, Any]:
    """Return a month's last evaluation.

    Raises:
        ConfigError: the factory or its feed is not registered.
        DataError: the month was not evaluated.
    """
    platform.plant.mapping(factory_id, feed)  # names what is unknown
    known = records(platform.lake, feed, factory_id)
    if month not in known:
        there = f"{min(known)} to {max(known)}" if known else "none"
        raise DataError(f"factory {factory_id}, {feed}: {month} was not evaluated (evaluated: {there})")
    return known[month]


def month_picture(platform: Platform, record: dict[str, Any]) -> bytes:
    """Return a month's evaluation as a PNG."""
    from fems.quality.picture import picture

    simulated = ", simulated data" if platform.plant.factory(record["factory_id"]).simulated else ""
    return picture(record, f"{record['factory_id']} {record['feed']} {record['month']}{simulated}")


def month_page(platform: Platform, factory_id: str, feed: Feed, month: str, root: str | None = None) -> str:
    """Return a month's evaluation as a page.

    Args:
        platform: where the records are.
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM.
        root: where such pages lie, for links; none if not given.

    Raises:
        ConfigError, DataError: see `month_record`.
    """
    record = month_record(platform, factory_id, feed, month)
    factory = platform.plant.factory(factory_id)
    docs_there = set(platform.lake.store.keys(f"quality/_docs/{feed}/factory={factory_id}/month={month}/"))
    return pages.month(
        record,
        history(platform.lake, feed, factory_id, month),
        month_picture(platform, record),
        {
            grain: f"{root}/{feed}/{factory_id}/{month}/{grain}"
            for grain in GRAINS
            if root is not None and docs_key(feed, factory_id, month, grain) in docs_there
        },
        name=factory.name,
        simulated=factory.simulated,
        root=root,
    )
