"""What every test through Airflow works with."""

import os
from collections.abc import Iterator

import pytest
from browser import Browser

from embedded.stack import Stack
from fems.flows.platform import Platform
from fems.settings import settings


@pytest.fixture(scope="module")
def airflow_platform(airflow_stack: Stack) -> Iterator[Platform]:
    """The platform that Airflow's tasks work on, and the environment that leads to it."""
    before = {key: os.environ.get(key) for key in airflow_stack.environment()}
    os.environ.update(airflow_stack.environment())
    settings.cache_clear()
    yield Platform.from_environment()
    for key, value in before.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value
    settings.cache_clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for files and pages that need no login."""
    made_browser = Browser()
    yield made_browser
    made_browser.close()
