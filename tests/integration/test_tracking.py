"""Runs, versions and champions on a real MLflow server."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import holds_pickle

from embedded.ports import free_ports
from embedded.stack import Stack
from fems import tracking
from fems.errors import NoModel, ServiceUnavailable
from fems.model.history import History
from fems.model.train import TrainedFactory, train_factory
from fems.settings import settings

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("fems_environment")]

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def hour_table(factory_id: str, days: int = 60) -> pd.DataFrame:
    hours = pd.date_range("2025-01-01", periods=24 * days, freq="h", tz="Asia/Seoul")
    random = np.random.default_rng(2)
    shape = 10 + 30 * ((hours.hour > 7) & (hours.hour < 18) & (hours.day_of_week < 5))
    parts = [
        pd.DataFrame(
            {
                "timestamp": hours,
                "factory_id": factory_id,
                "sensor_id": f"{factory_id}-M0{sensor}",
                "used_kwh": shape * sensor + random.gamma(2.0, 2.0, len(hours)),
                "power_factor_pct": 92.0,
            }
        )
        for sensor in (1, 2)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def trained() -> TrainedFactory:
    return train_factory(History.from_hour_table(hour_table("T")), epochs=1, month_ahead_epochs=1)


def scored(trained: TrainedFactory, ours: float, naive: float) -> TrainedFactory:
    figures = {"month_ahead.accuracy": ours, "month_ahead.weekly_naive_accuracy": naive}
    return replace(trained, metrics={**trained.metrics, **figures})


def train(trained: TrainedFactory, factory_id: str, month: str = "2026-03") -> tracking.Registered:
    with tracking.training_run(
        factory_id, month, tags={"dag_run": "manual__1"}, params={"epochs": 1, "seed": 0}
    ) as run:
        for epoch, figures in enumerate(trained.curves["one_step"], start=1):
            run.log_epoch("one_step", epoch, figures)
        return run.register(trained, hour_table(factory_id), NOW)


def test_what_is_registered_comes_back_and_forecasts_the_same(
    trained: TrainedFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    made = train(scored(trained, 90.0, 85.0), "T")
    assert (made.version, made.alias) == ("1", tracking.CHAMPION)
    champion = tracking.load_champion("T")
    assert champion.version == "1" and champion.tags["month"] == "2026-03" and champion.run_id == made.run_id
    history = champion.bundle.history(hour_table("T"))
    pd.testing.assert_frame_equal(
        champion.bundle.month_ahead.predict(history, history.end, 705),
        trained.month_ahead.predict(history, history.end, 705),
        check_exact=True,
    )
    assert tracking.has_champion("T")
    version, metrics = tracking.champion_metrics("T")
    assert version == "1" and metrics["month_ahead.accuracy"] == 90.0

    client = MlflowClient(settings().mlflow_uri)
    run = client.get_run(made.run_id)
    assert run.info.status == "FINISHED"
    assert {"factory": "T", "month": "2026-03", "dag_run": "manual__1"}.items() <= run.data.tags.items()
    assert [m.step for m in client.get_metric_history(made.run_id, "one_step.loss")] == [1]
    figures = {file.path for file in client.list_artifacts(made.run_id, "figures")}
    assert figures == {"figures/learning_curves.png", "figures/month_ahead_holdout.png"}
    told = "".join(capfd.readouterr())
    assert "View run" not in told and "Downloading" not in told


def test_a_worse_model_does_not_replace_the_champion(trained: TrainedFactory) -> None:
    from mlflow import MlflowClient

    first = train(scored(trained, 80.0, 85.0), "W")
    assert first.alias == tracking.CHAMPION and "first model" in first.reason
    second = train(scored(trained, 90.0, 85.0), "W")
    assert second.alias == tracking.CHAMPION
    third = train(scored(trained, 84.9, 85.0), "W")
    assert third.alias == tracking.CHALLENGER
    champion = tracking.load_champion("W")
    assert champion.version == second.version
    client = MlflowClient(settings().mlflow_uri)
    assert client.get_model_version("fems-W", first.version).tags["champion_until"] == NOW.isoformat()
    assert client.get_model_version("fems-W", third.version).tags["promotion"].startswith("challenger: ")


def test_a_failed_training_registers_nothing(trained: TrainedFactory) -> None:
    from mlflow import MlflowClient

    with pytest.raises(ZeroDivisionError), tracking.training_run("F", "2026-03") as run:
        raise ZeroDivisionError
    client = MlflowClient(settings().mlflow_uri)
    assert client.get_run(run.run_id).info.status == "FAILED"
    with pytest.raises(NoModel, match="factory F has no champion"):
        tracking.load_champion("F")
    assert not tracking.has_champion("F")
    with pytest.raises(NoModel):
        tracking.champion_metrics("F")


@pytest.fixture
def own_path() -> Iterator[None]:
    """Loading a logged model puts the code that it brought in front of our own; put that right again."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.mark.usefixtures("own_path")
def test_the_logged_model_serves_from_an_hour_table_and_holds_no_pickle(
    trained: TrainedFactory, tmp_path: Path
) -> None:
    import mlflow

    made = train(scored(trained, 90.0, 85.0), "S")
    local = mlflow.artifacts.download_artifacts(
        f"models:/{made.model}/{made.version}", dst_path=str(tmp_path)
    )
    for path in Path(local).rglob("*"):
        assert path.suffix not in (".pkl", ".pickle")
        if path.is_file():
            assert not holds_pickle(path), path
    model = mlflow.pyfunc.load_model(local)
    example = tracking.as_text(
        hour_table("S").assign(sensor_id=lambda t: t["sensor_id"].str.replace("S", "T"))
    )
    served = model.predict(example, params={"horizon_minutes": 1440})
    history = History.from_hour_table(hour_table("T"))
    own = trained.month_ahead.predict(history, history.end, 24)
    assert len(served) == 48 and set(served["factory_id"]) == {"S"}
    np.testing.assert_array_equal(
        served.pivot(index="timestamp", columns="sensor_id", values="used_kwh").to_numpy(), own.to_numpy()
    )


def test_no_server_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("FEMS_MLFLOW_URI", f"http://127.0.0.1:{port}")
    settings.cache_clear()
    with pytest.raises(ServiceUnavailable, match=str(port)):
        tracking.load_champion("T")
    with pytest.raises(ServiceUnavailable), tracking.training_run("T", "2026-03"):
        pass


def test_the_server_is_the_embedded_one(services: Stack) -> None:
    assert settings().mlflow_uri == services.environment()["FEMS_MLFLOW_URI"]
