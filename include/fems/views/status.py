"""What a person asks first of a factory: what came in, what became of it, what comes next."""

from typing import Any

from fems.errors import NoModel
from fems.flows.evaluate import records
from fems.flows.platform import Platform
from fems.lake import keys
from fems.process.metadata import added, shares
from fems.process.partition import ROW_COUNTS
from fems.registry.plant import Feed


def ingested(platform: Platform, factory_id: str) -> dict[str, Any]:
    """Return the counts over every published partition of a factory, all feeds together and each by itself.

    `shares` is of the values of all feeds, in % (see `fems.process.metadata.shares`).
    """
    rows, quality = dict.fromkeys(ROW_COUNTS, 0), {"critical_failed": 0, "warning_failed": 0}
    objects = {"read": 0, "quarantined": 0}
    feeds: dict[str, dict[str, Any]] = {}
    cells: list[dict[str, int]] = []
    for feed in platform.plant.feeds(factory_id):
        manifests = platform.lake.manifests(feed, factory_id)
        feeds[feed] = dict.fromkeys(ROW_COUNTS, 0)
        for manifest in manifests.values():
            # a partition that an earlier version published has none, and counts again when ingest made it anew
            cells.append(manifest.get("cells", {}))
            for target, source in (
                (rows, "rows"),
                (feeds[feed], "rows"),
                (objects, "objects"),
            ):
                for name, count in manifest[source].items():
                    target[name] += count
        # the records, not the manifests: a month that failed has no manifest
        for record in records(platform.lake, feed, factory_id).values():
            for name in quality:
                quality[name] += record[name]
        feeds[feed] |= {
            "months": len(manifests),
            "from": min(manifests, default=None),
            "to": max(manifests, default=None),
        }
    return {
        "rows": rows,
        "shares": shares(added(cells)),
        "quality": quality,
        "objects": objects,
        "feeds": feeds,
    }


def factory_summary(factory_id: str, platform: Platform | None = None) -> dict[str, Any]:
    """Return everything that is known of a factory, shaped as in the demo's summary.json.

    Accuracies are of simulated data where the registry says that the factory is simulated. `month_ahead` and
    `weekly_naive` are of the same held-out window, protocol month-ahead; `one_step` is of the protocol one-step.
    """
    platform = platform or Platform.from_environment()
    factory = platform.plant.factory(factory_id)
    forecast = platform.lake.read_json(keys.latest_key(factory_id)) or {}
    try:
        version, metrics = platform.tracking.champion_metrics(factory_id)
    except NoModel:
        version, metrics = None, {}
    return {
        "name": factory.name,
        "simulated": factory.simulated,
        **ingested(platform, factory_id),
        "model_version": version,
        "accuracy": {
            "one_step": metrics.get("one_step.accuracy"),
            "month_ahead": metrics.get("month_ahead.accuracy"),
            "weekly_naive": metrics.get("month_ahead.weekly_naive_accuracy"),
        },
        "forecast": {
            "rows": forecast.get("rows"),
            "kwh": forecast.get("kwh"),
            "month": forecast.get("month"),
            "origin": forecast.get("origin"),
            "model_version": forecast.get("model", {}).get("version"),
            "peak_days": forecast.get("peak_days", []),
            "top_equipment": forecast.get("top_equipment", []),
        },
    }


def quarantined(platform: Platform, factory_id: str, feed: Feed) -> list[dict[str, Any]]:
    """Return every quarantine record of a factory's feed: object, etag, line (0 is the whole object), reason, text."""
    rows: list[dict[str, Any]] = []
    for key in platform.lake.store.keys(f"quarantine/{feed}/factory={factory_id}/"):
        rows.extend(platform.lake.read_table(key).to_pylist())
    return rows
