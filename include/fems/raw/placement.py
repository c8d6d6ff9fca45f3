"""Where each row belongs: its sensor and the start of its interval; and why a row belongs nowhere."""

import numpy as np

from fems.calendar import day_of
from fems.raw import clock, clock_change, intervals
from fems.raw.interval_labels import names_both_ends
from fems.raw.typed import TypedRows
from fems.registry.feed import FactoryFeed


class Placement:
    """Where each row belongs; and of those that belong nowhere, why.

    Attributes:
        starts: int64, n: UTC seconds of the interval's start.
        days: int32, n: its local day, days since 1970.
        sensors: int16, n: position among the feed's sensors, -1 for another one.
    """

    def __init__(self, rows: TypedRows, source: FactoryFeed, object_day: np.ndarray) -> None:
        self.rows, self.source, self.object_day = rows, source, object_day
        self.times = clock.placed_times(
            rows.seconds, rows.ahead, source.mapping, source.grain_minutes, source.zone, source.day_begins
        )
        place = {sensor.sensor_id: i for i, sensor in enumerate(source.sensors)}
        own, alias = source.factory_id, source.mapping.sensors
        sensors, factories = rows.sensors.texts.to_pylist(), rows.factories.texts.to_pylist()
        self.places = np.array(
            [place.get(alias.get(name.strip(), name.strip()), -1) for name in sensors], np.int16
        )
        self.foreign = np.array([name.strip() != own for name in factories], bool)
        self.starts = self.times.utc[rows.times.codes]
        self.days = self.times.day.astype(np.int32)[rows.times.codes]
        self.sensors = self.places[rows.sensors.codes]
        if self.times.near_change.any():
            self._resolve_clock_changes()
        self.wrong_interval = intervals.unlike_the_grain(
            rows.owner,
            rows.times.codes,
            self.times,
            self.sensors,
            self.starts,
            source.grain_minutes,
            len(source.sensors),
        )

    def _resolve_clock_changes(self) -> None:
        rows, source = self.rows, self.source
        near = np.flatnonzero(self.times.near_change[rows.times.codes])
        if not len(near):
            return
        zone = source.mapping.timezone or source.zone
        wall = self.times.wall[rows.times.codes[near]]
        self.starts[near] = clock_change.resolve(
            wall,
            rows.owner[near],
            rows.sensors.codes[near],
            self.starts[near],
            source.mapping,
            source.grain_minutes,
            zone,
        )
        self.days[near] = clock.local_days(self.starts[near], source.zone).astype(np.int32)

    def bad_rows(self) -> np.ndarray:
        """Return the rows without a place, int64, rising."""
        early = self.object_day - self.days
        bad = (early < -self.source.book.ahead_days) | (early > self.source.book.late_days)
        if (self.times.utc == clock.NO_TIME).any():
            bad |= self.starts == clock.NO_TIME
        if (self.places < 0).any():
            bad |= self.sensors < 0
        if self.foreign.any():
            bad |= self.foreign[self.rows.factories.codes]
        for owner, sensor in self.wrong_interval:
            bad |= (self.rows.owner == owner) & ((self.sensors == sensor) | (sensor < 0))
        return np.flatnonzero(bad)

    def reason(self, row: int) -> str:
        """Say why a row has no place."""
        source, rows = self.source, self.rows
        label = int(rows.times.codes[row])
        written, times = repr(rows.times.texts[label].as_py()), self.times
        factory, sensor = int(rows.factories.codes[row]), int(rows.sensors.codes[row])
        if self.foreign[factory]:
            name = rows.factories.texts[factory].as_py().strip()
            return f"the row is of factory {name!r} and lies in the folder of factory {source.factory_id}"
        owner = int(rows.owner[row])
        apart = self.wrong_interval.get((owner, -1)) or self.wrong_interval.get(
            (owner, int(self.sensors[row]))
        )
        if apart is not None:
            return (
                f"the rows are {apart} minutes apart, and the grain of factory {source.factory_id}, feed "
                f"{source.feed}, is {source.grain_minutes} minutes: set `grain` in factories.yaml"
            )
        if times.local[label] == clock.NO_TIME and names_both_ends(rows.times.texts[label].as_py()):
            return (
                f"the time {written} cannot be read as an interval of {source.grain_minutes} minutes, the grain of "
                f"factory {source.factory_id}, feed {source.feed}"
            )
        if times.local[label] == clock.NO_TIME:
            return f"the time {written} cannot be read"
        if times.wall[label] == clock.NO_TIME:
            return (
                f"the time {written} is not on the {source.grain_minutes}-minute grid{source.day_begins_text}"
            )
        if self.starts[row] == clock.NO_TIME:
            return (
                f"the time {written} is skipped or repeated by a change of the clocks, and the order of the rows "
                "does not tell which it is"
            )
        if self.places[sensor] < 0:
            return (
                f"the sensor {rows.sensors.texts[sensor].as_py()!r} is not registered for factory "
                f"{source.factory_id}, feed {source.feed}: add it to factories.yaml and run ingest again"
            )
        day = day_of(int(self.object_day[row]))
        late, ahead = source.book.late_days, source.book.ahead_days
        after = f" or the {ahead} after it" if ahead else ""
        return f"the time {written} is outside the object's day {day} and the {late} days before it{after}"
