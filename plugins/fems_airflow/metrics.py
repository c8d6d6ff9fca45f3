"""The platform's figures beside Airflow's own metrics: by the same way out, OpenTelemetry or StatsD, or none.

[metrics] otel_on or statsd_on of Airflow's configuration turns both on; docs/operations.md lists the names.
"""

from collections.abc import Iterator, Mapping
from typing import Any

FIGURES: dict[str, dict[str, tuple[str, ...]]] = {
    "ingest": {
        "seconds": ("seconds",),
        "partitions": ("partitions",),
        "rows_read": ("rows", "read"),
        "rows_published": ("rows", "published"),
        "rows_quarantined": ("rows", "quarantined"),
        "rows_duplicate": ("rows", "duplicate"),
    },
    "train": {
        "seconds": ("seconds",),
        "accuracy_month_ahead": ("metrics", "month_ahead.accuracy"),
        "accuracy_weekly_naive": ("metrics", "month_ahead.weekly_naive_accuracy"),
        "accuracy_one_step": ("metrics", "one_step.accuracy"),
    },
    "forecast": {"seconds": ("seconds",), "kwh": ("kwh",), "rows": ("rows",)},
    "monitor": {
        "seconds": ("seconds",),
        "accuracy": ("standing", "accuracy"),
        "accuracy_weekly_naive": ("standing", "weekly_naive"),
    },
}
"""Stage -> metric -> where the figure stands in what the stage's task returns."""


def measured(stage: str, outcome: dict[str, Any]) -> dict[str, Any]:
    """Send the figures of what a task made of a factory, a gauge each with the tag `factory`; return it as it is."""
    from airflow.sdk.observability import stats

    for name, value in figures(stage, outcome):
        stats.gauge(f"fems.{stage}.{name}", value, tags={"factory": outcome["factory_id"]})
    _flush()
    return outcome


def figures(stage: str, outcome: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the figures that are there: a monitor without measured days has no accuracy."""
    for name, path in FIGURES[stage].items():
        value: Any = outcome
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int | float):
            yield name, value


def _flush() -> None:
    """Send now: a task's process ends without the hook that OpenTelemetry sends by."""
    from airflow.sdk.configuration import conf

    if conf.getboolean("metrics", "otel_on", fallback=False):
        from opentelemetry.metrics import get_meter_provider

        flush = getattr(get_meter_provider(), "force_flush", None)
        if flush is not None:
            flush(5000)
