"""The registered models: versions, the champion and the challenger, and how one becomes the other.

MLflow keeps no history of its aliases. Each version's tags do: `promotion` is the newest word on it, `event.<time>`
each word there was, `champion_since`, `champion_until` and `champion_before` (the version that it took over from).
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fems.errors import DataError, NoModel
from fems.model import bundle as bundles
from fems.model.bundle import Bundle
from fems.model.promotion import Verdict
from fems.tracking.server import client, connect, talking

CHAMPION, CHALLENGER = "champion", "challenger"

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""How MLflow answers for a model, a version and an alias that is not there."""


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
    """The model that forecasts for a factory, with the metrics and tags it was registered with."""

    bundle: Bundle
    version: str
    run_id: str
    metrics: dict[str, float]
    tags: dict[str, str]


def model_name(factory_id: str) -> str:
    """Return the registered model of a factory."""
    return f"fems-{factory_id}"


def load_champion(factory_id: str) -> Champion:
    """Fetch the model that forecasts for a factory.

    Raises:
        NoModel: none is registered, or none is champion.
        ServiceUnavailable: MLflow does not answer.
        DataError: what is registered is no bundle that this code can read.
    """
    mlflow = connect()
    with talking(), tempfile.TemporaryDirectory() as folder:
        version = _required_champion(factory_id)
        local = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{version.name}/{version.version}", dst_path=folder
        )
        found = bundles.load(Path(local) / "artifacts" / "bundle", one_step=False)
        return Champion(found, str(version.version), version.run_id, dict(found.metrics), dict(version.tags))


def has_champion(factory_id: str) -> bool:
    """Tell whether a factory has a model that forecasts for it.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    return find_champion(factory_id) is not None


def find_champion(factory_id: str) -> tuple[str, dict[str, str]] | None:
    """Return the champion's version and tags, None where there is none.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    connect()
    with talking():
        version = _by_alias(model_name(factory_id), CHAMPION)
        return None if version is None else (str(version.version), dict(version.tags))


def champion_metrics(factory_id: str) -> tuple[str, dict[str, float]]:
    """Return the champion's version and the metrics that its run logged.

    Raises:
        NoModel: the factory has no champion.
        ServiceUnavailable: MLflow does not answer.
    """
    connect()
    with talking():
        version = _required_champion(factory_id)
        return str(version.version), dict(client().get_run(version.run_id).data.metrics)


def register(
    factory_id: str, logged: Any, run_id: str, tags: Mapping[str, str], verdict: Verdict, now: datetime
) -> Registered:
    """Make a logged model the factory's next version: the challenger, and the champion if the verdict says so.

    Everything else of the version is there before it gets an alias: a training that dies on the way leaves none.
    """
    from mlflow.exceptions import MlflowException

    talk, name = client(), model_name(factory_id)
    try:
        talk.create_registered_model(name, tags={"factory": factory_id})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = talk.create_model_version(
        name, logged.artifact_path, run_id, tags=dict(tags), model_id=logged.model_id
    )
    version = str(made.version)
    if verdict.promoted:
        _crown(name, version, verdict.reason, now)
    else:
        _note(name, version, CHALLENGER, verdict.reason, now)
        talk.set_registered_model_alias(name, CHALLENGER, version)
    return Registered(name, version, CHAMPION if verdict.promoted else CHALLENGER, verdict.reason, run_id)


def promote(factory_id: str, version: str | None = None, now: datetime | None = None) -> Registered:
    """Make a version champion by hand.

    Args:
        factory_id: whose.
        version: which; the challenger if not given.
        now: written into the tags; the present if not given.

    Raises:
        NoModel: there is no such version, or no challenger.
        DataError: it is the champion already.
        ServiceUnavailable: MLflow does not answer.
    """
    connect()
    with talking():
        name = model_name(factory_id)
        found = _by_alias(name, CHALLENGER) if version is None else _by_version(name, version)
        if found is None:
            what = "challenger" if version is None else f"version {version}"
            raise NoModel(f"factory {factory_id} has no {what} in MLflow")
        champion = _by_alias(name, CHAMPION)
        if champion is not None and str(champion.version) == str(found.version):
            raise DataError(f"factory {factory_id}: version {found.version} is the champion already")
        reason = "promoted by hand"
        _crown(name, str(found.version), reason, now or datetime.now(UTC))
        return Registered(name, str(found.version), CHAMPION, reason, found.run_id)


def rollback(factory_id: str, now: datetime | None = None) -> Registered:
    """Give the champion's place back to the version that it took it from.

    Raises:
        NoModel: there is no champion, or none before it.
        ServiceUnavailable: MLflow does not answer.
    """
    connect()
    with talking():
        name, champion = model_name(factory_id), _required_champion(factory_id)
        before = champion.tags.get("champion_before", "")
        found = _by_version(name, before) if before else None
        if found is None:
            raise NoModel(f"factory {factory_id}: there was no champion before version {champion.version}")
        when, reason = now or datetime.now(UTC), f"rolled back from v{champion.version}"
        talk = client()
        talk.set_registered_model_alias(name, CHAMPION, before)
        talk.set_model_version_tag(name, before, "champion_since", when.isoformat())
        _note(name, before, CHAMPION, reason, when)
        talk.set_model_version_tag(name, champion.version, "champion_until", when.isoformat())
        _note(name, str(champion.version), "retired", f"rolled back to v{before}", when)
        return Registered(name, before, CHAMPION, reason, found.run_id)


def _crown(name: str, version: str, reason: str, now: datetime) -> None:
    """Make a version champion. Its tags come first, the alias is the one step that changes who forecasts."""
    talk, before, challenger = client(), _by_alias(name, CHAMPION), _by_alias(name, CHALLENGER)
    if before is not None:
        talk.set_model_version_tag(name, version, "champion_before", str(before.version))
    talk.set_model_version_tag(name, version, "champion_since", now.isoformat())
    _note(name, version, CHAMPION, reason, now)
    talk.set_registered_model_alias(name, CHAMPION, version)
    if before is not None:
        talk.set_model_version_tag(name, before.version, "champion_until", now.isoformat())
        _note(name, str(before.version), "retired", f"v{version} took over", now)
    if challenger is not None and str(challenger.version) == version:
        talk.delete_registered_model_alias(name, CHALLENGER)


def _note(name: str, version: str, what: str, reason: str, now: datetime) -> None:
    for tag in ("promotion", f"event.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"):
        client().set_model_version_tag(name, version, tag, f"{what}: {reason}")


def _by_alias(name: str, alias: str) -> Any:
    return _or_none(lambda: client().get_model_version_by_alias(name, alias))


def _by_version(name: str, version: str) -> Any:
    return _or_none(lambda: client().get_model_version(name, version))


def _or_none(ask: Callable[[], Any]) -> Any:
    """Return MLflow's answer, None where it has no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise


def _required_champion(factory_id: str) -> Any:
    version = _by_alias(model_name(factory_id), CHAMPION)
    if version is None:
        raise NoModel(f"factory {factory_id} has no champion in MLflow; train it first")
    return version
