"""A published table as the checks see it, and what they find.

A table is a pandas frame with `timestamp` (tz-aware), `factory_id`, `sensor_id` and columns of values, as published.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api import types

EXAMPLES = 3
"""How many examples of a fault are told."""


@dataclass(frozen=True)
class CheckResult:
    """What breaks an expectation.

    Attributes:
        rows: int64, positions of the rows at fault.
        absent: what should be there and is not, or what is said of a sensor and no row: a line each.
        of: how many there were to look at.
        more: how many are at fault beside those that are told.
    """

    of: int
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    absent: tuple[str, ...] = ()
    more: int = 0

    @property
    def count(self) -> int:
        """How many are at fault."""
        return len(self.rows) + len(self.absent) + self.more


def seconds(table: pd.DataFrame) -> np.ndarray:
    """Return each row's time as int64 UTC seconds; the smallest of all int64 where there is none.

    Raises:
        TypeError: the column holds no times with a time zone.
    """
    column = table["timestamp"]
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        raise TypeError(f"timestamp holds {column.dtype}, not times with a time zone")
    nanoseconds = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[s]")
    return nanoseconds.view(np.int64)


def sensor_codes(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return each row's sensor as a position, -1 where there is none, and the sensors' IDs."""
    column = table["sensor_id"]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(np.int64), [str(name) for name in column.cat.categories]
    codes, names = pd.factorize(column)
    return codes.astype(np.int64), [str(name) for name in names]


def place(table: pd.DataFrame, row: int) -> str:
    """Say where a row stands: sensor and time, as far as it has them."""
    found = [
        str(table[name].iloc[row])
        for name in ("sensor_id", "timestamp")
        if name in table and len(table) > row
    ]
    return " ".join(found)


def value_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of numbers."""
    return [str(name) for name in table.columns if types.is_float_dtype(table[name].dtype)]
