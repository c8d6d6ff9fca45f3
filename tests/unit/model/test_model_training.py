"""The networks, small: they learn nothing of the future, repeat themselves, add up and survive a save."""

import contextlib
import json
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import holds_pickle

from fems.contracts.model_manifest import ModelManifest
from fems.errors import DataError, TooLittleHistory
from fems.model import backtest, bundle, runtime
from fems.model.history import History
from fems.model.month_ahead import features, gate, prior, trees
from fems.model.month_ahead.band import Bands
from fems.model.month_ahead.boosted import BoostedTrees
from fems.model.month_ahead.experts import NAMES
from fems.model.month_ahead.gate_inference import TrainedGate, about_shipped_gate, shipped_gate
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.train import train_month_ahead
from fems.model.one_step.inputs import CALENDAR_FEATURES, input_columns
from fems.model.one_step.model import as_graph, predict_batches
from fems.model.one_step.train import train_one_step
from fems.model.scaling import MinMaxScaler
from fems.model.train import TrainedFactory, train_factory

ZONE = "Asia/Seoul"
HORIZON = 705


def made_up(days: int, seed: int = 0, equipment: int = 2) -> History:
    """Two machines that work by day and by week, with noise, gaps and a level that drifts."""
    random = np.random.default_rng(seed)
    hours = pd.date_range("2025-01-01", periods=24 * days, freq="h", tz=ZONE)
    working = (hours.day_of_week < 5) & (hours.hour >= 8) & (hours.hour < 18)
    level = 1 + 0.3 * np.sin(np.arange(len(hours)) / 700)
    used = np.stack(
        [(5 + 40 * (e + 1) * working) * level + random.gamma(2.0, 2.0, len(hours)) for e in range(equipment)],
        axis=1,
    )
    used[random.random(used.shape) < 0.01] = np.nan
    inputs = pd.DataFrame({"used_kwh": used.sum(axis=1), "power_factor_pct": 90.0}, index=hours)
    return History(hours, used, tuple(f"M{e}" for e in range(equipment)), inputs)


@pytest.fixture(scope="module")
def history() -> History:
    return made_up(90)


@pytest.fixture(scope="module")
def origin(history: History) -> pd.Timestamp:
    return history.hours[-500]


@pytest.fixture(scope="module")
def model(history: History, origin: pd.Timestamp) -> MonthAheadModel:
    return train_month_ahead(history.until(origin), seed=3)


@pytest.fixture(scope="module")
def network_model(history: History, model: MonthAheadModel) -> MonthAheadModel:
    """The same with a network that surely forecasts, whatever validation said."""
    return replace(model, trust=1.0, network=TrainedGate.from_keras(random_gate(inputs_of(history, model))))


def inputs_of(history: History, model: MonthAheadModel) -> features.GateInputs:
    daily = features.DailyHistory.of(history, 31)
    return features.inputs_at(daily, 60, 5, 31, model.scaler, model.covariates)


