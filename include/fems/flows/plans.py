"""Plans and forecasts from outside, as they were known on a day: production plans, weather forecasts.

A plan is made anew again and again. What is published is the newest one; every earlier one stays in its raw objects,
each under the day on which it was known. So what was known on a day is what the objects up to that day make, and a plan
that came later cannot slip in.
"""

from datetime import date, timedelta

import pyarrow as pa

from fems.errors import ConfigError, DataError
from fems.flows.platform import Platform
from fems.process.partition import process
from fems.raw.decode import decode_all
from fems.registry.sensors import Feed


def plan_as_known(
    platform: Platform, factory_id: str, feed: Feed, known_on: date, first: date, last: date
) -> pa.Table:
    """Return a plan as it was known at the end of a local day.

    Args:
        platform: the outside world.
        factory_id: whose plan.
        feed: one whose book has `ahead_days`.
        known_on: local day; objects of later days are not looked at.
        first: first local day of the plan to return.
        last: last local day.

    Returns:
        The native table, as published ones are.

    Raises:
        ConfigError: the feed is no plan.
        DataError: nothing was known yet.
    """
    source = platform.source(factory_id, feed)
    book = source.book
    if not book.ahead_days:
        raise ConfigError(f"feed {feed} is no plan: its definition book has no `ahead_days`")
    since = first - timedelta(days=max(book.ahead_days, book.lookback_days))
    raw = [o for o in platform.lake.raw_objects(feed, factory_id) if since <= o.day <= known_on]
    if not raw:
        raise DataError(f"factory {factory_id}, {feed}: nothing was known of {first} to {last} on {known_on}")
    data = platform.lake.get_many([o.key for o in raw])
    decoded = decode_all(list(zip(raw, data, strict=True)), source)
    return process(sorted(decoded, key=lambda d: d.raw), source, first, last).tables["native"]
