"""The definition book applied to a grid: which values are abnormal and by which rule, and what replaces them."""

from dataclasses import dataclass

import numpy as np

from fems.calendar import kinds_of_days
from fems.process import abnormal, missing, register
from fems.process.grid import Axis, Grid
from fems.process.level import OffLevel, find_off_levels, undeclared_registers
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
    "level of another unit",
    "undeclared register",
)
"""Why a value that was read does not stand; the position is the code."""

_NO_SIGNAL, _STUCK_READING, _REGISTER, _LIMITS, _JUMP, _STUCK_VALUE, _CONTRADICTS, _LEVEL, _UNDECLARED = (
    range(1, 10)
)


@dataclass(frozen=True)
class RegisterSum:
    """A sum that a register says over a gap, in which nobody knows the single intervals.

    Attributes:
        sensor: position among the source's sensors.
        column: position among the book's columns.
        begin, end: positions of its intervals on the axis, the end not in.
    """

    sensor: int
    column: int
    begin: int
    end: int


@dataclass(frozen=True)
class Judged:
    """A grid after the book.

    Attributes:
        values: float64, (C, S, T): measured, replaced or filled; NaN where missing.
        cause: uint8, (C, S, T): position in CAUSES of the rule that a value broke.
        estimated: bool, (C, S, T): the value is not the one that was read.
        known: bool, (C, S, T): the value was not read, and is known all the same: a share of a register's sum, or what
            the book says of a sensor that is not listed.
        suspended: law and sensor, where a sensor does not keep a law between columns at all.
        off_levels: sensor ID and what is off, where a level cannot be; its values are taken out.
        not_registers: sensor ID and column that keep falling, though the mapping calls them registers.
        sums: what registers say over gaps; spread over them.
    """

    values: np.ndarray
    cause: np.ndarray
    estimated: np.ndarray
    known: np.ndarray
    suspended: list[tuple[str, str]]
    off_levels: list[tuple[str, OffLevel]]
    not_registers: list[tuple[str, str]]
    sums: list[RegisterSum]


def judge(grid: Grid, source: FactoryFeed) -> Judged:
    """Take out what the book calls abnormal, and fill what is missing then.

    The grid's values are overwritten.
    """
    cause = np.zeros(grid.values.shape, np.uint8)
    kinds = kinds_of_days(grid.axis.days, source.rest_country)
    estimated = np.zeros(grid.values.shape, bool)
    known = np.zeros(grid.values.shape, bool)
    suspended: list[tuple[str, str]] = []
    off_levels: list[tuple[str, OffLevel]] = []
    not_registers: list[tuple[str, str]] = []
    sums: list[RegisterSum] = []
    # a column that no file carries is not made up from another one
    carried = np.flatnonzero(grid.supplied).tolist()
    for group in source.rules:
        everyone = len(group.sensors) == len(source.sensors)
        pick = slice(None) if everyone else group.sensors
        values = np.ascontiguousarray(grid.values[:, pick])
        sensors = [source.sensors[i] for i in group.sensors]
        bench = _take_out(values, carried, group.book, sensors, source, grid.axis, kinds)
        gone = np.isnan(values)
        columns = list(group.book.columns.items())
        rated = _rated([source.sensors[i] for i in group.sensors])
        for j in carried:
            upper = columns[j][1].upper_limits(rated, source.grain_minutes)
            sums += _sums(values[j], bench.known[j], group.sensors, j)
            missing.shape_shares(values[j], bench.known[j], grid.axis, kinds, columns[j][1].fill, upper)
        for j in carried:
            unlisted = columns[j][1].fill.unlisted
            if unlisted is not None:
                where = _unlisted(grid)[pick]
                values[j][where] = unlisted
                bench.known[j] |= where  # the book's word for it: no guess
            stand_in = columns[j][1].fill.stand_in
            if stand_in is not None:
                other = group.book.value_columns.index(stand_in)
                measured = np.where(gone[other], np.nan, values[other])
                missing.fill_from_stand_in(values[j], measured, grid.axis)
        for j in carried:
            missing.fill_gaps(values[j], grid.axis, kinds, columns[j][1].fill)
            upper = columns[j][1].upper_limits(rated, source.grain_minutes)
            least = abnormal.lower_limits(columns[j][1], upper)
            missing.keep_within(values[j], gone[j], least, upper)
        grid.values[:, pick], cause[:, pick] = values, bench.cause
        suspended += bench.suspended
        off_levels += [(sensors[off.sensor].sensor_id, off) for off in bench.off_levels]
        not_registers += bench.not_registers
        estimated[:, pick], known[:, pick] = gone | bench.known, bench.known
    return Judged(grid.values, cause, estimated, known, sorted(suspended), off_levels, not_registers, sums)


def _sums(values: np.ndarray, shares: np.ndarray, sensors: np.ndarray, column: int) -> list[RegisterSum]:
    """Return the sums that some sensors' equal shares are of; `values` and `shares`: (S, T)."""
    cells = np.flatnonzero(shares)
    if not len(cells):
        return []
    edges = np.flatnonzero(np.diff(missing.sums_of_shares(values, cells), prepend=-1, append=-1))
    sensor, begin = np.divmod(cells[edges[:-1]], values.shape[1])
    length = np.diff(edges)
    return [
        RegisterSum(int(sensors[s]), column, b, b + n)
        for s, b, n in zip(sensor.tolist(), begin.tolist(), length.tolist(), strict=True)
    ]


