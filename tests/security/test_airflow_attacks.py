"""Airflow's door: known host names alone, and passwords tried slowly."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from embedded.stack import Stack

pytestmark = [pytest.mark.services, pytest.mark.security, pytest.mark.e2e]


def asked(url: str, body: object = None, **headers: str) -> int:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def url(airflow_stack: Stack) -> Iterator[str]:
    yield airflow_stack.config.airflow_url
    # The counts are the API server's own: a restart forgets them for the tests that log in after these.
    airflow_stack.supervisor.stop_programs(["api-server"], 30)
    airflow_stack.up()


def test_other_host_names_are_refused_and_passwords_are_tried_slowly(airflow_stack: Stack, url: str) -> None:
    health = f"{url}/api/v2/monitor/health"
    assert asked(health) == 200
    assert asked(health, Host="rebound.example.org") == 400
    assert asked(f"{url}/fems/quality", Host="rebound.example.org:8080") == 400
    login = {"username": "admin", "password": airflow_stack.credentials.airflow_password}
    assert asked(f"{url}/auth/token", login) == 201
    tried = [
        # The address that a request claims does not count.
        asked(
            f"{url}/auth/token",
            {"username": "admin", "password": f"{i}"},
            **{"X-Forwarded-For": f"10.0.0.{i}"},
        )
        for i in range(12)
    ]
    assert tried[:5] == [401] * 5 and set(tried[6:]) == {429}
