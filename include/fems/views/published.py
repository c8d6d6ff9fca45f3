"""What is known of a factory's processed data: read from its manifests, and from the originals that lie beside them."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fems.contracts.grains import GRAINS, ORIGINALS
from fems.errors import ConfigError, DataError
from fems.flows.evaluate import records
from fems.flows.platform import Platform
from fems.lake import keys
from fems.process.metadata import added, shares
from fems.registry.plant import Feed

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_NEEDED = frozenset(["shares", "causes", "columns", "sensors", "laws_not_applied", "time_range", "objects"])

Manifests = dict[str, dict[str, Any]]


def describe(
    platform: Platform, factory_id: str, feed: Feed, month: str | None = None, sensor: str | None = None
) -> dict[str, Any]:
    """Return what a person wants to know of a factory's processed data.

    Args:
        platform: where the data lies, and the registry.
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM, this one alone and in detail; all months if not given.
        sensor: the shares of this sensor alone; all sensors together if not given.

    Returns:
        Totals over the months: days, rows, cells, shares, quality, causes, laws_not_applied, sensors, columns (the sum
        only of what the book sums up), objects, sources, time_range (UTC), the versions, and where the tables of
        originals and the data package lie. `months`: the same figures, month by month. `refused`: months whose
        last evaluation failed. With a month also `by_day` and `findings`. With a sensor no rows, columns and
        quality: the manifests don't count them by sensor.

    Raises:
        ConfigError: the factory, the feed or the sensor is unknown, or the month is not written YYYY-MM.
        DataError: nothing is published, or not that month, or an earlier version published it.
    """
    factory = platform.plant.factory(factory_id)
    refused = _refused(platform, factory_id, feed)
    manifests = _published(platform, factory_id, feed, month, refused)
    known = _sensors_of(manifests)
    if sensor is not None:
        _check("sensor", sensor, known, f"factory {factory_id}, {feed}")
    package = keys.package_key(factory_id)
    first = next(iter(manifests.values()))
    found = {
        "factory_id": factory_id,
        "name": factory.name,
        "name_ko": factory.name_ko,
        "simulated": factory.simulated,
        "feed": feed,
        "month": month,
        "sensor": sensor,
        "timezone": first["timezone"],
        "grain_minutes": first["grain_minutes"],
        "book_versions": _distinct(m["book_version"] for m in manifests.values()),
        "book_version_now": platform.source(factory_id, feed).version,
        "code_versions": _distinct(m["code_version"] for m in manifests.values()),
        "time_range": _time_range(manifests),
        "days": sum(len(m["days"]) for m in manifests.values()),
        "objects": _totals(m["objects"] for m in manifests.values()),
        "sources": len({(s["key"], s["etag"]) for m in manifests.values() for s in m["sources"]}),
        "late": [item for m in manifests.values() for item in m["late"]],
        "laws_not_applied": _laws_not_applied(manifests, sensor),
        "causes": _causes(platform, factory_id, feed, manifests, sensor),
        "sensors": {name: _counted(_of_sensor(manifests, name)) for name in known if sensor in (None, name)},
        "months": {name: _month(m, sensor) for name, m in manifests.items()},
        "refused": [r for r in refused if month in (None, r["month"])],
        "originals": _originals(first, month),
        "data_package": package if platform.lake.get(package) is not None else None,
    }
    if sensor is not None:
        return found | found["sensors"][sensor]
    found |= {
        **_counted([m["cells"] for m in manifests.values()]),
        "rows": _totals(m["rows"] for m in manifests.values()),
        "quality": _totals(m["quality"] for m in manifests.values()),
        "columns": _columns(platform, feed, manifests),
    }
    if month is not None:
        found["by_day"] = {day: counts | shares(counts) for day, counts in manifests[month]["days"].items()}
        found["findings"] = _findings(platform, factory_id, feed, month)
    return found


def originals(
    platform: Platform,
    factory_id: str,
    feed: Feed,
    month: str,
    sensor: str | None = None,
    column: str | None = None,
) -> list[dict[str, Any]]:
    """Return the values of a month that were read and are published otherwise, ordered by time, sensor and column.

    Returns:
        A dict a value, see `fems.process.originals.SCHEMA`; the timestamp is in the factory's zone.

    Raises:
        ConfigError: the factory, the feed, the sensor or the column is unknown, or the month is not written YYYY-MM.
        DataError: the month is not published, or its table is gone.
    """
    refused = _refused(platform, factory_id, feed)
    manifests = _published(platform, factory_id, feed, month, refused)
    where = f"factory {factory_id}, {feed}"
    if sensor is not None:
        _check("sensor", sensor, _sensors_of(manifests), where)
    if column is not None:
        _check("column", column, platform.book(feed).columns, where)
    manifest = manifests[month]
    if manifest["empty"]:
        return []
    table = platform.lake.published(feed, ORIGINALS, factory_id, [month])
    for name, wanted in (("sensor_id", sensor), ("column", column)):
        if wanted is not None:
            table = table.filter(pc.equal(table[name], wanted))
    zone = pa.timestamp("us", manifest["timezone"])
    table = table.set_column(0, "timestamp", table["timestamp"].cast(zone))
    return table.sort_by([(name, "ascending") for name in ("timestamp", "sensor_id", "column")]).to_pylist()


def _published(
    platform: Platform, factory_id: str, feed: Feed, month: str | None, refused: list[dict[str, Any]]
) -> Manifests:
    """Return the manifests of all months, or of the one asked for."""
    if month is not None and not _MONTH.fullmatch(month):
        raise ConfigError(f"month {month!r}: write YYYY-MM")
    manifests = platform.lake.manifests(feed, factory_id)
    if not manifests or (month is not None and month not in manifests):
        what = f"factory {factory_id}, {feed}" + (f", {month}" if month else "")
        if any(month in (None, r["month"]) for r in refused):
            raise DataError(f"{what}: not published, a critical expectation failed; run ingest to see which")
        there = f" (published: {', '.join(manifests)})" if manifests else "; run ingest"
        raise DataError(f"{what}: nothing is published{there}")
    chosen = manifests if month is None else {month: manifests[month]}
    for name, manifest in chosen.items():
        if not manifest.keys() >= _NEEDED:
            raise DataError(f"factory {factory_id}, {feed}, {name}: an earlier version made it; run ingest")
    return chosen


def _check(what: str, name: str, known: Iterable[str], where: str) -> None:
    if name not in known:
        raise ConfigError(f"{where}: there is no {what} {name!r} (there are {', '.join(known)})")


def _refused(platform: Platform, factory_id: str, feed: Feed) -> list[dict[str, Any]]:
    """Return the months whose last evaluation failed: month, and how many critical expectations did."""
    platform.plant.mapping(factory_id, feed)  # names what is unknown
    return [
        {"month": month, "critical_failed": record["critical_failed"]}
        for month, record in records(platform.lake, feed, factory_id).items()
        if record["critical_failed"]
    ]


def _findings(platform: Platform, factory_id: str, feed: Feed, month: str) -> list[dict[str, Any]]:
    """Return the expectations that a month did not meet when it was last evaluated, each with its grain."""
    record = platform.lake.read_json(keys.quality_key(feed, factory_id, month)) or {}
    return [
        {"grain": grain, **finding}
        for grain in GRAINS
        for finding in record.get("tables", {}).get(grain, {}).get("findings", ())
    ]


def _sensors_of(manifests: Manifests) -> list[str]:
    return _distinct(name for manifest in manifests.values() for name in manifest["sensors"])


def _of_sensor(manifests: Manifests, sensor: str) -> list[dict[str, int]]:
    return [m["sensors"][sensor] for m in manifests.values() if sensor in m["sensors"]]


def _distinct(names: Iterable[str]) -> list[str]:
    return sorted(set(names))


def _counted(counts: list[dict[str, int]]) -> dict[str, Any]:
    cells = added(counts)
    return {"cells": cells, "shares": shares(cells)}


def _totals(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _month(manifest: dict[str, Any], sensor: str | None) -> dict[str, Any]:
    about = {
        "days": len(manifest["days"]),
        "empty": manifest["empty"],
        "first_day": manifest["first_day"],
        "last_day": manifest["last_day"],
        "laws_not_applied": [n for n in manifest["laws_not_applied"] if sensor in (None, n["sensor"])],
    }
    if sensor is not None:
        return about | _counted(_of_sensor({"": manifest}, sensor))
    return about | {name: manifest[name] for name in ("rows", "cells", "shares", "quality")}


def _laws_not_applied(manifests: Manifests, sensor: str | None) -> list[dict[str, Any]]:
    months: dict[tuple[str, str], list[str]] = {}
    for month, manifest in manifests.items():
        for each in manifest["laws_not_applied"]:
            if sensor in (None, each["sensor"]):
                months.setdefault((each["law"], each["sensor"]), []).append(month)
    return [{"law": law, "sensor": name, "months": some} for (law, name), some in sorted(months.items())]


def _causes(
    platform: Platform, factory_id: str, feed: Feed, manifests: Manifests, sensor: str | None
) -> dict[str, int]:
    """Return how many values each rule took out; of one sensor, the originals tell."""
    if sensor is None:
        found = _totals(m["causes"] for m in manifests.values())
    else:
        months = [month for month, m in manifests.items() if not m["empty"]]
        tables = platform.lake.published(feed, ORIGINALS, factory_id, months) if months else None
        some = tables.filter(pc.equal(tables["sensor_id"], sensor))["cause"].to_pylist() if tables else []
        found = Counter(cause for cause in some if cause)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _columns(platform: Platform, feed: Feed, manifests: Manifests) -> dict[str, dict[str, Any]]:
    """Return each column's unit, Korean name and range; a sum only where the book sums it up: of kWh, not of A."""
    rules, found = platform.book(feed).columns, {}
    last = next(reversed(manifests.values()))["columns"]
    for name in (*(name for name in rules if name in last), *(last.keys() - rules.keys())):
        about = last[name]
        parts = [m["columns"][name] for m in manifests.values() if name in m["columns"]]
        least, most, sums = ([p[key] for p in parts if p[key] is not None] for key in ("min", "max", "sum"))
        summed = name in rules and "sum" in rules[name].aggregate.values()
        found[name] = {
            "name_ko": about["name_ko"],
            "unit": about["unit"],
            "min": min(least, default=None),
            "max": max(most, default=None),
            "sum": math.fsum(sums) if summed and sums else None,
        }
    return found


def _time_range(manifests: Manifests) -> dict[str, str] | None:
    ranges = [m["time_range"] for m in manifests.values() if m["time_range"] is not None]
    if not ranges:
        return None
    return {"start": min(r["start"] for r in ranges), "end": max(r["end"] for r in ranges)}


def _originals(manifest: dict[str, Any], month: str | None) -> str | None:
    """Return the key of a month's table of originals, None where no row could be used; or where all of them lie."""
    key = keys.processed_key(
        manifest["feed"], ORIGINALS, manifest["factory_id"], manifest["month"], manifest["fingerprint"]
    )
    if month is None:
        return key.partition("month=")[0]
    return None if manifest["empty"] else key
