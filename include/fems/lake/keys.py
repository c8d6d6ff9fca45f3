"""Every key of the lake: where each thing lies, and what a key says."""

import re
from datetime import UTC, date, datetime

from fems.contracts.grains import ORIGINALS
from fems.registry.sensors import Feed

RAW_KEY = re.compile(
    r"^raw/(?P<feed>[^/]+)/factory=(?P<factory>[^/]+)/date=(?P<date>\d{4}-\d{2}-\d{2})/(?P<name>.+)$",
    re.DOTALL,  # a collector may write any name
)
DELIVERED_KEY = re.compile(r"^raw/[^/]+/factory=[^/]+/delivered/")
"""A file as it was delivered, whole, besides the objects of its days."""

FORECAST_KEY = re.compile(
    r"^forecasts/factory=(?P<factory>[^/]+)/month=(?P<month>[^/]+)/origin=[^/]+/horizon=(?P<horizon>\d+)"
    r"/model=(?P<model>[^/]+)/(?P<name>[^/]+)$"
)

TABLE_KEY = re.compile(r"(?P<feed>[^/]+)/grain=(?P<grain>native|hour|day)/")
"""Within the path of a published table, wherever it was copied to."""


MARKS = "landed/"
MARK_KEY = re.compile(
    r"^landed/date=(?P<date>\d{4}-\d{2}-\d{2})/(?P<feed>[^/]+)/factory=(?P<factory>[^/]+)/month=(?P<month>\d{4}-\d{2})$"
)
"""An empty object that says: on this day (UTC) something was put into this month of the factory's feed."""


def month_of(key: str) -> str:
    """Return the month, YYYY-MM, that a key bears as `month=`."""
    return key.split("/month=")[1][:7]


# raw/


def raw_prefix(feed: Feed, factory_id: str) -> str:
    """Return where a factory's raw objects of a feed lie."""
    return f"raw/{feed}/factory={factory_id}/"


def raw_key(feed: Feed, factory_id: str, day: date, name: str) -> str:
    """Return the key of a raw object."""
    return f"{raw_prefix(feed, factory_id)}date={day.isoformat()}/{name}"


def delivered_key(feed: Feed, factory_id: str, digest: str, name: str) -> str:
    """Return the key of a file as it was delivered, for one that was cut into days other than between lines."""
    return f"{raw_prefix(feed, factory_id)}delivered/{digest}/{name}"


def raw_days(feed: Feed, factory_id: str, month: str | None = None) -> str:
    """Return how the keys of a factory's raw objects begin that stand for a day; or a month's, YYYY-MM."""
    return f"{raw_prefix(feed, factory_id)}date={month + '-' if month else ''}"


def before_day(feed: Feed, factory_id: str, day: date) -> str:
    """Return a key that comes before those of a day's raw objects, and after those of the day before."""
    return f"{raw_prefix(feed, factory_id)}date={day.isoformat()}"


# landed/ and index/


