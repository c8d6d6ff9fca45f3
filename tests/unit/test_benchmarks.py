"""The benchmarks' own arithmetic: the peers' job on a small file, the check that sides agree, the score of a case."""

import dataclasses
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks import agreement, data, flame, pandas_peer
from benchmarks.job import VALUES, Job
from benchmarks.registry import FACTORY, bench_plant
from benchmarks.truth import case, fill, kinds, sound
from benchmarks.truth.case import FILLED, MISSING, REPLACED, RETYPED, Case
from benchmarks.versions import Failed, Version

from embedded.config import Config
from fems.errors import DataError
from fems.settings import ROOT
from fems.simulate import collector

DAY = date(2025, 3, 4)
STARTS = pd.date_range(DAY, periods=1440, freq="min", tz="Asia/Seoul")


def written(folder: Path) -> list[Path]:
    """A day of one sensor with text for a number, a hole of ten minutes, a bad time and a repeated row."""
    rows = [
        f"{start:%Y-%m-%d %H:%M:%S},bench,bench-M01,{1 + i % 7 / 10},90.0,{100 + i % 7}.0,1.{i % 7},0.{i % 7}"
        for i, start in enumerate(STARTS)
    ]
    rows[3] = rows[3].replace(",90.0,", ",ERR,")
    rows[5] = rows[5].replace(f"{STARTS[5]:%Y-%m-%d %H:%M:%S}", "????")
    lines = [*rows[:100], *rows[110:], rows[7]]
    file = folder / "day.csv"
    file.write_text("\n".join(["timestamp,factory_id,sensor_id," + ",".join(VALUES), *lines]) + "\n")
    return [file]


def job(folder: Path, out: Path) -> Job:
    out.mkdir()
    return Job(written(folder), out, {"bench-M01": 420.0}, "Asia/Seoul", DAY, date(2025, 3, 5))


def tables(out: Path) -> dict[str, pd.DataFrame]:
    return {grain: pd.read_parquet(out / f"{grain}.parquet") for grain in ("native", "hour", "day")}


def test_the_pandas_peer_does_the_job(tmp_path: Path) -> None:
    pandas_peer.run(job(tmp_path, tmp_path / "out"))
    made = tables(tmp_path / "out")
    native = made["native"]
    assert [len(table) for table in made.values()] == [1440, 24, 1]
    assert native[VALUES].notna().all(axis=None), "short gaps are filled"
    assert native["power_factor_pct"][3] == 90.0
    np.testing.assert_allclose(made["day"]["used_kwh"], native["used_kwh"].sum(), rtol=1e-12)


def test_the_polars_peer_makes_the_same(tmp_path: Path) -> None:
    polars_peer = pytest.importorskip(
        "benchmarks.polars_peer", reason="polars is there for `make bench` only"
    )
    pandas_peer.run(job(tmp_path, tmp_path / "pandas"))
    polars_peer.run(job(tmp_path, tmp_path / "polars"))
    for ours, theirs in zip(
        tables(tmp_path / "pandas").values(), tables(tmp_path / "polars").values(), strict=True
    ):
        np.testing.assert_allclose(theirs[VALUES], ours[VALUES], rtol=1e-12)


def test_a_peer_that_made_something_else_is_refused(tmp_path: Path) -> None:
    pandas_peer.run(job(tmp_path, tmp_path / "peer"))
    for grain, table in tables(tmp_path / "peer").items():
        folder = tmp_path / f"ours/processed/meter/grain={grain}/factory=bench/month=2025-03"
        folder.mkdir(parents=True)
        table.assign(flag="measured").to_parquet(folder / "part.parquet")
    faults = tmp_path / "truth/faults/meter/factory=bench"
    faults.mkdir(parents=True)
    none = pd.DataFrame({"sensor_id": ["bench-M02"], "timestamp": [STARTS[3].tz_convert("UTC")]})
    none.to_parquet(faults / "month=2025-03.parquet")
    agreement.require(tmp_path / "ours", tmp_path / "peer", tmp_path, "pandas")
    hour = pd.read_parquet(tmp_path / "peer/hour.parquet")
    hour.assign(used_kwh=hour["used_kwh"] * (1 + 1e-9)).to_parquet(tmp_path / "peer/hour.parquet")
    with pytest.raises(DataError, match=r"hour: .* rows differ, first bench-M01"):
        agreement.require(tmp_path / "ours", tmp_path / "peer", tmp_path, "pandas")


