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

ROOT = Path(__file__).resolve().parents[2]
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
        case, config = CASES / name, tmp_path / "config"
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
