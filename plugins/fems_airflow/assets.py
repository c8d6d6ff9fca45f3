"""Every asset of the platform, in one place."""

from airflow.sdk import Asset, AssetAlias

PROCESSED = Asset(name="fems_processed", uri="s3://fems/processed", group="fems")
"""Published hours and days of a factory."""

INGESTED = AssetAlias(name="fems_ingested", group="fems")
"""What ingest's tasks write to: an event of `fems_processed` only where something was published."""

MODEL = Asset(name="fems_model", uri="mlflow://models/fems", group="fems")
"""A factory's registered model; its partitions are FACTORY|YYYY-MM, the month that it is meant for."""

FORECAST = Asset(name="fems_forecast", uri="s3://fems/forecasts", group="fems")
"""A published forecast."""

RETRAIN = Asset(name="fems_retrain", uri="fems://monitor/retrain", group="fems")
"""A request for a factory's training; the event's extra is the request: id, factory_id, reason."""

ASKED = AssetAlias(name="fems_asked", group="fems")
"""What the monitor's tasks write to: an event of `fems_retrain` only where training is asked for."""

BACKLOG = Asset(name="fems_backlog", uri="fems://ingest/backlog", group="fems")
"""Months that a night has left for a backfill; the event's extra is {"factories": [..]}."""

LEFT = AssetAlias(name="fems_left", group="fems")
"""What the ingest's tasks write to: an event of `fems_backlog` only where months were left."""

TRAPS = Asset(name="fems_traps", uri="s3://fems/processed/trap_events", group="fems")
"""The states and events of a factory's steam traps."""
