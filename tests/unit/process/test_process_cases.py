"""Files as plants have them, with the right value worked out by hand: what processing must make of them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fems.flows.offline import process_folder
from fems.settings import settings

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(os.environ.get("FEMS_CASES_DIR", ROOT.parent / "shared/cases"))
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"no sample files at {CASES} (FEMS_CASES_DIR names another place)"
)


class Outcome:
    """What became of a case."""

    def __init__(self, out: Path, expected: dict[str, Any], lines: list[str]) -> None:
        self.out, self.expected, self.lines = out, expected, lines

    def table(self, grain: str) -> pd.DataFrame:
        parts = sorted((self.out / f"processed/meter/grain={grain}").rglob("*.parquet"))
        return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Outcome]:
    def of(name: str) -> Outcome:
        [case] = CASES.glob(f"*-{name}")
        config = tmp_path / "config"
        shutil.copytree(settings().definitions_dir, config / "definitions")
        shutil.copy(case / "factories.yaml", config)
        if (case / "meter.yaml").exists():
            shutil.copy(case / "meter.yaml", config / "definitions")
        monkeypatch.setenv("FEMS_CONFIG_DIR", str(config))
        settings.cache_clear()
        lines: list[str] = []
        try:
            process_folder(case / "in", "x", tmp_path / "out", "meter", lines.append)
        finally:
            monkeypatch.undo()
            settings.cache_clear()
        return Outcome(tmp_path / "out", json.loads((case / "expected.json").read_text("utf-8")), lines)

    return of


@needs_cases
def test_a_meter_exchanged_during_an_outage_adds_nothing_that_nobody_knows(run) -> None:
    found = run("meter-exchange")
    native = found.table("native")
    assert native["used_kwh"].sum() == pytest.approx(found.expected["known_kwh"])
    unknown = native["used_kwh"].isna()
    assert native.loc[unknown, "timestamp"].dt.hour.tolist() == [0, 10, 11, 12]
    assert found.table("day")["used_kwh"].sum() <= found.expected["day_total_at_most"]


@needs_cases
def test_a_net_meter_may_feed_back(run) -> None:
    found = run("net-export")
    native = found.table("native")
    assert native["used_kwh"].sum() == pytest.approx(found.expected["x-M01_kwh"])
    assert (native["flag"] == "measured").all()


@needs_cases
def test_an_afternoon_that_has_not_happened_is_not_made(run) -> None:
    found = run("half-day")
    native, days = found.table("native"), found.table("day")
    assert native["used_kwh"].sum() == pytest.approx(found.expected["x-M01_kwh"])
    assert set(native["flag"].iloc[-12:]) == {"missing"}
    assert days["used_kwh"].isna().tolist() == [False] * 8 + [True]
    assert days["coverage_pct"].iloc[-1] == 50


@needs_cases
def test_a_registers_known_sum_over_a_gap_is_kept(run) -> None:
    found = run("register-gap-over-2h")
    native = found.table("native")
    assert native["used_kwh"].sum() == pytest.approx(found.expected["total_without_first_hour"])
    day = native["timestamp"].dt.strftime("%m-%d") == "03-11"
    gap = native[day & native["timestamp"].dt.hour.between(9, 15)]
    assert gap["used_kwh"].sum() == pytest.approx(found.expected["sum_2024-03-11T09..15"])
    assert set(gap["flag"]) <= {"filled", "replaced"}


@needs_cases
def test_a_steady_night_load_of_a_coarse_pulse_meter_is_measured(run) -> None:
    found = run("coarse-pulses")
    native = found.table("native")
    assert native["used_kwh"].sum() == found.expected["x-M01_kwh"]
    assert (native["flag"] == "measured").all()
