"""Kinds of damage to a month's published tables, each with the severity that is meant."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

ENERGY = ["used_kwh", "active_kwh", "reactive_kvarh"]

Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Damage:
    """One kind of damage.

    Attributes:
        name: what is done, in words.
        intended: critical or warning.
        do: changes the frames (grain -> table), which are copies.
    """

    name: str
    intended: str
    do: Callable[[Frames], None]


def _sensor(frame: pd.DataFrame, number: int) -> "pd.Series[bool]":
    rows: pd.Series[bool] = frame["sensor_id"] == sorted(frame["sensor_id"].unique())[number]
    return rows


def _set(grain: str, column: str, row: int, value: Any) -> Callable[[Frames], None]:
    def do(frames: Frames) -> None:
        frames[grain].loc[frames[grain].index[row], column] = value

    return do


def _replace(grain: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Frames], None]:
    def do(frames: Frames) -> None:
        frames[grain] = change(frames[grain])

    return do


def _scaled(columns: list[str], factor: float, number: int | None = None) -> Callable[[Frames], None]:
    """Scale columns in every table alike, of one sensor or of all."""

    def do(frames: Frames) -> None:
        for frame in frames.values():
            rows = slice(None) if number is None else _sensor(frame, number)
            frame.loc[rows, columns] *= factor

    return do


def _missing(share: float, number: int | None = None) -> Callable[[Frames], None]:
    """Take values away as processing would: flagged, and with the hours' and the days' coverage."""

    def do(frames: Frames) -> None:
        for grain, frame in frames.items():
            some = pd.Series(True, frame.index) if number is None else _sensor(frame, number)
            rows = frame.index[some]
            rows = rows[: round(share * len(rows))]
            frame.loc[rows, [c for c in frame.columns if frame[c].dtype == np.float64]] = np.nan
            if grain == "native":
                frame.loc[rows, "flag"] = "missing"
                gone = ";".join(f"{c}=missing" for c in frame.columns if frame[c].dtype == np.float64)
                frame["flag_columns"] = frame["flag_columns"].astype(str)
                frame.loc[rows, "flag_columns"] = gone
            else:
                frame.loc[rows, ["coverage_pct", "estimated_pct"]] = 0.0

    return do


def _replaced(frames: Frames) -> None:
    """Three tenths of a meter's values are others than it said."""
    for grain, frame in frames.items():
        rows = frame.index[_sensor(frame, 0)]
        rows = rows[: round(0.3 * len(rows))]
        if grain == "native":
            frame.loc[rows, "flag"] = "replaced"
        else:
            frame.loc[rows, "estimated_pct"] = 100.0


def _silent(frames: Frames) -> None:
    """A meter says nothing in the last two days."""
    for grain, frame in frames.items():
        end = frame["timestamp"].max() - pd.Timedelta(days=2)
        rows = frame.index[_sensor(frame, 0) & (frame["timestamp"] > end)]
        values = [c for c in frame.columns if frame[c].dtype == np.float64]
        frame.loc[rows, values] = np.nan
        if grain == "native":
            frame.loc[rows, "flag"] = "missing"
            frame["flag_columns"] = frame["flag_columns"].astype(str)
            frame.loc[rows, "flag_columns"] = ";".join(f"{c}=missing" for c in values)
        else:
            frame.loc[rows, ["coverage_pct", "estimated_pct"]] = 0.0


def _from_native(frames: Frames) -> None:
    """Sum hours and days up again after a change of native energy."""
    native = frames["native"]
    for grain in ("hour", "day"):
        frame = frames[grain]
        time = native["timestamp"]
        local = time.dt.normalize() if grain == "day" else time.dt.floor("h")
        sums = native.groupby([native["sensor_id"].astype(str), local])[ENERGY].sum()
        at = pd.MultiIndex.from_arrays([frame["sensor_id"].astype(str), frame["timestamp"]])
        there = frame["used_kwh"].notna().to_numpy()
        for column in ENERGY:
            frame[column] = np.where(there, sums[column].reindex(at).to_numpy(), np.nan)


def _stuck(frames: Frames) -> None:
    """A meter shows the same from the first minute to the last."""
    native = frames["native"]
    rows = _sensor(native, 0)
    for column in ENERGY:
        native.loc[rows, column] = 1.0
    native.loc[rows, "power_factor_pct"] = 100 / np.sqrt(2)
    native.loc[rows, "current_a"] = 1.0
    _from_native(frames)


def _current_in_ma(frames: Frames) -> None:
    """A meter's current is in mA for the second half of the month."""
    native = frames["native"]
    rows = native.index[_sensor(native, 0) & (native["timestamp"].dt.day > 15)]
    native.loc[rows, "current_a"] *= 1000.0


def _late_clock(frames: Frames) -> None:
    """A meter's day is three hours late, its times are not."""
    native = frames["native"]
    rows = native.index[_sensor(native, 0)]
    steps = round(pd.Timedelta(hours=3) / (native["timestamp"].iloc[1] - native["timestamp"].iloc[0]))
    values = [c for c in native.columns if native[c].dtype == np.float64]
    native.loc[rows, values] = np.roll(native.loc[rows, values].to_numpy(), steps, axis=0)
    _from_native(frames)


