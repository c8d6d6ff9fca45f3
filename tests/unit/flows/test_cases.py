"""Files as people have them, each with its right value: read by both readers, processed and published."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from support import ROOT

from fems.contracts.status import ProcessSummary
from fems.errors import ConfigError, UndecodableObject
from fems.flows.offline import process_folder
from fems.lake.lake import Lake
from fems.raw.fast import plain
from fems.raw.tables import read_tables
from fems.registry.mapping import FileMapping
from fems.settings import settings

CASES = Path(os.environ.get("FEMS_CASES", ROOT.parent / "shared/cases"))
MAPPINGS: dict[str, dict[str, Any]] = {
    "enedis-w": {"units": {"used_kwh": "W"}},
    "uci-household": {
        "columns": {"timestamp": ["Date", "Time"], "used_kwh": "kwh"},
        "time_format": "%d/%m/%Y %H:%M:%S",
    },
    "datadis": {
        "columns": {"timestamp": "Fecha", "used_kwh": "Consumo_kWh"},
        "interval_number": {"column": "Hora", "first": 1},
    },
    "obvius": {
        "constants": {"factory_id": "x"},
        "file_name": r"mb-(?P<sensor_id>\d+)\.csv",
        "sensors": {"001": "x-M01", "002": "x-M02"},
    },
}
"""What a case's mapping needs beside what it says already."""
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"the cases are not at {CASES} (FEMS_CASES names another place)"
)


def cases() -> list[Any]:
    folders = (
        sorted(path for path in CASES.iterdir() if (path / "expected.json").exists())
        if CASES.is_dir()
        else []
    )
    return [pytest.param(folder, id=folder.name.partition("-")[2]) for folder in folders]


@pytest.fixture(params=["compiled", "text"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "text":
        monkeypatch.setattr(plain, "reader", lambda: None)
    return request.param


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "config"
    shutil.copytree(settings().definitions_dir, folder / "definitions")
    monkeypatch.setenv("FEMS_CONFIG_DIR", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


def published(folder: Path, sensor: str) -> pd.Series:
    """The native used_kwh of a sensor by local time."""
    lake = Lake.in_folder(folder)
    months = sorted(lake.manifests("meter", "x"))
    table: pa.Table = lake.published("meter", "native", "x", months)
    rows = table.to_pandas()
    rows = rows[rows["sensor_id"] == sensor]
    return rows.set_index("timestamp")["used_kwh"]


@pytest.mark.parametrize("case", cases())
def test_the_right_value(case: Path, reader: str, config: Path, tmp_path: Path) -> None:
    name = case.name.partition("-")[2]
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    plant = yaml.safe_load((case / "factories.yaml").read_text(encoding="utf-8"))
    plant["mappings"]["m"] |= MAPPINGS.get(name, {})
    (config / "factories.yaml").write_text(yaml.safe_dump(plant, allow_unicode=True), encoding="utf-8")
    if (case / "meter.yaml").exists():
        (config / "definitions/meter.yaml").write_bytes((case / "meter.yaml").read_bytes())
    if "expect" in expected:
        with pytest.raises(ConfigError, match=r"factories\.yaml:\d+: .*no year"):
            process_folder(case / "in", "x", tmp_path / "out", "meter", lambda _: None)
        return
    summary = process_folder(case / "in", "x", tmp_path / "out", "meter", lambda _: None)
    for key, value in expected.items():
        check(key, value, tmp_path / "out", summary)


def check(key: str, value: Any, out: Path, summary: ProcessSummary) -> None:
    first = published(out, "x-M01")
    if key.endswith("_kwh") and key.startswith("x-M"):
        assert published(out, key.removesuffix("_kwh")).sum() == pytest.approx(value, rel=1e-9)
    elif key.startswith("20"):
        assert first[pd.Timestamp(key)] == value
    elif key == "rows_read":
        assert summary.rows.read == value
    elif key == "quarantine_rows_visible_when_refused":
        assert Lake.in_folder(out).quarantined("meter", "x") == [], "nothing is refused any more"
    elif key == "day_total_at_most":
        assert first.sum() <= value
    elif key == "known_kwh":
        assert first.sum() == pytest.approx(value, rel=1e-9)
    elif key == "last_day_kwh":
        assert first[first.index.date == first.index.date.max()].count() <= 12
        days = Lake.in_folder(out).published("meter", "day", "x", ["2024-03"]).to_pandas()
        assert pd.isna(days["used_kwh"].iloc[-1])
    elif key == "sum_2024-03-11T09..15":
        assert first["2024-03-11 09:00":"2024-03-11 15:00"].sum() == pytest.approx(value, abs=0.01)  # type: ignore[misc]
    elif key == "total_without_first_hour":
        assert first.iloc[1:].sum() == pytest.approx(value, abs=0.01)
    else:
        assert key == "why", f"nothing checks {key!r}"


def attacks() -> list[Any]:
    folders = sorted((CASES / "attacks").iterdir()) if CASES.is_dir() else []
    return [pytest.param(folder, id=folder.name) for folder in folders]


@pytest.mark.parametrize("attack", attacks())
def test_a_hostile_file_costs_nothing_but_itself(attack: Path, config: Path, tmp_path: Path) -> None:
    machines = {f"E{i}": {"name": "M", "kind": "line", "sensor": f"X1-M0{i}"} for i in (1, 2)}
    factory = {"name": "F", "name_ko": "F", "grain": {"meter": "15min"}, "mapping": {"meter": "m"}}
    plant = {"mappings": {"m": {}}, "factories": {"X1": {**factory, "equipment": machines}}}
    (config / "factories.yaml").write_text(yaml.safe_dump(plant), encoding="utf-8")
    day = tmp_path / "raw/meter/factory=X1/date=2025-03-03"
    day.mkdir(parents=True)
    for path in attack.iterdir():
        (day / path.name).write_bytes(path.read_bytes())
    hostile = next(path for path in sorted(attack.iterdir()) if path.name != "a.csv")
    began = time.monotonic()
    with pytest.raises(UndecodableObject):
        read_tables(hostile.read_bytes(), FileMapping())
    assert time.monotonic() - began < 15  # one or two seconds where nothing else runs
    summary = process_folder(tmp_path, "X1", tmp_path / "out", "meter", lambda _: None)
    assert summary.rows.published == 192
    [bad] = Lake.in_folder(tmp_path / "out").quarantined("meter", "X1")
    assert Path(bad.object).name != "a.csv" and bad.line == 0
    assert any(why in bad.reason for why in ("32,767 characters", "needs more than 1024 MiB"))
