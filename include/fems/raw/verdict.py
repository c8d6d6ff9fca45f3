"""Which rows have a place in time and plant; and of the others, why not."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fems.calendar import day_of
from fems.raw import clock, text
from fems.raw.source import Source


def times_of(
    table: text.TextTable, headers: dict[str, str], source: Source
) -> tuple[np.ndarray, list[str], clock.LabelTimes]:
    """Return the code of each row's written time, the distinct written times, and what each of them means."""
    codes, labels = text.distinct(table.columns[headers["timestamp"]])
    return codes, labels, clock.label_times(labels, source.mapping, source.grain_minutes, source.zone)


class Verdict:
    """Where each row belongs; and of those without a place, why."""

    def __init__(
        self, table: text.TextTable, headers: dict[str, str], source: Source, object_day: np.ndarray
    ) -> None:
        self.source, self.object_day = source, object_day
        n = len(table.lines)
        self.time_codes, self.labels, self.times = times_of(table, headers, source)
        constants = source.mapping.constants
        self.sensor_codes, self.sensor_names = _coded(table, headers, "sensor_id", constants, n)
        self.factory_codes: np.ndarray
        self.factory_codes, self.factory_names = (
            (np.zeros(n, np.int32), [source.factory_id])
            if "factory_id" not in headers
            else _coded(table, headers, "factory_id", constants, n)
        )
        place = {sensor.sensor_id: i for i, sensor in enumerate(source.sensors)}
        self.places = np.array([place.get(name.strip(), -1) for name in self.sensor_names], np.int16)
        own = source.factory_id
        self.foreign = np.array([name.strip() != own for name in self.factory_names], bool)
        self.starts = self.times.utc[self.time_codes]
        self.days = self.times.day.astype(np.int32)[self.time_codes]
        self.sensors = self.places[self.sensor_codes]

    def bad_rows(self) -> np.ndarray:
        """Return the rows without a place, int64, rising."""
        early = self.object_day - self.days
        bad = (early < 0) | (early > self.source.book.late_days)
        if (self.times.utc == clock.NO_TIME).any():
            bad |= self.starts == clock.NO_TIME
        if (self.places < 0).any():
            bad |= self.sensors < 0
        if self.foreign.any():
            bad |= self.foreign[self.factory_codes]
        return np.flatnonzero(bad)

    def reason(self, row: int) -> str:
        """Say why a row has no place."""
        source = self.source
        label = int(self.time_codes[row])
        written, times = repr(self.labels[label]), self.times
        if self.foreign[self.factory_codes[row]]:
            name = self.factory_names[self.factory_codes[row]].strip()
            return f"the row is of factory {name!r} and lies in the folder of factory {source.factory_id}"
        if times.local[label] == clock.NO_TIME:
            return f"the time {written} cannot be read"
        if times.wall[label] == clock.NO_TIME:
            return f"the time {written} is not on the {source.grain_minutes}-minute grid"
        if times.utc[label] == clock.NO_TIME:
            return f"the time {written} is skipped or repeated by a change of the clocks"
        if self.places[self.sensor_codes[row]] < 0:
            name = self.sensor_names[self.sensor_codes[row]]
            return (
                f"the sensor {name!r} is not registered for factory {source.factory_id}, feed {source.feed}: "
                "add it to factories.yaml and run ingest again"
            )
        day = day_of(int(self.object_day[row]))
        late = source.book.late_days
        return f"the time {written} is outside the object's day {day} and the {late} days before it"


def _coded(
    table: text.TextTable, headers: dict[str, str], name: str, constants: Mapping[Any, str], n: int
) -> tuple[np.ndarray, list[str]]:
    """Return each row's code of an ID column and the distinct IDs; a constant of the mapping counts for all."""
    if name in constants:
        return np.zeros(n, np.int32), [constants[name]]
    return text.distinct(table.columns[headers[name]])
