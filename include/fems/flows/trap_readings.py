"""A factory's published readings as the detector of trap faults wants them: measured values alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from fems.errors import TooLittleHistory
from fems.flows.platform import Platform
from fems.traps.readings import Floats, Readings, running

TRUSTED = ("measured", "retyped")
"""Flags of values that a sensor said; what was filled or replaced hides the evidence."""


@dataclass(frozen=True)
class Grid:
    """A regular clock over whole local days.

    Attributes:
        first: the first instant, in nanoseconds since 1970 UTC.
        step: nanoseconds.
        count: of steps.
    """

    first: int
    step: int
    count: int

    def rows(self, timestamps: pa.ChunkedArray | pa.Array) -> np.ndarray:
        """Return the step of each instant; those outside are negative or too large."""
        instants = timestamps.cast(pa.timestamp("ns", "UTC")).to_numpy(zero_copy_only=False)
        steps: np.ndarray = (instants.astype("datetime64[ns]").astype(np.int64) - self.first) // self.step
        return steps


def published_readings(platform: Platform, factory_id: str) -> Readings:
    """Return what was measured at a factory's traps and at the machines that they serve.

    Raises:
        TooLittleHistory: nothing of the factory's steam traps is published.
        DataError: a publish was cut off.
    """
    factory = platform.plant.factory(factory_id)
    months = [
        month
        for month, manifest in platform.lake.manifests("steam_trap", factory_id).items()
        if not manifest.empty
    ]
    if not months:
        raise TooLittleHistory(f"factory {factory_id} has no published steam trap data; run ingest first")
    grain = platform.plant.grain_minutes(factory_id, "steam_trap")
    table = platform.lake.published("steam_trap", "native", factory_id, months)
    grid, starts = _grid(table["timestamp"], grain, factory.timezone)
    local = starts.tz_localize(None).to_numpy().astype("datetime64[D]")
    days, day = np.unique(local, return_inverse=True)
    sensors = [sensor.sensor_id for sensor in platform.plant.sensors(factory_id, "steam_trap")]
    values = _matrix(table, grid, sensors, "temperature_c")
    nothing = np.full(grid.count, np.nan, dtype=np.float32)
    machines = _running(platform, factory_id, months, grid, day, grain)
    main, outlet, machine = [], [], []
    for trap_id, trap in factory.steam_traps.items():
        own = values[:, sensors.index(trap_id)]
        main.append(own)
        behind = own if trap.position in ("outlet", "body") else nothing
        outlet.append(values[:, sensors.index(trap.outlet_sensor)] if trap.outlet_sensor else behind)
        machine.append(machines.get(trap.equipment or "", nothing))
    stacked = (np.stack(part, axis=1) for part in (main, outlet, machine))
    return Readings(day, days, grain, *stacked)


def _grid(timestamps: pa.ChunkedArray, grain: int, zone: str) -> tuple[Grid, pd.DatetimeIndex]:
    """Return the clock from the first to the last published day."""
    known = pd.DatetimeIndex(timestamps.combine_chunks().to_pandas())
    first = known.min().tz_convert(zone).normalize()
    after = known.max().tz_convert(zone).normalize() + pd.Timedelta(days=1, hours=3)
    starts = pd.date_range(first, after.normalize(), freq=f"{grain}min", inclusive="left", unit="ns")
    return Grid(starts[0].value, grain * 60 * 10**9, len(starts)), starts


def _matrix(table: pa.Table, grid: Grid, sensors: list[str], column: str) -> Floats:
    """Return a column's trusted values, shape (steps, sensors), NaN elsewhere."""
    out = np.full((grid.count, len(sensors)), np.nan, dtype=np.float32)
    rows = grid.rows(table["timestamp"])
    names = table["sensor_id"].combine_chunks().dictionary_encode()
    flags = table["flag"].combine_chunks().dictionary_encode()
    place = {name: number for number, name in enumerate(sensors)}
    columns = np.array([place.get(name, -1) for name in names.dictionary.to_pylist()], dtype=np.int64)
    trusted = np.array([flag in TRUSTED for flag in flags.dictionary.to_pylist()], dtype=bool)
    where = columns[names.indices.to_numpy(zero_copy_only=False)]
    good = trusted[flags.indices.to_numpy(zero_copy_only=False)] & (where >= 0)
    good &= (rows >= 0) & (rows < grid.count)
    out[rows[good], where[good]] = table[column].to_numpy()[good]
    return out


def _running(
    platform: Platform, factory_id: str, months: list[str], grid: Grid, day: np.ndarray, grain: int
) -> dict[str, Floats]:
    """Return for each machine that a trap serves whether it runs, shape (steps,)."""
    factory = platform.plant.factory(factory_id)
    wanted = sorted({trap.equipment for trap in factory.steam_traps.values() if trap.equipment})
    there = platform.lake.manifests("meter", factory_id)
    known = [month for month in months if month in there and not there[month].empty]
    if not wanted or not known:
        return {}
    meter_grain = platform.plant.grain_minutes(factory_id, "meter")
    table = platform.lake.published("meter", "native", factory_id, known)
    finer = Grid(grid.first, meter_grain * 60 * 10**9, grid.count * grain // meter_grain)
    used = _matrix(table, finer, [factory.equipment[key].sensor for key in wanted], "used_kwh")
    if meter_grain < grain:
        parts = used.reshape(grid.count, grain // meter_grain, len(wanted))
        with np.errstate(invalid="ignore"):
            used = parts.mean(axis=1)
    elif meter_grain > grain:
        used = np.repeat(used, meter_grain // grain, axis=0)[: grid.count]
        used = np.pad(used, ((0, grid.count - len(used)), (0, 0)), constant_values=np.nan)
    runs = running(used, day).astype(np.float32)
    return {key: runs[:, number] for number, key in enumerate(wanted)}
