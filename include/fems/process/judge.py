"""The definition book applied to a grid: which values are abnormal and by which rule, and what replaces them."""

from dataclasses import dataclass

import numpy as np

from fems.calendar import kinds_of_days
from fems.process import abnormal, missing, register
from fems.process.grid import Grid
from fems.registry.book import Book
from fems.registry.feed import FactoryFeed
from fems.registry.laws import usual_levels
from fems.registry.plant import Sensor

CAUSES = (
    "",
    "no signal",
    "stuck reading",
    "register",
    "outside limits",
    "jump",
    "stuck value",
    "contradicts other columns",
)
"""Why a value that was read does not stand; the position is the code."""

_NO_SIGNAL, _STUCK_READING, _REGISTER, _LIMITS, _JUMP, _STUCK_VALUE, _CONTRADICTS = range(1, 8)

LONGEST_SPREAD_MINUTES = 24 * 60
"""A register's energy over a longer gap is not spread over it."""


@dataclass(frozen=True)
class Judged:
    """A grid after the book.

    Attributes:
        values: float64, (C, S, T): measured, replaced or filled; NaN where missing.
        cause: uint8, (C, S, T): position in CAUSES of the rule that a value broke.
        estimated: bool, (C, S, T): the value is not the one that was read.
        suspended: law and sensor, where a sensor does not keep a law between columns at all.
    """

    values: np.ndarray
    cause: np.ndarray
    estimated: np.ndarray
    suspended: list[tuple[str, str]]


def judge(grid: Grid, source: FactoryFeed) -> Judged:
    """Take out what the book calls abnormal, and fill what is missing then.

    The grid's values are overwritten.
    """
    cause = np.zeros(grid.values.shape, np.uint8)
    kinds = kinds_of_days(grid.axis.days, source.rest_country)
    estimated = np.zeros(grid.values.shape, bool)
    suspended: list[tuple[str, str]] = []
    # a column that no file carries is not made up from another one
    carried = np.flatnonzero(grid.supplied).tolist()
    for group in source.rules:
        everyone = len(group.sensors) == len(source.sensors)
        pick = slice(None) if everyone else group.sensors
        values = np.ascontiguousarray(grid.values[:, pick])
        bench, spread = _take_out(
            values, carried, group.book, [source.sensors[i] for i in group.sensors], source
        )
        gone = np.isnan(values)
        columns = list(group.book.columns.items())
        rated = _rated([source.sensors[i] for i in group.sensors])
        for j in carried:
            unlisted = columns[j][1].fill.unlisted
            if unlisted is not None:
                values[j][_unlisted(grid)[pick]] = unlisted
            stand_in = columns[j][1].fill.stand_in
            if stand_in is not None:
                other = group.book.value_columns.index(stand_in)
                measured = np.where(gone[other], np.nan, values[other])
                missing.fill_from_stand_in(values[j], measured, grid.axis)
        for j in carried:
            missing.fill_gaps(values[j], grid.axis, kinds, columns[j][1].fill)
            upper = columns[j][1].upper_limits(rated, source.grain_minutes)
            missing.keep_within(values[j], gone[j], columns[j][1].limits.min, upper)
        grid.values[:, pick], cause[:, pick] = values, bench.cause
        suspended += bench.suspended
        estimated[:, pick] = gone | spread
    return Judged(grid.values, cause, estimated, sorted(suspended))


def _unlisted(grid: Grid) -> np.ndarray:
    """Return where a sensor has no row though another one has, bool, (S, T)."""
    absent = grid.row < 0
    return absent & ~absent.all(axis=0)


def _rated(sensors: list[Sensor]) -> np.ndarray:
    return np.array([np.nan if sensor.rated_kw is None else sensor.rated_kw for sensor in sensors])


class _Bench:
    """One group's values while they are judged; what is taken out is NaN from then on, and has its cause."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.cause = np.zeros(values.shape, np.uint8)
        self.suspended: list[tuple[str, str]] = []

    def take(self, column: int, cells: np.ndarray, cause: int) -> None:
        """Take out the cells of a column that still have a value."""
        if len(cells):
            flat = self.values[column].reshape(-1)
            there = cells[~np.isnan(flat[cells])]
            flat[there] = np.nan
            self.cause[column].reshape(-1)[there] = cause


def _take_out(
    values: np.ndarray, carried: list[int], book: Book, sensors: list[Sensor], source: FactoryFeed
) -> tuple[_Bench, np.ndarray]:
    """Make NaN what breaks a rule; return the causes, and which values are shares of a register's sum."""
    grain = source.grain_minutes
    bench = _Bench(values)
    columns = list(book.columns.items())
    for j in carried:
        no_signal = columns[j][1].no_signal
        if no_signal:
            bench.take(j, np.flatnonzero(np.isin(values[j], no_signal)), _NO_SIGNAL)
    if book.stuck_reading is not None and len(carried) >= book.stuck_reading.columns:
        read = values if len(carried) == len(values) else values[carried]
        cells = abnormal.stuck_readings(read, book.stuck_reading, grain)
        for j in carried:
            bench.take(j, cells, _STUCK_READING)
    rated = _rated(sensors)
    spread = np.zeros(values.shape, bool)
    usual: dict[str, np.ndarray] = {}
    for j in carried:
        name, column = columns[j]
        upper = column.upper_limits(rated, grain)
        modulus = source.cumulative.get(name)
        if modulus is not None:
            _registers_to_energy(bench, j, modulus, upper, spread[j], grain)
        series = values[j]
        usual[name] = usual_levels(series)
        bench.take(j, abnormal.outside_limits(series, column, upper, usual[name]), _LIMITS)
        if column.jump is not None:
            bench.take(j, abnormal.jumps(series, column.jump, usual[name], grain), _JUMP)
        if column.stuck is not None:
            bench.take(j, abnormal.stuck_values(series, column.stuck, usual[name], grain), _STUCK_VALUE)
    by_name = {columns[j][0]: values[j] for j in carried}
    found = abnormal.contradictions(by_name, book.consistency, usual)
    for name, cells in found.cells.items():
        bench.take(book.value_columns.index(name), cells, _CONTRADICTS)
    for law, sensors_of in found.suspended.items():
        bench.suspended.extend((law, sensors[s].sensor_id) for s in np.flatnonzero(sensors_of))
    return bench, spread


def _registers_to_energy(
    bench: _Bench, column: int, modulus: float, upper: np.ndarray, spread: np.ndarray, grain: int
) -> None:
    """Turn a column of running registers into the energy of each interval, in place."""
    for s, series in enumerate(bench.values[column]):
        read = ~np.isnan(series)
        limit = upper[s] if np.isfinite(upper[s]) else modulus / 2
        energy, spread[s] = register.energy_from_register(
            series, modulus, limit, LONGEST_SPREAD_MINUTES // grain
        )
        unusable = read & (np.isnan(energy) | spread[s])
        bench.cause[column, s][unusable] = _REGISTER
        series[:] = energy
