"""Which rows have a place in time and plant; and of the others, why not."""

import numpy as np

from fems.calendar import day_of
from fems.raw import clock, text
from fems.raw.typed import TypedRows
from fems.registry.feed import FactoryFeed


def times_of(
    table: text.TextTable, headers: dict[str, str], source: FactoryFeed
) -> tuple[np.ndarray, list[str], clock.LabelTimes]:
    """Return the code of each row's written time, the distinct written times, and what each of them means."""
    codes, labels = text.distinct(table.columns[headers["timestamp"]])
    return (
        codes,
        labels,
        clock.label_times(labels, source.mapping, source.grain_minutes, source.zone, source.day_begins),
    )


class Verdict:
    """Where each row belongs; and of those without a place, why."""

    def __init__(self, rows: TypedRows, source: FactoryFeed, object_day: np.ndarray) -> None:
        self.rows, self.source, self.object_day = rows, source, object_day
        self.times = clock.placed_times(
            rows.seconds, rows.ahead, source.mapping, source.grain_minutes, source.zone, source.day_begins
        )
        place = {sensor.sensor_id: i for i, sensor in enumerate(source.sensors)}
        own = source.factory_id
        sensors, factories = rows.sensors.texts.to_pylist(), rows.factories.texts.to_pylist()
        self.places = np.array([place.get(name.strip(), -1) for name in sensors], np.int16)
        self.foreign = np.array([name.strip() != own for name in factories], bool)
        self.starts = self.times.utc[rows.times.codes]
        self.days = self.times.day.astype(np.int32)[rows.times.codes]
        self.sensors = self.places[rows.sensors.codes]

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
        if times.local[label] == clock.NO_TIME:
            return f"the time {written} cannot be read"
        if times.wall[label] == clock.NO_TIME:
            return (
                f"the time {written} is not on the {source.grain_minutes}-minute grid{source.day_begins_text}"
            )
        if times.utc[label] == clock.NO_TIME:
            return f"the time {written} is skipped or repeated by a change of the clocks"
        if self.places[sensor] < 0:
            return (
                f"the sensor {rows.sensors.texts[sensor].as_py()!r} is not registered for factory "
                f"{source.factory_id}, feed {source.feed}: add it to factories.yaml and run ingest again"
            )
        day = day_of(int(self.object_day[row]))
        late, ahead = source.book.late_days, source.book.ahead_days
        after = f" or the {ahead} after it" if ahead else ""
        return f"the time {written} is outside the object's day {day} and the {late} days before it{after}"
