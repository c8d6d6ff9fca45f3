"""Arrays from an .npz file that may be broken, or made by somebody else. No pickle is read."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fems.errors import DataError

_MOST_BYTES = 64 * 1024 * 1024
"""Unfolded; a gate or a few hundred trees have less than one."""


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of some names.

    Raises:
        DataError: one is missing, or the file is no such file or too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
        if unfolded > _MOST_BYTES:
            raise DataError(f"{path.name}: unfolds to more than {_MOST_BYTES:,} bytes")
        with np.load(path, allow_pickle=False) as flat:
            return {name: np.asarray(flat[name]) for name in names}
    except DataError:
        raise
    except Exception as error:  # numpy, zipfile and the tokenizer of its headers raise a dozen types
        raise DataError(
            f"{path.name}: no arrays that can be read: {type(error).__name__}: {error}"
        ) from error