def _swapped(frames: Frames) -> None:
    """Two meters' cables are swapped, a large machine's and a small one's."""
    for frame in frames.values():
        large, small = frame.index[_sensor(frame, 1)], frame.index[_sensor(frame, 4)]
        values = [c for c in frame.columns if frame[c].dtype == np.float64]
        kept = frame.loc[large, values].to_numpy()
        frame.loc[large, values] = frame.loc[small, values].to_numpy()
        frame.loc[small, values] = kept


def _columns_swapped(frames: Frames) -> None:
    for frame in frames.values():
        frame[["active_kwh", "reactive_kvarh"]] = frame[["reactive_kvarh", "active_kwh"]].to_numpy()


def _shift(by: str, number: int = 0) -> Callable[[Frames], None]:
    def do(frames: Frames) -> None:
        rows = _sensor(frames["native"], number)
        frames["native"].loc[rows, "timestamp"] += pd.Timedelta(by)

    return do


def _renamed(column: str, name: str) -> Callable[[Frames], None]:
    def do(frames: Frames) -> None:
        frame = frames["native"]
        frame[column] = frame[column].astype(str)
        frame.loc[frame.index[5], column] = name

    return do


def _cell_times(grain: str, column: str, row: int, factor: float) -> Callable[[Frames], None]:
    def do(frames: Frames) -> None:
        frame = frames[grain]
        frame.loc[frame.index[row], column] *= factor

    return do


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(current_a=frame["current_a"].astype(str))


def _without_zone(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None))


def _without_day(frame: pd.DataFrame) -> pd.DataFrame:
    kept: pd.DataFrame = frame[frame["timestamp"].dt.day != 15]
    return kept


DAMAGES = (
    Damage("a value is null and its flag says measured", "critical", _set("native", "used_kwh", 7, np.nan)),
    Damage("numbers are written as text", "critical", _replace("native", _as_text)),
    Damage("energy in Wh, not in kWh, everywhere", "critical", _scaled(ENERGY, 1000.0)),
    Damage("one meter's used energy in MWh, its active energy not", "critical", _scaled(["used_kwh"], 0.001, 0)),
    Damage("one meter's energy and current a tenth, all alike", "warning", _scaled([*ENERGY, "current_a"], 0.1, 0)),
    Damage("a row is there twice", "critical", _replace("native", lambda f: pd.concat([f, f.iloc[[11]]]))),
    Damage("a row is not there", "critical", _replace("native", lambda f: f.drop(f.index[11]))),
    Damage("a day is not there", "critical", _replace("native", _without_day)),
    Damage("the rows of one meter are not there", "critical", _replace("hour", lambda f: f[~_sensor(f, 0)])),
    Damage("a row of a sensor that nobody registered", "critical", _renamed("sensor_id", "X-M99")),
    Damage("a row of another factory", "critical", _renamed("factory_id", "9999")),
    Damage("one meter's times an hour late", "critical", _shift("1h")),
    Damage("one meter's times between the intervals", "critical", _shift("7min")),
    Damage("the times have no zone", "critical", _replace("native", _without_zone)),
    Damage("the rows are in no order", "critical", _replace("native", lambda f: f.sample(frac=1.0, random_state=1))),
    Damage("an energy below zero", "critical", _set("native", "used_kwh", 7, -1.0)),
    Damage("an energy without end", "critical", _set("native", "reactive_kvarh", 7, np.inf)),
    Damage("more energy than the machine can take", "critical", _set("native", "active_kwh", 7, 1e6)),
    Damage("a power factor of 250 %", "critical", _set("native", "power_factor_pct", 7, 250.0)),
    Damage("a flag that there is not", "critical", _renamed("flag", "guessed")),
    Damage("a column is not there", "critical", _replace("hour", lambda f: f.drop(columns="current_a"))),
    Damage("a column too many", "critical", _replace("hour", lambda f: f.assign(comment="x"))),
    Damage("active and reactive energy are swapped", "critical", _columns_swapped),
    Damage("one meter's current in mA for half of the month", "critical", _current_in_ma),
    Damage("two unlike meters are swapped", "critical", _swapped),
    Damage("an empty table", "critical", _replace("day", lambda f: f.iloc[:0])),
    Damage("nearly nothing is measured", "critical", _missing(0.95)),
    Damage("one meter is dead for the month", "warning", _missing(1.0, 0)),
    Damage("a meter is silent since two days", "warning", _silent),
    Damage("a meter shows one value all month", "warning", _stuck),
    Damage("three tenths of a meter's values are replaced", "warning", _replaced),
    Damage("one meter's day is three hours late", "warning", _late_clock),
    Damage("an hour's energy is a tenth more than its intervals", "critical", _cell_times("hour", "used_kwh", 30, 1.1)),
    Damage("a day's energy is counted twice", "critical", _cell_times("day", "active_kwh", 3, 2.0)),
    Damage("an hour is null though it was covered", "critical", _set("hour", "used_kwh", 30, np.nan)),
    Damage("a coverage of 120 %", "critical", _set("hour", "coverage_pct", 30, 120.0)),
)  # fmt: skip
