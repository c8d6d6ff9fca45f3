"""The gate of the month-ahead forecast: an LSTM that weighs, day by day, how far to trust each expert.

It is bounded on purpose. A network that is free to add what it likes learns level shifts that are not
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
STEPS = 8
"""Gradient steps an epoch: the time to train does not grow with the number of machines."""

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
    validation: Samples | None,
    validation_log_prior: Floats | None,
    epochs: int,
    seed: int,
    learning_rate: float = LEARNING_RATE,
    steps: int = STEPS,
    on_epoch: OnEpoch | None = None,
) -> tuple[list[dict[str, float]], float]:
    """Train the gate on the mixture's squared error; missing hours do not count.

    With validation samples training stops once their error has not fallen for `PATIENCE` epochs; the
    weights of the best epoch are put back, and those from before training if no epoch was better.

    Args:
        gate: from `build`; changed in place.
        training: N samples.
        log_prior: (N, S, K).
        validation: samples whose targets the training ones do not hold.
        validation_log_prior: likewise.
        epochs: how many.
        seed: of the order of samples.
        learning_rate: at the start; falls to 0 along a cosine.
        steps: gradient steps an epoch.
        on_epoch: called with the epoch, from 1, and its figures.

    Returns:
        The learning curve; and the validation error before training, NaN without validation.
    """
    import keras

    model, batch = _trainer(gate), _batch(len(training.target))
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps),
            weight_decay=WEIGHT_DECAY,
            global_clipnorm=1.0,
        ),
        loss=masked_mse,
        jit_compile=False,
    )
    held = None if validation is None else _dataset(validation, validation_log_prior, len(validation.target))
    start = float("nan") if held is None else float(model.evaluate(held, verbose=0))
    curve: list[dict[str, float]] = []
    best, best_weights, best_epoch = start, gate.get_weights(), 0

    def note(epoch: int, logs: dict[str, Any]) -> None:
        nonlocal best, best_weights, best_epoch
        curve.append({name: float(value) for name, value in logs.items()})
        if curve[-1].get("val_loss", np.inf) < best:
            best, best_weights = curve[-1]["val_loss"], gate.get_weights()
            best_epoch = epoch
        if held is not None and epoch - best_epoch >= PATIENCE:
            model.stop_training = True
        if on_epoch:
            on_epoch(epoch + 1, curve[-1])

    model.fit(
        _dataset(training, log_prior, batch, seed),
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        validation_data=held,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=note)],
    )
    if held is not None:
        gate.set_weights(best_weights)
    return curve, start


def masked_mse(truth: Any, mixture: Any) -> Any:
    """Mean squared error over the hours whose truth is known (not NaN)."""
    import tensorflow as tf

    known = tf.math.is_finite(truth)
    error = tf.where(known, mixture - tf.where(known, truth, 0.0), 0.0)
    return tf.reduce_sum(error**2) / tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32)), 1.0)


def _trainer(gate: Any) -> Any:
    """Put the mixture on top of the gate; the experts enter as an input and are not part of what is saved."""
    import keras

    forecasts = keras.Input((None, len(experts.NAMES), 24), name="experts")
    mixture = keras.ops.einsum("bsk,bskh->bsh", gate.output, forecasts)
    return keras.Model([*gate.inputs, forecasts], mixture)


def _batch(samples: int) -> int:
    """Samples a step: 16, more where there are many, so that an epoch sees about all of them."""
    return min(samples, max(16, min(64, samples // STEPS)))


def _dataset(samples: Samples, log_prior: Any, batch: int, seed: int | None = None) -> Any:
    """Batches of one fixed size, so that nothing is traced twice; endless and shuffled if a seed is given."""
    import tensorflow as tf

    inputs = (samples.encoder, samples.decoder, log_prior.astype(np.float32), samples.experts)
    data = tf.data.Dataset.from_tensor_slices((inputs, samples.target))
    if seed is not None:
        data = data.shuffle(len(samples.target), seed=seed).repeat()
    return data.batch(batch, drop_remainder=True)


def mixture(weights: Floats, forecasts: Singles) -> Floats:
    """(N, S, K) weights and (N, S, K, 24) experts -> (N, S, 24)."""
    mixed: Floats = np.einsum("nsk,nskh->nsh", weights, forecasts)
    return mixed
