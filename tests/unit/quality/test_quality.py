"""Quality evaluation: what a suite catches, what it lets through, and what is kept of it."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.damages.bench import FACTORY, Bench, severity
from benchmarks.damages.kinds import DAMAGES, Damage
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fems.cli.main import app
from fems.contracts.evaluation import Profile
from fems.contracts.forecast import ForecastQuality
from fems.contracts.manifest import CellCounts
from fems.errors import ConfigError, DataError, QualityFailed
from fems.flows.evaluate import evaluate_forecast, evaluate_training, keep, prune
from fems.forecast.tables import Forecast, build
from fems.lake import keys
from fems.model.month_ahead.band import Bands
from fems.quality import baseline, checks, score
from fems.quality.evaluate import Evaluator
from fems.quality.grid import Grid, misplaced_rows
from fems.quality.parameters import SuiteParameters
from fems.quality.table import EXAMPLES, TableView
from fems.registry.plant import load_plant
from fems.settings import ROOT, settings
from fems.views.quality import month_picture, quality_overview
from fems.views.quality_pages import month_page, overview_page

ZONE = "Asia/Seoul"
SUITES = sorted(path.stem for path in (ROOT / "expectations").glob("*.json"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    plant = load_plant(settings().factories_file)
    return Bench.of(tmp_path_factory.mktemp("quality"), plant)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(settings().expectations_dir)


def test_sound_months_meet_every_expectation(bench: Bench) -> None:
    assert bench.findings(None) == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_each_kind_of_damage_is_caught_as_severely_as_it_should_be(bench: Bench, damage: Damage) -> None:
    found = bench.findings(damage)
    assert severity(found) == damage.intended, [str(each) for each in found]


def test_suites_are_read_by_great_expectations_alone(tmp_path: Path) -> None:
    """Somebody who has none of this project's code reads the folder with GX's own API."""
    script = """
import json, pathlib, sys
import great_expectations as gx
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    suite = gx.ExpectationSuite(**json.loads(path.read_text(encoding="utf-8")))
    assert suite.name == path.stem and all(e.severity and e.notes for e in suite.expectations), path
    print(path.stem, len(suite.expectations))
assert not any(name == "fems" or name.startswith("fems.") for name in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT / "expectations")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line] == SUITES


@pytest.mark.parametrize("name", SUITES)
def test_every_expectation_says_how_severe_it_is_and_why(name: str) -> None:
    for folder in ("expectations", "expectations/fems"):
        path = ROOT / folder / f"{name}.json"
        if path.is_file():
            for each in json.loads(path.read_text(encoding="utf-8"))["expectations"]:
                assert each["severity"] in ("critical", "warning") and each["notes"], (path, each["type"])


def test_an_expectation_is_added_in_the_file_alone(tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(
        json.dumps(
            {
                "name": "tiny",
                "expectations": [
                    {
                        "type": "expect_column_values_to_be_between",
                        "kwargs": {"column": "used_kwh", "max_value": 5},
                        "severity": "warning",
                        "notes": "More than the transformer gives.",
                    }
                ],
            }
        )
    )
    table = pd.DataFrame({"used_kwh": [1.0, 7.0, 2.0]})
    found = Evaluator(tmp_path).evaluate(table, "tiny")
    assert [str(f) for f in found.record.findings] == [
        "expect_column_values_to_be_between(used_kwh): 1 at fault, such as 7.0. More than the transformer gives."
    ]
    with pytest.raises(ConfigError, match=r"there is no such suite \(there are: tiny\)"):
        Evaluator(tmp_path).evaluate(table, "other")
    (tmp_path / "tiny.json").write_text('{"name": "tiny", "expectations": [{"type": "expect_magic"}]}')
    with pytest.raises(ConfigError, match="is not a suite that Great Expectations accepts"):
        Evaluator(tmp_path).evaluate(table, "tiny")


def test_what_cannot_be_evaluated_counts_as_failed(evaluator: Evaluator) -> None:
    table = pd.DataFrame({"timestamp": ["yesterday"], "used_kwh": [1.0]})
    grid = Grid("2025-01-01T00:00+09:00", "2025-01-02T00:00+09:00", 60, ZONE)
    known = SuiteParameters(factory_id="F", sensors=("A",), grid=grid)
    found = evaluator.evaluate(table, "meter_hour", known)
    notes = [
        f.note for f in found.record.findings if f.expectation == "expect_one_row_per_sensor_and_interval"
    ]
    assert len(notes) == 1 and notes[0].startswith("could not be evaluated")
    assert found.failed("critical")


def test_an_expectation_without_its_parameter_is_left_out_and_named(evaluator: Evaluator) -> None:
    table = pd.DataFrame({"timestamp": pd.date_range("2025-01-01", periods=2, freq="h", tz=ZONE)})
    assert "expect_values_within_limits" in evaluator.evaluate(table, "meter_hour").record.left_out


def long(sensors: int, steps: int, zone: str = ZONE) -> tuple[pd.DataFrame, Grid, list[str]]:
    times = pd.date_range("2025-03-01", periods=steps, freq="h", tz=zone)
    names = [f"S{i}" for i in range(sensors)]
    table = pd.DataFrame(
        {
            "timestamp": times.append([times] * (sensors - 1)),
            "factory_id": "F",
            "sensor_id": np.repeat(names, steps),
            "used_kwh": 1.0,
        }
    )
    end = (times[-1] + pd.Timedelta("1h")).isoformat()
    return table, Grid(times[0].isoformat(), end, 60, zone), names


@given(st.integers(1, 4), st.integers(2, 30), st.data())
def test_the_fast_way_and_the_slow_way_agree_on_what_is_a_whole_table(
    sensors: int, steps: int, data: st.DataObject
) -> None:
    table, grid, names = long(sensors, steps)
    assert misplaced_rows(TableView(table), "F", names, grid).count == 0
    rows = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1, max_size=3, unique=True))
    without = table.drop(index=rows)
    assert misplaced_rows(TableView(without), "F", names, grid).count == len(rows)
    twice = pd.concat([table, table.iloc[rows]])
    found = misplaced_rows(TableView(twice), "F", names, grid)
    assert sum("stands twice" in line for line in found.messages) == min(len(rows), EXAMPLES)


