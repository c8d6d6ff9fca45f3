"""What a model may know: the hours of one factory, by equipment."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.errors import DataError

Floats = NDArray[np.float64]

MEASURED = ("used_kwh", "power_factor_pct", "current_a", "active_kwh", "reactive_kvarh")
"""The five measured columns, target first."""

_HOUR = pd.Timedelta(hours=1)

SILENT_HOURS = 7 * 24
"""A sensor that has sent nothing for this long no longer counts in the factory's sums."""


@dataclass(frozen=True)
class History:
    """The hours of one factory up to some instant.

    Attributes:
        hours: (T,) starts of the hours, tz-aware in the factory's zone, regular, ascending. The one-step model also
            takes parts of hours; see `require_hours`.
        used_kwh: (T, E) kWh by equipment, NaN where missing.
        equipment: E sensor IDs.
        inputs: (T, up to 5) factory level, the columns of `MEASURED` that exist; `used_kwh` is always there.
        country: ISO 3166 code of the public holidays.
        holidays_off: whether the factory stops on them.
        shifts: the shift plan, as factories.yaml names it; None where none is known.
    """

    hours: pd.DatetimeIndex
    used_kwh: Floats
    equipment: tuple[str, ...]
    inputs: pd.DataFrame
    country: str = "KR"
    holidays_off: bool = True
    shifts: str | None = None

    def __post_init__(self) -> None:
        if self.hours.tz is None:
            raise DataError("history: the hours carry no time zone")
        if self.used_kwh.shape != (len(self.hours), len(self.equipment)):
            raise DataError(
                f"history: used_kwh is {self.used_kwh.shape}, not hours x equipment "
                f"({len(self.hours)}, {len(self.equipment)})"
            )
        if len(self.hours) > 1 and not (np.diff(self.hours.asi8) == np.diff(self.hours.asi8)[0]).all():
            raise DataError("history: the hours are not regular")
        if _HOUR % self.step:
            raise DataError(f"history: the interval is {self.step}, which is no part of an hour")
        if "used_kwh" not in self.inputs or len(self.inputs) != len(self.hours):
            raise DataError("history: inputs need a column used_kwh and a row an hour")

    @classmethod
    def from_hour_table(
        cls,
        table: pd.DataFrame,
        *,
        country: str = "KR",
        holidays_off: bool = True,
        shifts: str | None = None,
        step: pd.Timedelta = _HOUR,
    ) -> "History":
        """Build the history from the published hour table of one factory.

        The factory's energies and current are sums over its sensors. Where a sensor that sent something
        within `SILENT_HOURS` is missing, the sum is missing: a partial sum would look like a dip. The
        factory's power factor is 100 P / sqrt(P^2 + Q^2) from the summed energies, or, without active
        energy, the mean of the sensors' weighted by their used energy.

        Args:
            table: long format with timestamp (tz-aware), factory_id, sensor_id, used_kwh and, where measured,
                power_factor_pct, current_a, active_kwh, reactive_kvarh.
            country: ISO 3166 code.
            holidays_off: whether the factory stops on public holidays.
            shifts: the shift plan; None where none is known.
            step: the table's interval, where it is finer.

        Raises:
            DataError: no rows, several factories, a repeated row, or a timestamp without zone.
        """
        lacking = {"timestamp", "factory_id", "sensor_id", "used_kwh"} - set(table.columns)
        if lacking:
            raise DataError(f"hour table: it lacks {', '.join(sorted(lacking))}")
        if table.empty:
            raise DataError("hour table: it has no rows")
        if table["factory_id"].nunique() != 1:
            raise DataError(f"hour table: it holds {table['factory_id'].nunique()} factories, not one")
        if not isinstance(table["timestamp"].dtype, pd.DatetimeTZDtype):
            raise DataError("hour table: timestamp carries no time zone")
        if table.duplicated(["timestamp", "sensor_id"]).any():
            row = table[table.duplicated(["timestamp", "sensor_id"])].iloc[0]
            raise DataError(f"hour table: {row['sensor_id']} has two rows at {row['timestamp']}")

        rows = table.assign(sensor_id=table["sensor_id"].astype(str))
        hours = pd.date_range(rows["timestamp"].min(), rows["timestamp"].max(), freq=step, name="timestamp")
        stray = ~rows["timestamp"].isin(hours)
        if stray.any():
            raise DataError(
                f"hour table: {rows.loc[stray, 'timestamp'].iloc[0]} does not start an interval of {step}"
            )
        by_sensor = {
            column: rows.pivot(index="timestamp", columns="sensor_id", values=column)
            .reindex(hours)
            .astype("float64")
            for column in MEASURED
            if column in rows and rows[column].notna().any()
        }
        if "used_kwh" not in by_sensor:
            raise DataError("hour table: used_kwh is missing in every row")
        used = by_sensor["used_kwh"]
        return cls(
            hours=hours,
            used_kwh=used.to_numpy(),
            equipment=tuple(used.columns),
            inputs=_factory_level(by_sensor, int(SILENT_HOURS * _HOUR / step)),
            country=country,
            holidays_off=holidays_off,
            shifts=shifts,
        )

    @property
    def rest_country(self) -> str | None:
        """Whose public holidays are days of rest; None where the factory works through them."""
        return self.country if self.holidays_off else None

    @property
    def factory_kwh(self) -> Floats:
        """(T,) kWh of the whole factory, NaN where a sensor that should report is missing."""
        return self.inputs["used_kwh"].to_numpy(dtype=np.float64)

    @property
    def step(self) -> pd.Timedelta:
        """The interval: an hour, or a whole part of one."""
        return self.hours[1] - self.hours[0] if len(self.hours) > 1 else _HOUR

    def require_hours(self) -> None:
        """Raise unless the interval is an hour, as every forecast of a month needs.

        Raises:
            DataError: it is not.
        """
        if self.step != _HOUR:
            raise DataError(f"history: the interval is {self.step}; a month is forecast from hours")

    @property
    def end(self) -> pd.Timestamp:
        """The first instant that this history knows nothing of."""
        return self.hours[-1] + self.step

    def until(self, origin: pd.Timestamp) -> "History":
        """Return what was known at `origin`: every hour that had ended by then, nothing at or after it."""
        return self._rows(slice(0, int(self.hours.searchsorted(origin - self.step, side="right"))))

    def between(self, start: pd.Timestamp, end: pd.Timestamp) -> "History":
        """Return the hours that start at or after `start` and before `end`."""
        return self._rows(slice(int(self.hours.searchsorted(start)), int(self.hours.searchsorted(end))))

    def last_days(self, days: int) -> "History":
        """Return the last `days` days, or all if there are fewer."""
        return self._rows(slice(max(0, len(self.hours) - 24 * days), None))

    def above(self, floor: Floats) -> "History":
        """Return the same hours counted from (E,) kWh of the machines on; the factory's from their sum."""
        if not floor.any():
            return self
        inputs = self.inputs.assign(used_kwh=self.inputs["used_kwh"] - floor.sum())
        return replace(self, used_kwh=self.used_kwh - floor, inputs=inputs)

    def _rows(self, rows: slice) -> "History":
        return replace(
            self, hours=self.hours[rows], used_kwh=self.used_kwh[rows], inputs=self.inputs.iloc[rows]
        )


