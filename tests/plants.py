"""Plants of many factories for the tests of the pages: each with a forecast and evaluated months, in a folder."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import builders
import pyarrow as pa

from fems.contracts.evaluation import EvaluationRecord, Finding, PastEvaluation, Scored, TableEvaluation
from fems.contracts.forecast import ForecastSummary
from fems.contracts.track_record import MeasuredForecast
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.report.page import render
from fems.report.workbook import workbook
from fems.settings import settings

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def evaluation(factory_id: str, published: bool = True, last: date = date(2026, 2, 28)) -> EvaluationRecord:
    share = Scored(score=98.0, coverage_pct=99.0, retyped_pct=0.0, replaced_pct=1.0, filled_pct=0.5)
    return EvaluationRecord(
        factory_id=factory_id, feed="meter", month=f"{last:%Y-%m}", fingerprint="f", published=published,
        critical_failed=int(not published), warning_failed=0, tables={}, profile={}, score=98.0,
        days={last: share}, columns={}, sensors={},
    )  # fmt: skip


def platform_of(folder: Path, factories: int, change: dict[int, dict[str, object]] | None = None) -> Platform:
    """A plant of so many factories, each with a forecast of March 2026; `change`: of a factory's summary."""
    lake, base = Lake.in_folder(folder), builders.summary_of(builders.expected())
    one = builders.PLANT.factory("F")
    ids = [f"{1000 + i}" for i in range(factories)]
    plant = builders.PLANT.model_copy(
        update={
            "factories": {
                factory_id: one.model_copy(
                    update={"name": f"Works {factory_id}", "name_ko": f"공장 {factory_id}"}
                )
                for factory_id in ids
            }
        }
    )
    for i, factory_id in enumerate(ids):
        summary: ForecastSummary = base.model_copy(
            update={"factory_id": factory_id, "kwh": base.kwh * (1 + i / 100)} | (change or {}).get(i, {})
        )
        at = keys.forecast_folder(factory_id, summary.month, summary.origin, summary.horizon_minutes, "v3")
        lake.forecasts.write_summary(at, summary)
        lake.forecasts.point_to(at, summary)
        record = evaluation(factory_id)
        past = PastEvaluation(
            **record.model_dump(exclude={"profile", "format"}), evaluated_at=NOW, run="test"
        )
        lake.evaluations.write(record, past, "meter")
    return Platform(lake, plant, settings())


def add_months(platform: Platform, months: int) -> None:
    """Give every factory so many evaluated months, up to February 2026; some with warnings, one refused."""
    for i, factory_id in enumerate(platform.plant.factories):
        for back in range(months):
            number = 2026 * 12 + 1 - back
            first = date(number // 12, number % 12 + 1, 1)
            days = [first + timedelta(days=day) for day in range(28)]
            score = 100 - (i * 7 + back * 3) % 11 - (back == 2) * 4
            warned, refused = (i + back) % 9 == 0, i == 1 and back == 1
            record = evaluation(factory_id, not refused, days[-1]).model_copy(
                update={
                    "score": float(score),
                    "warning_failed": int(warned),
                    "days": {day: _scored(score - day.day % 5) for day in days},
                    "columns": {name: _scored(score - j) for j, name in enumerate(("used_kwh", "current_a"))},
                    "sensors": {
                        sensor: _scored(score - j)
                        for j, sensor in enumerate(
                            e.sensor for e in builders.PLANT.factory("F").equipment.values()
                        )
                    },
                    "tables": _tables(warned, refused),
                }
            )
            past = PastEvaluation(
                **record.model_dump(exclude={"profile", "format"}), evaluated_at=NOW, run="test"
            )
            platform.lake.evaluations.write(record, past, "meter")


def _scored(score: float) -> Scored:
    return Scored(score=score, coverage_pct=99.0, retyped_pct=0.0, replaced_pct=1.0, filled_pct=0.5)


def _tables(warned: bool, refused: bool) -> dict[str, TableEvaluation]:
    findings = []
    if refused:
        findings.append(
            Finding(
                expectation="expect_values_to_be_present",
                severity="critical",
                column="used_kwh",
                unexpected=21_000,
                examples=("1001-M01 2026-01-03 00:00", "1001-M01 2026-01-03 00:15"),
                note="Nearly nothing measured.",
            )
        )
    if warned:
        findings.append(
            Finding(
                expectation="expect_sensors_to_be_measured",
                severity="warning",
                column=None,
                unexpected=1,
                examples=("1000-M02: 31.0 %",),
                note="Look at the meter.",
            )
        )
    table = TableEvaluation(
        suite="meter_hour", version="a1b2c3", rows=3_600, evaluated=12, left_out=(), findings=tuple(findings),
        critical_failed=int(refused), warning_failed=int(warned),
    )  # fmt: skip
    return {"hour": table}


def add_reports(platform: Platform) -> None:
    """Give every factory's forecast its report and workbooks, an earlier forecast beside it, and a track record."""
    content = builders.content_of(builders.expected(), builders.TRACK)
    page = render(content)
    books = {language: workbook(content, language) for language in ("ko", "en")}
    for factory_id in platform.plant.factories:
        forecasts = platform.lake.forecasts
        newest = forecasts.latest(factory_id)
        assert newest is not None
        summary = forecasts.summary(newest.prefix)
        assert summary is not None
        earlier = summary.model_copy(update={"origin": summary.origin - timedelta(days=7)})
        folder = keys.forecast_folder(
            factory_id, summary.month, earlier.origin, earlier.horizon_minutes, "v2"
        )
        forecasts.write_summary(folder, earlier)
        for each in (newest.prefix, folder):
            forecasts.write_report(each, page, books)
        forecasts.write_measured(
            MeasuredForecast(
                factory_id=factory_id,
                month="2026-02",
                origin=datetime(2026, 2, 1, tzinfo=UTC),
                model_version="2",
                hours=672,
                actual_kwh=44_000.0,
                forecast_kwh=43_000.0,
                bias_pct=-2.3,
                accuracy=91.4,
                weekly_naive_accuracy=92.0 if factory_id == "1003" else 85.2,
                coverage_80=0.79,
            )
        )
        forecasts.write_track_record(factory_id, pa.Table.from_pandas(builders.TRACK, preserve_index=False))
