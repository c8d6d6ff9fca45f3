"""A trained factory as a folder of arrays, .keras, JSON and text. Reading one runs no pickle.

- manifest.json: every other file's length and SHA-256, checked before any is parsed
- bundle.json: factory, calendar, equipment, trained_until, features, prior, trust, shares, band, metrics, format
- scalers.json: month_ahead (by equipment), covariates, one_step
- month_ahead.npz: the weights of the gate; absent where the prior forecasts
- one_step.keras
- trees.npz: boosted trees as arrays; absent where there are none
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fems.contracts.model_manifest import NAME, ModelManifest
from fems.errors import DataError
from fems.model.history import MEASURED, History
from fems.model.month_ahead import experts, features, trees
from fems.model.month_ahead.band import BandWidths
from fems.model.month_ahead.boosted import BoostedTrees
from fems.model.month_ahead.gate_inference import TrainedGate
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.shares import Shares
from fems.model.one_step import inputs
from fems.model.one_step.model import OneStepModel
from fems.model.plan_effects import Effects
from fems.model.runtime import prepare
from fems.model.scaling import MinMaxScaler

FORMAT = 8
_GATE = "month_ahead.npz"
_TREES = "trees.npz"


FEATURES: dict[str, tuple[str, ...]] = {
    "covariates": MEASURED,
    "experts": experts.NAMES,
    "gate_encoder": features.ENCODER_FEATURES,
    "gate_decoder": features.DECODER_FEATURES,
    "trees": trees.FEATURES,
    "one_step_calendar": inputs.CALENDAR_FEATURES,
}
"""What the models of this code look at, in the order of their columns. Stored in a bundle, and compared on load."""


@dataclass(frozen=True)
class Bundle:
    """What is registered for a factory.

    Attributes:
        factory_id: whose.
        month_ahead: the model that forecasts.
        one_step: the study's model; None in a bundle that only forecasts.
        country: ISO 3166 code.
        holidays_off: whether the factory stops on public holidays.
        shifts: the shift plan; None where none is known.
        metrics: flat, as `train_factory` measured them.
    """

    factory_id: str
    month_ahead: MonthAheadModel
    one_step: OneStepModel | None
    country: str
    holidays_off: bool
    shifts: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    def history(self, table: pd.DataFrame) -> History:
        """Read an hour table with the calendar that this bundle was trained with.

        Raises:
            DataError: the table cannot be used, see `History.from_hour_table`.
        """
        return History.from_hour_table(
            table, country=self.country, holidays_off=self.holidays_off, shifts=self.shifts
        )


def save(bundle: Bundle, folder: Path) -> ModelManifest:
    """Write a bundle into an empty or new folder, and return its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    ahead, step = bundle.month_ahead, bundle.one_step
    scalers = {"month_ahead": ahead.scaler, "covariates": ahead.covariates}
    if ahead.network is not None:
        ahead.network.save(folder / _GATE)
    if ahead.trees is not None:
        ahead.trees.save(folder / _TREES)
    if step is not None:
        scalers["one_step"] = step.scaler
        step.network.save(folder / "one_step.keras")
    about = {
        "format": FORMAT,
        "factory_id": bundle.factory_id,
        "country": bundle.country,
        "holidays_off": bundle.holidays_off,
        "shifts": bundle.shifts,
        "equipment": ahead.equipment,
        "trained_until": ahead.trained_until.isoformat(),
        "time_zone": str(ahead.trained_until.tz),
        "trust": ahead.trust,
        "trees": ahead.trees is not None,
        "shares": asdict(ahead.shares),
        "floor": ahead.floor.tolist(),
        "prior": ahead.prior.tolist(),
        "band": {name: values.tolist() for name, values in asdict(ahead.band).items()},
        "effects": {name: values.tolist() for name, values in asdict(ahead.effects).items()},
        "features": FEATURES,
        "one_step": {"window": step.window, "floor": step.floor} if step else None,
        "notes": finite(ahead.notes),
        "metrics": finite(bundle.metrics),
    }
    _write(folder / "bundle.json", about)
    _write(folder / "scalers.json", {name: json.loads(scaler.to_json()) for name, scaler in scalers.items()})
    manifest = ModelManifest.of_folder(folder)
    (folder / NAME).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def load(folder: Path, one_step: bool = True, manifest: ModelManifest | None = None) -> Bundle:
    """Read a bundle whose files are what its manifest says; Keras reads in safe mode.

    Args:
        folder: what `save` wrote.
        one_step: whether the study's model is wanted. Without it TensorFlow is not even imported.
        manifest: as it was when the bundle was made, from where nobody else can write; the bundle's own if not given.

    Raises:
        DataError: a file was changed or cut off, or it is a bundle of another format or of other features.
    """
    (manifest or _own_manifest(folder)).check(folder)
    about, scalers = _read(folder / "bundle.json"), _read(folder / "scalers.json")
    if about.get("format") != FORMAT:
        raise DataError(
            f"model bundle: format {about.get('format')}, this code reads {FORMAT}; train the factory again"
        )
    _check_features(about)
    try:
        return _bundle(about, scalers, folder, one_step)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, OSError) as error:
        raise DataError(
            f"model bundle: not what `save` writes: {error!r}; train the factory again"
        ) from error


