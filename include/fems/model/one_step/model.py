"""One step ahead, the study's protocol: an LSTM over a window of measured columns, trained by `one_step.train`.

Protocol `one-step`: every forecast may use what was measured up to the interval before it. The figures are
for comparison with the study and with persistence; no month can be forecast this way. The network forecasts the
change from the last measured value, so that where it has learnt nothing it is persistence.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.model.history import Floats, History
from fems.model.one_step.inputs import input_columns
from fems.model.one_step.windows import sliding
from fems.model.scaling import MinMaxScaler


@dataclass(frozen=True)
class OneStepModel:
    """A trained one-step model of one factory.

    Attributes:
        network: keras.Model, (B, window, C) of `inputs.input_columns` -> (B, 1) change of scaled used_kwh.
        scaler: the measured columns, target first, from the training span.
        window: intervals that it looks back.
        floor: kWh, at most 0: what the factory is not forecast below, see `floors`.
        metrics: its scores on the test span, and persistence's; no unit but kWh for MAE.
        curve: a dict an epoch: loss and val_loss (MSE of scaled values).
        forecast: the test span, indexed by interval: truth, lstm, persistence, kWh.
    """

    network: Any
    scaler: MinMaxScaler
    window: int
    floor: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, history: History) -> pd.Series:
        """Forecast each interval of a history from the window before it, and the one after its end.

        Returns:
            kWh of the factory, not below `floor`, indexed by interval, from the first with a whole window on.

        Raises:
            TooLittleHistory: the history is shorter than the window.
        """
        columns = input_columns(history, self.scaler)
        change = predict_batches(as_graph(self.network), sliding(columns, self.window))
        scaled = columns[self.window - 1 :, 0] + change
        intervals = history.hours[self.window :].append(pd.DatetimeIndex([history.end]))
        kwh = self.scaler.only("used_kwh").inverse(scaled[:, None])[:, 0]
        return pd.Series(np.maximum(kwh, self.floor), index=intervals, name="used_kwh")


def as_graph(network: Any, xla: bool = False) -> Any:
    """Return a network as a graph: (batch, window, C) -> (batch, 1).

    A graph is as exact as the network called as it is, to the last bit, and faster. XLA is faster still once it has
    compiled, and its last bits are others: for what is only looked at, such as the loss of an epoch.
    """
    import tensorflow as tf

    return tf.function(lambda windows: network(windows, training=False), jit_compile=xla or None)


def predict_batches(graph: Any, windows: NDArray[np.floating[Any]], batch: int = 512) -> Floats:
    """(N, window, C) -> (N,), by a graph of `as_graph`.

    The batches have one fixed size, so that the graph is traced once.
    """
    out = np.empty(len(windows))
    padded = np.zeros((batch, *windows.shape[1:]), dtype=np.float32)
    for start in range(0, len(windows), batch):
        part = windows[start : start + batch]
        padded[: len(part)] = part
        out[start : start + len(part)] = np.asarray(graph(padded))[: len(part), 0]
    return out
