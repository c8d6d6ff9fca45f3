"""Train the gate that is shipped, once, over many simulated plants: `make gate`, or `python -m benchmarks.gate`.

The plants are drawn by lot: machines, shifts, holidays, countries, and how their levels wander from week to week, from
day to day and over the year. Nothing that was measured anywhere is among them, so that the weights may be given on with
the package (docs/decisions/0012-a-gate-for-every-factory.md). The gate starts at each
series' own prior, and sees only origins that the prior was not fitted on. The fifth of the plants is held out; training
stops when their error no longer falls. Written are the weights as arrays, and beside them what they were trained on,
with its fingerprint. Keras trains it with TensorFlow here; the shipped one was trained with JAX on a GPU.
"""

import hashlib
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

import fems
from fems.model.history import MEASURED, Floats, History
from fems.model.month_ahead import features, gate
from fems.model.month_ahead.features import DECODER_DAYS, DailyHistory, Samples
from fems.model.month_ahead.gate_inference import TrainedGate
from fems.model.month_ahead.model import weigh
from fems.model.month_ahead.train import fit_priors
from fems.model.runtime import prepare
from fems.model.scaling import MinMaxScaler
from fems.registry.factory import Equipment, Factory
from fems.simulate.calendar import Grid
from fems.simulate.load import NATURES
from fems.simulate.truth import month_truth, months_of

PLANTS, HELD_OUT_EVERY = 160, 5
ONE_METER = 0.8
"""Of the plants have one meter for all machines."""
EPOCHS = 60
START, MONTHS = date(2023, 6, 1), 14
ORIGIN_EVERY_DAYS = 4
PRIOR_SHARE = 0.45
SEED = 20_000
"""The plants' seeds count from here: none of them is a seed of the benchmarks."""
COUNTRIES = (("KR", "Asia/Seoul"), ("JP", "Asia/Tokyo"), ("DE", "Europe/Berlin"), ("US", "America/Chicago"))
TARGET = Path(fems.__file__).parent / "model" / "month_ahead" / "shipped_gate.npz"


def plant(number: int) -> History:
    """Return the hours of a plant drawn by lot; the same number gives the same plant."""
    random = np.random.default_rng(SEED + number)
    country, zone = COUNTRIES[random.integers(len(COUNTRIES))]
    kinds = random.choice(list(NATURES), random.integers(1, 6))
    machines = {
        f"E{i}": Equipment(name=kind, kind=kind, sensor=f"M{i}", rated_kw=float(random.uniform(40, 400)))
        for i, kind in enumerate(kinds)
    }
    shifts = random.choice(["two_shift", "day_shift", "continuous"])
    factory = Factory(
        name="drawn",
        name_ko="drawn",
        timezone=zone,
        country=country,
        shifts=shifts,
        holidays_off=bool(random.random() < (0.2 if shifts == "continuous" else 0.8)),
        grain={"meter": "1h"},
        mapping={"meter": "m"},
        equipment=machines,
    )
    end, months = months_of(START, MONTHS)
    parts = []
    for first, after in zip(months, [*months[1:], end], strict=True):
        grid = Grid(zone, first, (after - first).days)
        truth = month_truth("drawn", factory, "meter", grid, grain=60, seed=SEED + number)
        parts.append(pd.DataFrame(truth.values[:, :, 0], index=truth.starts))
    hours = pd.concat(parts)
    used = hours.to_numpy() * np.column_stack([_level(random, len(hours)) for _ in machines])
    if random.random() < ONE_METER:
        used = used.sum(axis=1, keepdims=True)
    names = tuple(f"M{i}" for i in range(used.shape[1]))
    inputs = pd.DataFrame({"used_kwh": used.sum(axis=1)}, index=hours.index)
    if random.random() < 0.5:
        inputs["active_kwh"] = inputs["used_kwh"] * 0.98
    return History(
        pd.DatetimeIndex(hours.index, name="timestamp"),
        used,
        names,
        inputs,
        country,
        factory.holidays_off,
        shifts,
    )


