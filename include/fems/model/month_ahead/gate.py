"""The gate of the month-ahead forecast: an LSTM that weighs, day by day, how far to trust each expert.

It is trained once, over many simulated plants (`benchmarks.gate`), and shipped; a factory's training asks it only. It
is bounded on purpose. A network that is free to add what it likes learns level shifts that are not
there; this one can only move between forecasts that are each plausible, and it starts at the cross-
validated prior (a zero kernel, with the prior's logarithm added to the logits).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fems.model.history import Floats
from fems.model.month_ahead import experts
from fems.model.month_ahead.features import ENCODER_DAYS, Samples, Singles

UNITS = 32
DROPOUT = 0.2
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
PATIENCE = 12
BATCH = 64

OnEpoch = Callable[[int, dict[str, float]], None]


def build(encoder_features: int, decoder_features: int) -> Any:
    """Build the gate with standard layers alone, so that it loads in Keras' safe mode.

    Returns:
        A keras.Model: encoder (B, 28, F), decoder (B, S, G), log_prior (B, S, K) -> weights (B, S, K).
    """
    import keras

    encoder = keras.Input((ENCODER_DAYS, encoder_features), name="encoder")
    decoder = keras.Input((None, decoder_features), name="decoder")
    log_prior = keras.Input((None, len(experts.NAMES)), name="log_prior")
    _, state_h, state_c = keras.layers.LSTM(UNITS, return_state=True, name="encode")(encoder)
    days = keras.layers.LSTM(UNITS, return_sequences=True, name="decode")(
        decoder, initial_state=[state_h, state_c]
    )
    days = keras.layers.Dropout(DROPOUT)(days)
    logits = keras.layers.Dense(len(experts.NAMES), kernel_initializer="zeros", name="logits")(days)
    weights = keras.layers.Softmax(name="weights")(keras.layers.Add()([logits, log_prior]))
    return keras.Model([encoder, decoder, log_prior], weights, name="gate")


def fit(
    gate: Any,
    training: Samples,
    log_prior: Floats,
    *,
    validation: Samples,
    validation_log_prior: Floats,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> tuple[list[dict[str, float]], float]:
    """Train the gate on the mixture's squared error; missing hours do not count.

    Training stops once the error of the validation samples has not fallen for `PATIENCE` epochs; the weights of the
    best epoch are put back, and those from before training if no epoch was better.

    Args:
        gate: from `build`; changed in place.
        training: N samples.
        log_prior: (N, S, K).
        validation: samples of other series.
        validation_log_prior: likewise.
        epochs: how many at most.
        seed: of the order of samples.
        on_epoch: called with the epoch, from 1, and its figures.

    Returns:
        The learning curve, and the validation error before training.
    """
    import keras

    model = _trainer(gate)
    batches = _batches(training, log_prior, min(BATCH, len(training.target)), seed)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * len(batches)),
            weight_decay=WEIGHT_DECAY,
            global_clipnorm=1.0,
        ),
        loss=masked_mse,
        jit_compile=keras.backend.backend() != "tensorflow",  # XLA hurts an encoder with a decoder there
    )
    held = _batches(validation, validation_log_prior, len(validation.target))
    start = float(model.evaluate(held, verbose=0))
    curve: list[dict[str, float]] = []
    best, best_weights, best_epoch = start, gate.get_weights(), 0

    def note(epoch: int, logs: dict[str, Any]) -> None:
        nonlocal best, best_weights, best_epoch
        curve.append({name: float(value) for name, value in logs.items()})
        if curve[-1]["val_loss"] < best:
            best, best_weights, best_epoch = curve[-1]["val_loss"], gate.get_weights(), epoch
        model.stop_training = epoch - best_epoch >= PATIENCE
        if on_epoch:
            on_epoch(epoch + 1, curve[-1])

    model.fit(
        batches,
        epochs=epochs,
        shuffle=False,
        validation_data=held,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=note)],
    )
    gate.set_weights(best_weights)
    return curve, start


def masked_mse(truth: Any, mixture: Any) -> Any:
    """Mean squared error over the hours whose truth is known (not NaN)."""
    from keras import ops

    known = ops.isfinite(truth)
    error = ops.where(known, mixture - ops.where(known, truth, 0.0), 0.0)
    return ops.sum(error**2) / ops.maximum(ops.sum(ops.cast(known, "float32")), 1.0)


def _trainer(gate: Any) -> Any:
    """Put the mixture on top of the gate; the experts enter as an input and are not part of what is saved."""
    import keras

    forecasts = keras.Input((None, len(experts.NAMES), 24), name="experts")
    mixture = keras.ops.einsum("bsk,bskh->bsh", gate.output, forecasts)
    return keras.Model([*gate.inputs, forecasts], mixture)


def _batches(samples: Samples, log_prior: Floats, batch: int, seed: int | None = None) -> Any:
    """Whole batches of one size, so that nothing is traced twice; in another order each epoch if a seed is given."""
    import keras

    inputs = (samples.encoder, samples.decoder, log_prior.astype(np.float32), samples.experts)
    random = None if seed is None else np.random.default_rng(seed)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        order = np.arange(len(samples.target))

        def __len__(self) -> int:
            return len(self.order) // batch

        def __getitem__(self, index: int) -> tuple[tuple[Singles, ...], Singles]:
            rows = self.order[index * batch : (index + 1) * batch]
            return tuple(values[rows] for values in inputs), samples.target[rows]

        def on_epoch_end(self) -> None:
            if random is not None:
                self.order = random.permutation(self.order)

    return Batches()


def mixture(weights: Floats, forecasts: Singles) -> Floats:
    """(N, S, K) weights and (N, S, K, 24) experts -> (N, S, 24)."""
    mixed: Floats = np.einsum("nsk,nskh->nsh", weights, forecasts)
    return mixed
