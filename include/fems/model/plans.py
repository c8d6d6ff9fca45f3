"""What a plant knows of its future: planned stops, production and shifts, machine by machine, and the weather forecast.

A plan counts from the moment when it was known: what arrived after a forecast's origin moves nothing, in a backtest
either. What plans are worth is learnt from past ones, see `plan_effects`.
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import DataError
from fems.model.history import Floats

Kind = Literal["stop", "production", "shift", "temperature"]

COLUMNS = ("sensor_id", "kind", "start", "end", "value", "known_at")
"""Of a plan's table. `value`: planned production over the usual, 1.12 for 12 % more; the outdoor temperature in degrees
Celsius; of a stop or an extra shift empty, or 0 where an earlier plan of it is called off."""

EVERY_MACHINE = ""
"""Stands for a sensor ID in what all machines have in common, the weather."""

_HOUR = 3600.0
_LIMITS: dict[Kind, tuple[float, float, str]] = {
    "production": (0.01, 10, "production over the usual is above 0 and below 10, 1.12 for 12 % more"),
    "temperature": (-60, 60, "a temperature is from -60 to 60 degrees Celsius"),
    "stop": (0, 1, "write nothing for a stop, 0 where it is called off"),
    "shift": (0, 1, "write nothing for an extra shift, 0 where it is called off"),
}


@dataclass(frozen=True)
class PlanEntry:
    """One thing that is planned.

    Attributes:
        sensor_id: of the machine; `EVERY_MACHINE` for a temperature.
        kind: a stop, a production other than the usual, a shift beside the usual ones, or the weather.
        start, end: from when until when.
        value: production over the usual; degrees Celsius; 1 for a stop or a shift, 0 where it is called off.
        known_at: when it was known.
    """

    sensor_id: str
    kind: Kind
    start: pd.Timestamp
    end: pd.Timestamp
    value: float
    known_at: pd.Timestamp


@dataclass(frozen=True)
class PlannedHours:
    """What is planned of hours.

    Attributes:
        stopped: (T, E) 0 to 1, the share of the hour in a planned stop.
        production: (T, E) over the usual; 1 where none is planned.
        planned: (T, E) whether a production is planned.
        shift: (T, E) whether the hour is in an extra shift.
        temperature: (T,) degrees Celsius; NaN where no forecast is known.
    """

    stopped: Floats
    production: Floats
    planned: NDArray[np.bool_]
    shift: NDArray[np.bool_]
    temperature: Floats


@dataclass(frozen=True)
class Plan:
    """Everything that was ever planned, the oldest knowledge first: a later entry replaces an earlier one's hours."""

    entries: tuple[PlanEntry, ...] = ()

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, equipment: Sequence[str], known_at: pd.Timestamp | None = None
    ) -> "Plan":
        """Read a plan.

        Args:
            table: see `COLUMNS`; times are tz-aware.
            equipment: the sensor IDs that there are.
            known_at: of rows that say nothing of it, and of a table without that column.

        Raises:
            DataError: a column, a time, a machine or a value cannot be, or a machine's production has a gap.
        """
        lacking = {"sensor_id", "kind", "start", "end"} - set(table.columns)
        if lacking:
            raise DataError(f"plan: it lacks {', '.join(sorted(lacking))}")
        entries = [
            _entry(i, row, equipment, known_at) for i, row in enumerate(table.to_dict("records"), start=1)
        ]
        _check_gaps(entries)
        return cls(tuple(sorted(entries, key=lambda entry: entry.known_at)))

    def known_at(self, origin: pd.Timestamp) -> "Plan":
        """Return what was known at an instant."""
        return Plan(tuple(entry for entry in self.entries if entry.known_at <= origin))

    def and_then(self, later: "Plan") -> "Plan":
        """Return both; where they are of the same hours and were known at the same time, the later one holds."""
        return Plan(tuple(sorted((*self.entries, *later.entries), key=lambda entry: entry.known_at)))

    def only(self, kind: Kind) -> "Plan":
        """Return what is planned of one kind."""
        return Plan(tuple(entry for entry in self.entries if entry.kind == kind))

    def of_hours(
        self, hours: pd.DatetimeIndex, equipment: Sequence[str], *, in_time: bool = False
    ) -> PlannedHours:
        """Lay the plan out by hours.

        Args:
            hours: (T,) starts of the hours, ascending.
            equipment: E sensor IDs.
            in_time: whether what was known only after an hour had begun does not count for it.
        """
        column = {sensor: e for e, sensor in enumerate(equipment)}
        shape = (len(hours), len(equipment))
        stopped, production, planned = np.zeros(shape), np.ones(shape), np.zeros(shape, dtype=bool)
        shift, temperature = np.zeros(shape, dtype=bool), np.full(len(hours), np.nan)
        begins = hours.tz_convert("UTC").as_unit("s").asi8
        for entry in self.entries:
            start, end = entry.start.timestamp(), entry.end.timestamp()
            first = int(np.searchsorted(begins, start - _HOUR, side="right"))
            if in_time:
                first = max(first, int(np.searchsorted(begins, entry.known_at.timestamp())))
            rows = slice(first, int(np.searchsorted(begins, end)))
            if entry.kind == "temperature":
                temperature[rows] = entry.value
                continue
            e = column.get(entry.sensor_id)
            if e is None or rows.start >= rows.stop:
                continue
            if entry.kind == "production":
                production[rows, e], planned[rows, e] = entry.value, True
            elif entry.kind == "shift":
                shift[rows, e] = entry.value > 0
            elif entry.value == 0:
                stopped[rows, e] = 0.0
            else:
                inside = np.minimum((end - begins[rows]) / _HOUR, 1.0) - np.maximum(
                    (start - begins[rows]) / _HOUR, 0.0
                )
                stopped[rows, e] = np.maximum(stopped[rows, e], inside)
        return PlannedHours(stopped, production, planned, shift, temperature)


