"""A small plant: one factory of two machines by the hour, so that a stage takes seconds and a fault meets its work."""

import shutil
from pathlib import Path

import yaml

from fems.settings import settings

FACTORY = "2160"
_MACHINES = ("E01", "E02")


def write(folder: Path) -> None:
    """Write the registry of the small plant beside the definition book; a folder for FEMS_CONFIG_DIR."""
    known = settings()
    shutil.copytree(known.definitions_dir, folder / "definitions")
    plant = yaml.safe_load(known.factories_file.read_text(encoding="utf-8"))
    factory = plant["factories"][FACTORY]
    factory |= {
        "grain": {"meter": "1h"},
        "mapping": {"meter": "fems_csv"},
        "equipment": {name: factory["equipment"][name] for name in _MACHINES},
    }
    kept = {key: value for key, value in factory.items() if key not in ("steam_traps", "steam", "sensors")}
    plant["factories"] = {FACTORY: kept}
    (folder / "factories.yaml").write_text(yaml.safe_dump(plant, allow_unicode=True), encoding="utf-8")