def _own_manifest(folder: Path) -> ModelManifest:
    try:
        return ModelManifest.from_json((folder / NAME).read_bytes(), "model bundle")
    except OSError as error:
        raise DataError("model bundle: it has no manifest; train the factory again") from error


def _check_features(about: dict[str, Any]) -> None:
    """Compare the features that a bundle was made with with this code's: other columns would be other numbers."""
    stored = {name: tuple(columns) for name, columns in (about.get("features") or {}).items()}
    for name in sorted({*FEATURES, *stored}):
        ours, theirs = FEATURES.get(name, ()), stored.get(name, ())
        if ours != theirs:
            more, less = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
            differs = [f"+{column}" for column in less] + [f"-{column}" for column in more]
            raise DataError(
                f"model bundle: this code's {name} features are not those that it was trained with "
                f"({', '.join(differs[:5]) or 'another order'}); train the factory again"
            )


def _bundle(about: dict[str, Any], scalers: dict[str, Any], folder: Path, one_step: bool) -> Bundle:
    scaler = {name: MinMaxScaler.from_json(json.dumps(value)) for name, value in scalers.items()}
    ahead = MonthAheadModel(
        equipment=tuple(about["equipment"]),
        floor=np.array(about["floor"], dtype=np.float64),
        scaler=scaler["month_ahead"],
        covariates=scaler["covariates"],
        prior=np.array(about["prior"]),
        trust=about["trust"],
        network=TrainedGate.load(folder / _GATE) if about["trust"] > 0 else None,
        trees=BoostedTrees.load(folder / _TREES, trees.COLUMNS) if about["trees"] else None,
        shares=Shares(**about["shares"]),
        band=BandWidths(**{name: np.array(values) for name, values in about["band"].items()}),
        effects=Effects(**{name: np.array(values) for name, values in about["effects"].items()}),
        trained_until=pd.Timestamp(about["trained_until"]).tz_convert(about["time_zone"]),
        notes=about["notes"],
    )
    step = None
    if one_step and about["one_step"] is not None:
        step = OneStepModel(_network(folder / "one_step.keras"), scaler["one_step"], **about["one_step"])
    return Bundle(
        about["factory_id"],
        ahead,
        step,
        about["country"],
        about["holidays_off"],
        about["shifts"],
        dict(about["metrics"]),
    )


def _network(path: Path) -> Any:
    prepare(seed=0)
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name}: no Keras model that can be loaded safely: {error}") from error


def finite(values: dict[str, float]) -> dict[str, float]:
    """Leave out what was not measured: JSON has no NaN, and MLflow draws none."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path.parent.name}: no bundle: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path.name}: not a JSON object")
    return content