def made_case(faults: list[tuple[str, int, int, str | None]]) -> Case:
    """One meter whose values rise by 0.01 a minute, published as they are; faults are kind, step, column, written."""
    sheet = collector.sheet_of(bench_plant(), FACTORY, "meter")
    truth = np.round(1 + np.arange(100.0)[None, :, None] / 100 + np.zeros(5), 2)
    table = pd.DataFrame(faults, columns=["kind", "step", "column", "written"]).assign(
        sensor=0, key="day.csv"
    )
    index = pd.MultiIndex.from_arrays([[], [], []], names=["sensor_id", "timestamp", "column"])
    return Case(
        FACTORY,
        sheet,
        ["bench-M01"],
        STARTS[:100].tz_convert("UTC"),
        truth,
        truth.copy(),
        truth.copy(),
        np.zeros(truth.shape, np.uint8),
        table,
        {},
        0,
        np.zeros(truth.shape[:2], bool),
        np.zeros(truth.shape[:2], bool),
        {},
        pd.Series([], index=index, dtype=object),
    )


def test_faults_are_found_where_the_flags_say_so() -> None:
    stuck = ",".join(["1.1"] * 5)
    laid = made_case(
        [
            ("wrong_type", 3, 0, "1.03 kWh"),
            ("wrong_type", 4, 0, "ERR"),
            ("spike", 5, 2, "300.0"),
            ("spike", 6, 2, "1.06"),
            ("missing_row", 7, -1, None),
            ("stuck", 20, -1, stuck),
            ("stuck", 10, -1, stuck),
        ]
    )
    laid.flags[0, 3, 0] = RETYPED
    laid.flags[0, 5, 2] = REPLACED
    laid.flags[0, 7] = FILLED
    laid.flags[0, 20, :4] = REPLACED
    found = kinds.found(laid)
    counts = found.groupby("kind")["found"].agg(["size", "sum"]).apply(tuple, axis=1).to_dict()
    assert counts == {
        "wrong_type": (2, 1),
        "spike": (1, 1),  # the other one is the truth itself
        "missing_row": (1, 1),
        "stuck": (5, 4),  # at step 10 the value stands where it should
    }


def test_a_sound_value_must_come_out_as_it_went_in() -> None:
    laid = made_case([("spike", 5, 2, "300.0")])
    laid.published[0, 40, 1] += 0.02
    laid.flags[0, 50, 3] = REPLACED
    laid.published[0, 60, 4], laid.flags[0, 60, 4] = np.nan, MISSING
    judged = sound.judged(laid)
    assert judged.count == 499
    assert judged.wrong["column"].tolist() == ["power_factor_pct", "active_kwh", "reactive_kvarh"]


def test_what_a_sensor_reads_that_stands_still_is_a_fault_and_no_sound_value() -> None:
    line = "2025-03-04 00:00:00,1100,bench-M01,1,2,3,4,5"
    laid = made_case([("repeated_row", 22, -1, line)])
    laid.standing[0, 20:30] = True
    laid.flags[0, 20:29], laid.published[0, 20:29] = MISSING, np.nan
    laid = dataclasses.replace(
        laid,
        duplicates={DAY: 1},
        faults=laid.faults.assign(key=f"raw/meter/factory=bench/date={DAY}/day.csv"),
    )
    found = kinds.found(laid).groupby("kind")["found"].agg(["size", "sum"]).apply(tuple, axis=1).to_dict()
    assert found == {"repeated_row": (1, 1), "sensor_stuck": (10, 9)}
    judged = sound.judged(laid)
    assert (judged.count, len(judged.wrong), judged.refused) == (450, 0, 0)


def test_what_is_stuck_for_no_longer_than_the_rule_asks_for_counts_by_itself() -> None:
    held = ",".join(["1.1"] * 5)
    laid = made_case([("stuck", step, -1, held) for step in (20, 21, 22, 40, 41, 42, 43)])
    laid = dataclasses.replace(laid, stuck_minutes=3)
    laid.flags[0, 40:44] = REPLACED
    found = kinds.found(laid).groupby("kind")["found"].agg(["size", "sum"]).apply(tuple, axis=1).to_dict()
    assert found == {"short_stuck": (15, 0), "stuck": (20, 20)}


