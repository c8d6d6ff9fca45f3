"""The few calls of Airflow's REST API that the stack and the demo make."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from fems.errors import AccessDenied, ServiceUnavailable

_PAGE = 100  # the most that Airflow returns at once


class AirflowApi:
    """A client that logs in by itself, and again when its token has run out."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._login = {"username": user, "password": password}
        # trust_env: a proxy of the environment is not for loopback.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def token(self) -> str:
        """Return a new JWT.

        Raises:
            AccessDenied: Airflow refuses the user or the password.
        """
        answer = self._http.post("/auth/token", json=self._login)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise AccessDenied("Airflow refuses the admin password of credentials.json")
        answer.raise_for_status()
        return answer.json()["access_token"]

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call /api/v2/<path> and return the answer's JSON.

        Raises:
            ServiceUnavailable: no answer after three tries, or an error as an answer.
        """
        for attempt in (1, 2, 3):
            try:
                answer = self._http.request(method, f"/api/v2/{path}", **options)
                if answer.status_code == httpx.codes.UNAUTHORIZED and attempt < 3:
                    self._http.headers["Authorization"] = f"Bearer {self.token()}"
                    continue
                answer.raise_for_status()
                return answer.json() if answer.content else None
            except httpx.HTTPStatusError as error:
                if error.response.is_server_error and attempt < 3:
                    time.sleep(2 * attempt)
                    continue
                said = error.response.text[:300]
                raise ServiceUnavailable(
                    f"Airflow answered {error.response.status_code} to {method} {path}: {said}"
                ) from error
            except httpx.HTTPError as error:
                # A POST that got no answer may have worked: it is not sent twice.
                if method == "POST" or attempt == 3:
                    raise ServiceUnavailable(
                        f"Airflow does not answer to {method} {path}: {error}"
                    ) from error
                time.sleep(2 * attempt)
        raise AssertionError("unreachable")

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool unless there is one of this name, whose slots somebody may have changed."""
        there = {pool["name"] for pool in self._pages("pools", "pools")}
        if name not in there:
            self.call("POST", "pools", json={"name": name, "slots": slots, "description": description})

    def ensure_connection(self, connection: dict[str, Any]) -> None:
        """Make a connection, or bring the one of this ID to what is wanted."""
        there = {one["connection_id"] for one in self._pages("connections", "connections")}
        name = connection["connection_id"]
        if name in there:
            self.call("PATCH", f"connections/{name}", json=connection)
        else:
            self.call("POST", "connections", json=connection)

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """Return a Dag, or None if Airflow has not parsed one of that name."""
        found = [dag for dag in self._pages("dags", "dags", dag_id_pattern=dag_id) if dag["dag_id"] == dag_id]
        return found[0] if found else None

    def import_errors(self) -> dict[str, str]:
        """Return the Dag files that can't be imported, with the last line of each error."""
        return {
            error["filename"]: error["stack_trace"].strip().splitlines()[-1]
            for error in self._pages("importErrors", "import_errors")
        }

    def unpause(self, dag_id: str) -> None:
        """Let a Dag run."""
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a Dag run and return its ID."""
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        return run["dag_run_id"]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a Dag run."""
        return self.call("GET", f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")

    def runs(self, dag_id: str, **filters: Any) -> list[dict[str, Any]]:
        """Return Dag runs, newest first."""
        return list(self._pages(f"dags/{dag_id}/dagRuns", "dag_runs", order_by="-id", **filters))

    def task_instances(self, dag_id: str, run_id: str, **filters: Any) -> list[dict[str, Any]]:
        """Return the task instances of a Dag run, or of all its runs with "~", oldest first."""
        path = f"dags/{dag_id}/dagRuns/{quote(run_id, safe='~')}/taskInstances"
        return list(self._pages(path, "task_instances", order_by="id", **filters))

    def returned(self, instance: dict[str, Any]) -> Any:
        """Return what a task instance that succeeded returned."""
        run = quote(instance["dag_run_id"], safe="")
        path = f"dags/{instance['dag_id']}/dagRuns/{run}/taskInstances/{instance['task_id']}/xcomEntries/return_value"
        return self.call("GET", path, params={"map_index": instance["map_index"], "deserialize": True})[
            "value"
        ]

    def _pages(self, path: str, key: str, **filters: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self.call("GET", path, params={**filters, "limit": _PAGE, "offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return
