"""The monitor on real MinIO and MLflow: the table that it keeps, the version's figures, what it asks and tells."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from builders import summary_of
from support import ROOT

from embedded.stack import Stack
from fems import tracking
from fems.contracts.forecast import DemandSummary, ForecastSummary
from fems.contracts.horizon import HORIZON_MINUTES
from fems.contracts.monitoring import ComingPeak
from fems.contracts.track_record import COLUMNS
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_tree
from fems.flows.monitor import (
    look,
    monitor_factory,
    training_started,
)
from fems.flows.platform import Platform
from fems.lake import keys
from fems.settings import settings
from fems.simulate import FaultRates, simulate

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

# A factory of the shipped registry under a name that no other test lands files for: raw objects are for good.
SHIPPED, FACTORY, NOW = "2100", "2101", datetime(2025, 2, 20, 21, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def factory(services: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Two months of a factory at grain 1h."""
    folder = tmp_path_factory.mktemp("factory")
    (folder / "config/definitions").mkdir(parents=True)
    for path in (ROOT / "include/config").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("1min", "1h").replace("15min", "1h")
        text = text.replace(SHIPPED, FACTORY)
        (folder / "config" / path.relative_to(ROOT / "include/config")).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {**services.environment(), "FEMS_CONFIG_DIR": str(folder / "config")}.items():
            patch.setenv(key, value)
        settings.cache_clear()
        made = Platform.from_environment()
        simulate(
            made.plant,
            folder,
            start=date(2025, 1, 1),
            months=2,
            seed=3,
            factories=[FACTORY],
            faults=FaultRates.none(),
        )
        for path in folder.glob("raw/steam_trap/**/*.csv"):
            path.unlink()
        land_tree(made.lake, folder)
        ingest_factory(made, FACTORY)
        yield made
    settings.cache_clear()


@pytest.fixture
def platform(factory: Platform) -> Platform:
    """The same with no forecast, and nothing asked or told."""
    clear(factory, "forecasts", "monitor")
    return factory


def clear(platform: Platform, *rooms: str) -> None:
    for room in rooms:
        for key in list(platform.lake.store.keys(f"{room}/")):
            if f"factory={FACTORY}/" in key:
                platform.lake.store.delete(key)


@pytest.fixture
def champion(platform: Platform) -> str:
    """A version in the registry, trained until February."""
    server = tracking.Server(settings().mlflow_uri)
    server.connect()
    client, name = server.client(), tracking.model_name(FACTORY)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    run = client.create_run(client.create_experiment(f"monitor-{datetime.now(UTC).timestamp()}"))
    version = client.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id)
    client.set_model_version_tag(name, version.version, "trained_until", "2025-02-01T00:00:00+09:00")
    client.set_registered_model_alias(name, tracking.CHAMPION, version.version)
    return str(version.version)


def publish(
    platform: Platform,
    model: str,
    scale: float = 1.0,
    horizon: int = HORIZON_MINUTES,
    *,
    band: bool = True,
    demand: DemandSummary | None = None,
) -> str:
    """Write a forecast from 1 February, the truth times a scale, as the flow lays it out; its prefix."""
    origin = pd.Timestamp("2025-02-01", tz="Asia/Seoul")
    hours = platform.lake.published("meter", "hour", FACTORY, ["2025-02"]).to_pandas()
    rows = hours.loc[
        hours["timestamp"] < origin + pd.Timedelta(minutes=horizon), ["timestamp", "sensor_id", "used_kwh"]
    ]
    rows = rows.assign(factory_id=FACTORY, used_kwh=rows["used_kwh"].fillna(0.0) * scale)
    factory = rows.groupby("timestamp", as_index=False)["used_kwh"].sum().assign(factory_id=FACTORY)
    if band:
        factory = factory.assign(
            used_kwh_p10=factory["used_kwh"] * 0.9, used_kwh_p90=factory["used_kwh"] * 1.1
        )
    folder = keys.forecast_folder(FACTORY, "2025-02", origin, horizon, model)
    summary = _summary(model.removeprefix("v").partition("-")[0], origin, horizon, demand)
    for level, table in (("equipment", rows), ("factory", factory)):
        data = pa.Table.from_pandas(table, preserve_index=False)
        platform.lake.forecasts.write_table(folder, level, "hour", data, summary)
    platform.lake.forecasts.write_summary(folder, summary)
    platform.lake.forecasts.point_to(folder, summary)
    return folder


def _summary(
    version: str, origin: pd.Timestamp, horizon: int, demand: DemandSummary | None
) -> ForecastSummary:
    some = summary_of(None)
    about = {
        "factory_id": FACTORY,
        "month": "2025-02",
        "origin": origin,
        "horizon_minutes": horizon,
        "model": some.model.model_copy(update={"version": version}),
        "demand": demand,
    }
    return some.model_copy(update=about)


