"""What a simulated plant plans of itself: production, stops and the weather to come; and what it then does.

Plans move the load of the machines that they are of. Some are not kept: of most machines one stop in ten, of some most
of them, and in every tenth week nobody makes what was planned. A production plan is made anew every Monday, a stop is
decided weeks before, and a weather forecast comes every morning, worse with every day ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

from fems.registry.factory import Factory
from fems.registry.plant import Plant
from fems.registry.sensors import Feed
from fems.simulate import collector
from fems.simulate.calendar import Grid, campaign_levels, day_profiles, outdoor_c
from fems.simulate.streams import EPOCH, Floats, daily_draws, daily_noise, stream

PLAN_FEEDS: tuple[Feed, ...] = ("production_plan", "planned_stop", "weather_forecast")

FOLLOWS = 0.7
"""By how many % a machine's work follows 1 % of the production that it makes."""

_KEEPS, _SELDOM_KEEPS = 0.9, 0.2
_SELDOM = 0.25
"""Of the machines keep their planned stops seldom."""
_WEEK_NOT_MADE = 0.1
_PLAN_DAYS, _WEATHER_DAYS = 35, 16
_FULL_DAY = 1000.0
"""Products of a full day."""


_Row = tuple[pd.Timestamp, str, *tuple[float, ...]]
"""When, of which sensor, and the values."""


@dataclass(frozen=True)
class PlannedStop:
    """A stop: its first hour by the local clock, how long, when it was decided, and whether it is kept."""

    start: pd.Timestamp
    hours: int
    decided: date
    kept: bool


def planned_sensors(factory: Factory, feed: Feed) -> dict[str, str]:
    """Return equipment -> the sensor of a feed of plans that is its own."""
    return {
        each.equipment: sensor for sensor, each in factory.sensors.get(feed, {}).items() if each.equipment
    }


