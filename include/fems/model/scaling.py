"""Min-max scaling, fitted on the training span alone and kept as JSON."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fems.errors import DataError
from fems.model.history import Floats


@dataclass(frozen=True)
class MinMaxScaler:
    """x -> (x - minimum) / (maximum - minimum), column by column, as in the study.

    A column that is constant, or has no value, in training has a span of 1: it maps to 0 and back without
    loss.

    Attributes:
        names: C column names.
        minimum: C values in the columns' own units.
        span: C values, all above 0.
    """

    names: tuple[str, ...]
    minimum: tuple[float, ...]
    span: tuple[float, ...]

    @classmethod
    def fit(cls, names: tuple[str, ...], training: ArrayLike) -> "MinMaxScaler":
        """Fit on training rows.

        Args:
            names: C column names.
            training: (T, C), NaN where missing.

        Raises:
            DataError: the columns do not match the names.
        """
        values = np.asarray(training, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(names):
            raise DataError(f"scaler: {values.shape} is not rows x {len(names)} columns")
        known = np.isfinite(values)
        some = known.any(axis=0)
        low = np.where(some, np.where(known, values, np.inf).min(axis=0, initial=np.inf), 0.0)
        high = np.where(some, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf), 0.0)
        span = np.where(high > low, high - low, 1.0)
        return cls(tuple(names), tuple(low.tolist()), tuple(span.tolist()))

    def transform(self, values: ArrayLike) -> Floats:
        """Scale (..., C); training values land in 0 to 1, NaN stays NaN."""
        scaled: Floats = (np.asarray(values, dtype=np.float64) - np.array(self.minimum)) / np.array(self.span)
        return scaled

    def inverse(self, scaled: ArrayLike) -> Floats:
        """Bring (..., C) back to the columns' own units."""
        values: Floats = np.asarray(scaled, dtype=np.float64) * np.array(self.span) + np.array(self.minimum)
        return values

    def only(self, name: str) -> "MinMaxScaler":
        """Return the scaler of one column.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.names:
            raise DataError(f"scaler: no column {name!r}")
        at = self.names.index(name)
        return MinMaxScaler((name,), (self.minimum[at],), (self.span[at],))

    def to_json(self) -> str:
        """Return it as JSON; floats are written so that they read back exactly."""
        return json.dumps({"names": self.names, "minimum": self.minimum, "span": self.span})

    @classmethod
    def from_json(cls, text: str) -> "MinMaxScaler":
        """Read what `to_json` wrote.

        Raises:
            DataError: it is not that.
        """
        try:
            read = json.loads(text)
            return cls(
                tuple(read["names"]), tuple(map(float, read["minimum"])), tuple(map(float, read["span"]))
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"scaler: not what to_json writes: {error}") from error
