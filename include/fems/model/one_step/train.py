"""Training of the one-step model: a chronological split, the study's architecture, the best epoch kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.contracts.horizon import HORIZON_MINUTES
from fems.errors import TooLittleHistory
from fems.model import scores
from fems.model.baselines import persistence
from fems.model.floors import fit_floors
from fems.model.history import MEASURED, Floats, History
from fems.model.one_step.inputs import input_columns
from fems.model.one_step.model import OneStepModel, as_graph, predict_batches
from fems.model.one_step.windows import sliding, windows_with_target
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

_TEST = pd.Timedelta(minutes=HORIZON_MINUTES)

OnEpoch = Callable[[int, dict[str, float]], None]


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
    columns = input_columns(history, scaler)
    windows = sliding(columns, window)
    kept, target = windows_with_target(scaler.transform(inputs)[:, 0], window)
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
        _Windows(windows, kept[training], change[training]),
        _Windows(windows, kept[validation], change[validation]),
        epochs=epochs,
        seed=seed,
        on_epoch=on_epoch,
    )
    floor = float(fit_floors(history.factory_kwh[:validate_from, None])[0])
    model = OneStepModel(network, scaler, window, floor, curve=curve)
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
    return OneStepModel(network, scaler, window, floor, metrics, curve, forecast)


@dataclass(frozen=True)
class _Windows:
    """Windows of one part of the split.

    Attributes:
        values: every window of the series, a view.
        kept: (N,) which of them.
        change: (N,) from each window's last value to the next.
    """

    values: Floats
    kept: NDArray[np.int64]
    change: Floats

    def inputs(self) -> NDArray[np.float32]:
        """(N, window, C)."""
        return self.values[self.kept].astype(np.float32)


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
    training: _Windows,
    validation: _Windows,
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None,
) -> list[dict[str, float]]:
    import keras

    steps = max(1, len(training.kept) // BATCH)
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
    held, graph = validation.inputs(), as_graph(network, xla=True)

    def note(epoch: int, logs: dict[str, float]) -> None:
        logs["val_loss"] = float(np.mean((predict_batches(graph, held) - validation.change) ** 2))
        curve.append({"loss": float(logs["loss"]), "val_loss": logs["val_loss"]})
        if on_epoch:
            on_epoch(epoch + 1, curve[-1])

    network.fit(
        _dataset(training, seed),
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


def _dataset(training: _Windows, seed: int) -> Any:
    """Endless shuffled batches of one fixed size: a smaller last one would be traced anew every epoch."""
    import tensorflow as tf

    inputs = training.inputs()
    data = tf.data.Dataset.from_tensor_slices((inputs, training.change.astype(np.float32)[:, None]))
    return data.shuffle(len(inputs), seed=seed).repeat().batch(BATCH, drop_remainder=True)