def test_a_value_that_is_the_stuck_one_by_chance_is_no_sound_value() -> None:
    laid = made_case([("stuck", step, -1, "1.3,1.3,1.3,1.3,1.3") for step in (31, 32)])
    laid.readings[0, 28:34, 1] = laid.readings[0, 30, 1]
    touched = np.flatnonzero(laid.touched[0, :, 1]).tolist(), np.flatnonzero(laid.touched[0, :, 0]).tolist()
    assert touched == ([28, 29, 30, 31, 32, 33], [30, 31, 32])


def test_a_row_that_is_refused_with_its_reason_is_not_changed() -> None:
    laid = made_case([])
    laid.doubtful[0, 40:50] = True
    laid.flags[0, 40:45], laid.published[0, 40:45] = FILLED, 9.9
    laid.published[0, 47, 2] += 1  # measured, and wrong all the same
    judged = sound.judged(laid)
    assert judged.refused == 25
    assert judged.wrong[["timestamp", "column"]].values.tolist() == [
        [STARTS[47].tz_localize(None), "current_a"]
    ]


def test_the_error_of_a_fill_stands_beside_a_straight_line() -> None:
    laid = made_case([])
    laid.flags[0, 10:13, 0] = FILLED
    laid.published[0, 10:13, 0] += 0.5
    errors = fill.errors(laid)
    mean = laid.truth[0, :, 0].mean()
    np.testing.assert_allclose(errors["ours"], 0.5 / mean)
    np.testing.assert_allclose(errors["line"], 0, atol=1e-12)
    assert set(errors["gap"]) == {"short"}


def test_the_case_of_a_simulated_month_is_laid_beside_its_truth(tmp_path: Path) -> None:
    from fems.registry.book import load_book
    from fems.settings import settings

    plant = bench_plant()
    small = plant.with_grains({FACTORY: "1h"})
    folder = data.simulated(
        tmp_path, "test", small, factories=[FACTORY], start=DAY.replace(day=1), months=2, seed=1
    )
    assert folder == data.simulated(
        tmp_path, "test", small, factories=[FACTORY], start=DAY.replace(day=1), months=2, seed=1
    )
    laid = case.load(folder, small, load_book(settings().definitions_dir, "meter"), FACTORY, 1)
    assert laid.truth.shape == laid.published.shape == (8, 61 * 24, 5)
    assert kinds.found(laid)["found"].mean() > 0.9
    part = data.first_months(folder, 1, tmp_path / "part")
    assert len(list(part.glob("raw/*/*/date=2025-03-*"))) == 31
    assert not list(part.glob("raw/*/*/date=2025-04-*"))


def test_a_version_runs_with_its_own_code_and_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEMS_S3_BUCKET", "of somebody else")
    config = Config.of(tmp_path, airflow_port=1, mlflow_port=2, minio_port=3)
    version = Version.of("ours", ROOT, config)
    seen = version.run("python", "import os, fems; print(os.environ.get('FEMS_S3_BUCKET'), fems.__file__)")
    assert seen.split() == ["None", str(ROOT / "include" / "fems" / "__init__.py")]
    with pytest.raises(Failed, match=r"ours: python .*no such factory"):
        version.run("python", "raise SystemExit('no such factory')")


def test_a_flame_graph_shows_our_functions_and_the_libraries_below_them(tmp_path: Path) -> None:
    seen = flame.tree(
        "\n".join(
            [
                "run (threading.py:982);work (concurrent/futures/thread.py:58);Store.get (fems/lake/store.py:3);"
                "get_object (minio/api.py:9);urlopen (urllib3/poolmanager.py:1) 60",
                "run (threading.py:982);_worker (concurrent/futures/thread.py:81) 500",
                "<module> (fems/cli/main.py:62);ingest (fems/cli/data.py:9);__init__ (fems/quality/evaluate.py:7);"
                "_find_and_load (<frozen importlib._bootstrap>:1176);<module> (fems/quality/gx.py:1);"
                "<module> (great_expectations/__init__.py:11);<module> (scipy/stats.py:1) 30",
                "<module> (fems/cli/main.py:62);ingest (fems/cli/data.py:9) 10",
            ]
        )
    )
    ingest = seen.calls["ingest (cli/data.py)"]
    assert seen.samples == 100 and ingest.samples == 40
    assert list(seen.calls["Store.get (lake/store.py)"].calls) == ["object store"]
    assert list(ingest.calls["__init__ (quality/evaluate.py)"].calls) == ["import great_expectations"]
    flame.draw(seen, "what a test saw", tmp_path / "flame.png")
    assert (tmp_path / "flame.png").read_bytes().startswith(b"\x89PNG")