def production(seed: int, names: tuple[str, str], grid: Grid) -> tuple[Floats, Floats]:
    """Return the planned and the made production of each day over the usual, each (grid.count,)."""
    level = campaign_levels(seed, *names, "plan", grid=grid, low=0.72, high=1.28)
    planned = level * (1 + 0.06 * daily_draws(seed, *names, "plan", first=grid.first, count=grid.count))
    weeks = np.array([(day - EPOCH).days // 7 for day in grid.dates])
    skipped = stream(seed, *names, "plan not made").random(4000)[weeks.clip(max=3999)] < _WEEK_NOT_MADE
    noise = 1 + 0.03 * daily_draws(seed, *names, "made", first=grid.first, count=grid.count)
    return planned, np.where(skipped, 1.0, planned) * noise


@lru_cache(maxsize=64)
def stops(seed: int, names: tuple[str, str]) -> tuple[PlannedStop, ...]:
    """Return all stops of a machine, one in three to six weeks."""
    rng = stream(seed, *names, "planned stops")
    keeps = _SELDOM_KEEPS if rng.random() < _SELDOM else _KEEPS
    weeks = np.cumsum(rng.integers(3, 7, size=1000))
    days, begins, hours, ahead, kept = (
        rng.integers(0, 5, 1000), rng.integers(6, 10, 1000), rng.integers(10, 37, 1000), rng.integers(12, 36, 1000),
        rng.random(1000) < keeps,
    )  # fmt: skip
    out = []
    for week, day, begin, length, lead, is_kept in zip(weeks, days, begins, hours, ahead, kept, strict=True):
        first = EPOCH + timedelta(days=int(week * 7 + day))
        start = pd.Timestamp(first) + pd.Timedelta(hours=int(begin))
        out.append(PlannedStop(start, int(length), first - timedelta(days=int(lead)), bool(is_kept)))
    return tuple(out)


def work(factory: Factory, seed: int, names: tuple[str, str], grid: Grid) -> Floats | None:
    """Return what plans make of a machine's work, a factor a minute; None of a machine that nothing is planned of."""
    made = names[1] in planned_sensors(factory, "production_plan")
    stopping = names[1] in planned_sensors(factory, "planned_stop")
    if not made and not stopping:
        return None
    factor = np.ones(len(grid.hour))
    if made:
        factor = production(seed, names, grid)[1][grid.day] ** FOLLOWS
    if stopping:
        local = (grid.starts.tz_localize(None) - pd.Timestamp(grid.first)) / pd.Timedelta(hours=1)
        for stop in stops(seed, names):
            begin = (stop.start - pd.Timestamp(grid.first)) / pd.Timedelta(hours=1)
            if stop.kept and begin < 24 * grid.count and begin + stop.hours > 0:
                factor[np.asarray((local >= begin) & (local < begin + stop.hours))] = 0.0
    return factor


def plan_files(
    plant: Plant, factory_id: str, feed: Feed, seed: int, start: date, end: date
) -> Iterator[tuple[date, bytes]]:
    """Yield the files of a feed of plans: the local day on which each was known, and its bytes."""
    factory = plant.factory(factory_id)
    rows_of = {
        "production_plan": _production_rows,
        "planned_stop": _stop_rows,
        "weather_forecast": _weather_rows,
    }[feed]
    sheet = collector.sheet_of(plant, factory_id, feed)
    for day in (start + timedelta(days=n) for n in range((end - start).days)):
        rows = rows_of(factory, factory_id, sheet.grain, seed, day)
        if not rows:
            continue
        labels = collector.time_labels(sheet, pd.DatetimeIndex([row[0] for row in rows]))
        sensors = [sensor.sensor_id for sensor in plant.sensors(factory_id, feed)]
        lines: list[bytes | memoryview] = []
        for label, (_, sensor, *values) in zip(labels, rows, strict=True):
            written = sheet.mapping.separator.join(f"{value:g}" for value in values)
            lines.append(f"\n{label}{sheet.ids[sensors.index(sensor)]}{written}".encode())
        yield day, sheet.encode(lines)


def _production_rows(factory: Factory, factory_id: str, grain: int, seed: int, day: date) -> list[_Row]:
    """Every Monday the coming weeks by day or shift; what lies further ahead is less sure."""
    if day.weekday() != 0:
        return []
    grid = Grid(factory.timezone, day + timedelta(days=1), _PLAN_DAYS)
    working = np.array([max(level for _, level in profile) > 0 for profile in day_profiles(factory, grid)])
    a_day = max(1, 1440 // grain)
    begins = pd.Timedelta(minutes=factory.day_begins_minutes("production_plan"))
    rows: list[_Row] = []
    for equipment, sensor in planned_sensors(factory, "production_plan").items():
        planned, _ = production(seed, (factory_id, equipment), grid)
        unsure = 1 + 0.02 * (np.arange(_PLAN_DAYS) // 7) * stream(
            seed, factory_id, equipment, "sure", f"{day}"
        ).standard_normal(_PLAN_DAYS)
        quantity = np.round(_FULL_DAY * planned * unsure * working)
        for i, local in enumerate(grid.dates):
            first = pd.Timestamp(local) + begins
            for part in range(a_day):
                at = (first + part * pd.Timedelta(minutes=grain)).tz_localize(
                    factory.timezone, ambiguous=True, nonexistent="shift_forward"
                )
                rows.append((at, sensor, float(round(quantity[i] / a_day))))
    return rows


def _stop_rows(factory: Factory, factory_id: str, grain: int, seed: int, day: date) -> list[_Row]:
    """The stops that were decided on a day, an interval a row."""
    rows: list[_Row] = []
    for equipment, sensor in planned_sensors(factory, "planned_stop").items():
        for stop in stops(seed, (factory_id, equipment)):
            if stop.decided == day:
                first = stop.start.tz_localize(factory.timezone, ambiguous=True, nonexistent="shift_forward")
                times = pd.date_range(first, periods=max(1, stop.hours * 60 // grain), freq=f"{grain}min")
                rows += [(at, sensor, float(grain)) for at in times]
    return rows


def _weather_rows(factory: Factory, factory_id: str, grain: int, seed: int, day: date) -> list[_Row]:
    """Every day the days after it, with an error that grows with the square root of the days ahead."""
    grid = Grid(factory.timezone, day + timedelta(days=1), _WEATHER_DAYS - 1)
    error = daily_noise(seed, "weather forecast", f"{day}", first=grid.first, count=grid.count, memory=0.6)
    wrong = 0.6 * np.sqrt(np.arange(1, grid.count + 1)) * error
    warm = outdoor_c(seed, grid) + wrong[grid.day]
    count = len(warm) // grain * grain
    means = warm[:count].reshape(-1, grain).mean(axis=1)
    return [
        (at, sensor, round(float(value), 1), 60.0)
        for sensor in factory.sensors["weather_forecast"]
        for at, value in zip(grid.starts[:count:grain], means, strict=True)
    ]
