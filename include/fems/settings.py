"""One settings object, read from the environment (prefix FEMS_) when asked for, never at import."""

import json
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fems.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """Where the services and the configuration are.

    Every field is set by the environment variable FEMS_<NAME>, for instance FEMS_S3_ENDPOINT.
    """

    model_config = SettingsConfigDict(env_prefix="FEMS_", extra="ignore", frozen=True)

    s3_endpoint: str = Field("http://127.0.0.1:9000", description="MinIO, or any store that speaks plain S3")
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    s3_keys_file: Path | None = Field(
        None,
        description="JSON, role -> access_key and secret_key; a process gets the roles it needs, in a file of its own",
    )
    s3_disk: Path | None = Field(
        None,
        description="The folder under an object store of this machine: nothing is put while its disk is full",
    )
    s3_bucket: str = "fems"
    newest_days: int = Field(
        14,
        ge=1,
        description="Raw objects of so many days are listed by every ingest; at least reconcile_days and 3 more",
    )
    reconcile_days: float = Field(
        7, gt=0, description="So often everything of a factory is listed, and not only what can have changed"
    )
    night_months: int = Field(
        6,
        ge=1,
        description="Of more stale months of a factory a night takes the newest; a backfill takes the others",
    )
    factories_per_task: int = Field(25, ge=1, description="The most factories that one task of a Dag takes")
    mlflow_uri: str = "http://127.0.0.1:5000"
    airflow_url: str = Field("", description="Airflow's API server, for `fems health`; not asked where empty")
    config_dir: Path = Path(__file__).resolve().parents[1] / "config"
    expectations_dir: Path = ROOT / "expectations"

    @model_validator(mode="after")
    def _newest_days_reach(self) -> "Settings":
        """Landing marks what is three days old; younger days must be listed until everything is."""
        if self.newest_days < self.reconcile_days + 3:
            raise ValueError(
                f"newest_days={self.newest_days} has to be at least reconcile_days={self.reconcile_days:g} and 3 more"
            )
        return self

    def store_key(self, role: str | None) -> tuple[str, str]:
        """Return the access key and the secret key with which a role works on the object store.

        Without a role, and where there is no file of keys, it is the one of FEMS_S3_ACCESS_KEY.

        Raises:
            ConfigError: the file can't be read, or this process has no key for the role.
        """
        if role is None or self.s3_keys_file is None:
            return self.s3_access_key.get_secret_value(), self.s3_secret_key.get_secret_value()
        try:
            key = json.loads(self.s3_keys_file.read_text())[role]
            return str(key["access_key"]), str(key["secret_key"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ConfigError(
                f"FEMS_S3_KEYS_FILE={self.s3_keys_file} holds no key for the role {role} ({type(error).__name__})"
            ) from error

    @property
    def factories_file(self) -> Path:
        """The registry of the plant."""
        return self.config_dir / "factories.yaml"

    @property
    def definitions_dir(self) -> Path:
        """The definition book, a file a feed."""
        return self.config_dir / "definitions"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        ConfigError: an environment variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "FEMS_" + str(first["loc"][0] if first["loc"] else "newest_days").upper()
        raise ConfigError(f"environment variable {name}: {first['msg']}") from error
