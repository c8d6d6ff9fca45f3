"""What several tests need."""

import os
import pickletools
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEEL = Path(os.environ.get("FEMS_STEEL_FILE", ROOT.parent / "shared/data/steel/Steel_industry_data.csv"))
needs_steel = pytest.mark.skipif(
    not STEEL.exists(), reason=f"the real file is not at {STEEL} (FEMS_STEEL_FILE names another place)"
)


def holds_pickle(path: Path) -> bool:
    """Whether a file, or a member of it if it is an archive, is a pickle stream."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(is_pickle(archive.read(name)) for name in archive.namelist())
    return is_pickle(path.read_bytes())


def is_pickle(content: bytes) -> bool:
    try:
        return any(opcode.name == "STOP" for opcode, _, _ in pickletools.genops(content))
    except ValueError:
        return False
