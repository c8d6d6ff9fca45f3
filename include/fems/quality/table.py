"""A published table as the checks see it, and what a check returns.

A table is a pandas frame with `timestamp` (tz-aware), `factory_id`, `sensor_id` and columns of values, as published.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

EXAMPLES = 3
"""How many examples of a fault are listed."""


@dataclass(frozen=True)
class CheckResult:
    """What breaks an expectation.

    Attributes:
        of: how many things were checked.
        rows: int64, positions of the rows at fault.
        messages: faults that are no row of the table, a line each: a missing row, a sensor, a column.
        unlisted: how many more are at fault than are listed in `messages`.
    """

    of: int
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    messages: tuple[str, ...] = ()
    unlisted: int = 0

    @property
    def count(self) -> int:
        """How many are at fault."""
        return len(self.rows) + len(self.messages) + self.unlisted


class TableView:
    """A frame, and what several checks need of it, worked out once."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._values: dict[str, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self.frame)

    def __contains__(self, column: str) -> bool:
        return column in self.frame

    @cached_property
    def seconds(self) -> NDArray[np.int64]:
        """Each row's time in UTC seconds; the smallest of all int64 where there is none.

        Raises:
            TypeError: the column holds no times with a time zone.
        """
        column = self.frame["timestamp"]
        if not isinstance(column.dtype, pd.DatetimeTZDtype):
            raise TypeError(f"timestamp holds {column.dtype}, not times with a time zone")
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[s]")
        seconds: NDArray[np.int64] = utc.view(np.int64)
        return seconds

    @cached_property
    def _sensors(self) -> tuple[NDArray[np.int64], list[str]]:
        column = self.frame["sensor_id"]
        if isinstance(column.dtype, pd.CategoricalDtype):
            return np.asarray(column.cat.codes, np.int64), [str(name) for name in column.cat.categories]
        codes, names = pd.factorize(column)
        return np.asarray(codes, np.int64), [str(name) for name in names]

    @property
    def sensor_codes(self) -> NDArray[np.int64]:
        """Each row's sensor as a position in `sensor_names`, -1 where there is none."""
        return self._sensors[0]

    @property
    def sensor_names(self) -> list[str]:
        """The sensors' IDs."""
        return self._sensors[1]

    @cached_property
    def block_sensors(self) -> NDArray[np.int64] | None:
        """The sensors in order, if the table is one block of rows a sensor, all with the same times; else None.

        It is how tables are published. Then a column is a matrix of sensors by times, without sorting or looking up.
        """
        codes, seconds = self.sensor_codes, self.seconds
        blocks = 1 + int(np.count_nonzero(codes[1:] != codes[:-1])) if len(codes) else 0
        if not blocks or len(codes) % blocks:
            return None
        by_block, times = codes.reshape(blocks, -1), seconds.reshape(blocks, -1)
        sensors = by_block[:, 0]
        regular = (by_block == sensors[:, None]).all() and (times == times[0]).all()
        return sensors if regular and len(np.unique(sensors)) == blocks and sensors.min() >= 0 else None

    @cached_property
    def _in_code_order(self) -> bool:
        """Whether the blocks are those of all sensors in the order of their codes."""
        blocks = self.block_sensors
        return blocks is not None and np.array_equal(blocks, np.arange(len(self.sensor_names)))

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """Positions of each sensor's rows in the table's order, (sensors, most rows of one); -1 where it has fewer."""
        codes, sensors = self.sensor_codes, len(self.sensor_names)
        if self._in_code_order:
            return np.arange(len(self)).reshape(sensors, -1)
        known = np.flatnonzero(codes >= 0)
        order = known[np.argsort(codes[known], kind="stable")]
        rows = np.bincount(codes[known], minlength=sensors)
        placed = np.full((sensors, int(rows.max(initial=0))), -1, np.int64)
        nth = np.arange(len(order)) - np.repeat(np.cumsum(rows) - rows, rows)
        placed[codes[order], nth] = order
        return placed

    def values(self, column: str) -> NDArray[np.float64]:
        """Return a column of numbers, NaN where a value is missing."""
        if column not in self._values:
            self._values[column] = self.frame[column].to_numpy(np.float64, na_value=np.nan)
        return self._values[column]

    def matrix(self, column: str) -> NDArray[np.float64]:
        """Return a column as (sensors, rows), NaN where a sensor has fewer rows; see `positions`."""
        values = self.values(column)
        if self._in_code_order:
            return values.reshape(len(self.sensor_names), -1)
        padded: NDArray[np.float64] = np.append(values, np.nan)[self.positions]  # -1 is the one at the end
        return padded

    def describe_row(self, row: int) -> str:
        """Return a row's sensor and time, as far as it has them."""
        parts = [
            str(self.frame[name].iloc[row])
            for name in ("sensor_id", "timestamp")
            if name in self.frame and len(self.frame) > row
        ]
        return " ".join(parts)


def value_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of numbers."""
    return [str(name) for name in frame.columns if types.is_float_dtype(frame[name].dtype)]
