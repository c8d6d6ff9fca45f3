"""What several tests need."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEEL = Path(os.environ.get("FEMS_STEEL_FILE", ROOT.parent / "shared/data/steel/Steel_industry_data.csv"))
needs_steel = pytest.mark.skipif(
    not STEEL.exists(), reason=f"the real file is not at {STEEL} (FEMS_STEEL_FILE names another place)"
)
