"""Forecasts of published data with the registry's champion, and with a baseline where it has none."""

import contextlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from embedded.stack import Stack
from fems import tracking
from fems.errors import ConfigError, DataError, ServiceUnavailable, TooLittleHistory
from fems.flows.forecast import forecast_factory, targets
from fems.flows.history import published_months
from fems.flows.offline import process_folder
from fems.flows.platform import Platform
from fems.flows.report import renew_report
from fems.flows.train import train_factory
from fems.lake import keys
from fems.lake.serialize import to_parquet
from fems.lake.store import FolderStore
from fems.settings import settings
from fems.simulate import simulate
from fems.views.forecasts import Choice
from fems.views.report import report_page

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("fems_environment")]

FACTORY, MONTHS = "2160", 3
NEXT = "2025-04"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a factory's tables, and no forecast."""
    from fems.registry.plant import load_plant

    raw, out = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("tables")
    plant = load_plant(settings().factories_file)
    simulate(plant, raw, start=date(2025, 1, 1), months=MONTHS, seed=5, factories=[FACTORY], workers=1)
    process_folder(raw, FACTORY, out, "meter", print)
    return out


@pytest.fixture
def platform(published: Path, services: Stack) -> Iterator[Platform]:
    """MinIO with those tables alone."""
    made = Platform.from_environment()
    forgotten(made)  # what tests through Airflow left on the same services
    folder = FolderStore(published)
    for key in folder.keys("processed/"):
        made.lake.store.put(key, folder.get(key))
    yield made
    forgotten(made)


def forgotten(platform: Platform) -> None:
    """Remove all that there is of the factory: tables, forecasts, models."""
    without_model()
    for prefix in (f"forecasts/factory={FACTORY}/", "processed/meter/"):
        for key in [key for key in platform.lake.store.keys(prefix) if f"factory={FACTORY}/" in key]:
            platform.lake.store.delete(key)


