"""neuralforecast's LSTM as its users would write it, run by an interpreter of its own: it brings PyTorch.

`python benchmarks/neural_peer.py SERIES.parquet HOURS OUT.json` reads a series (ds, y) up to an origin, and writes what
it forecasts for the HOURS after it and the seconds that fitting and forecasting took, imports not counted.
"""

import json
import logging
import sys
from pathlib import Path
from time import perf_counter

import pandas as pd

INPUT_HOURS = 7 * 24
STEPS = 200


def main(series: str, hours: int, out: str) -> None:
    """Fit and forecast."""
    from neuralforecast import NeuralForecast  # type: ignore[import-not-found]
    from neuralforecast.models import LSTM  # type: ignore[import-not-found]

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    known = pd.read_parquet(series).assign(unique_id="factory")
    quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
    started = perf_counter()
    model = LSTM(
        h=hours, input_size=INPUT_HOURS, max_steps=STEPS, scaler_type="robust", random_seed=0, **quiet
    )
    forecaster = NeuralForecast(models=[model], freq="h")
    forecaster.fit(known)
    said = forecaster.predict()["LSTM"]
    took = perf_counter() - started
    Path(out).write_text(json.dumps({"kwh": said.tolist(), "seconds": took}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
