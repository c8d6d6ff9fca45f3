"""MLflow as the flows use it: one object that the platform holds, as it holds the lake."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from fems.lake.lake import Lake
from fems.settings import Settings
from fems.tracking import names, rest, runs, track_record
from fems.tracking.registry import Champion, Registered, Registry
from fems.tracking.runs import TrainingRun
from fems.tracking.server import Server


class Tracking:
    """Training runs, registered models and their track records."""

    def __init__(self, server: Server, lake: Lake) -> None:
        self.server, self._lake = server, lake
        self._registry = Registry(server, lake)

    @classmethod
    def connect(cls, settings: Settings, lake: Lake | None = None) -> "Tracking":
        """Return the MLflow that the settings name; nothing is asked of it yet.

        Raises:
            ConfigError: the lake's endpoint or keys are not usable.
        """
        return cls(Server(settings.mlflow_uri), lake or Lake.connect(settings))

    def training_run(
        self,
        factory_id: str,
        month: str,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str | int | float] | None = None,
    ) -> AbstractContextManager[TrainingRun]:
        """Open a factory's run, see `runs.training_run`."""
        return runs.training_run(self.server, self._lake, factory_id, month, tags=tags, params=params)

    def month_run(self, month: str) -> str:
        """Find or make the run of a month, see `runs.month_run`."""
        return runs.month_run(self.server, month)

    def load_champion(self, factory_id: str) -> Champion:
        """Fetch the model that forecasts, see `registry.Registry.load_champion`."""
        return self._registry.load_champion(factory_id)

    def has_champion(self, factory_id: str) -> bool:
        """Tell whether a factory has a model that forecasts for it."""
        return self._registry.has_champion(factory_id)

    def find_champion(self, factory_id: str) -> tuple[str, dict[str, str]] | None:
        """Return the champion's version and tags, None where there is none."""
        return self._registry.find_champion(factory_id)

    def champion_metrics(self, factory_id: str) -> tuple[str, dict[str, float]]:
        """Return the champion's version and the metrics of its run; NoModel where there is none."""
        return rest.champion_metrics(self.server.uri, factory_id)

    def promote(self, factory_id: str, version: str | None = None, now: datetime | None = None) -> Registered:
        """Make a version champion by hand, see `registry.Registry.promote`."""
        return self._registry.promote(factory_id, version, now)

    def rollback(self, factory_id: str, now: datetime | None = None) -> Registered:
        """Give the place back to the champion before, see `registry.Registry.rollback`."""
        return self._registry.rollback(factory_id, now)

    def model_name(self, factory_id: str) -> str:
        """Return the registered model of a factory."""
        return names.model_name(factory_id)

    def log_track_record(
        self, factory_id: str, version: str, figures: Mapping[str, float], hours: int, until: datetime
    ) -> bool:
        """Log how a version's newest forecast did, see `track_record.log_track_record`."""
        return track_record.log_track_record(self.server, factory_id, version, figures, hours, until)