def mark_key(landed: date, feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a mark; see `MARK_KEY`."""
    return f"{MARKS}date={landed.isoformat()}/{feed}/factory={factory_id}/month={month}"


def index_key(feed: Feed, factory_id: str) -> str:
    """Return the key of the index of a factory's feed."""
    return f"index/{feed}/factory={factory_id}.json"


def listing_key(feed: Feed, factory_id: str) -> str:
    """Return the key of the listing of raw objects that an index was made from."""
    return f"index/{feed}/_listing/factory={factory_id}.json"


# processed/


def table_folder(feed: Feed, table: str, factory_id: str) -> str:
    """Return the folder of a factory's tables of a kind; the underscore keeps what is no grain out of readers' way."""
    name = f"_{table}" if table == ORIGINALS else f"grain={table}"
    return f"processed/{feed}/{name}/factory={factory_id}/"


def processed_key(feed: Feed, table: str, factory_id: str, month: str, fingerprint: str) -> str:
    """Return the key of a published table (hive-style, so that DuckDB, Spark and pandas read it as it is)."""
    return f"{table_folder(feed, table, factory_id)}month={month}/part-{fingerprint}.parquet"


def package_key(factory_id: str) -> str:
    """Return the key of the Frictionless Data Package that describes a factory's published tables.

    It lies above them all: a package may only name what lies below it.
    """
    return f"processed/datapackage-{factory_id}.json"


def manifest_prefix(feed: Feed, factory_id: str) -> str:
    """Return where the metadata of a factory's partitions lies; the underscore keeps it out of readers' way."""
    return f"processed/{feed}/_manifest/factory={factory_id}/"


def manifest_key(feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a partition's metadata."""
    return f"{manifest_prefix(feed, factory_id)}month={month}.json"


# quarantine/


def quarantine_prefix(feed: Feed, factory_id: str) -> str:
    """Return where a factory's quarantined rows of a feed lie."""
    return f"quarantine/{feed}/factory={factory_id}/"


def quarantine_key(feed: Feed, factory_id: str, day: date) -> str:
    """Return the key of the rows of a day that cannot be used."""
    return f"{quarantine_prefix(feed, factory_id)}date={day.isoformat()}/rows.parquet"


# quality/


def quality_prefix(feed: Feed, factory_id: str) -> str:
    """Return where the last evaluations of a factory's months lie."""
    return f"quality/{feed}/factory={factory_id}/"


def quality_key(feed: Feed, factory_id: str, month: str) -> str:
    """Return the key of a partition's last evaluation."""
    return f"{quality_prefix(feed, factory_id)}month={month}.json"


def history_prefix(feed: Feed, factory_id: str) -> str:
    """Return where every evaluation of a factory's months lies."""
    return f"quality/_history/{feed}/factory={factory_id}/"


def history_key(feed: Feed, factory_id: str, month: str, at: datetime) -> str:
    """Return the key of an evaluation in the history; keys of a month sort by time."""
    return f"{history_prefix(feed, factory_id)}month={month}/{at.astimezone(UTC):%Y%m%dT%H%M%S%f}.json"


def docs_prefix(feed: Feed, factory_id: str) -> str:
    """Return where a factory's Data Docs pages lie."""
    return f"quality/_docs/{feed}/factory={factory_id}/"


def docs_key(feed: Feed, factory_id: str, month: str, grain: str) -> str:
    """Return the key of the Data Docs page of a table's last evaluation."""
    return f"{docs_prefix(feed, factory_id)}month={month}/{grain}.html"


# forecasts/


def forecasts_prefix(factory_id: str) -> str:
    """Return where a factory's forecasts lie."""
    return f"forecasts/factory={factory_id}/"


def forecast_folder(factory_id: str, month: str, origin: datetime, horizon_minutes: int, model: str) -> str:
    """Return the folder of one forecast.

    Args:
        factory_id: whose.
        month: YYYY-MM that it is filed under.
        origin: its first instant, tz-aware.
        horizon_minutes: how far it goes.
        model: who forecast: `v3`, or a baseline's name; with the data's fingerprint where it is not the first.
    """
    when = f"{origin.astimezone(UTC):%Y%m%dT%H%MZ}"
    return (
        f"{forecasts_prefix(factory_id)}month={month}/origin={when}/horizon={horizon_minutes}/model={model}/"
    )


def model_of(folder: str) -> str:
    """Return by what a forecast's folder was made, as it bears it as `model=`."""
    return folder.rstrip("/").rpartition("/model=")[2]


def forecast_table_key(folder: str, level: str, grain: str) -> str:
    """Return the key of a forecast's table: level is equipment or factory."""
    return f"{folder}{level}_{grain}.parquet"


def summary_key(folder: str) -> str:
    """Return the key of the summary that makes a folder's tables one forecast."""
    return f"{folder}summary.json"


def report_key(folder: str) -> str:
    """Return the key of a forecast's report."""
    return f"{folder}report.html"


def workbook_key(folder: str, language: str) -> str:
    """Return the key of a forecast's Excel workbook in a language."""
    return f"{folder}forecast-{language}.xlsx"


def latest_key(factory_id: str) -> str:
    """Return the key of the pointer to a factory's newest forecast."""
    return f"{forecasts_prefix(factory_id)}latest.json"


def model_manifest_key(factory_id: str, run_id: str) -> str:
    """Return the key of the manifest of the model that a training run registered."""
    return f"models/factory={factory_id}/run={run_id}.json"


def track_record_key(factory_id: str) -> str:
    """Return the key of the table of how a factory's forecasts did."""
    return f"{forecasts_prefix(factory_id)}track_record.parquet"


def measured_key(factory_id: str) -> str:
    """Return the key of the newest row of that table, as a record."""
    return f"{forecasts_prefix(factory_id)}measured.json"


# monitor/


def requests_key(factory_id: str) -> str:
    """Return the key of a factory's requests for training."""
    return f"monitor/factory={factory_id}/requests.json"


def peak_notice_key(factory_id: str) -> str:
    """Return the key of the mark of the last coming peak that people were told of."""
    return f"monitor/factory={factory_id}/peak_notice.json"


# steam traps


def trap_day_key(factory_id: str, month: str, fingerprint: str) -> str:
    """Return the key of a month of the states of a factory's steam traps."""
    return f"processed/trap_day/factory={factory_id}/month={month}/part-{fingerprint}.parquet"


def trap_events_key(factory_id: str, fingerprint: str) -> str:
    """Return the key of the events of a factory's steam traps."""
    return f"processed/trap_events/factory={factory_id}/part-{fingerprint}.parquet"


def trap_folders(factory_id: str) -> tuple[str, str]:
    """Return where both tables of a factory's steam traps lie."""
    return f"processed/trap_day/factory={factory_id}/", f"processed/trap_events/factory={factory_id}/"


def trap_manifest_key(factory_id: str) -> str:
    """Return the key of what the newest tables of a factory's steam traps are made of."""
    return f"processed/trap_day/_manifest/factory={factory_id}.json"


def trap_records_key(factory_id: str) -> str:
    """Return the key of what people wrote down of a factory's traps: repairs, stops, their word on events."""
    return f"traps/records/factory={factory_id}.json"


def trap_notices_key(factory_id: str) -> str:
    """Return the key of which trap events have been told."""
    return f"traps/notices/factory={factory_id}.json"
