"""The embedded services for tests: started once a session, on free ports, in a temporary folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from embedded.config import Config
from embedded.ports import free_ports
from embedded.stack import Stack
from fems.settings import settings

# A machine that does other things beside the tests makes single examples slow; that is no fault of the code.
hypothesis_settings.register_profile("fems", deadline=None, max_examples=50)
hypothesis_settings.load_profile("fems")


@pytest.fixture
def state_folder() -> Iterator[Path]:
    """A folder for a stack's state. Not pytest's own: another pytest would close it to PostgreSQL's user."""
    with tempfile.TemporaryDirectory(prefix="fems-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack that is not started; whatever a test starts of it is stopped at the end."""
    airflow, mlflow, minio = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="fems-test-") as state:
        made = Stack(Config.of(Path(state), airflow_port=airflow, mlflow_port=mlflow, minio_port=minio))
        yield made
        made.down()


@pytest.fixture(scope="session")
def services(stack: Stack) -> Stack:
    """MinIO, PostgreSQL and MLflow, running. For tests marked `services`."""
    stack.up(("storage", "tracking"))
    return stack


@pytest.fixture(scope="session")
def airflow_stack(services: Stack) -> Stack:
    """The same with Airflow on the repository's dags/. For tests marked `e2e`."""
    services.up()
    return services


@pytest.fixture
def fems_environment(services: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The environment set so that `fems.settings.settings()` and MLflow's client find the services."""
    for key, value in services.environment().items():
        monkeypatch.setenv(key, value)
    settings.cache_clear()
    yield services
    settings.cache_clear()
