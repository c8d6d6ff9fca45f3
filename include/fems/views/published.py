"""What is known of a factory's processed data: read from its manifests, and from the originals that lie beside them."""

import math
import re
from collections import Counter
from collections.abc import Iterable

from fems.contracts.grains import GRAINS, ORIGINALS, OriginalValue, QuarantinedRow
from fems.contracts.manifest import (
    CellCounts,
    ColumnRange,
    FailedCounts,
    Manifest,
    ObjectCounts,
    RowCounts,
    TimeRange,
)
from fems.contracts.published import (
    Counted,
    DayOverview,
    GrainFinding,
    LawNotAppliedIn,
    MonthOverview,
    PublishedData,
    RefusedMonth,
)
from fems.errors import ConfigError, DataError
from fems.flows.platform import Platform
from fems.lake import keys
from fems.registry.sensors import Feed

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)

Manifests = dict[str, Manifest]


def published_factories(platform: Platform, feed: Feed, month: str | None = None) -> list[str]:
    """Return the factories of which anything of a feed is published, or a month.

    Raises:
        DataError: there are none.
    """
    plant, lake = platform.plant, platform.lake
    there = [
        factory_id
        for factory_id in plant.factories
        if feed in plant.feeds(factory_id)
        for months in (lake.months(feed, factory_id),)
        if (months if month is None else month in months)
    ]
    if not there:
        raise DataError(f"nothing is published of {feed}{f', {month}' if month else ''}; run ingest")
    return there


def published_data(
    platform: Platform, factory_id: str, feed: Feed, month: str | None = None, sensor: str | None = None
) -> PublishedData:
    """Return what a person wants to know of a factory's processed data.

    Args:
        platform: where the data lies, and the registry.
        factory_id: the factory.
        feed: the feed.
        month: YYYY-MM, this one alone and in detail; all months if not given.
        sensor: the shares of this sensor alone; all sensors together if not given.

    Raises:
        ConfigError: the factory, the feed or the sensor is unknown, or the month is not written YYYY-MM.
        DataError: nothing is published, or not that month.
        UnknownFormat: another version published it; says what to run.
    """
    factory = platform.plant.factory(factory_id)
    refused = _refused(platform, factory_id, feed)
    manifests = _published(platform, factory_id, feed, month, refused)
    every, known = list(manifests.values()), _sensors_of(manifests)
    if sensor is not None:
        _check("sensor", sensor, known, f"factory {factory_id}, {feed}")
    sensors = {name: Counted.of(_of_sensor(every, name)) for name in known if sensor in (None, name)}
    counted = Counted.of(m.cells for m in every) if sensor is None else sensors[sensor]
    data = PublishedData(
        factory_id=factory_id,
        name=factory.name,
        name_ko=factory.name_ko,
        simulated=factory.simulated,
        feed=feed,
        month=month,
        sensor=sensor,
        timezone=every[0].timezone,
        grain_minutes=every[0].grain_minutes,
        book_versions=_distinct(m.book_version for m in every),
        book_version_now=platform.source(factory_id, feed).version,
        code_versions=_distinct(m.code_version for m in every),
        time_range=_time_range(every),
        days=sum(len(m.days) for m in every),
        objects=ObjectCounts.total(m.objects for m in every),
        sources=len({(s.key, s.etag) for m in every for s in m.sources}),
        late=tuple(item for m in every for item in m.late),
        laws_not_applied=_laws_not_applied(manifests, sensor),
        off_levels=_lines_of((line for m in every for line in m.off_levels), sensor),
        register_sums=_lines_of((line for m in every for line in m.register_sums), sensor),
        causes=_causes(platform, factory_id, feed, manifests, sensor),
        sensors=sensors,
        months={name: _month(m, sensor) for name, m in manifests.items()},
        refused=tuple(r for r in refused if month in (None, r.month)),
        originals=_originals_key(feed, every[0], month),
        data_package=keys.package_key(factory_id) if platform.lake.has_package(factory_id) else None,
        **dict(counted),
    )
    if sensor is not None:
        return data
    more = {
        "rows": RowCounts.total(m.rows for m in every),
        "quality": FailedCounts.total(m.quality for m in every),
        "columns": _columns(platform, feed, every),
    }
    if month is not None:
        more["by_day"] = {
            day: DayOverview(**dict(counts), **dict(counts.shares()))
            for day, counts in manifests[month].days.items()
        }
        more["findings"] = _findings(platform, factory_id, feed, month)
    return data.model_copy(update=more)