def _level(random: np.random.Generator, hours: int) -> Floats:
    """(T,) what a machine's level is taken times: a walk from week to week, noise by days and by hours, a season."""
    weeks, days = hours // 168 + 1, hours // 24 + 2
    log = np.zeros(weeks)
    if random.integers(2):
        log = np.cumsum(random.normal(0, random.uniform(0.005, 0.025), weeks))
    daily = pd.Series(random.normal(0, 1, days)).ewm(alpha=random.uniform(0.15, 0.9)).mean().to_numpy()
    daily = daily / daily.std() * random.choice([0, random.uniform(0, 0.15)])
    noise = np.repeat(daily, 24)[:hours] + random.normal(0, random.uniform(0, 0.08), hours)
    year = random.uniform(0, 0.25) * np.cos(2 * np.pi * (np.arange(hours) / 8766 - random.random()))
    walk = np.interp(np.arange(hours) / 168, np.arange(weeks), log)
    by_hour: Floats = np.exp(np.clip(walk + noise + year, -1.5, 1.5))
    return by_hour


def samples(number: int) -> tuple[Samples, Floats]:
    """Return a plant's samples from origins after those that its prior was fitted on, and (N, S, K) that prior."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    history = plant(number)
    daily = DailyHistory.of(history, DECODER_DAYS)
    days = len(daily.grid.days)
    scaler = MinMaxScaler.fit(history.equipment, history.used_kwh)
    covariates = MinMaxScaler.fit(MEASURED, daily.measured)
    origins = [(day, (7 * i) % 24) for i, day in enumerate(range(70, days - 20, ORIGIN_EVERY_DAYS))]
    every = features.training_samples(daily, origins, scaler, covariates)
    cut = int(PRIOR_SHARE * days)
    prior = fit_priors(every.select(every.origin_day < cut - 3).hide_from(cut), len(history.equipment))
    late = every.select(every.origin_day >= cut)
    return late, weigh(None, 0, late.encoder, late.decoder, prior)


def joined(parts: list[tuple[Samples, Floats]]) -> tuple[Samples, Floats]:
    """Put the samples of some plants together."""
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part, _ in parts])
        for field in fields(Samples)
    }
    return Samples(**columns), np.concatenate([prior for _, prior in parts])


def fingerprint(parts: list[tuple[Samples, Floats]]) -> str:
    """Return 16 hexadecimal digits of what was trained on."""
    digest = hashlib.sha256()
    for part, prior in parts:
        for values in (part.encoder, part.decoder, part.experts, part.target, prior.astype(np.float32)):
            digest.update(np.round(np.nan_to_num(values), 4).tobytes())
    return digest.hexdigest()[:16]


def main() -> None:
    """Draw, train, write."""
    plants = int(sys.argv[1]) if len(sys.argv) > 1 else PLANTS
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else TARGET
    started = perf_counter()
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(samples, range(plants)))
    held = [part for i, part in enumerate(parts) if i % HELD_OUT_EVERY == 0]
    trained = [part for i, part in enumerate(parts) if i % HELD_OUT_EVERY]
    training, log_prior = joined(trained)
    validation, validation_prior = joined(held)
    print(
        f"{plants} plants, {len(training.target)} samples to train on, {len(validation.target)} held out, "
        f"{perf_counter() - started:.0f} s",
        flush=True,
    )
    import keras

    if keras.backend.backend() == "tensorflow":
        prepare(0, threads=1)
    keras.utils.set_random_seed(0)
    network = gate.build(training.encoder.shape[2], training.decoder.shape[2])
    curve, start = gate.fit(
        network,
        training,
        np.log(log_prior),
        validation=validation,
        validation_log_prior=np.log(validation_prior),
        epochs=EPOCHS,
        seed=0,
        on_epoch=lambda epoch, figures: print(
            epoch, figures, f"{perf_counter() - started:.0f} s", flush=True
        ),
    )
    best = min([row["val_loss"] for row in curve], default=start)
    TrainedGate.from_keras(network).save(target)
    about = {
        "trained_on": f"{plants} simulated plants, seeds from {SEED}, {MONTHS} months from {START}",
        "data_fingerprint": fingerprint(parts),
        "samples": len(training.target),
        "held_out_samples": len(validation.target),
        "epochs": len(curve),
        "mse_of_the_prior": start,
        "mse": best,
        "version": fems.__version__,
        "backend": keras.backend.backend(),
    }
    target.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
