"""What a person asks first of a factory: what came in, what became of it, what comes next."""

from fems.contracts.forecast import HeldOut
from fems.contracts.status import Accuracy, FactoryStatus, ForecastStatus
from fems.errors import NoModel
from fems.flows.ingest_status import ingest_status
from fems.flows.platform import Platform
from fems.tracking.rest import champion_metrics


def factory_status(factory_id: str, platform: Platform) -> FactoryStatus:
    """Return everything that is known of a factory, shaped as in the demo's summary.json.

    Raises:
        ConfigError: the factory is not registered.
        UnknownFormat: another version made what is there; says what to run.
        ServiceUnavailable: MinIO or MLflow does not answer.
    """
    factory = platform.plant.factory(factory_id)
    try:
        version, metrics = champion_metrics(platform.settings.mlflow_uri, factory_id)
    except NoModel:
        version, metrics = None, {}
    return FactoryStatus(
        name=factory.name,
        simulated=factory.simulated,
        model_version=version,
        accuracy=Accuracy(
            one_step=metrics.get("one_step.accuracy"),
            month_ahead=metrics.get("month_ahead.accuracy"),
            weekly_naive=metrics.get("month_ahead.weekly_naive_accuracy"),
        ),
        heldout=HeldOut.of_metrics(metrics),
        measured=platform.lake.forecasts.measured(factory_id),
        forecast=_newest_forecast(factory_id, platform),
        **dict(ingest_status(platform, factory_id)),
    )


def _newest_forecast(factory_id: str, platform: Platform) -> ForecastStatus:
    latest = platform.lake.forecasts.latest(factory_id)
    summary = platform.lake.forecasts.summary(latest.prefix) if latest is not None else None
    if summary is None:
        return ForecastStatus()
    return ForecastStatus(
        rows=summary.rows,
        kwh=summary.kwh,
        month=summary.month,
        origin=summary.origin,
        model_version=summary.model.version,
        peak_days=summary.peak_days,
        top_equipment=summary.top_equipment,
    )
