"""One step ahead, the study's protocol: an LSTM of 50 units over a window of measured columns.

Protocol `one-step`: every forecast may use what was measured up to the interval before it. The figures are
for comparison with the study and with persistence; no month can be forecast this way. The network forecasts the
change from the last measured value, so that where it has learnt nothing it is persistence.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fems.errors import TooLittleHistory
from fems.model import scores
from fems.model.baselines import persistence
from fems.model.history import MEASURED, Floats, History
from fems.model.one_step.inputs import columns_of
from fems.model.one_step.windows import sliding, targets_of
from fems.model.runtime import prepare
from fems.model.scaling import MinMaxScaler

UNITS = 50
BATCH = 73
EPOCHS = 50
WINDOW = 24
PATIENCE = 8
LEARNING_RATE = 0.01
"""At the first step; it falls to 0 along a cosine. Chosen by validation error on three factories, where 20 epochs so
reach what 50 at Adam's own constant 0.001 do not."""
MOST_STEPS = 6_000
"""Gradient steps: quarters of an hour have four times as many windows an epoch as hours, and need fewer epochs."""
VALIDATION_SHARE = 0.1

_TEST = pd.Timedelta(minutes=scores.HORIZON_MINUTES)

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class OneStepModel:
    """A trained one-step model of one factory.

    Attributes:
        network: keras.Model, (B, window, C) of `step_inputs.columns_of` -> (B, 1) change of scaled used_kwh.
        scaler: the measured columns, target first, from the training span.
        window: intervals that it looks back.
        metrics: its scores on the test span, and persistence's; no unit but kWh for MAE.
        curve: a dict an epoch: loss and val_loss (MSE of scaled values).
        forecast: the test span, indexed by interval: truth, lstm, persistence, kWh.
    """

    network: Any
    scaler: MinMaxScaler
    window: int
    metrics: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, history: History) -> pd.Series:
        """Forecast each interval of a history from the window before it, and the one after its end.

        Returns:
            kWh of the factory, not negative, indexed by interval, from the first with a whole window on.

        Raises:
            TooLittleHistory: the history is shorter than the window.
        """
        columns = columns_of(history, self.scaler)
        scaled = columns[self.window - 1 :, 0] + predict_batches(self.network, sliding(columns, self.window))
        intervals = history.hours[self.window :].append(pd.DatetimeIndex([history.end]))
        kwh = self.scaler.only("used_kwh").inverse(scaled[:, None])[:, 0]
        return pd.Series(np.maximum(kwh, 0.0), index=intervals, name="used_kwh")


def train_one_step(
    history: History,
    *,
    epochs: int = EPOCHS,
    window: int = WINDOW,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    threads: int = 1,
) -> OneStepModel:
    """Train and test on a chronological split.

    The test is the last 42,300 minutes; the tenth of the rest that lies before it validates. A short history
    tests on a fifth of itself. Training stops once the validation error has not fallen for `PATIENCE`
    epochs, and the best epoch's weights are kept.

    Args:
        history: one factory, by the hour or finer.
        epochs: at most; of a long history fewer, see `MOST_STEPS`.
        window: intervals that the model looks back.
        seed: the same seed and history give the same model.
        on_epoch: called with the epoch, from 1, and its loss and val_loss.
        threads: of TensorFlow.

    Raises:
        TooLittleHistory: too few measured hours for the three parts.
    """
    test_from, validate_from = _split(history, window)
    names = tuple(
        n for n in MEASURED if n in history.inputs and history.inputs[n].iloc[:validate_from].notna().any()
    )
    if "used_kwh" not in names:
        raise TooLittleHistory("one-step training: used_kwh is missing throughout the training span")
    inputs = history.inputs[list(names)].to_numpy(dtype=np.float64)
    scaler = MinMaxScaler.fit(names, inputs[:validate_from])
    columns = columns_of(history, scaler)
    windows = sliding(columns, window)
    kept, target = targets_of(scaler.transform(inputs)[:, 0], window)
    ends = kept + window
    change = target - columns[ends - 1, 0]
    training, validation = ends < validate_from, (ends >= validate_from) & (ends < test_from)
    if training.sum() < BATCH or not validation.any() or not (ends >= test_from).any():
        raise TooLittleHistory(
            f"one-step training needs {BATCH} measured windows; there are {int(training.sum())}"
        )
    prepare(seed, threads)
    network = _build(window, columns.shape[1])
    curve = _fit(
        network,
        (windows, kept[training], change[training]),
        (windows, kept[validation], change[validation]),
        epochs=epochs,
        seed=seed,
        on_epoch=on_epoch,
    )
    model = OneStepModel(network, scaler, window, curve=curve)
    forecast = pd.DataFrame(
        {
            "truth": history.factory_kwh[test_from:],
            "lstm": model.predict(history).reindex(history.hours[test_from:]).to_numpy(),
            "persistence": persistence(history.factory_kwh)[test_from:],
        },
        index=history.hours[test_from:],
    )
    span = scaler.only("used_kwh").span[0]
    metrics = scores.table(forecast["truth"], forecast["lstm"], span)
    metrics |= {
        f"persistence_{name}": value
        for name, value in scores.table(forecast["truth"], forecast["persistence"], span).items()
    }
    return OneStepModel(network, scaler, window, metrics, curve, forecast)


