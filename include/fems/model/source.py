"""The files that are a model's code: what a training is fingerprinted by, and what is served with a model."""

from functools import lru_cache
from pathlib import Path

import fems
from fems import canonical

MODEL_CODE = (
    "__init__.py",
    "calendar.py",
    "canonical.py",
    "contracts/__init__.py",
    "contracts/horizon.py",
    "contracts/model_manifest.py",
    "errors.py",
    "model",
    "model/month_ahead/shipped_gate.json",
)
"""Files, and folders with all that is below them, relative to the package. The one list."""


def source_files(package: Path | None = None) -> dict[str, Path]:
    """Return the model's source files: path within the package -> file.

    Args:
        package: the package's folder; this one's if not given.
    """
    root = package or Path(fems.__file__).parent
    files: dict[str, Path] = {}
    for name in MODEL_CODE:
        path = root / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            files[file.relative_to(root).as_posix()] = file
    return files


def fingerprint(package: Path | None = None) -> str:
    """Return 16 hexadecimal digits that change with any of the source files."""
    sources = {name: file.read_text(encoding="utf-8") for name, file in source_files(package).items()}
    return canonical.fingerprint(sources)


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return the package's version and the fingerprint of the code that models are made by."""
    return f"{fems.__version__}+{fingerprint()}"
