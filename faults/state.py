"""What the lake and MLflow hold of a factory: what a fault must not change."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from minio import Minio

from embedded.accounts import LAKE
from embedded.stack import Stack

MADE = {
    "ingest": ("processed/", "quarantine/", "quality/"),
    "train": (),
    "forecast": ("forecasts/",),
    "monitor": ("monitor/",),
}
"""What a stage makes, by the beginning of its keys; it is removed before the stage is tried."""


@dataclass(frozen=True)
class State:
    """A stage's result. Two runs of a stage on the same data give the same one.

    Args:
        digest: of the bytes of every table, or of the champion's metrics.
        lost: rows that were read and are neither published, nor in quarantine, nor duplicates.
        broken: tables that cannot be read, and runs that are still open in MLflow.
    """

    digest: str
    lost: int
    broken: int


class Observer:
    """Looks with MinIO's root, so that no role's rights decide what is seen."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        secret = stack.credentials
        address = f"127.0.0.1:{stack.config.minio_port}"
        self._client = Minio(address, secret.minio_user, secret.minio_password, secure=False)

    def clear(self, stage: str) -> None:
        """Remove what a stage made."""
        for prefix in MADE[stage]:
            for item in list(self._client.list_objects(LAKE, prefix=prefix, recursive=True)):
                self._client.remove_object(LAKE, item.object_name)

    def state(self, stage: str, factory_id: str) -> State:
        """Return a stage's result."""
        digest, broken = hashlib.sha256(), 0
        for prefix in MADE[stage]:
            items = sorted(
                self._client.list_objects(LAKE, prefix=prefix, recursive=True), key=lambda i: i.object_name
            )
            for item in items:
                if not item.object_name.endswith(".parquet"):
                    continue
                data = self._client.get_object(LAKE, item.object_name).read()
                try:
                    pq.read_table(io.BytesIO(data))
                except Exception:  # whatever it is, the table can't be read
                    broken += 1
                digest.update(item.object_name.encode() + data)
        if stage == "train":
            metrics, running = self._training(factory_id)
            digest.update(repr(sorted(metrics.items())).encode())
            broken += running
        return State(digest.hexdigest()[:12], self._lost(factory_id), broken)

    def _lost(self, factory_id: str) -> int:
        from fems.flows.platform import Platform

        platform = Platform.from_environment()
        lost = 0
        for feed in platform.plant.feeds(factory_id):
            for manifest in platform.lake.manifests(feed, factory_id).values():
                rows = manifest.rows
                lost += abs(rows.read - rows.published - rows.quarantined - rows.duplicate)
        return lost

    def _training(self, factory_id: str) -> tuple[dict[str, Any], int]:
        """Return the champion's metrics without the seconds, and how many runs are still open."""
        from fems.flows.platform import Platform
        from fems.tracking.runs import EXPERIMENT

        tracking = Platform.from_environment().tracking
        _, metrics = tracking.champion_metrics(factory_id)
        tracking.server.connect()
        client = tracking.server.client()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        runs = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
        kept = {name: round(value, 6) for name, value in metrics.items() if "second" not in name}
        return kept, len(runs)
