"""A stack that version 0.4.0 made, with its lake and its registry, is opened by this one; what it rebuilds, timed."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.versions import EARLIER, EARLIER_COMMIT, Version, checkout

from embedded.config import Config
from embedded.ports import free_ports
from embedded.stack import Stack
from fems.errors import ConfigError, FemsError
from fems.flows.forecast import forecast_factory
from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.platform import Platform
from fems.flows.train import train_factory
from fems.settings import settings
from fems.views.status import factory_status

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

FACTORY, MONTHS = "2160", 3


@contextmanager
def timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    begun = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - begun, 1)
    print(f"{name}: {seconds[name]} s")


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fems-test-") as folder:
        yield Path(folder) / "s"


@pytest.fixture(scope="module")
def config(state: Path) -> Config:
    airflow, mlflow, minio = free_ports(3)
    return Config.of(state, airflow_port=airflow, mlflow_port=mlflow, minio_port=minio)


@pytest.fixture(scope="module")
def made_by_040(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Its stack with a published, trained and forecast factory; stopped."""
    folder = tmp_path_factory.mktemp("earlier")
    try:
        code = checkout(EARLIER_COMMIT, folder / "code")
    except ConfigError as error:
        pytest.skip(str(error))
    earlier, plant = Version.of(EARLIER, code, config), str(folder / "plant")
    earlier.up("storage", "tracking")
    try:
        earlier.run("fems", "simulate", plant, "--factory", FACTORY, "--months", str(MONTHS))
        earlier.run("fems", "land", plant)
        earlier.run("fems", "ingest", "--factory", FACTORY)
        earlier.run("fems", "train", "--factory", FACTORY, "--epochs", "2")
        earlier.run("fems", "forecast", "--factory", FACTORY)
    finally:
        earlier.down()
    return earlier


def test_a_lake_and_a_registry_of_040_are_opened_rebuilt_and_used(
    made_by_040: Version, config: Config
) -> None:
    seconds: dict[str, float] = {}
    stack, before = Stack(config), dict(os.environ)
    try:
        with timed("up: accounts, databases handed over, MLflow's login", seconds):
            stack.up(("storage", "tracking"))
        os.environ.update(stack.environment())
        settings.cache_clear()
        platform = Platform.from_environment()
        raw = platform.lake.raw_etags()
        assert raw, "the raw files of 0.4.0 are there"
        with timed("what is stale", seconds):
            assert stale_factories(platform, [FACTORY]) == [FACTORY], (
                "another version's tables are built anew"
            )
        with pytest.raises(FemsError, match="this version reads format 1; run `fems"):
            factory_status(FACTORY, platform)
        with timed(f"ingest of {MONTHS} months of one factory", seconds):
            ingest_factory(platform, FACTORY)
        assert stale_factories(platform, [FACTORY]) == [] and platform.lake.raw_etags() == raw
        with timed("forecast, before it is trained again", seconds):
            outcome = forecast_factory(platform, FACTORY, None)
        assert outcome.summary.model.fallback, (
            "a model of 0.4.0 is not read: a baseline forecasts, and says so"
        )
        with timed("training", seconds):
            trained = train_factory(platform, FACTORY, epochs=2)
        assert (trained.version, trained.alias) == ("2", "champion"), trained.reason
        assert forecast_factory(platform, FACTORY, None).summary.model.version == "2"
        rows = factory_status(FACTORY, platform).rows
        assert rows.read == rows.published + rows.quarantined + rows.duplicate > 0
        with timed("up: Airflow's tables and the rest", seconds):
            stack.up()
        states = {service.name: state for service, state, _ in stack.status()}
        assert set(states.values()) == {"healthy"}, states
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()
        stack.down()