def _entry(
    number: int, row: Mapping[Hashable, Any], equipment: Sequence[str], known_at: pd.Timestamp | None
) -> PlanEntry:
    def wrong(what: str) -> DataError:
        return DataError(f"plan, row {number}: {what}")

    kind = next((known for known in get_args(Kind) if known == row["kind"]), None)
    if kind is None:
        raise wrong(f"kind {row['kind']!r} is none of {', '.join(get_args(Kind))}")
    sensor = EVERY_MACHINE if kind == "temperature" else str(row["sensor_id"])
    if kind != "temperature" and sensor not in equipment:
        raise wrong(f"machine {sensor!r} is not known (there are {', '.join(equipment)})")
    start, end = (_instant(row[name], name, number) for name in ("start", "end"))
    if end <= start:
        raise wrong(f"it ends at {end}, which is not after its start, {start}")
    known = row.get("known_at")
    moment = known_at if known is None or pd.isna(known) else _instant(known, "known_at", number)
    if moment is None:
        raise wrong("known_at is missing: when was it known?")
    written: Any = row.get("value")
    empty = written is None or pd.isna(written)
    try:
        value = 1.0 if empty and kind in ("stop", "shift") else float("" if empty else written)
    except (TypeError, ValueError) as error:
        raise wrong(f"value {written!r} is no number") from error
    low, high, words = _LIMITS[kind]
    if not low <= value <= high:
        raise wrong(f"value {value:g}: {words}")
    return PlanEntry(sensor, kind, start, end, value, moment)


def _instant(written: Any, name: str, number: int) -> pd.Timestamp:
    try:
        instant = pd.Timestamp(written)
    except (TypeError, ValueError) as error:
        raise DataError(f"plan, row {number}: {name} {written!r} cannot be read; write ISO 8601") from error
    if pd.isna(instant) or instant.tz is None:
        raise DataError(f"plan, row {number}: {name} {written!r} carries no time zone")
    return instant


def _check_gaps(entries: list[PlanEntry]) -> None:
    """Refuse a production plan with a hole: whether nothing is made then, or as ever, it does not tell."""
    ordered = sorted(
        (entry for entry in entries if entry.kind == "production"),
        key=lambda entry: (entry.sensor_id, entry.known_at, entry.start),
    )
    for one, next_one in itertools.pairwise(ordered):
        together = (one.sensor_id, one.known_at) == (next_one.sensor_id, next_one.known_at)
        if together and next_one.start > one.end:
            raise DataError(
                f"plan: the production of {one.sensor_id} has a gap from {one.end} to {next_one.start}; write 1 where "
                "it is the usual"
            )