def predict_batches(network: Any, windows: Floats, batch: int = 512) -> Floats:
    """(N, window, C) -> (N,).

    The network is called as it is, without XLA, so that one that was just trained and one that was loaded
    say the same to the last bit; the batches have one fixed size, so that it is traced once.
    """
    out = np.empty(len(windows))
    padded = np.zeros((batch, *windows.shape[1:]), dtype=np.float32)
    for start in range(0, len(windows), batch):
        part = windows[start : start + batch]
        padded[: len(part)] = part
        out[start : start + len(part)] = np.asarray(network(padded, training=False))[: len(part), 0]
    return out


def _split(history: History, window: int) -> tuple[int, int]:
    """Where the test and the validation start."""
    intervals = len(history.hours)
    test_from = intervals - min(int(_TEST / history.step), intervals // 5)
    validate_from = test_from - int(test_from * VALIDATION_SHARE)
    if validate_from <= window:
        raise TooLittleHistory(
            f"one-step training needs more than {window} intervals to train on; there are {validate_from}"
        )
    return test_from, validate_from


def _build(window: int, columns: int) -> Any:
    import keras

    # use_cudnn=False lets XLA compile the recurrence; that more than halves a step on a CPU.
    layers = [
        keras.Input((window, columns)),
        keras.layers.LSTM(UNITS, use_cudnn=False),
        keras.layers.Dense(1),
    ]
    return keras.Sequential(layers, name="one_step")


def _fit(
    network: Any,
    training: tuple[Floats, Any, Floats],
    validation: tuple[Floats, Any, Floats],
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None,
) -> list[dict[str, float]]:
    import keras

    steps = max(1, len(training[1]) // BATCH)
    epochs = max(1, min(epochs, MOST_STEPS // steps))
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps * epochs), clipnorm=1.0
        ),
        loss="mse",
        jit_compile=True,
        steps_per_execution=min(20, steps),
    )
    curve: list[dict[str, float]] = []
    held = (validation[0][validation[1]].astype(np.float32), validation[2])

    def note(epoch: int, logs: dict[str, Any]) -> None:
        logs["val_loss"] = float(np.mean((predict_batches(network, held[0]) - held[1]) ** 2))
        curve.append({"loss": float(logs["loss"]), "val_loss": logs["val_loss"]})
        if on_epoch:
            on_epoch(epoch + 1, curve[-1])

    network.fit(
        _dataset(*training, seed),
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=note),
            keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True),
        ],
    )
    return curve


def _dataset(windows: Floats, kept: Any, target: Floats, seed: int) -> Any:
    """Endless shuffled batches of one fixed size: a smaller last one would be traced anew every epoch."""
    import tensorflow as tf

    inputs = windows[kept].astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((inputs, target.astype(np.float32)[:, None]))
    return data.shuffle(len(inputs), seed=seed).repeat().batch(BATCH, drop_remainder=True)