def without_model() -> None:
    """Forget the factory's models: other tests start without one, too."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with contextlib.suppress(MlflowException):
        MlflowClient(settings().mlflow_uri).delete_registered_model(tracking.model_name(FACTORY))


def stored(platform: Platform) -> dict[str, str]:
    return {item.key: item.etag for item in platform.lake.store.list(f"forecasts/factory={FACTORY}/")}


def rewritten(platform: Platform, change: object) -> None:
    """Change the published values in place, as no rule of ours does."""
    for grain in ("native", "hour", "day"):
        for month in published_months(platform.lake, FACTORY):
            manifest = platform.lake.manifest("meter", FACTORY, month)
            assert manifest is not None
            key = keys.processed_key("meter", grain, FACTORY, month, manifest.fingerprint)
            table = platform.lake.read_table(key).to_pandas()
            table["used_kwh"] = change(table["timestamp"], table["used_kwh"])  # type: ignore[operator]
            platform.lake.store.put(key, to_parquet(pa.Table.from_pandas(table, preserve_index=False)))


def test_without_a_champion_a_baseline_forecasts_and_every_output_says_so(platform: Platform) -> None:
    made = forecast_factory(platform, FACTORY)
    model = made.summary.model
    assert made.summary.month == NEXT and model.name in ("weekly_naive", "profile")
    assert model.fallback is not None and model.fallback.startswith(f"factory {FACTORY} has no champion")
    latest = platform.lake.forecasts.latest(FACTORY)
    assert latest is not None and latest.prefix == made.prefix and latest.month == NEXT
    assert platform.lake.forecasts.summary(latest.prefix) == made.summary
    assert f"/model={model.name}/" in made.prefix
    for level in ("equipment", "factory"):
        for grain in ("native", "hour", "day"):
            table = platform.lake.forecasts.table(made.prefix, level, grain)
            assert json.loads(table.schema.metadata[b"fems"])["model"]["fallback"]
            assert {"used_kwh", "used_kwh_p10", "used_kwh_p50", "used_kwh_p90"} <= set(table.column_names)
            assert sum(table["used_kwh"].to_pylist()) == made.summary.kwh, "exactly, at every grain"
    page = report_page(platform, FACTORY, Choice(NEXT), "en")
    assert "Baseline forecast" in page and "기준 예측" in page and '<html lang="en">' in page
    assert all(platform.lake.forecasts.workbook(made.prefix, language) for language in ("ko", "en"))


def test_the_champion_forecasts_what_it_has_not_seen_and_nothing_is_overwritten(platform: Platform) -> None:
    fallback = forecast_factory(platform, FACTORY)
    before = stored(platform)
    train_factory(platform, FACTORY, epochs=1)
    champion = forecast_factory(platform, FACTORY, month=NEXT)
    assert champion.summary.model.version == "1" and champion.summary.model.fallback is None
    assert champion.prefix.endswith("/model=v1/") and champion.prefix != fallback.prefix
    after = stored(platform)
    assert {key: after[key] for key in before if key != keys.latest_key(FACTORY)} == {
        key: etag for key, etag in before.items() if key != keys.latest_key(FACTORY)
    }
    again = forecast_factory(platform, FACTORY)
    assert (again.summary, again.prefix) == (champion.summary, champion.prefix) and stored(platform) == after
    assert report_page(platform, FACTORY) == report_page(platform, FACTORY, Choice(NEXT))

    with pytest.raises(DataError, match="would have seen"):
        forecast_factory(platform, FACTORY, origin="2025-03-20T00:00")
    end = pd.Timestamp("2025-04-01", tz="Asia/Seoul")
    silent = end - pd.Timedelta(days=9)
    rewritten(platform, lambda t, v: v.where((t < silent) | (t >= end - pd.Timedelta(hours=2)), other=np.nan))
    poor = forecast_factory(platform, FACTORY, horizon_minutes=24 * 60)
    assert "of the last 14 days were measured" in (poor.summary.model.fallback or "")
    assert tracking.Tracking.connect(settings()).has_champion(FACTORY)


def test_a_report_made_anew_shows_the_track_record(platform: Platform) -> None:
    made = forecast_factory(platform, FACTORY)
    assert "아직 실적과" in report_page(platform, FACTORY)
    row = {
        "factory_id": FACTORY, "month": "2025-03", "origin": "2025-03-01T00:00:00+09:00", "model_version": "1",
        "sensor_id": "", "until": "2025-03-30", "hours": 705, "actual_kwh": 77_777.0, "forecast_kwh": 76_543.0,
        "bias_pct": -1.6, "accuracy": 93.3, "weekly_naive_accuracy": 84.4, "coverage_80": 0.8,
    }  # fmt: skip
    track = pa.Table.from_pandas(pd.DataFrame([row]), preserve_index=False)
    platform.lake.forecasts.write_track_record(FACTORY, track)
    assert renew_report(platform, FACTORY) == made.prefix
    page = report_page(platform, FACTORY)
    assert "77,777" in page and "84.4" in page
    assert platform.lake.forecasts.report(made.prefix) == page


def test_a_planted_future_value_moves_nothing(platform: Platform) -> None:
    origin = pd.Timestamp("2025-03-10T06:00", tz="Asia/Seoul")
    asked = {"origin": "2025-03-10T06:00", "horizon_minutes": 7 * 24 * 60}
    platform_bytes = []
    for future in (1.0, 1000.0):
        rewritten(platform, lambda t, v, by=future: v.where(t < origin, v * by))
        # The day that the origin is in is a sum of both; a forecast must not look at it either.
        made = forecast_factory(platform, FACTORY, **asked)  # type: ignore[arg-type]
        found = {k: e for k, e in stored(platform).items() if k.startswith(made.prefix) and k.endswith("t")}
        assert len(found) == 6
        platform_bytes.append(found)
        for key in stored(platform):
            platform.lake.store.delete(key)
    assert platform_bytes[0] == platform_bytes[1]


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"month": "2025-02"}, DataError, "month 2025-02 is in the past"),
        ({"month": "2025-13"}, DataError, "write YYYY-MM"),
        ({"month": "2026-01"}, TooLittleHistory, "run ingest first"),
        ({"horizon_minutes": 0}, DataError, "horizon of 0 minutes"),
        ({"horizon_minutes": 50}, DataError, "15-minute intervals"),
        ({"origin": "yesterday"}, DataError, "write a full hour"),
        ({"origin": "2025-03-10T06:30"}, DataError, "write a full hour"),
        ({"origin": "2025-03-10T06:00", "month": "2025-04"}, DataError, "is not in month"),
        ({"origin": "2025-01-10T00:00"}, TooLittleHistory, "needs 21 days"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line_and_leaves_nothing(
    platform: Platform, asked: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        forecast_factory(platform, FACTORY, **asked)
    assert "\n" not in str(caught.value) and stored(platform) == {}


def test_a_run_is_refused_at_once_where_no_factory_can_be_forecast(platform: Platform) -> None:
    without_data = "2140"
    with pytest.raises(TooLittleHistory, match=without_data):
        targets(platform, None, [without_data], NEXT)
    chosen = targets(platform, None, [without_data, FACTORY], NEXT)
    assert [target["factory"] for target in chosen] == [without_data, FACTORY], (
        "the one fails in its own task"
    )


def test_an_unknown_factory_a_report_of_none_and_a_silent_service_are_said(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="factory '9999' is not in"):
        forecast_factory(platform, "9999")
    with pytest.raises(DataError, match="has no forecast of 2025-04"):
        report_page(platform, FACTORY, Choice(NEXT))
    monkeypatch.setenv("FEMS_MLFLOW_URI", "http://127.0.0.1:9")
    settings.cache_clear()
    with pytest.raises(ServiceUnavailable):  # a baseline is no answer to that: the task tries again
        forecast_factory(Platform.from_environment(), FACTORY)
    monkeypatch.undo()
    settings.cache_clear()
    assert stored(platform) == {}


def test_what_died_half_way_is_put_right_by_the_next_run(platform: Platform) -> None:
    whole = forecast_factory(platform, FACTORY)
    done = stored(platform)
    platform.lake.store.delete(keys.summary_key(whole.prefix))
    platform.lake.store.delete(keys.report_key(whole.prefix))
    platform.lake.store.delete(keys.latest_key(FACTORY))
    with pytest.raises(DataError, match="run forecast first"):
        report_page(platform, FACTORY)
    forecast_factory(platform, FACTORY)
    parquet = [key for key in done if key.endswith(".parquet")]
    assert stored(platform).keys() == done.keys()
    assert {key: stored(platform)[key] for key in parquet} == {key: done[key] for key in parquet}