def test_days_on_which_the_clocks_change_are_days() -> None:
    grid = Grid("2025-03-29T00:00+01:00", "2025-04-01T00:00+02:00", 1440, "Europe/Berlin")
    assert np.diff(grid.starts).tolist() == [86_400, 82_800]


def test_limits_are_each_sensors_own() -> None:
    table, _, _ = long(2, 3)
    table["used_kwh"] = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    limits = {"S0": {"used_kwh": (0.0, 2.5)}, "S1": {"used_kwh": (0.0, None)}}
    assert checks.outside_limits(TableView(table), limits).rows.tolist() == [2]
    table.loc[5, "used_kwh"] = np.inf
    assert checks.outside_limits(TableView(table), limits).rows.tolist() == [2, 5]


def test_machines_are_compared_with_the_main_meter() -> None:
    table, _, _ = long(3, 10)
    table.loc[table["sensor_id"] == "S2", "used_kwh"] = 2.0
    assert checks.main_meter_gaps(TableView(table), "used_kwh", "S2", ["S0", "S1"], 5).count == 0
    table.loc[0, "used_kwh"] = 0.2
    assert checks.main_meter_gaps(TableView(table), "used_kwh", "S2", ["S0", "S1"], 5).messages == (
        "2025-03-01 00:00: machines 1.2, S2 2.0",
    )


def test_submeters_that_measure_more_than_their_meter_are_seen() -> None:
    table, _, _ = long(3, 10)
    table.loc[table["sensor_id"] == "S2", "used_kwh"] = 2.5
    tree = {"S2": ["S0", "S1"]}
    assert checks.negative_remainders(TableView(table), "used_kwh", tree, 2).count == 0
    table.loc[0, "used_kwh"] = 4.0
    found = checks.negative_remainders(TableView(table), "used_kwh", tree, 2)
    assert (found.of, found.messages) == (10, ("2025-03-01 00:00: S2 2.5, behind it 5.0",))


def test_a_unit_and_a_clock_are_seen_in_comparison_and_a_usual_month_is_not() -> None:
    rng = np.random.default_rng(0)
    table, _, _ = long(1, 24 * 28)
    hour = table["timestamp"].dt.hour.to_numpy()

    def month(shift: int = 0, factor: float = 1.0) -> Profile:
        shape = 50 + 40 * np.sin(2 * np.pi * (hour - shift) / 24)
        used = factor * (shape + rng.normal(0, 5, len(table)))
        return baseline.profile(TableView(table.assign(used_kwh=used)), ZONE)

    usual = baseline.baseline([month(), month(), month()])
    assert baseline.level_changes(month(), usual, 4).count == 0
    assert baseline.clock_shifts(month(), usual, 0.15).count == 0
    assert baseline.level_changes(month(factor=0.1), usual, 4).count == 1
    assert baseline.clock_shifts(month(shift=3), usual, 0.15).messages == ("S0: +3 h",)
    assert baseline.level_changes(month(), {}, 4).count == 0
    assert baseline.clock_shifts(month(), {}, 0.15).count == 0


