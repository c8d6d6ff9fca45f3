"""What finds trap faults: the product, and two simple rules that a plant could write in a spreadsheet."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.traps.plant import TrapYear
from fems.calendar import Days, holidays_of, weekdays
from fems.contracts.traps import LEAKS
from fems.registry.steam_traps import Stop
from fems.traps.detector import STATES, Detection, detect
from fems.traps.features import day_features
from fems.traps.layout import TrapLayout, layout_of, repaired_days, stopped_days
from fems.traps.readings import Readings, nan_median, running

Floats = NDArray[np.floating]

_COLD_C = 60.0
_RATIO_LOW, _RATIO_HIGH = 0.8, 1.3
_LEARNED_DAYS = 30
_WORK_HOURS = (8, 18)


@dataclass(frozen=True)
class Alarm:
    """An alarm about a trap.

    Attributes:
        trap_id: whose.
        kinds: each day on which something is said, and what: a state of the product, `cold` or `hot` of a simple rule.
        start: first day of the evidence.
        detected: when it was raised.
        end: when it was over, None if it is not.
    """

    trap_id: str
    kinds: tuple[tuple[date, str], ...]
    start: date
    detected: date
    end: date | None

    def first(self, leak: bool, until: date) -> date | None:
        """Return the first day, up to another, on which it says a loss of steam, or else of capacity."""
        return next((day for day, kind in self.kinds if is_leak(kind) == leak and day <= until), None)

    def kind(self, leak: bool, until: date) -> str:
        """Return what it says on most days up to another, of the kinds that lose steam, or else capacity."""
        said = Counter(kind for day, kind in self.kinds if is_leak(kind) == leak and day <= until)
        return said.most_common(1)[0][0]


def is_leak(kind: str) -> bool:
    """Tell whether an alarm of a kind says that steam is lost."""
    return kind in {*LEAKS, "hot"}


Rule = Callable[[TrapYear], list[Alarm]]


def readings_of(year: TrapYear) -> Readings:
    """Arrange what the sensors read by trap."""
    main, outlet, machine = [], [], []
    local = year.starts.tz_localize(None).to_numpy().astype("datetime64[D]")
    days, day = np.unique(local, return_inverse=True)
    runs = running(year.used_kwh, day)
    machines = list(year.factory.equipment)
    column = 0
    nothing = np.full(len(day), np.nan)
    for trap in year.factory.steam_traps.values():
        values = year.values[:, column]
        main.append(values)
        outlet.append(
            year.values[:, column + 1]
            if trap.outlet_sensor
            else values
            if trap.position in ("outlet", "body")
            else nothing
        )
        column += 2 if trap.outlet_sensor else 1
        machine.append(runs[:, machines.index(trap.equipment)] if trap.equipment else nothing)
    arrays = (np.stack(part, axis=1).astype(np.float32) for part in (main, outlet, machine))
    return Readings(day, days, 15, *arrays)


def product(year: TrapYear) -> list[Alarm]:
    """The detector of `fems.traps`, told of the planned stops as a plant would write them down."""
    traps = year.factory.steam_traps
    readings = readings_of(year)
    layout = layout_of(traps)
    stops = [
        Stop(first=event.start.date(), last=(event.end - timedelta(minutes=1)).date(), trap_id=event.trap_id)
        for event in year.events
        if event.kind == "planned_stop"
    ]
    found = detect(
        day_features(readings, layout),
        layout,
        stopped=stopped_days(traps, stops, readings.days),
        repaired=repaired_days(traps, [], readings.days),
    )
    return alarms_of(found, layout, readings.days)


def alarms_of(found: Detection, layout: TrapLayout, days: Days) -> list[Alarm]:
    """Return the detector's events as alarms."""
    dates = days.astype(object)
    return [
        Alarm(
            layout.trap_ids[event.trap],
            tuple((dates[day], str(STATES[state])) for day, state in event.kinds),
            dates[event.start],
            dates[event.detected],
            dates[event.end[0]] if event.end else None,
        )
        for event in found.events
    ]


def fixed_cold(year: TrapYear) -> list[Alarm]:
    """Cold: the median of a working day's hours from 8 to 18 under 60 degrees."""
    days, main, _ = _work_medians(year)
    with np.errstate(invalid="ignore"):
        return _alarms(year, days, main, main < _COLD_C, "cold")


def ratios(year: TrapYear) -> list[Alarm]:
    """Inlet under 0.8 of the first month's median, or outlet over 1.3 of it."""
    days, main, outlet = _work_medians(year)
    with np.errstate(invalid="ignore"):
        learned = [
            nan_median(np.where(part > _COLD_C, part, np.nan)[:_LEARNED_DAYS]) for part in (main, outlet)
        ]
        low, high = main < _RATIO_LOW * learned[0], outlet > _RATIO_HIGH * learned[1]
    low[:_LEARNED_DAYS] = high[:_LEARNED_DAYS] = False
    return _alarms(year, days, main, low, "cold") + _alarms(year, days, outlet, high & ~low, "hot")


def _work_medians(year: TrapYear) -> tuple[list[date], NDArray[np.floating], NDArray[np.floating]]:
    readings = readings_of(year)
    hour = year.starts.hour.to_numpy()
    work = (hour >= _WORK_HOURS[0]) & (hour < _WORK_HOURS[1])
    shape = (len(readings.days), -1, readings.main.shape[1])
    medians = [
        nan_median(np.swapaxes(part[work].reshape(shape), 0, 1)) for part in (readings.main, readings.outlet)
    ]
    dates = list(readings.days.astype(object))
    if year.factory.shifts != "continuous":
        off = holidays_of(year.factory.country, readings.days) | (weekdays(readings.days) >= 5)
        for part in medians:
            part[off] = np.nan
    return dates, medians[0], medians[1]


def _alarms(year: TrapYear, days: list[date], values: Floats, on: np.ndarray, kind: str) -> list[Alarm]:
    """Return each run of known days as an alarm."""
    found = []
    for trap, trap_id in enumerate(year.factory.steam_traps):
        known = np.flatnonzero(~np.isnan(values[:, trap]))
        edges = np.flatnonzero(np.diff(on[known, trap].astype(int), prepend=0, append=0))
        for first, last in edges.reshape(-1, 2):
            end = days[known[last]] if last < len(known) else None
            begins = days[known[first]]
            found.append(Alarm(trap_id, ((begins, kind),), begins, begins, end))
    return found


RULES: dict[str, Rule] = {
    "fems": product,
    "fixed cold alarm": fixed_cold,
    "0.8 / 1.3 of the baseline": ratios,
}
