"""The gate's features: what it sees from one origin, and, for training, what then came.

A new feature of a day is a column of `calendar_features.day_features` and a name in `DAY_FEATURES`; another feature is
a column in `_encoder` or `_decoder` and its name in the list beside it. The names are stored in the bundle: a model of
other features is not loaded.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import ONE_DAY
from fems.model import calendar_features as calendar
from fems.model.calendar_features import DAY_FEATURES
from fems.model.history import MEASURED, Floats, History
from fems.model.month_ahead import experts
from fems.model.month_ahead.daygrid import DayGrid
from fems.model.scaling import MinMaxScaler

ENCODER_DAYS = 28
DECODER_DAYS = 31
MEMORY_DAYS = 430
"""Days before an origin that are looked at."""

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CALENDAR = (*_WEEKDAYS, *DAY_FEATURES[1:])

ENCODER_FEATURES: tuple[str, ...] = (
    *(f"residual_{hour:02d}" for hour in range(24)),
    "residual_mean",
    "share_measured",
    *_CALENDAR,
    *(f"{name}_mean" for name in MEASURED),
    *(f"{name}_measured" for name in MEASURED),
)
"""F columns of each of the days up to the origin's own."""

DECODER_FEATURES: tuple[str, ...] = (
    *(f"level_{name}" for name in experts.NAMES),
    "level_mean",
    *_CALENDAR,
    "step",
    "part_of_day",
)
"""G columns of each of the days from the origin's own on."""

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class GateInputs:
    """What the gate sees, a row a machine, and what it weighs.

    Attributes:
        encoder: (N, 28, F) the days up to the origin's own.
        decoder: (N, S, G) the days from the origin's own on.
        experts: (N, S, K, 24) min-max scaled by equipment.
    """

    encoder: Singles
    decoder: Singles
    experts: Singles


@dataclass(frozen=True)
class Samples(GateInputs):
    """The inputs of N samples with what came of them: one an origin and equipment, ordered by origin and within it by
    equipment.

    Attributes:
        target: (N, S, 24) min-max scaled by equipment; NaN where missing, before the origin or not known yet.
        origin_day: (N,) position of the origin's day in the grid.
    """

    target: Singles
    origin_day: NDArray[np.int64]

    def select(self, rows: NDArray[np.bool_]) -> "Samples":
        """Return the samples that a (N,) mask keeps."""
        return Samples(
            self.encoder[rows],
            self.decoder[rows],
            self.experts[rows],
            self.target[rows],
            self.origin_day[rows],
        )

    def hide_from(self, day: int) -> "Samples":
        """Return the same samples with every target at or after a day of the grid taken out."""
        at = self.origin_day[:, None] + np.arange(self.target.shape[1])
        target = np.where((at < day)[:, :, None], self.target, np.float32(np.nan))
        return Samples(self.encoder, self.decoder, self.experts, target, self.origin_day)


@dataclass(frozen=True)
class DailyHistory:
    """A history laid out by days, with the calendar from its first day to past its last.

    Attributes:
        grid: (D, 24, E) kWh.
        measured: (D, M) daily means of the factory's measured columns, NaN where missing; M = 5.
        features: (D + ahead, ...) calendar of the days.
        kinds, week: (D + ahead,) kinds of the days with holidays apart, and weekdays alone.
        holidays_off: whether the factory stops on public holidays.
    """

    grid: DayGrid
    measured: Floats
    features: pd.DataFrame
    kinds: NDArray[np.int64]
    week: NDArray[np.int64]
    holidays_off: bool

    @classmethod
    def of(cls, history: History, ahead: int) -> "DailyHistory":
        """Lay out a history and `ahead` more days."""
        used = DayGrid.of(history.hours, history.used_kwh)
        inputs = history.inputs.reindex(columns=list(MEASURED)).to_numpy(dtype=np.float64)
        hourly = DayGrid.of(history.hours, inputs).values
        known = np.isfinite(hourly)
        with np.errstate(invalid="ignore"):
            measured = np.where(known, hourly, 0.0).sum(axis=1) / np.where(
                known.any(axis=1), known.sum(axis=1), np.nan
            )
        days = np.arange(used.days[0], used.days[-1] + ONE_DAY * (ahead + 1), ONE_DAY)
        features = calendar.day_features(days, history.country, history.shifts)
        return cls(
            used,
            measured,
            features,
            calendar.day_kinds(features),
            features["weekday"].to_numpy(),
            history.holidays_off,
        )