def random_gate(inputs: features.GateInputs) -> Any:
    network = gate.build(inputs.encoder.shape[2], inputs.decoder.shape[2])
    random = np.random.default_rng(0)
    network.set_weights([random.normal(0, 0.3, w.shape) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def trained() -> TrainedFactory:
    return train_factory(made_up(60, equipment=1), epochs=1, seed=1)


def planted(history: History, origin: pd.Timestamp) -> History:
    later = history.hours >= origin
    used = np.where(later[:, None], 1e6, history.used_kwh)
    inputs = history.inputs.mask(np.repeat(later[:, None], history.inputs.shape[1], axis=1), 1e6)
    return replace(history, used_kwh=used, inputs=inputs)


def same(one: Bands, two: Bands) -> None:
    for ours, theirs in ((one.hour, two.hour), (one.day, two.day)):
        for name, table in ours.items():
            pd.testing.assert_frame_equal(table, theirs[name], check_exact=True)


def test_a_planted_future_value_moves_nothing(
    history: History, origin: pd.Timestamp, network_model: MonthAheadModel
) -> None:
    spoilt = planted(history, origin)
    assert np.nanmax(spoilt.used_kwh) == 1e6
    for model in (network_model, replace(network_model, trust=0.0, network=None)):
        one = model.predict_bands(history, origin, HORIZON)
        two = model.predict_bands(spoilt, origin, HORIZON)
        same(one, two)
        # The past does move it: the test would notice a forecast that looks at nothing.
        earlier = planted(history, origin - pd.Timedelta(hours=3))
        assert not one.hour[""].equals(model.predict_bands(earlier, origin, HORIZON).hour[""])


def test_equipment_adds_up_and_is_not_negative(
    history: History, origin: pd.Timestamp, network_model: MonthAheadModel
) -> None:
    forecast = network_model.predict(history, origin, HORIZON)
    assert forecast.shape == (HORIZON, 2)
    assert list(forecast.columns) == ["M0", "M1"]
    assert forecast.index[0] == origin and str(forecast.index.tz) == ZONE
    assert np.isfinite(forecast.to_numpy()).all() and (forecast.to_numpy() >= 0).all()
    bands = network_model.predict_bands(history, origin, HORIZON)
    for name, kwh in (*forecast.items(), ("", forecast.sum(axis=1))):
        band = bands.hour[str(name)]
        pd.testing.assert_series_equal(band["p50_kwh"], kwh, check_names=False, check_exact=True)
        assert ((band["p10_kwh"] <= band["p50_kwh"]) & (band["p50_kwh"] <= band["p90_kwh"])).all()


@pytest.mark.parametrize("hour", [0, 1, 13, 23])
def test_any_hour_may_be_the_origin(history: History, network_model: MonthAheadModel, hour: int) -> None:
    origin = history.hours[50 * 24 + hour]
    forecast = network_model.predict(history, origin, HORIZON)
    at = int(np.argmax(forecast.index.hour == 12))
    assert forecast["M0"].iloc[at] > 20 or forecast.index[at].day_of_week >= 5
    assert forecast.index[0] == origin and len(forecast) == HORIZON


def test_the_origin_may_lie_past_the_last_measurement(history: History, model: MonthAheadModel) -> None:
    forecast = model.predict(history, history.end + pd.Timedelta(days=3), 100)
    assert np.isfinite(forecast.to_numpy()).all()


def test_a_long_horizon_and_equipment_without_rows(history: History, model: MonthAheadModel) -> None:
    only = replace(history, used_kwh=history.used_kwh[:, :1], equipment=("M0",))
    forecast = model.predict(only, history.end, 60 * 24)
    assert forecast["M1"].max() < 1e-3 and forecast["M0"].max() > 20
    with pytest.raises(DataError, match="M9"):
        model.predict(replace(only, equipment=("M9",)), history.end, 24)
    with pytest.raises(TooLittleHistory, match="14 days"):
        model.predict(history, history.hours[100], 24)


def test_the_same_seed_gives_the_same_model(
    history: History, origin: pd.Timestamp, model: MonthAheadModel
) -> None:
    again = train_month_ahead(history.until(origin), seed=3)
    assert again.notes == model.notes and again.trust == model.trust
    np.testing.assert_array_equal(again.prior, model.prior)
    pd.testing.assert_frame_equal(
        again.predict(history, origin, 50), model.predict(history, origin, 50), check_exact=True
    )


def test_the_same_seed_gives_the_same_weights_of_the_gate(history: History, model: MonthAheadModel) -> None:
    daily = features.DailyHistory.of(history, 31)
    some = features.training_samples(
        daily, [(day, day % 24) for day in range(30, 60)], model.scaler, model.covariates
    )
    flat = np.zeros((*some.decoder.shape[:2], len(NAMES)))

    def fitted(seed: int) -> list[np.ndarray]:
        runtime.prepare(seed)
        network = gate.build(some.encoder.shape[2], some.decoder.shape[2])
        gate.fit(network, some, flat, validation=some, validation_log_prior=flat, epochs=2, seed=seed)
        return [np.asarray(weight) for weight in network.get_weights()]

    for one, again in zip(fitted(1), fitted(1), strict=True):
        np.testing.assert_array_equal(one, again)
    assert any((one != other).any() for one, other in zip(fitted(1), fitted(2), strict=True))


def test_the_gate_without_tensorflow_says_what_keras_says(history: History, model: MonthAheadModel) -> None:
    inputs = inputs_of(history, model)
    network = random_gate(inputs)
    prior_of_each = np.random.default_rng(1).dirichlet(np.ones(len(NAMES)), inputs.decoder.shape[:2])
    given = inputs.encoder, inputs.decoder, np.log(prior_of_each)
    ours = TrainedGate.from_keras(network)(*given)
    theirs = np.asarray(network([values.astype(np.float32) for values in given], training=False))
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    np.testing.assert_allclose(ours.sum(axis=-1), 1)
    # The weights are far from the prior: what the layers said is in it.
    assert abs(ours - prior_of_each).max() > 0.1


def test_the_shipped_gate_knows_todays_features_and_what_it_was_trained_on() -> None:
    """Who changes a feature or an expert trains it anew: `make gate`."""
    shipped, about = shipped_gate(), about_shipped_gate()
    assert len(shipped.encode.kernel) == len(features.ENCODER_FEATURES)
    assert len(shipped.decode.kernel) == len(features.DECODER_FEATURES)
    assert shipped.kernel.shape[1] == len(NAMES)
    assert re.fullmatch("[0-9a-f]{16}", str(about["data_fingerprint"])) and "simulated" in str(
        about["trained_on"]
    )
    assert float(about["mse"]) < float(about["mse_of_the_prior"])


def test_a_forecast_does_without_tensorflow(
    trained: TrainedFactory, history: History, network_model: MonthAheadModel, tmp_path: Path
) -> None:
    bundle.save(replace(trained.bundle("1100"), month_ahead=network_model, one_step=None), tmp_path / "b")
    (tmp_path / "history.pickle").write_bytes(pickle.dumps(history))
    script = """
import pickle, sys
from pathlib import Path

for name in ("tensorflow", "keras", "statsforecast", "xgboost"):  # as where they are not installed
    sys.modules[name] = None
from fems.model import bundle

model = bundle.load(Path("b")).month_ahead
history = pickle.loads(Path("history.pickle").read_bytes())
assert model.network is not None and model.trees is not None
assert len(model.predict_bands(history, history.end, 705).hour[""]) == 705
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive"])
def test_weights_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "month_ahead.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"no weights of a gate|no arrays that can be read"):
        TrainedGate.load(tmp_path / "month_ahead.npz")


def test_arrays_that_are_no_gate_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    with pytest.raises(DataError, match=r"no weights of a gate|no arrays that can be read"):
        TrainedGate.load(tmp_path / "other.npz")
    np.save(tmp_path / "bare.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"no weights of a gate|no arrays that can be read"):
        TrainedGate.load(tmp_path / "bare.npy")


def test_too_little_history_says_how_much_is_needed() -> None:
    with pytest.raises(TooLittleHistory, match="35 days"):
        train_month_ahead(made_up(34))
    with pytest.raises(TooLittleHistory, match="42 days"):
        train_factory(made_up(40), epochs=1)
    with pytest.raises(TooLittleHistory, match="4 windows"):
        backtest.month_ahead(made_up(60), backtest.baselines())


def test_the_prior_finds_the_expert_that_is_right_in_each_part_of_the_month() -> None:
    random = np.random.default_rng(0)
    truth = random.random((20, 31, 24)).astype(np.float32)
    said = np.stack([truth + random.normal(0, s, truth.shape) for s in (0.5, 0.01, 0.5, 0.4)], axis=2)
    said[:, 10:, 3], said[:, 10:, 1] = said[:, 10:, 1].copy(), said[:, 10:, 3].copy()
    truth[random.random(truth.shape) < 0.2] = np.nan
    weight = prior.fit_prior(said.astype(np.float32), truth)
    np.testing.assert_allclose(weight.sum(axis=1), 1)
    assert (weight > 0).all()
    assert weight.argmax(axis=1).tolist() == [1, 1, 3] and weight.max(axis=1).min() > 0.6


def test_one_step_scores_itself_beside_persistence(trained: TrainedFactory) -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    history = made_up(60, equipment=1)
    one = train_one_step(
        history, epochs=1, seed=1, on_epoch=lambda epoch, figures: seen.append((epoch, figures))
    )
    assert seen == [(1, one.curve[0])]
    # The same seed and history once more.
    assert (one.metrics, one.curve) == (trained.one_step.metrics, trained.one_step.curve)
    assert {"accuracy", "persistence_accuracy", "mae", "r2"} <= set(one.metrics)
    assert len(one.forecast) == 60 * 24 // 5
    for ours, theirs in zip(one.network.get_weights(), trained.one_step.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # A forecast of an hour does not see that hour.
    changed = one.predict(planted(history, history.hours[800]))
    pd.testing.assert_series_equal(changed[: history.hours[800]], one.predict(history)[: history.hours[800]])


def test_a_graph_is_as_exact_as_the_network_itself(trained: TrainedFactory) -> None:
    network = trained.one_step.network
    windows = np.random.default_rng(0).random((700, *network.input_shape[1:]), dtype=np.float32)
    itself = np.concatenate(
        [
            np.asarray(network(windows[:512], training=False)),
            np.asarray(network(windows[188:], training=False))[324:],
        ]
    )
    found = predict_batches(as_graph(network), windows)
    assert np.array_equal(found, itself[:, 0])
    assert np.allclose(predict_batches(as_graph(network, xla=True), windows), found, atol=1e-6)


def test_a_trained_factory_tells_everything(trained: TrainedFactory) -> None:
    wanted = {
        "one_step.accuracy",
        "one_step.persistence_accuracy",
        "month_ahead.accuracy",
        "month_ahead.weekly_naive_accuracy",
        "month_ahead.mae",
        "month_ahead.total_error_pct",
        "month_ahead.coverage_80",
    }
    assert wanted <= set(trained.metrics)
    assert {"truth", "month_ahead", "weekly_naive"} <= set(trained.holdout)
    assert trained.metrics["month_ahead.holdout_hours"] == len(trained.holdout) == 25 * 24
    assert list(trained.curves) == ["one_step"] and len(trained.curves["one_step"]) == 1


def test_a_saved_bundle_forecasts_the_same_and_holds_no_pickle(
    trained: TrainedFactory,
    history: History,
    origin: pd.Timestamp,
    network_model: MonthAheadModel,
    tmp_path: Path,
) -> None:
    made = replace(trained.bundle("1100"), month_ahead=network_model)
    bundle.save(made, tmp_path / "b")
    read = bundle.load(tmp_path / "b")
    same(
        read.month_ahead.predict_bands(history, origin, HORIZON),
        network_model.predict_bands(history, origin, HORIZON),
    )
    short = made_up(10, equipment=1)
    assert made.one_step is not None and read.one_step is not None
    pd.testing.assert_series_equal(
        read.one_step.predict(short), made.one_step.predict(short), check_exact=True
    )
    assert read.metrics == bundle.finite(made.metrics)
    assert read.month_ahead.trained_until == network_model.trained_until
    for path in (tmp_path / "b").rglob("*"):
        assert path.suffix in (".json", ".keras", ".npz")
        assert not holds_pickle(path), path


@pytest.fixture
def saved(trained: TrainedFactory, tmp_path: Path) -> Path:
    bundle.save(trained.bundle("1100"), tmp_path)
    return tmp_path


def signed(folder: Path) -> None:
    """Let the bundle's own manifest say what is there now, as another version of the code would have written it."""
    (folder / "manifest.json").write_text(ModelManifest.of_folder(folder).to_json())


@pytest.mark.parametrize(
    ("part", "column"),
    [("experts", NAMES[1]), ("trees", "week_mean"), ("gate_encoder", "bridge"), ("covariates", "current_a")],
)
def test_a_bundle_of_other_features_says_train_again(saved: Path, part: str, column: str) -> None:
    about = json.loads((saved / "bundle.json").read_text())
    about["features"][part].remove(column)
    (saved / "bundle.json").write_text(json.dumps(about))
    signed(saved)
    with pytest.raises(DataError, match=rf"{part} features .*\+{column}.*train the factory again"):
        bundle.load(saved)


def test_a_bundle_of_another_format_says_train_again(saved: Path) -> None:
    about = json.loads((saved / "bundle.json").read_text())
    for wrong in (
        {"format": bundle.FORMAT - 1},
        {"floor": "none"},
        {"time_zone": "Asia/Atlantis"},
        {"shares": {"a": 1}},
    ):
        (saved / "bundle.json").write_text(json.dumps(about | wrong))
        signed(saved)
        with pytest.raises(DataError, match="train the factory again"):
            bundle.load(saved, one_step=False)
    (saved / "bundle.json").write_text("{")
    signed(saved)
    with pytest.raises(DataError, match="no bundle"):
        bundle.load(saved)


@pytest.mark.parametrize("file", ["scalers.json", "bundle.json", "trees.npz", "one_step.keras"])
def test_a_file_that_was_changed_is_not_parsed(
    saved: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*_: object, **__: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(bundle, "_read", parsed)
    content = (saved / file).read_bytes()
    (saved / file).write_bytes(content[:-7])
    with pytest.raises(DataError, match=rf"{file} has \d+ bytes instead of {len(content)}; train again"):
        bundle.load(saved)
    (saved / file).write_bytes(content[:-8] + b"00000000"[: len(content[-8:])])  # of the same length
    with pytest.raises(DataError, match=f"{file} was changed after training"):
        bundle.load(saved)
    (saved / file).unlink()
    with pytest.raises(DataError, match=f"{file} is missing"):
        bundle.load(saved)


def test_a_bundle_and_its_manifest_changed_together_are_noticed_by_the_manifest_kept_elsewhere(
    saved: Path,
) -> None:
    kept = ModelManifest.from_json((saved / "manifest.json").read_text(), "kept")
    bundle.load(saved, one_step=False, manifest=kept)
    scalers = saved / "scalers.json"
    scalers.write_text(scalers.read_text().replace("used_kwh", "used_kwH", 1))
    signed(saved)
    bundle.load(saved, one_step=False)
    with pytest.raises(DataError, match=r"scalers.json was changed after training"):
        bundle.load(saved, one_step=False, manifest=kept)
    (saved / "more.json").write_text("{}")
    with pytest.raises(DataError, match=r"more.json is not in its manifest"):
        bundle.load(saved, one_step=False, manifest=kept)
    (saved / "more.json").unlink()
    (saved / "manifest.json").unlink()
    with pytest.raises(DataError, match="no manifest"):
        bundle.load(saved, one_step=False)
    for text in ("", "{}", '{"files": {"a": 1}, "format": 1}', '{"files": {}, "format": 9}'):
        (saved / "manifest.json").write_text(text)
        with pytest.raises(DataError, match="manifest"):
            bundle.load(saved, one_step=False)


def test_every_feature_has_a_name(history: History, model: MonthAheadModel) -> None:
    inputs = inputs_of(history, model)
    assert inputs.encoder.shape[2] == len(features.ENCODER_FEATURES)
    assert inputs.decoder.shape[2] == len(features.DECODER_FEATURES)
    assert model.trees is not None and len(trees.FEATURES) == trees.COLUMNS
    scaler = MinMaxScaler.fit(("used_kwh",), history.used_kwh[:, :1])
    assert input_columns(history, scaler).shape[1] == 1 + len(CALENDAR_FEATURES)


def test_trees_say_what_xgboost_says(tmp_path: Path) -> None:
    import xgboost

    rng = np.random.default_rng(0)
    table = rng.normal(size=(500, trees.COLUMNS)) * 1e3
    target = table[:, 0] + 10 * np.abs(table[:, 3]) + rng.normal(size=500)
    for rounds in (1, 40):
        booster = xgboost.train({"max_depth": 5, "base_score": 0.0}, xgboost.DMatrix(table, target), rounds)
        BoostedTrees.of(booster, 7.0, 5).save(tmp_path / "trees.npz")
        read = BoostedTrees.load(tmp_path / "trees.npz", trees.COLUMNS)
        np.testing.assert_allclose(read(table), 7.0 + booster.inplace_predict(table), rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("content", [b"", b"tree\nversion=v4\n", b"{}", b"PK\x03\x04 cut off"])
def test_what_is_no_trees_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "trees.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"no trees|no arrays that can be read"):
        BoostedTrees.load(tmp_path / "trees.npz", trees.COLUMNS)


@pytest.mark.parametrize(
    "change",
    [
        {"feature": np.full((2, 3), trees.COLUMNS, np.uint8)},
        {"feature": np.zeros((2, 2), np.uint8)},
        {"feature": np.zeros((2, 3), np.int64)},
        {"threshold": np.zeros((2, 7), np.float32)},
        {"value": np.zeros((2, 3), np.float32)},
        {"value": np.full((2, 4), np.nan, np.float32)},
        {"base": np.zeros(1)},
    ],
)
def test_arrays_that_are_no_trees_are_refused(change: dict[str, np.ndarray], tmp_path: Path) -> None:
    flat = {"feature": np.zeros((2, 3), np.uint8), "threshold": np.zeros((2, 3), np.float32)}
    flat |= {"value": np.ones((2, 4), np.float32), "base": np.array(0.0)}
    np.savez(tmp_path / "trees.npz", **flat)
    assert BoostedTrees.load(tmp_path / "trees.npz", trees.COLUMNS)(np.zeros((1, trees.COLUMNS))) == 2.0
    np.savez(tmp_path / "trees.npz", **(flat | change))
    with pytest.raises(DataError, match="no trees over 15 columns"):
        BoostedTrees.load(tmp_path / "trees.npz", trees.COLUMNS)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_trees_are_refused_or_forecast_within_bounds(seed: int, tmp_path: Path) -> None:
    """A changed byte ends as an error, or as numbers; never as a process that dies."""
    rng = np.random.default_rng(seed)
    made = BoostedTrees(
        rng.integers(0, trees.COLUMNS, (9, 31), np.uint8),
        rng.normal(size=(9, 31)).astype(np.float32),
        rng.normal(size=(9, 32)).astype(np.float32),
        np.array(1.0),
    )
    path = tmp_path / "trees.npz"
    made.save(path)
    content = bytearray(path.read_bytes())
    for at in rng.integers(0, len(content), 1 + seed % 3):
        content[at] = rng.integers(256)
    path.write_bytes(content[: int(rng.integers(len(content)))] if seed % 4 == 0 else content)
    with contextlib.suppress(DataError):
        assert np.isfinite(BoostedTrees.load(path, trees.COLUMNS)(np.ones((5, trees.COLUMNS)))).all()
