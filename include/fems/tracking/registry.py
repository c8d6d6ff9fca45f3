"""The registered models: versions, the champion and the challenger, and how one becomes the other.

MLflow keeps no history of its aliases. Each version's tags do: `promotion` is the newest decision on it, `event.<time>`
each there was, `champion_since`, `champion_until` and `champion_before` (the version that it took over from).
"""

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fems.errors import DataError, NoModel
from fems.lake.lake import Lake
from fems.model import bundle as bundles
from fems.model.bundle import Bundle
from fems.model.promotion import Decision
from fems.tracking.names import CHALLENGER, CHAMPION, model_name
from fems.tracking.server import Server, despite_races

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""How MLflow answers for a model, a version and an alias that is not there."""

T = TypeVar("T")


@dataclass(frozen=True)
class Registered:
    """A version in the registry: its alias ("" for none), and why it has it."""

    model: str
    version: str
    alias: str
    reason: str
    run_id: str


@dataclass(frozen=True)
class Champion:
    """The model that forecasts for a factory.

    Attributes:
        bundle: the model.
        version: of the registry.
        run_id: of its training.
        metrics: that it was registered with.
        tags: of the version.
        notice: why an earlier champion stands in for the one that has the alias; None where it is that one.
    """

    bundle: Bundle
    version: str
    run_id: str
    metrics: dict[str, float]
    tags: dict[str, str]
    notice: str | None = None


class Registry:
    """The model registry of an MLflow server, and the lake that holds its bundles' manifests."""

    def __init__(self, server: Server, lake: Lake) -> None:
        self._server, self._lake = server, lake

    def load_champion(self, factory_id: str) -> Champion:
        """Fetch the model that forecasts for a factory, or the champion before it where that cannot be used.

        Raises:
            NoModel: none is registered, none is champion, or no champion there ever was can be used.
            ServiceUnavailable: MLflow or the lake does not answer.
        """
        self._server.connect()
        with self._server.errors():
            version: ModelVersion | None = self._required_champion(factory_id)
            unusable: dict[str, str] = {}
            # Tags that somebody wrote by hand may lead around in a circle.
            while version is not None and str(version.version) not in unusable:
                try:
                    bundle = self._load(factory_id, version)
                except DataError as error:
                    unusable[str(version.version)] = f"v{version.version} cannot be used ({error})"
                    log.error("factory %s: v%s cannot be used: %s", factory_id, version.version, error)
                    version = self._champion_before(version)
                    continue
                notice = None
                if unusable:
                    notice = f"{'; '.join(unusable.values())}; v{version.version}, the last good champion, forecasts"
                return Champion(
                    bundle,
                    str(version.version),
                    str(version.run_id),
                    dict(bundle.metrics),
                    dict(version.tags),
                    notice,
                )
        raise NoModel(f"factory {factory_id}: {'; '.join(unusable.values())}; train it again")

    def has_champion(self, factory_id: str) -> bool:
        """Tell whether a factory has a model that forecasts for it.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        return self.find_champion(factory_id) is not None

    def find_champion(self, factory_id: str) -> tuple[str, dict[str, str]] | None:
        """Return the champion's version and tags, None where there is none.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        self._server.connect()
        with self._server.errors():
            version = self._by_alias(model_name(factory_id), CHAMPION)
            return None if version is None else (str(version.version), dict(version.tags))

    def register(
        self,
        factory_id: str,
        logged: Any,
        run_id: str,
        tags: Mapping[str, str],
        decision: Decision,
        description: str,
        now: datetime,
    ) -> Registered:
        """Make a logged model the factory's next version: the challenger, and the champion if so decided.

        Everything else of the version is there before it gets an alias: a training that dies on the way leaves none.

        Args:
            factory_id: whose.
            logged: MLflow's ModelInfo.
            run_id: of the training.
            tags: of the version.
            decision: whether it becomes champion, and why.
            description: of the version, Markdown.
            now: written into the tags.
        """
        from mlflow.exceptions import MlflowException

        client, name = self._server.client(), model_name(factory_id)
        try:
            about = f"Factory {factory_id}, month-ahead. The version with the alias `champion` forecasts."
            client.create_registered_model(name, tags={"factory": factory_id}, description=about)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = despite_races(
            lambda: client.create_model_version(
                name,
                logged.artifact_path,
                run_id,
                tags=dict(tags),
                model_id=logged.model_id,
                description=description,
            )
        )
        version = str(made.version)
        if decision.promoted:
            self._crown(name, version, decision.reason, now)
        else:
            self._note(name, version, CHALLENGER, decision.reason, now)
            client.set_registered_model_alias(name, CHALLENGER, version)
        return Registered(
            name, version, CHAMPION if decision.promoted else CHALLENGER, decision.reason, run_id
        )

    def promote(self, factory_id: str, version: str | None = None, now: datetime | None = None) -> Registered:
        """Make a version champion by hand.

        Args:
            factory_id: whose.
            version: which; the challenger if not given.
            now: written into the tags; the present if not given.

        Raises:
            NoModel: there is no such version, or no challenger.
            DataError: it is the champion already, or its bundle cannot be used.
            ServiceUnavailable: MLflow or the lake does not answer.
        """
        self._server.connect()
        with self._server.errors():
            name = model_name(factory_id)
            chosen = self._by_alias(name, CHALLENGER) if version is None else self._by_version(name, version)
            if chosen is None:
                what = "challenger" if version is None else f"version {version}"
                raise NoModel(f"factory {factory_id} has no {what} in MLflow")
            champion = self._by_alias(name, CHAMPION)
            if champion is not None and str(champion.version) == str(chosen.version):
                raise DataError(f"factory {factory_id}: version {chosen.version} is the champion already")
            self._load(factory_id, chosen)
            reason = "promoted by hand"
            self._crown(name, str(chosen.version), reason, now or datetime.now(UTC))
            return Registered(name, str(chosen.version), CHAMPION, reason, str(chosen.run_id))

    def rollback(self, factory_id: str, now: datetime | None = None) -> Registered:
        """Give the champion's place back to the version that it took it from.

        Raises:
            NoModel: there is no champion, or none before it.
            ServiceUnavailable: MLflow does not answer.
        """
        self._server.connect()
        with self._server.errors():
            name, champion = model_name(factory_id), self._required_champion(factory_id)
            before = self._champion_before(champion)
            if before is None:
                raise NoModel(
                    f"factory {factory_id}: there was no champion before version {champion.version}"
                )
            when, reason = now or datetime.now(UTC), f"rolled back from v{champion.version}"
            client, version = self._server.client(), str(before.version)
            client.set_registered_model_alias(name, CHAMPION, version)
            client.set_model_version_tag(name, version, "champion_since", when.isoformat())
            self._note(name, version, CHAMPION, reason, when)
            client.set_model_version_tag(name, champion.version, "champion_until", when.isoformat())
            self._note(name, str(champion.version), "retired", f"rolled back to v{version}", when)
            return Registered(name, version, CHAMPION, reason, str(before.run_id))

    def _load(self, factory_id: str, version: "ModelVersion") -> Bundle:
        """Fetch a version's bundle, and compare it with the manifest in the lake before anything in it is parsed.

        Raises:
            DataError: it is gone, was changed, or is none that this code can read.
        """
        import mlflow
        from mlflow.exceptions import MlflowException

        manifest = self._lake.model_manifest(factory_id, str(version.run_id))
        if manifest is None:
            raise DataError("it has no manifest in the lake; train again")
        with tempfile.TemporaryDirectory() as folder:
            try:
                local = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{version.name}/{version.version}", dst_path=folder
                )
            except (MlflowException, OSError) as error:
                if getattr(error, "error_code", "") not in _ABSENT and not isinstance(
                    error, FileNotFoundError
                ):
                    raise
                raise DataError(f"its files are gone from MLflow: {error}") from error
            return bundles.load(Path(local) / "artifacts" / "bundle", one_step=False, manifest=manifest)

    def _crown(self, name: str, version: str, reason: str, now: datetime) -> None:
        """Make a version champion. Its tags come first, the alias is the one step that changes who forecasts."""
        client = self._server.client()
        before, challenger = self._by_alias(name, CHAMPION), self._by_alias(name, CHALLENGER)
        if before is not None:
            client.set_model_version_tag(name, version, "champion_before", str(before.version))
        client.set_model_version_tag(name, version, "champion_since", now.isoformat())
        self._note(name, version, CHAMPION, reason, now)
        client.set_registered_model_alias(name, CHAMPION, version)
        if before is not None:
            client.set_model_version_tag(name, before.version, "champion_until", now.isoformat())
            self._note(name, str(before.version), "retired", f"v{version} took over", now)
        if challenger is not None and str(challenger.version) == version:
            client.delete_registered_model_alias(name, CHALLENGER)

    def _note(self, name: str, version: str, what: str, reason: str, now: datetime) -> None:
        for tag in ("promotion", f"event.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"):
            self._server.client().set_model_version_tag(name, version, tag, f"{what}: {reason}")

    def _by_alias(self, name: str, alias: str) -> "ModelVersion | None":
        return none_if_absent(lambda: self._server.client().get_model_version_by_alias(name, alias))

    def _by_version(self, name: str, version: str) -> "ModelVersion | None":
        return none_if_absent(lambda: self._server.client().get_model_version(name, version))

    def _champion_before(self, version: "ModelVersion") -> "ModelVersion | None":
        before = str(version.tags.get("champion_before", ""))
        return self._by_version(version.name, before) if before else None

    def _required_champion(self, factory_id: str) -> "ModelVersion":
        version = self._by_alias(model_name(factory_id), CHAMPION)
        if version is None:
            raise NoModel(f"factory {factory_id} has no champion in MLflow; train it first")
        return version


def none_if_absent(request: Callable[[], T]) -> T | None:
    """Return MLflow's answer, None where it has no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return request()
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise
