"""Forecast tables whose sums agree: equipment adds up to the factory, intervals to hours to days."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import DataError
from fems.model.month_ahead.band import FACTORY, Bands

_ROUNDING = 1e-6

SHAPE_DAYS = 28
"""Days of native data from which the shape inside an hour is taken."""

QUANTILES = ("p10", "p50", "p90")
COLUMNS = ("used_kwh", *(f"used_kwh_{name}" for name in QUANTILES))
"""The columns of energy, kWh: the forecast, which adds up exactly, and its quantiles, which cannot."""


@dataclass(frozen=True)
class Forecast:
    """One factory's forecast from one origin.

    Attributes:
        equipment: grain -> long table: timestamp, factory_id, sensor_id, used_kwh, used_kwh_p10, _p50 and _p90.
        factory: grain -> the same without sensor_id.
    """

    equipment: dict[str, pd.DataFrame]
    factory: dict[str, pd.DataFrame]


def shape_in_hour(native: pd.DataFrame, sensors: list[str], grain_minutes: int) -> np.ndarray:
    """Return how an hour's energy falls on its intervals, by hour of the day.

    Args:
        native: published native rows (timestamp, sensor_id, used_kwh) before the origin; their last four weeks count.
        sensors: E sensor IDs.
        grain_minutes: the native interval.

    Returns:
        float64, (E, 24, 60 / grain): shares that add up to 1 along the last axis; even where nothing was used, and
        where a machine that feeds in used in one interval what it gave in another.
    """
    slots = 60 // grain_minutes
    shares = np.full((len(sensors), 24, slots), 1.0 / slots)
    if slots == 1 or native.empty:
        return shares
    recent = native[native["timestamp"] >= native["timestamp"].max() - pd.Timedelta(days=SHAPE_DAYS)]
    time = recent["timestamp"].dt
    used = recent.groupby([recent["sensor_id"].astype(str), time.hour, time.minute // grain_minutes])[
        "used_kwh"
    ].mean()
    for e, sensor in enumerate(sensors):
        if sensor not in used.index.get_level_values(0):
            continue
        seen = (
            used[sensor].unstack().reindex(index=range(24), columns=range(slots)).to_numpy(dtype=np.float64)
        )
        total = seen.sum(axis=1)
        one_way = (seen >= 0).all(axis=1) | (seen <= 0).all(axis=1)
        whole = np.isfinite(total) & (total != 0) & one_way
        shares[e, whole] = seen[whole] / total[whole, None]
    return shares


def build(
    hours: pd.DataFrame,
    bands: Bands,
    shares: np.ndarray,
    factory_id: str,
    grain_minutes: int,
    horizon_minutes: int,
) -> Forecast:
    """Lay out a forecast at every grain.

    The native table is made first, rounded to a power of two (see `exactly`), and the hours, days and factory sums are
    made from it, so that all sums agree to the last bit. The quantiles of an interval are its share of its hour's.

    Args:
        hours: index = starts of the hours from the origin on (tz-aware), columns = sensor IDs, values kWh.
        bands: the quantiles of the same hours and days, of every sensor and of the factory.
        shares: see `shape_in_hour`.
        factory_id: the factory.
        grain_minutes: the native interval.
        horizon_minutes: minutes from the origin; the last hour and day may be a part of one.

    Raises:
        DataError: the horizon is not a whole number of intervals above zero, or the hours are too few for it.
    """
    check_horizon(horizon_minutes, grain_minutes)
    steps = horizon_minutes // grain_minutes
    slots = 60 // grain_minutes
    if len(hours) * slots < steps:
        raise DataError(f"{len(hours)} forecast hours are too few for {horizon_minutes} minutes")
    sensors = [str(name) for name in hours.columns]
    index = pd.DatetimeIndex(hours.index)
    kwh = hours.to_numpy(dtype=np.float64)  # (H, E)
    fine = kwh[:, None, :] * shares[:, index.hour.to_numpy(), :].transpose(1, 2, 0)
    native_index = pd.date_range(index[0], periods=steps, freq=f"{grain_minutes}min")
    native = pd.DataFrame(
        exactly(fine.reshape(-1, kwh.shape[1])[:steps]), index=native_index, columns=sensors
    )
    native[FACTORY] = native.to_numpy().sum(axis=1)
    of_hour = np.arange(steps) // slots
    hour = native.groupby(of_hour).sum().set_axis(index[: -(-steps // slots)])
    day = native.groupby(native_index.normalize()).sum()
    whole = pd.concat([hours.set_axis(sensors, axis=1), hours.sum(axis=1).rename(FACTORY)], axis=1)
    in_hour = _ratio(native.to_numpy(), whole.to_numpy()[of_hour], 1 / slots)
    covered = _ratio(hour.to_numpy(), whole.to_numpy()[: len(hour)], 1.0)
    whole_day = whole.groupby(index.normalize()).sum().reindex(day.index)
    in_day = _ratio(day.to_numpy(), whole_day.to_numpy(), 1.0)
    parts = {
        "native": (native, bands.hour, in_hour, of_hour),
        "hour": (hour, bands.hour, covered, np.arange(len(hour))),
        "day": (day, bands.day, in_day, np.arange(len(day))),
    }
    equipment, factory = {}, {}
    for grain, (table, band, share, rows) in parts.items():
        one = [_of_sensor(table, name, band, share[:, i], rows) for i, name in enumerate([*sensors, FACTORY])]
        equipment[grain] = pd.concat(one[:-1], ignore_index=True)
        equipment[grain].insert(1, "factory_id", factory_id)
        factory[grain] = one[-1].drop(columns="sensor_id")
        factory[grain].insert(1, "factory_id", factory_id)
    return Forecast(equipment, factory)


def check_horizon(horizon_minutes: int, grain_minutes: int) -> None:
    """Refuse a horizon that is none.

    Raises:
        DataError: it is not a whole number of intervals above zero.
    """
    if horizon_minutes <= 0 or horizon_minutes % grain_minutes:
        raise DataError(
            f"the horizon of {horizon_minutes} minutes is not a whole number, above 0, of "
            f"{grain_minutes}-minute intervals"
        )


def exactly(kwh: np.ndarray) -> np.ndarray:
    """Round to a power of two so fine that float64 holds every sum of the values without rounding.

    Then any sum of them is the same in any order and with any tool. With q = 2^k and a total below 2^52 q, all sums
    are whole multiples of q that 53 bits hold. What is lost is at most q / 2 a value: for 1 GWh 3e-10 kWh.
    """
    total = float(np.abs(kwh).sum())
    quantum = 2.0 ** (math.ceil(math.log2(total)) + 1 - 52) if total > 0 else 1.0
    return np.round(kwh / quantum) * quantum


def hours_of_days(forecast: Forecast) -> NDArray[np.int64]:
    """Return (D,) how many hours of each day are forecast, parts of an hour counting as one."""
    starts = pd.DatetimeIndex(forecast.factory["hour"]["timestamp"]).normalize()
    return np.asarray(starts.value_counts(sort=False).sort_index(), dtype=np.int64)


def whole_days(hours: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (D,) which days are forecast as a whole; all, where none is. 23 hours are a day when the clock is set."""
    return hours >= min(23, int(hours.max()))


def _ratio(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    """Part over whole, `empty` where the whole is nothing."""
    return np.where(whole != 0, part / np.where(whole != 0, whole, 1.0), empty)


def _of_sensor(
    table: pd.DataFrame, sensor: str, band: dict[str, pd.DataFrame], share: np.ndarray, rows: np.ndarray
) -> pd.DataFrame:
    """A sensor's rows; its quantiles are shares of the band's, and never leave their order."""
    kwh = table[sensor].to_numpy()
    of_band = band[sensor][[f"{name}_kwh" for name in QUANTILES]].to_numpy()[rows]
    quantiles = of_band * share[:, None]
    # Where machines that feed in cancel others the sum's share is none of anything; the band's width is spread evenly.
    odd = (share < 0) | (share > 1 + _ROUNDING)
    even = 1.0 / np.bincount(rows)[rows]
    quantiles[odd] = kwh[odd, None] + (of_band - of_band[:, 1:2])[odd] * even[odd, None]
    found = pd.DataFrame({"timestamp": table.index, "sensor_id": sensor, "used_kwh": kwh})
    for i, name in enumerate(QUANTILES):
        found[f"used_kwh_{name}"] = quantiles[:, i]
    return found
