"""The trained gate without TensorFlow: its weights as arrays, and how it weighs the experts.

A forecast asks the gate for a few hundred rows once a month. Importing TensorFlow for that takes longer than
everything else the forecast does, and more than doubles its memory; two LSTM layers are a few lines of NumPy. Keras
trains the gate (`gate`), and a test holds the two to the same answer.
"""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fems.errors import DataError
from fems.model.arrays import read_arrays
from fems.model.history import Floats


@dataclass(frozen=True)
class Lstm:
    """An LSTM layer as Keras lays it out: gates in the order input, forget, cell, output.

    Attributes:
        kernel: (F, 4 U) of the inputs.
        recurrent: (U, 4 U) of the state.
        bias: (4 U,).
    """

    kernel: Floats
    recurrent: Floats
    bias: Floats

    def run(self, inputs: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats, Floats]:
        """Step through (B, S, F) from the state given, twice (B, U): the outputs (B, S, U) and the state after."""
        given = inputs @ self.kernel + self.bias
        outputs = np.empty((*inputs.shape[:2], hidden.shape[1]))
        for step in range(inputs.shape[1]):
            let_in, forget, new, let_out = np.split(given[:, step] + hidden @ self.recurrent, 4, axis=1)
            cell = _sigmoid(forget) * cell + _sigmoid(let_in) * np.tanh(new)
            hidden = _sigmoid(let_out) * np.tanh(cell)
            outputs[:, step] = hidden
        return outputs, hidden, cell


@dataclass(frozen=True)
class TrainedGate:
    """A trained gate.

    Attributes:
        encode: reads the days before the origin.
        decode: goes on from there, day by day.
        kernel: (U, K) from its outputs to the experts' logits.
        bias: (K,).
    """

    encode: Lstm
    decode: Lstm
    kernel: Floats
    bias: Floats

    @classmethod
    def from_keras(cls, gate: Any) -> "TrainedGate":
        """Take the weights of a Keras model from `gate.build`."""
        layers = {name: [_floats(w) for w in gate.get_layer(name).get_weights()] for name in _LAYERS}
        return cls(Lstm(*layers["encode"]), Lstm(*layers["decode"]), *layers["logits"])

    def __call__(self, encoder: Any, decoder: Any, log_prior: Any) -> Floats:
        """Weigh the experts.

        Args:
            encoder: (B, 28, F).
            decoder: (B, S, G).
            log_prior: (B, S, K).

        Returns:
            (B, S, K), positive, with the sum 1 over the experts.
        """
        rest = np.zeros((len(encoder), len(self.encode.recurrent)))
        _, hidden, cell = self.encode.run(_floats(encoder), rest, rest)
        days, _, _ = self.decode.run(_floats(decoder), hidden, cell)
        logits = days @ self.kernel + self.bias + log_prior
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        weights: Floats = odds / odds.sum(axis=-1, keepdims=True)
        return weights

    def save(self, path: Path) -> None:
        """Write the arrays as .npz, in the precision that Keras trained them in."""
        flat = {
            f"{name}.{part}": value
            for name, layer in (("encode", self.encode), ("decode", self.decode))
            for part, value in asdict(layer).items()
        }
        flat |= {"logits.kernel": self.kernel, "logits.bias": self.bias}
        np.savez(path, **{name: value.astype(np.float32) for name, value in flat.items()})

    @classmethod
    def load(cls, path: Path) -> "TrainedGate":
        """Read what `save` wrote; nothing in it is run.

        Raises:
            DataError: it is something else.
        """
        flat = read_arrays(path, _NAMES)
        try:
            encode, decode = (
                Lstm(*(_floats(flat[f"{name}.{part}"]) for part in _LSTM)) for name in ("encode", "decode")
            )
            return cls(encode, decode, _floats(flat["logits.kernel"]), _floats(flat["logits.bias"]))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path.name}: no weights of a gate: {error}") from error


SHIPPED = Path(__file__).with_name("shipped_gate.npz")
"""The gate that comes with the package; beside it stands, as JSON, what it was trained on."""


@lru_cache(maxsize=1)
def shipped_gate() -> TrainedGate:
    """Return the gate that comes with the package."""
    return TrainedGate.load(SHIPPED)


@lru_cache(maxsize=1)
def about_shipped_gate() -> dict[str, str | int | float]:
    """Return what the shipped gate was trained on: its `data_fingerprint`, and how it did on plants held out."""
    about: dict[str, str | int | float] = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8"))
    return about


_LAYERS = ("encode", "decode", "logits")
_LSTM = ("kernel", "recurrent", "bias")
_NAMES = (
    *(f"{layer}.{part}" for layer in ("encode", "decode") for part in _LSTM),
    "logits.kernel",
    "logits.bias",
)


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _sigmoid(x: Floats) -> Floats:
    """Exact and without overflow for any x."""
    return 0.5 * (1 + np.tanh(0.5 * x))
