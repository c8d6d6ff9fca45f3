"""Files as people have them, each with its right value: read by both readers, processed and published."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from support import ROOT

from fems.errors import ConfigError
from fems.flows.offline import process_folder
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.raw.fast import plain
from fems.settings import settings
from fems.views.status import quarantined

CASES = Path(os.environ.get("FEMS_CASES", ROOT.parent / "shared/cases"))
NAMES = [
    "01-enedis-w",
    "02-pjm-hourly",
    "06-uci-household",
    "08-datadis",
    "10-netz-noe",
    "13-obvius",
    "14-row-a-day",
    "15-xlsx-sheets",
    "17-xlsx-decimal-comma",
    "18-double-header",
    "21-meter-exchange",
    "22-net-export",
    "24-half-day",
    "27-no-year",
    "29-register-gap-over-2h",
    "33-coarse-pulses",
]
MAPPINGS: dict[str, dict[str, Any]] = {
    "01-enedis-w": {"units": {"used_kwh": "W"}},
    "06-uci-household": {
        "columns": {"timestamp": ["Date", "Time"], "used_kwh": "kwh"},
        "time_format": "%d/%m/%Y %H:%M:%S",
    },
    "08-datadis": {
        "columns": {"timestamp": "Fecha", "used_kwh": "Consumo_kWh"},
        "interval_number": {"column": "Hora", "first": 1},
    },
    "13-obvius": {
        "constants": {"factory_id": "x"},
        "file_name": r"mb-(?P<sensor_id>\d+)\.csv",
        "sensors": {"001": "x-M01", "002": "x-M02"},
    },
}
"""What a case's mapping needs beside what it says already."""
PROCESSING = {
    "21-meter-exchange": "what a register that was exchanged used meanwhile is not known",
    "22-net-export": "limits: null",
    "24-half-day": "nothing is made beyond the last reading",
    "29-register-gap-over-2h": "shares of a register's sum are not stuck",
    "33-coarse-pulses": "a steady load of a coarse pulse meter is not stuck",
}
"""What waits for processing, and not for reading."""

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"the cases are not at {CASES} (FEMS_CASES names another place)"
)


def cases() -> list[Any]:
    marks = {
        name: pytest.mark.xfail(strict=True, reason=f"processing: {why}") for name, why in PROCESSING.items()
    }
    return [pytest.param(name, id=name, marks=marks.get(name, ())) for name in NAMES]


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
    lake = Lake(FolderStore(folder))
    months = sorted(lake.manifests("meter", "x"))
    table: pa.Table = lake.published("meter", "native", "x", months)
    rows = table.to_pandas()
    rows = rows[rows["sensor_id"] == sensor]
    return rows.set_index("timestamp")["used_kwh"]


@pytest.mark.parametrize("name", cases())
def test_the_right_value(name: str, reader: str, config: Path, tmp_path: Path) -> None:
    case = CASES / name
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


def check(key: str, value: Any, out: Path, summary: dict[str, Any]) -> None:
    first = published(out, "x-M01")
    if key.endswith("_kwh") and key.startswith("x-M"):
        assert published(out, key.removesuffix("_kwh")).sum() == pytest.approx(value, rel=1e-9)
    elif key.startswith("20"):
        assert first[pd.Timestamp(key)] == value
    elif key == "rows_read":
        assert summary["rows"]["read"] == value
    elif key == "quarantine_rows_visible_when_refused":
        platform = Platform.from_environment(Lake(FolderStore(out)))
        assert quarantined(platform, "x", "meter") == [], "nothing is refused any more"
    elif key == "day_total_at_most":
        assert first.sum() <= value
    elif key == "known_kwh":
        assert first.sum() == pytest.approx(value, rel=1e-9)
    elif key == "last_day_kwh":
        assert first[first.index.date == first.index.date.max()].count() <= 12
        days = Lake(FolderStore(out)).published("meter", "day", "x", ["2024-03"]).to_pandas()
        assert pd.isna(days["used_kwh"].iloc[-1])
    elif key == "sum_2024-03-11T09..15":
        assert first["2024-03-11 09:00":"2024-03-11 15:00"].sum() == pytest.approx(value, abs=0.01)  # type: ignore[misc]
    elif key == "total_without_first_hour":
        assert first.iloc[1:].sum() == pytest.approx(value, abs=0.01)
    else:
        assert key == "why", f"nothing checks {key!r}"
