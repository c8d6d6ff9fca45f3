"""Every key of the lake: where each thing lies, and what a key says."""

import re
from datetime import date

from fems.contracts.grains import ORIGINALS
from fems.registry.plant import Feed

RAW_KEY = re.compile(
    r"^raw/(?P<feed>[^/]+)/factory=(?P<factory>[^/]+)/date=(?P<date>\d{4}-\d{2}-\d{2})/(?P<name>.+)$", re.DOTALL
)

DELIVERED_KEY = re.compile(r"^raw/[^/]+/factory=[^/]+/delivered/")
"""A file as it was delivered, whole, beside the objects of its days."""


def raw_key(feed: Feed, factory_id: str, day: date, name: str) -> str:
    """Return the key of a raw object."""
    return f"raw/{feed}/factory={factory_id}/date={day.isoformat()}/{name}"


def table_folder(feed: Feed, table: str, factory_id: str) -> str:
    """Return the folder of a factory's tables of a kind; the underscore keeps what is no grain out of readers' way."""
    name = f"_{table}" if table == ORIGINALS else f"grain={table}"
    return f"processed/{feed}/{name}/factory={factory_id}/"


def delivered_key(feed: Feed, factory_id: str, digest: str, name: str) -> str:
    """Return the key of a file as it was delivered, for one that was cut into days other than between lines."""
    return f"raw/{feed}/factory={factory_id}/delivered/{digest}/{name}"


def processed_key(feed: Feed, table: str, factory_id: str, month: str, fingerprint: str) -> str:
    """Return the key of a published table (hive-style, so that DuckDB, Spark and pandas read it as it is)."""
    return f"{table_folder(feed, table, factory_id)}month={month}/part-{fingerprint}.parquet"


def package_key(factory_id: str) -> str:
    """Return the key of the Frictionless Data Package that describes a factory's published tables.

    It lies above them all: a package may only name what lies below it.
    """
    return f"processed/datapackage-{factory_id}.json"


def manifest_key(feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a partition's metadata; the underscore keeps it out of hive-style readers' way."""
    return f"processed/{feed}/_manifest/factory={factory_id}/month={month}.json"


def quarantine_key(feed: Feed, factory_id: str, day: date) -> str:
    """Return the key of the rows of a day that cannot be used."""
    return f"quarantine/{feed}/factory={factory_id}/date={day.isoformat()}/rows.parquet"


def quality_key(feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a partition's evaluation."""
    return f"quality/{feed}/factory={factory_id}/month={month}.json"


def forecast_prefix(factory_id: str, month: str) -> str:
    """Return where a factory's forecasts of a month lie."""
    return f"forecasts/factory={factory_id}/month={month}/"


def latest_key(factory_id: str) -> str:
    """Return the key of the pointer to a factory's newest forecast."""
    return f"forecasts/factory={factory_id}/latest.json"


def track_record_key(factory_id: str) -> str:
    """Return the key of the table of how a factory's forecasts did."""
    return f"forecasts/factory={factory_id}/track_record.parquet"