def inputs_at(
    history: DailyHistory,
    origin_day: int,
    origin_hour: int,
    steps: int,
    scaler: MinMaxScaler,
    covariates: MinMaxScaler,
) -> GateInputs:
    """Build the inputs of one origin, one an equipment.

    Nothing of the history at or after the origin enters but the calendar; the origin's own day is known up to
    its hour, and of the factory's daily means only whole days count.

    Args:
        history: the days; may reach past the origin.
        origin_day: position of the origin's day in the grid.
        origin_hour: 0 to 23.
        steps: S days ahead, the origin's own first.
        scaler: E columns, kWh.
        covariates: the measured columns' daily means.

    Returns:
        N = E rows.
    """
    first = max(0, origin_day - MEMORY_DAYS)
    known = history.grid.values[first : origin_day + 1].copy()
    known[-1, origin_hour:] = np.nan
    span = slice(first, origin_day + steps)
    forecasts = experts.predict_all(
        known, history.kinds[span], history.week[span], steps, ENCODER_DAYS, history.holidays_off
    )
    scale = np.array(scaler.span)
    future = scaler.transform(forecasts.future)
    residual = np.full((ENCODER_DAYS, *known.shape[1:]), np.nan)
    recent = min(ENCODER_DAYS, len(known))
    residual[-recent:] = (known[-recent:] - forecasts.past[-recent:]) / scale
    encoder = _encoder(history, origin_day, residual, covariates)
    decoder = _decoder(history, origin_day, origin_hour, future)
    return GateInputs(
        encoder.astype(np.float32), decoder.astype(np.float32), np.moveaxis(future, -1, 0).astype(np.float32)
    )


def _encoder(history: DailyHistory, origin_day: int, residual: Floats, covariates: MinMaxScaler) -> Floats:
    """(E, 28, F): the columns of `ENCODER_FEATURES`."""
    equipment = residual.shape[2]
    seen = np.isfinite(residual)
    filled = np.where(seen, residual, 0.0)
    share = seen.mean(axis=1, keepdims=True)
    mean = filled.mean(axis=1, keepdims=True) / np.maximum(share, 1 / 24)
    by_equipment = np.moveaxis(np.concatenate([filled, mean, share], axis=1), -1, 0)
    rows = np.arange(origin_day - ENCODER_DAYS + 1, origin_day + 1)
    there = rows >= 0
    measured = np.full((ENCODER_DAYS, len(MEASURED)), np.nan)
    # The origin's own day is not over: its mean would say which hours of it were seen.
    whole = there & (rows < origin_day)
    measured[whole] = covariates.transform(history.measured[rows[whole]])
    have = np.isfinite(measured)
    days = np.zeros((ENCODER_DAYS, len(_CALENDAR)))
    days[there] = _calendar(history, rows[there])
    shared = np.concatenate([days, np.where(have, measured, 0.0), have], axis=1)
    return np.concatenate([by_equipment, np.repeat(shared[None], equipment, axis=0)], axis=2)


def _decoder(history: DailyHistory, origin_day: int, origin_hour: int, future: Floats) -> Floats:
    """(E, S, G): the columns of `DECODER_FEATURES`; an expert's level is its daily mean less that of all."""
    steps, _, _, equipment = future.shape
    level = np.moveaxis(future.mean(axis=2), -1, 0)
    middle = level.mean(axis=2, keepdims=True)
    days = _calendar(history, np.arange(origin_day, origin_day + steps))
    step = np.arange(steps)[:, None] / DECODER_DAYS
    part = np.ones((steps, 1))
    part[0] = 1 - origin_hour / 24
    shared = np.repeat(np.concatenate([days, step, part], axis=1)[None], equipment, axis=0)
    return np.concatenate([level - middle, middle, shared], axis=2)


def _calendar(history: DailyHistory, rows: NDArray[np.int64]) -> Floats:
    """(R, C): weekday one-hot, and the other features of `calendar_features.day_features`."""
    others = history.features.iloc[rows][list(DAY_FEATURES[1:])].to_numpy(dtype=np.float64)
    return np.concatenate([np.eye(7)[history.week[rows]], others], axis=1)


def training_samples(
    history: DailyHistory, origins: list[tuple[int, int]], scaler: MinMaxScaler, covariates: MinMaxScaler
) -> Samples:
    """Build the samples of many origins within one history, with their targets.

    Args:
        history: the history, and at least `DECODER_DAYS` of calendar past it.
        origins: (day of the grid, hour).
        scaler: E columns, kWh.
        covariates: the measured columns' daily means.
    """
    built = [inputs_at(history, day, hour, DECODER_DAYS, scaler, covariates) for day, hour in origins]
    scaled = scaler.transform(history.grid.values)
    equipment = scaled.shape[2]
    targets = np.full((len(origins), DECODER_DAYS, 24, equipment), np.nan)
    for row, (day, hour) in enumerate(origins):
        there = scaled[day : day + DECODER_DAYS]
        targets[row, : len(there)] = there
        targets[row, 0, :hour] = np.nan
    by_equipment = np.moveaxis(targets, -1, 1).reshape(-1, DECODER_DAYS, 24)
    return Samples(
        encoder=np.concatenate([each.encoder for each in built]),
        decoder=np.concatenate([each.decoder for each in built]),
        experts=np.concatenate([each.experts for each in built]),
        target=by_equipment.astype(np.float32),
        origin_day=np.repeat([day for day, _ in origins], equipment),
    )
