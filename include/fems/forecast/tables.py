"""Forecast tables whose sums agree: equipment adds up to the factory, intervals to hours to days."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fems.errors import DataError

GRAINS = ("native", "hour", "day")
SHAPE_DAYS = 28
"""Days of native data from which the shape inside an hour is taken."""


@dataclass(frozen=True)
class Forecast:
    """One factory's forecast from one origin.

    Attributes:
        equipment: grain -> long table: timestamp, factory_id, sensor_id, used_kwh.
        factory: grain -> table: timestamp, factory_id, used_kwh; at grain hour also used_kwh_p10 and used_kwh_p90.
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
        float64, (E, 24, 60 / grain): shares that add up to 1 along the last axis; even where nothing was used.
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
        whole = np.isfinite(total) & (total > 0)
        shares[e, whole] = seen[whole] / total[whole, None]
    return shares


def build(
    hours: pd.DataFrame,
    band: pd.DataFrame | None,
    shares: np.ndarray,
    factory_id: str,
    grain_minutes: int,
    horizon_minutes: int,
) -> Forecast:
    """Lay out a forecast at every grain.

    The native table is made first, and the hours, days and factory sums from it, so that sums agree to the last digit
    that float64 keeps.

    Args:
        hours: index = starts of the hours from the origin on (tz-aware), columns = sensor IDs, values kWh.
        band: index = the same hours, columns p10_kwh and p90_kwh of the factory; None if the model has none.
        shares: see `shape_in_hour`.
        factory_id: the factory.
        grain_minutes: the native interval.
        horizon_minutes: minutes from the origin; the last hour and day may be a part of one.

    Raises:
        DataError: the horizon is not a whole number of intervals above zero, or the hours are too few for it.
    """
    if horizon_minutes <= 0 or horizon_minutes % grain_minutes:
        raise DataError(
            f"the horizon of {horizon_minutes} minutes is not a whole number of {grain_minutes}-minute intervals"
        )
    steps = horizon_minutes // grain_minutes
    slots = 60 // grain_minutes
    if len(hours) * slots < steps:
        raise DataError(f"{len(hours)} forecast hours are too few for {horizon_minutes} minutes")
    index = pd.DatetimeIndex(hours.index)
    hour_of_day = index.hour.to_numpy()
    kwh = hours.to_numpy(dtype=np.float64)  # (H, E)
    fine = (kwh[:, :, None] * shares[:, hour_of_day, :].transpose(1, 0, 2)).transpose(0, 2, 1)
    native_index = pd.date_range(index[0], periods=steps, freq=f"{grain_minutes}min")
    native = pd.DataFrame(
        fine.reshape(-1, kwh.shape[1])[:steps], index=native_index, columns=list(hours.columns)
    )
    wide = {
        "native": native,
        "hour": native.groupby(np.arange(steps) // slots).sum().set_axis(index[: -(-steps // slots)]),
        "day": native.groupby(native_index.normalize()).sum(),
    }
    equipment, factory = {}, {}
    for grain, table in wide.items():
        equipment[grain] = _long(table, factory_id)
        factory[grain] = pd.DataFrame(
            {"timestamp": table.index, "factory_id": factory_id, "used_kwh": table.to_numpy().sum(axis=1)}
        )
    if band is not None:
        for name in ("p10", "p90"):
            factory["hour"][f"used_kwh_{name}"] = band[f"{name}_kwh"].to_numpy()[: len(wide["hour"])]
    return Forecast(equipment, factory)


def _long(wide: pd.DataFrame, factory_id: str) -> pd.DataFrame:
    """A row a sensor and time, ordered by sensor and time."""
    sensors, steps = list(wide.columns), len(wide)
    times = pd.DatetimeIndex(wide.index)
    return pd.DataFrame(
        {
            "timestamp": times.append([times] * (len(sensors) - 1)),
            "factory_id": factory_id,
            "sensor_id": np.repeat(sensors, steps),
            "used_kwh": wide.to_numpy().T.reshape(-1),
        }
    )


def headline(forecast: Forecast, names: dict[str, str], days: int = 3) -> dict[str, object]:
    """Return what a plant looks at first.

    Args:
        forecast: the forecast.
        names: sensor ID -> the machine's name.
        days: how many of the highest days.

    Returns:
        rows (native rows per machine), kwh, peak_days (date and kWh, highest first, whole days only), top_equipment
        (sensor, name, kWh and share, highest first).
    """
    native, day = forecast.factory["native"], forecast.factory["day"]
    grain = (
        native["timestamp"].iloc[1] - native["timestamp"].iloc[0] if len(native) > 1 else pd.Timedelta(days=1)
    )
    counts = native.groupby(native["timestamp"].dt.normalize())["used_kwh"].size()
    whole = day[day["timestamp"].map(counts).to_numpy() >= int(pd.Timedelta(days=1) / grain)]
    peaks = (whole if len(whole) else day).nlargest(days, "used_kwh")
    total = float(native["used_kwh"].sum())
    by_sensor = forecast.equipment["day"].groupby("sensor_id")["used_kwh"].sum().sort_values(ascending=False)
    return {
        "rows": len(native),
        "kwh": total,
        "peak_days": [
            {"date": f"{time:%Y-%m-%d}", "kwh": float(kwh)}
            for time, kwh in zip(peaks["timestamp"], peaks["used_kwh"], strict=True)
        ],
        "top_equipment": [
            {
                "sensor_id": str(s),
                "name": names.get(str(s), str(s)),
                "kwh": float(v),
                "share_pct": 100.0 * float(v) / total if total else 0.0,
            }
            for s, v in by_sensor.items()
        ],
    }