def test_the_score_is_the_share_as_measured() -> None:
    counts = CellCounts(cells_measured=90, cells_retyped=5, cells_replaced=3, cells_filled=1, cells_missing=1)
    assert score.score(counts) == 95.0
    assert score.score(CellCounts()) is None
    assert score.trend([99.0, None, 97.0, 98.0]) == 0.0 and score.trend([99.0]) is None


def test_the_record_tells_the_month_and_its_pages_can_be_read(bench: Bench, tmp_path: Path) -> None:
    record = bench.platform.lake.evaluations.by_month("meter", FACTORY)["2025-03"]
    assert record.published and record.critical_failed == 0 and record.score is not None
    assert set(record.days) == {date(2025, 3, day) for day in range(1, 32)}
    assert 90 < record.score <= 100 and set(record.columns) >= {"used_kwh", "current_a"}
    assert len(bench.platform.lake.evaluations.history("meter", FACTORY, "2025-03")) == 1
    assert month_picture(bench.platform, record).startswith(b"\x89PNG")
    page = month_page(bench.platform, FACTORY, "meter", "2025-03", "en", "/fems")
    assert "Published." in page and "/fems/quality/meter/2160/2025-03/hour" in page
    assert "Paint furnace" in page and "공개했습니다." in month_page(
        bench.platform, FACTORY, "meter", "2025-03"
    )
    assert "http://" not in page and "https://" not in page
    for factory_id in (None, FACTORY):
        grid = overview_page(bench.platform, "ko", "/fems", factory_id)
        assert '<table class="heat">' in grid and "2025-03?lang=ko" in grid and "조립" in grid
    rows = quality_overview(bench.platform, [FACTORY])
    assert [row.month for row in rows if row.feed == "meter"] == ["2025-03", "2025-02", "2025-01"]
    with pytest.raises(DataError, match=r"2024-01 was not evaluated \(evaluated: 2025-01 to 2025-03\)"):
        month_page(bench.platform, FACTORY, "meter", "2024-01")


def test_data_docs_ask_nothing_of_another_host(bench: Bench) -> None:
    keys_there = list(bench.platform.lake.store.keys("quality/_docs/meter/"))
    assert len(keys_there) == 3
    for key in keys_there:
        html = bench.platform.lake.store.get(key).decode()
        assert "Must have exactly these columns" in html
        assert 'src="http' not in html and '<link rel="stylesheet" href="http' not in html


def test_what_is_older_than_the_set_age_goes_and_the_last_word_stays(bench: Bench) -> None:
    lake = bench.platform.lake
    known = lake.evaluations.by_month("meter", FACTORY)["2025-01"]
    record = known.model_copy(update={"factory_id": "gone"})
    keep(lake, "meter", record, "an old run", datetime(2025, 1, 1, tzinfo=UTC))
    lake.store.put("quality/_docs/meter/factory=gone/month=2025-01/day.html", b"x")
    assert prune(lake, "meter", "gone", date(2025, 3, 1), keep_days=90) == 0
    assert prune(lake, "meter", "gone", date(2025, 6, 1), keep_days=90) == 2
    assert list(lake.store.keys("quality/_docs/meter/factory=gone/")) == []
    assert "2025-01" in lake.evaluations.by_month("meter", "gone")


def fems(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["quality", *map(str, arguments)])
    return done.exit_code, done.output


def test_a_file_is_evaluated_from_the_shell_with_no_service(bench: Bench, tmp_path: Path) -> None:
    code, text = fems("--file", _hours_file(bench, tmp_path))
    assert code == 0 and "all met" in text
    table = pd.read_parquet(_hours_file(bench, tmp_path))
    table.loc[3, "used_kwh"] = -1.0
    table.to_csv(tmp_path / "bad.csv", index=False)
    code, text = fems("--file", tmp_path / "bad.csv")
    assert code == 1 and "expect_values_within_limits" in text and "critical" in text


def _hours_file(bench: Bench, folder: Path) -> Path:
    path = folder / "hours.parquet"
    bench.platform.lake.published("meter", "hour", FACTORY, ["2025-03"]).to_pandas().to_parquet(path)
    return path


def test_a_file_that_is_no_table_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_bytes(b"nothing")
    code, text = fems("--file", tmp_path / "no.parquet")
    assert code == 1 and "cannot be read as a table" in text
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    code, text = fems("--file", tmp_path / "other.csv")
    assert code == 1 and "has no column timestamp" in text