def originals(
    platform: Platform,
    factory_id: str,
    feed: Feed,
    month: str,
    sensor: str | None = None,
    column: str | None = None,
) -> list[OriginalValue]:
    """Return the values of a month that were read and are published otherwise, ordered by time, sensor and column.

    Raises:
        ConfigError: the factory, the feed, the sensor or the column is unknown, or the month is not written YYYY-MM.
        DataError: the month is not published, or its table is gone.
        UnknownFormat: another version published it; says what to run.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    refused = _refused(platform, factory_id, feed)
    manifests = _published(platform, factory_id, feed, month, refused)
    where = f"factory {factory_id}, {feed}"
    if sensor is not None:
        _check("sensor", sensor, _sensors_of(manifests), where)
    if column is not None:
        _check("column", column, platform.book(feed).columns, where)
    manifest = manifests[month]
    if manifest.empty:
        return []
    table = platform.lake.published(feed, ORIGINALS, factory_id, [month])
    for name, wanted in (("sensor_id", sensor), ("column", column)):
        if wanted is not None:
            table = table.filter(pc.equal(table[name], wanted))
    zone = pa.timestamp("us", manifest.timezone)
    table = table.set_column(0, "timestamp", table["timestamp"].cast(zone))
    ordered = table.sort_by([(name, "ascending") for name in ("timestamp", "sensor_id", "column")])
    return [OriginalValue(**row) for row in ordered.to_pylist()]


def quarantined(platform: Platform, factory_id: str, feed: Feed) -> list[QuarantinedRow]:
    """Return every row of a factory's feed that could not be used.

    Raises:
        ConfigError: the factory or the feed is unknown.
    """
    platform.plant.mapping(factory_id, feed)  # names what is unknown
    return platform.lake.quarantined(feed, factory_id)


def _published(
    platform: Platform, factory_id: str, feed: Feed, month: str | None, refused: list[RefusedMonth]
) -> Manifests:
    """Return the manifests of all months, or of the one asked for."""
    if month is not None and not _MONTH.fullmatch(month):
        raise ConfigError(f"month {month!r}: write YYYY-MM")
    manifests = platform.lake.manifests(feed, factory_id)
    if not manifests or (month is not None and month not in manifests):
        what = f"factory {factory_id}, {feed}" + (f", {month}" if month else "")
        if any(month in (None, r.month) for r in refused):
            raise DataError(f"{what}: not published, a critical expectation failed; run ingest to see which")
        there = f" (published: {', '.join(manifests)})" if manifests else "; run ingest"
        raise DataError(f"{what}: nothing is published{there}")
    return manifests if month is None else {month: manifests[month]}


def _check(what: str, name: str, known: Iterable[str], where: str) -> None:
    if name not in known:
        raise ConfigError(f"{where}: there is no {what} {name!r} (there are {', '.join(known)})")


def _refused(platform: Platform, factory_id: str, feed: Feed) -> list[RefusedMonth]:
    """Return the months whose last evaluation failed."""
    platform.plant.mapping(factory_id, feed)  # names what is unknown
    return [
        RefusedMonth(month=month, critical_failed=record.critical_failed)
        for month, record in platform.lake.evaluations.by_month(feed, factory_id).items()
        if record.critical_failed
    ]


def _findings(platform: Platform, factory_id: str, feed: Feed, month: str) -> tuple[GrainFinding, ...]:
    """Return the expectations that a month did not meet when it was last evaluated, each with its grain."""
    record = platform.lake.evaluations.last(feed, factory_id, month)
    return tuple(
        GrainFinding(grain=grain, **dict(finding))
        for grain in GRAINS
        if record is not None and grain in record.tables
        for finding in record.tables[grain].findings
    )


def _sensors_of(manifests: Manifests) -> tuple[str, ...]:
    return _distinct(name for manifest in manifests.values() for name in manifest.sensors)


def _of_sensor(manifests: Iterable[Manifest], sensor: str) -> list[CellCounts]:
    return [m.sensors[sensor] for m in manifests if sensor in m.sensors]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _month(manifest: Manifest, sensor: str | None) -> MonthOverview:
    counts = [manifest.cells] if sensor is None else _of_sensor([manifest], sensor)
    return MonthOverview(
        days=len(manifest.days),
        empty=manifest.empty,
        first_day=manifest.first_day,
        last_day=manifest.last_day,
        laws_not_applied=sum(sensor in (None, each.sensor) for each in manifest.laws_not_applied),
        rows=manifest.rows if sensor is None else None,
        quality=manifest.quality if sensor is None else None,
        **dict(Counted.of(counts)),
    )


def _lines_of(lines: Iterable[str], sensor: str | None) -> tuple[str, ...]:
    return tuple(line for line in lines if sensor is None or line.startswith(f"{sensor} "))


def _laws_not_applied(manifests: Manifests, sensor: str | None) -> tuple[LawNotAppliedIn, ...]:
    months: dict[tuple[str, str], list[str]] = {}
    for month, manifest in manifests.items():
        for each in manifest.laws_not_applied:
            if sensor in (None, each.sensor):
                months.setdefault((each.law, each.sensor), []).append(month)
    return tuple(
        LawNotAppliedIn(law=law, sensor=name, months=tuple(some))
        for (law, name), some in sorted(months.items())
    )


def _causes(
    platform: Platform, factory_id: str, feed: Feed, manifests: Manifests, sensor: str | None
) -> dict[str, int]:
    """Return how many values each rule took out; of one sensor, the originals tell."""
    import pyarrow.compute as pc

    counts: Counter[str] = Counter()
    if sensor is None:
        for manifest in manifests.values():
            counts.update(manifest.causes)
    elif months := [month for month, m in manifests.items() if not m.empty]:
        table = platform.lake.published(feed, ORIGINALS, factory_id, months)
        causes = table.filter(pc.equal(table["sensor_id"], sensor))["cause"].to_pylist()
        counts.update(cause for cause in causes if cause)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _columns(platform: Platform, feed: Feed, manifests: list[Manifest]) -> dict[str, ColumnRange]:
    """Return each column's unit, Korean name and range; a sum only where the book sums it up: of kWh, not of A."""
    rules, ranges = platform.book(feed).columns, {}
    last = manifests[-1].columns
    for name in (*(name for name in rules if name in last), *(last.keys() - rules.keys())):
        parts = [m.columns[name] for m in manifests if name in m.columns]
        sums = [part.sum for part in parts if part.sum is not None]
        summed = name in rules and "sum" in rules[name].aggregate.values()
        ranges[name] = ColumnRange(
            name_ko=last[name].name_ko,
            unit=last[name].unit,
            min=min((part.min for part in parts if part.min is not None), default=None),
            max=max((part.max for part in parts if part.max is not None), default=None),
            sum=math.fsum(sums) if summed and sums else None,
        )
    return ranges


def _time_range(manifests: Iterable[Manifest]) -> TimeRange | None:
    ranges = [m.time_range for m in manifests if m.time_range is not None]
    if not ranges:
        return None
    return TimeRange(start=min(r.start for r in ranges), end=max(r.end for r in ranges))


def _originals_key(feed: Feed, manifest: Manifest, month: str | None) -> str | None:
    """Return the key of a month's table of originals, None where no row could be used; or where all of them lie."""
    if month is None:
        return keys.table_folder(feed, ORIGINALS, manifest.factory_id)
    if manifest.empty:
        return None
    return keys.processed_key(feed, ORIGINALS, manifest.factory_id, month, manifest.fingerprint)