def _factory_level(by_sensor: dict[str, pd.DataFrame], silent: int) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for name, values in by_sensor.items():
        if name == "power_factor_pct":
            continue
        # A sensor that never measures this column is not waited for; one that fell silent, for a week.
        expected = values.notna().rolling(silent, min_periods=1).max().astype(bool)
        whole = (values.notna() | ~expected).all(axis=1) & values.notna().any(axis=1)
        columns[name] = values.sum(axis=1).where(whole)
    factor = pd.Series(np.nan, index=by_sensor["used_kwh"].index)
    if "power_factor_pct" in by_sensor:
        measured, weight = by_sensor["power_factor_pct"], by_sensor["used_kwh"].clip(lower=0)
        weight = weight.where(measured.notna())
        total = weight.sum(axis=1)
        weighted = (measured * weight).sum(axis=1) / total.where(total > 0)
        factor = weighted.fillna(measured.mean(axis=1))
    if {"active_kwh", "reactive_kvarh"} <= set(columns):
        active, reactive = columns["active_kwh"], columns["reactive_kvarh"]
        apparent = (active**2 + reactive**2) ** 0.5
        factor = (100 * active / apparent.where(apparent > 0)).fillna(factor)
    if factor.notna().any():
        columns["power_factor_pct"] = factor
    return pd.DataFrame({name: columns[name] for name in MEASURED if name in columns})
