"""What the lake and MLflow hold of a factory: what a fault must not change, and what a reader may never meet."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from minio import Minio

from embedded.accounts import LAKE
from embedded.stack import Stack
from fems.lake import keys

if TYPE_CHECKING:
    from fems.flows.platform import Platform

BY_INGEST = ("processed/", "quarantine/", "quality/")


@dataclass(frozen=True)
class State:
    """A stage's result. Two runs of a stage on the same data give the same one.

    Attributes:
        digest: of the bytes of every table, or of the newest model's metrics.
        rows: of all tables; of training, 1 where it registered a version and 0 where not.
        unequal: rows that were read and are neither published, nor in quarantine, nor duplicates.
    """

    digest: str
    rows: int
    unequal: int

    def lost(self, wanted: "State") -> int:
        """Return how many rows are missing of an undisturbed result."""
        return self.unequal + max(0, wanted.rows - self.rows)


class Observer:
    """Looks with MinIO's root, so that no role's rights decide what is seen.

    Attributes:
        kept: beginnings of keys that no stage that is tried has made: the forecast that is there to be measured.
    """

    def __init__(self, stack: Stack, factory_id: str) -> None:
        secret, address = stack.credentials, f"127.0.0.1:{stack.config.minio_port}"
        self._client = Minio(address, secret.minio_user, secret.minio_password, secure=False)
        self._factory_id = factory_id
        self._earlier_version = 0
        self.kept: set[str] = set()

    def keep_forecasts(self) -> None:
        """Let the forecasts that are there stay whatever is cleared."""
        self.kept |= {key.rpartition("/")[0] + "/" for key in self._made("forecast") if "/origin=" in key}

    def clear(self, stage: str) -> None:
        """Remove what a stage made, so that it has all of it to do."""
        for key in list(self._made(stage)):
            self._client.remove_object(LAKE, key)
        if stage == "train":
            self._earlier_version = self._newest_model()[0]

    def state(self, stage: str) -> State:
        """Return a stage's result."""
        digest, rows = hashlib.sha256(), 0
        for key in self._made(stage):
            if key.endswith((".parquet", "measured.json")):
                data = self._get(key)
                digest.update(key.encode() + data)
                rows += pq.read_metadata(io.BytesIO(data)).num_rows if key.endswith(".parquet") else 0
        if stage == "train":
            version, metrics = self._newest_model()
            digest.update(repr(sorted(metrics.items())).encode())
            rows = int(version > self._earlier_version)
        return State(digest.hexdigest()[:12], rows, self._unequal())

    def half_written(self, stage: str, ended: bool) -> list[str]:
        """Return what a reader of a stage's result meets that is not whole.

        Args:
            stage: whose result.
            ended: whether the stage has ended well. Until then a run may be open in MLflow, for the next try to close.
        """
        from fems.flows.platform import Platform

        platform = Platform.from_environment()
        looks: dict[str, Callable[[Platform], Iterator[str]]] = {
            "ingest": self._broken_months,
            "train": self._broken_models,
            "forecast": self._broken_forecasts,
            "monitor": self._broken_records,
        }
        wrong = list(looks[stage](platform))
        if stage == "train" and ended:
            wrong += [f"run {run} is open in MLflow" for run in self._open_runs(platform)]
        return wrong

    def _broken_months(self, platform: "Platform") -> Iterator[str]:
        """A month that its manifest names is there at every grain, with the rows that the manifest counts."""
        lake, factory_id = platform.lake, self._factory_id
        for feed in platform.plant.feeds(factory_id):
            for month, manifest in lake.manifests(feed, factory_id).items():
                for grain in () if manifest.empty else ("native", "hour", "day"):
                    yield from _complaint(lambda: lake.published(feed, grain, factory_id, [month]))  # noqa: B023

    def _broken_models(self, platform: "Platform") -> Iterator[str]:
        """The champion, if there is one, can be used."""
        if platform.tracking.has_champion(self._factory_id):
            champion = platform.tracking.load_champion(self._factory_id)
            yield from [champion.notice] if champion.notice else []

    def _broken_forecasts(self, platform: "Platform") -> Iterator[str]:
        """A forecast that has a summary has its tables and report, and `latest` is one of these."""
        forecasts = platform.lake.forecasts
        folders = forecasts.folders(self._factory_id)
        for folder in folders:
            for level in ("equipment", "factory"):
                for grain in ("native", "hour", "day"):
                    yield from _complaint(lambda: forecasts.table(folder, level, grain))  # noqa: B023
            if forecasts.report(folder) is None or forecasts.workbook(folder, "ko") is None:
                yield f"{folder} has no report"
        latest = forecasts.latest(self._factory_id)
        if latest is not None and latest.prefix not in folders:
            yield f"latest points to {latest.prefix}, which is no whole forecast"

    def _broken_records(self, platform: "Platform") -> Iterator[str]:
        lake, factory_id = platform.lake, self._factory_id
        for look in (
            lake.forecasts.track_record,
            lake.forecasts.measured,
            lake.monitoring.requests,
            lake.monitoring.peak_notice,
        ):
            yield from _complaint(lambda: look(factory_id))  # noqa: B023

    def _made(self, stage: str) -> Iterator[str]:
        """Yield the keys that a stage makes, in order."""
        factory_id = self._factory_id
        prefixes = {
            "ingest": BY_INGEST,
            "train": (),
            "forecast": (keys.forecasts_prefix(factory_id),),
            "monitor": (keys.track_record_key(factory_id), keys.measured_key(factory_id), "monitor/"),
        }
        others = {keys.track_record_key(factory_id), keys.measured_key(factory_id)}
        for prefix in prefixes[stage]:
            items = self._client.list_objects(LAKE, prefix=prefix, recursive=True)
            for key in sorted(str(item.object_name) for item in items):
                if not key.startswith(tuple(self.kept)) and not (stage == "forecast" and key in others):
                    yield key

    def _get(self, key: str) -> bytes:
        response = self._client.get_object(LAKE, key)
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    def _unequal(self) -> int:
        from fems.flows.platform import Platform

        platform, rows = Platform.from_environment(), 0
        for feed in platform.plant.feeds(self._factory_id):
            for manifest in platform.lake.manifests(feed, self._factory_id).values():
                counts = manifest.rows
                rows += abs(counts.read - counts.published - counts.quarantined - counts.duplicate)
        return rows

    def _newest_model(self) -> tuple[int, dict[str, float]]:
        """Return the newest version's number and its run's metrics without the seconds; 0 where there is none."""
        from fems.flows.platform import Platform

        tracking = Platform.from_environment().tracking
        tracking.server.connect()
        client = tracking.server.client()
        versions = client.search_model_versions(f"name = '{tracking.model_name(self._factory_id)}'")
        if not versions:
            return 0, {}
        newest = max(versions, key=lambda version: int(version.version))
        metrics = client.get_run(newest.run_id).data.metrics
        kept = {
            name: round(value, 6)
            for name, value in metrics.items()
            if "second" not in name and not name.startswith("track_record.")
        }
        return int(newest.version), kept

    def _open_runs(self, platform: "Platform") -> list[Any]:
        from fems.tracking.names import EXPERIMENT

        platform.tracking.server.connect()
        client = platform.tracking.server.client()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        runs = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
        return [run.info.run_name for run in runs]


def _complaint(look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except Exception as error:  # whatever it is, it can't be read
        yield f"{type(error).__name__}: {error}"