def test_the_history_and_a_month_are_shown_from_a_folder(bench: Bench, tmp_path: Path) -> None:
    folder = bench.platform.lake.store.root
    code, text = fems("--from", folder, FACTORY)
    assert code == 0 and "2025-02" in text and "yes" in text
    code, text = fems("--from", folder, FACTORY, "--month", "2025-03")
    assert code == 0 and "2025-03-31" in text and "Every expectation was met." in text
    for name, begin in (("page.html", b"<!doctype html>"), ("picture.png", b"\x89PNG")):
        code, _ = fems("--from", folder, FACTORY, "--month", "2025-03", "--out", tmp_path / name)
        assert code == 0 and (tmp_path / name).read_bytes().startswith(begin)
    code, text = fems("--from", folder, "--month", "2025-03")
    assert code == 0 and f"{FACTORY}, meter, 2025-03" in text, "none named means all that have it"
    code, text = fems("--from", folder, "--month", "2025-03", "--out", tmp_path / "all.html")
    assert code == 1 and "name one factory" in text
    code, text = fems("--from", folder, FACTORY, "--month", "2025-03", "--json")
    assert code == 0 and json.loads(text)[FACTORY]["published"]


def test_the_keys_keep_records_out_of_readers_way() -> None:
    assert keys.quality_key("meter", "F", "2025-03") == "quality/meter/factory=F/month=2025-03.json"


def training_hours(bench: Bench) -> pd.DataFrame:
    months = ["2025-01", "2025-02", "2025-03"]
    return bench.platform.lake.published("meter", "hour", FACTORY, months).to_pandas()


def test_a_training_set_is_evaluated_before_it_is_learnt_from(bench: Bench, evaluator: Evaluator) -> None:
    source, hours = bench.platform.source(FACTORY, "meter"), training_hours(bench)
    assert evaluate_training(evaluator, source, hours).record.findings == ()
    gone = hours.assign(used_kwh=hours["used_kwh"].where(hours.index % 3 == 0))
    with pytest.raises(QualityFailed, match=r"not trained on.*expect_values_to_be_present\(used_kwh\)"):
        evaluate_training(evaluator, source, gone).require("training set", refused="not trained on")
    without_february = hours[hours["timestamp"].dt.month != 2]
    found = evaluate_training(evaluator, source, without_february)
    assert [f.severity for f in found.record.findings] == ["warning"]


def made_forecast(hours: int = 30) -> tuple[Forecast, pd.Timestamp]:
    origin = pd.Timestamp("2025-04-01 05:00", tz=ZONE)
    names = [f"{FACTORY}-M{i:02d}" for i in range(1, 6)]
    index = pd.date_range(origin, periods=hours, freq="h")
    rng = np.random.default_rng(1)
    kwh = pd.DataFrame(rng.uniform(5, 20, (hours, 5)), index, names)

    def band(values: pd.Series) -> pd.DataFrame:
        return pd.DataFrame({"p10_kwh": 0.8 * values, "p50_kwh": values, "p90_kwh": 1.2 * values})

    days = kwh.groupby(index.normalize()).sum()
    bands = Bands(
        hour={"": band(kwh.sum(axis=1)), **{name: band(kwh[name]) for name in names}},
        day={"": band(days.sum(axis=1)), **{name: band(days[name]) for name in names}},
        level={},
        floor={},
        shared={},
    )
    shares = np.full((5, 24, 4), 0.25)
    return build(kwh, bands, shares, FACTORY, 15, 60 * hours), origin


def test_a_forecast_is_evaluated_before_it_is_published(bench: Bench, evaluator: Evaluator) -> None:
    source = bench.platform.source(FACTORY, "meter")
    forecast, origin = made_forecast()

    def evaluated(recent: float = 60.0) -> ForecastQuality:
        return evaluate_forecast(evaluator, source, forecast, origin, 1800, np.full(672, recent))

    assert evaluated() == ForecastQuality(critical_failed=0, warning_failed=0, findings=())
    assert evaluated(recent=1000.0).warning_failed == 3
    good = forecast.equipment["hour"].copy()
    for column, row, value, expectation in (
        ("used_kwh", 3, 19.9, "expect_equipment_to_add_up_to_factory"),
        ("used_kwh", 3, np.nan, "expect_values_to_be_present"),
        ("used_kwh_p90", 3, 0.0, "expect_quantiles_in_order"),
        ("timestamp", 3, good["timestamp"].iloc[4], "expect_one_row_per_sensor_and_interval"),
    ):
        forecast.equipment["hour"] = good.copy()
        forecast.equipment["hour"].loc[row, column] = value
        with pytest.raises(QualityFailed, match=f"not published.*{expectation}"):
            evaluated()
    # A machine that feeds nothing in is not forecast below zero, though all sums agree.
    forecast.equipment["hour"] = good.copy()
    less = good.loc[3, "used_kwh"] + 0.1
    forecast.equipment["hour"].loc[3, "used_kwh"] -= less
    total = forecast.factory["hour"]
    total.loc[total["timestamp"] == good.loc[3, "timestamp"], "used_kwh"] -= less
    with pytest.raises(QualityFailed, match=r"not published.*expect_values_within_limits"):
        evaluated()