def test_the_table_holds_every_whole_forecast_once(platform: Platform, champion: str) -> None:
    publish(platform, f"v{champion}")
    publish(platform, f"v{champion}", horizon=1440)
    publish(platform, f"v{champion}-0a1b2c3d", 1.5)  # made later, of corrected data
    publish(platform, "weekly_naive", 1.2, band=False)
    platform.lake.store.delete(keys.summary_key(publish(platform, "v98")))  # cut short

    found = look(platform, FACTORY)
    kept = platform.lake.forecasts.track_record(FACTORY)
    assert kept is not None
    kept = kept.to_pandas()
    sensors = 1 + len(platform.plant.factory(FACTORY).equipment)
    assert tuple(kept.columns) == COLUMNS and len(kept) == len(found.track_record) == 2 * sensors
    factory = kept[kept["sensor_id"] == ""].set_index("model_version")
    assert set(factory.index) == {champion, "weekly_naive"}
    assert factory.loc[champion, "hours"] == 28 * 24, "the longer horizon counts, as far as it is measured"
    assert factory.loc[champion, "accuracy"] == pytest.approx(100, abs=0.01)
    assert factory.loc[champion, "coverage_80"] == pytest.approx(1.0)
    assert factory.loc["weekly_naive", "bias_pct"] == pytest.approx(20, abs=0.01)
    assert pd.isna(factory.loc["weekly_naive", "coverage_80"])
    before = platform.lake.store.get(keys.track_record_key(FACTORY))
    look(platform, FACTORY)
    assert platform.lake.store.get(keys.track_record_key(FACTORY)) == before


def test_the_version_carries_its_track_record_once(platform: Platform, champion: str) -> None:
    publish(platform, f"v{champion}", 1.1)
    look(platform, FACTORY)
    look(platform, FACTORY)
    client = tracking.Server(settings().mlflow_uri).client()
    version = client.get_model_version(tracking.model_name(FACTORY), champion)
    assert float(version.tags["track_record.bias_pct"]) == pytest.approx(10, abs=0.01)
    assert (
        "2025-03-01" in version.tags["track_record.until"]
        and "672 hours" in version.tags["track_record.until"]
    )
    (point,) = client.get_metric_history(version.run_id, "track_record.bias_pct")
    assert point.value == pytest.approx(10) and point.step == 672


def test_a_version_that_the_registry_no_longer_has_is_no_failure(platform: Platform, champion: str) -> None:
    publish(platform, "v9999")
    assert set(look(platform, FACTORY).track_record["model_version"]) == {"9999"}


def test_a_champion_that_fell_behind_is_asked_for_once(platform: Platform, champion: str) -> None:
    publish(platform, f"v{champion}", 1.9)
    first = monitor_factory(platform, FACTORY, NOW, "run-1")
    assert first.standing is not None and first.standing.worse_days > 3
    assert first.reason is not None and "fell behind weekly naive" in first.reason
    request = first.request
    assert request is not None and request.reason == first.reason
    assert monitor_factory(platform, FACTORY, NOW, "run-1").request == request, "a retry passes it on again"
    training_started(platform, FACTORY, request.id, NOW)
    later = monitor_factory(platform, FACTORY, NOW + timedelta(days=13), "run-2")
    assert later.reason and later.request is None
    again = monitor_factory(platform, FACTORY, NOW + timedelta(days=14), "run-3").request
    assert again is not None and again.id != request.id
    kept = platform.lake.monitoring.requests(FACTORY).requests
    assert [bool(one.started) for one in kept] == [True, False]


def test_a_good_champion_is_left_alone(platform: Platform, champion: str) -> None:
    publish(platform, f"v{champion}", 1.02)
    found = monitor_factory(platform, FACTORY, NOW, "run")
    assert found.reason is None and found.request is None and found.champion == champion
    assert platform.lake.monitoring.requests(FACTORY).requests == ()


def test_without_forecast_or_champion_there_is_nothing_to_judge(platform: Platform) -> None:
    server = tracking.Server(settings().mlflow_uri)
    server.connect()
    client, name = server.client(), tracking.model_name(FACTORY)
    if client.search_registered_models(f"name = '{name}'"):
        client.delete_registered_model_alias(name, tracking.CHAMPION)
    found = monitor_factory(platform, FACTORY, NOW, "run")
    assert (found.forecasts, found.champion, found.request, found.peak) == (0, None, None, None)
    assert platform.lake.get(keys.track_record_key(FACTORY)) is None


def test_a_coming_peak_is_told_once_a_forecast(platform: Platform, champion: str) -> None:
    at = datetime.fromisoformat("2025-03-05T14:00:00+09:00")
    demand = DemandSummary(
        kw=900.0, kw_p10=850.0, kw_p90=950.0, at=at, day_chance=0.2, minutes=60, contract_kw=800.0,
        chance_over_contract=0.7,
    )  # fmt: skip
    publish(platform, f"v{champion}", demand=demand)
    first = monitor_factory(platform, FACTORY, NOW, "run-1").peak
    assert first == ComingPeak(kw=900.0, at=at, contract_kw=800.0, chance_pct=70.0)
    assert monitor_factory(platform, FACTORY, NOW, "run-1").peak == first, "a retry tells it again"
    assert monitor_factory(platform, FACTORY, NOW, "run-2").peak is None
    publish(platform, "v77", demand=demand)
    assert monitor_factory(platform, FACTORY, NOW, "run-3").peak == first
    notified = platform.lake.monitoring.peak_notice(FACTORY)
    assert notified is not None and notified.peak_of.endswith("model=v77/")