def _unlisted(grid: Grid) -> np.ndarray:
    """Return where a sensor has no row though another one has, bool, (S, T)."""
    absent = grid.row < 0
    return absent & ~absent.all(axis=0)


def _rated(sensors: list[Sensor]) -> np.ndarray:
    return np.array([np.nan if sensor.rated_kw is None else sensor.rated_kw for sensor in sensors])


class _Bench:
    """One group's values while they are judged; what is taken out is NaN from then on, and has its cause.

    What a rule made, the shares of a register's sum, is not judged by later rules as if it had been read.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.cause = np.zeros(values.shape, np.uint8)
        self.known = np.zeros(values.shape, bool)
        self.suspended: list[tuple[str, str]] = []
        self.off_levels: list[OffLevel] = []
        self.not_registers: list[tuple[str, str]] = []

    def take(self, column: int, cells: np.ndarray, cause: int) -> None:
        """Take out the cells of a column that still have a value that was read."""
        if len(cells):
            flat = self.values[column].reshape(-1)
            there = cells[~np.isnan(flat[cells]) & ~self.known[column].reshape(-1)[cells]]
            flat[there] = np.nan
            self.cause[column].reshape(-1)[there] = cause


def _take_out(
    values: np.ndarray,
    carried: list[int],
    book: Book,
    sensors: list[Sensor],
    source: FactoryFeed,
    axis: Axis,
    kinds: np.ndarray,
) -> _Bench:
    """Make NaN what breaks a rule; return the causes, and which values are shares of a register's sum."""
    grain = source.grain_minutes
    bench = _Bench(values)
    columns = list(book.columns.items())
    _take_out_no_reading(bench, carried, book, grain)
    rated = _rated(sensors)
    upper = {j: columns[j][1].upper_limits(rated, grain) for j in carried}
    for j in carried:
        modulus = source.cumulative.get(columns[j][0])
        if modulus is not None:
            net = [sensor.net for sensor in sensors]
            none = _registers_to_energy(bench, j, modulus, upper[j], net)
            bench.not_registers += [(sensors[s].sensor_id, columns[j][0]) for s in none]
    country = source.plant.factory(source.factory_id).country
    by_name = {columns[j][0]: values[j] for j in carried}
    interval = {name: each for name, each in by_name.items() if name not in source.cumulative}
    bench.off_levels = undeclared_registers(interval, book, grain)
    for off in bench.off_levels:
        bench.take(book.value_columns.index(off.column), _cells_of(off, axis), _UNDECLARED)
    levels = find_off_levels(by_name, book, rated, country, axis, kinds)
    for off in levels:
        bench.take(book.value_columns.index(off.column), _cells_of(off, axis), _LEVEL)
    bench.off_levels += levels
    usual: dict[str, np.ndarray] = {}
    for j in carried:
        name, column = columns[j]
        series = values[j]
        usual[name] = usual_levels(np.abs(series) if column.limits.both_ways else series)
        bench.take(j, abnormal.outside_limits(series, column, upper[j], usual[name]), _LIMITS)
        if column.jump is not None:
            bench.take(j, abnormal.jumps(series, column.jump, usual[name], grain), _JUMP)
        if column.stuck is not None:
            bench.take(j, abnormal.stuck_values(series, column.stuck, usual[name], grain), _STUCK_VALUE)
    by_name = {
        columns[j][0]: np.where(bench.known[j], np.nan, values[j]) if bench.known[j].any() else values[j]
        for j in carried
    }
    contradictory = abnormal.contradictions(by_name, book.consistency, usual)
    for name, cells in contradictory.cells.items():
        bench.take(book.value_columns.index(name), cells, _CONTRADICTS)
    for law, sensors_of in contradictory.suspended.items():
        bench.suspended.extend((law, sensors[s].sensor_id) for s in np.flatnonzero(sensors_of))
    return bench


def _take_out_no_reading(bench: _Bench, carried: list[int], book: Book, grain: int) -> None:
    """Take out what a device writes where it has no reading, and readings sent again and again."""
    columns, values = list(book.columns.values()), bench.values
    for j in carried:
        no_signal = columns[j].no_signal
        if no_signal:
            bench.take(j, np.flatnonzero(np.isin(values[j], no_signal)), _NO_SIGNAL)
    if book.stuck_reading is not None and len(carried) >= book.stuck_reading.columns:
        read = values if len(carried) == len(values) else values[carried]
        cells = abnormal.stuck_readings(read, book.stuck_reading, grain)
        for j in carried:
            bench.take(j, cells, _STUCK_READING)


def _cells_of(off: OffLevel, axis: Axis) -> np.ndarray:
    """Return the flat positions, of (S, T), of the values whose level is off."""
    steps = len(axis.starts)
    at = np.arange(steps) if off.days is None else np.flatnonzero(np.isin(axis.day, off.days))
    return off.sensor * steps + at


def _registers_to_energy(
    bench: _Bench, column: int, modulus: float, upper: np.ndarray, net: list[bool]
) -> list[int]:
    """Turn running registers into the energy of each interval, in place; return the sensors that have no register."""
    none = []
    for s, series in enumerate(bench.values[column]):
        read = ~np.isnan(series)
        if not net[s] and register.keeps_falling(series[read]):
            none.append(s)
        to_energy = register.net_energy_from_register if net[s] else register.energy_from_register
        energy, shared = to_energy(series, modulus, upper[s])
        bench.known[column, s] = shared
        unusable = read & (np.isnan(energy) | shared)
        bench.cause[column, s][unusable] = _REGISTER
        series[:] = energy
    return none
