"""The manifest of a model's bundle: which files it has, how long they are, and their SHA-256.

One lies in the bundle itself, so that a file that was cut off or changed is noticed before it is parsed. The same
lies in the lake, where nobody who can write to the model registry can change it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fems.errors import DataError

FORMAT = 1
NAME = "manifest.json"
MOST_BYTES = 256 * 1024 * 1024
"""A bundle has a few MB; what is larger is none, and is not read."""


@dataclass(frozen=True)
class FileDigest:
    """A file as it was written."""

    size: int
    sha256: str


@dataclass(frozen=True)
class ModelManifest:
    """What a bundle holds.

    Attributes:
        files: path within the bundle -> its digest.
        format: of this record.
    """

    files: dict[str, FileDigest]
    format: int = FORMAT

    @classmethod
    def of_folder(cls, folder: Path) -> "ModelManifest":
        """Return what lies in a folder, but for a manifest."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
        return cls({path.relative_to(folder).as_posix(): _digest(path) for path in paths})

    def to_json(self) -> str:
        """Return it as JSON that is the same for the same files."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> "ModelManifest":
        """Read what `to_json` wrote.

        Args:
            text: JSON.
            where: named in errors.

        Raises:
            DataError: it is something else.
        """
        try:
            read = json.loads(text)
            files = {str(path): FileDigest(**digest) for path, digest in read["files"].items()}
            known = read["format"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{where}: no manifest of a model: {error}") from error
        if known != FORMAT:
            raise DataError(f"{where}: a manifest of format {known}, this code reads {FORMAT}; train again")
        return cls(files)

    def check(self, folder: Path) -> None:
        """Compare a folder with this manifest; nothing in it is parsed.

        Raises:
            DataError: a file is missing, of another length, changed, or not of the bundle.
        """
        there = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file() or path.is_symlink()
        }
        strange = sorted(set(there) - set(self.files) - {NAME})
        if strange:
            raise DataError(f"model bundle: {strange[0]} is not in its manifest; train again")
        for name, expected in self.files.items():
            path = there.get(name)
            if path is None or path.is_symlink():
                raise DataError(f"model bundle: {name} is missing; train again")
            size = path.stat().st_size
            if size != expected.size or size > MOST_BYTES:
                raise DataError(
                    f"model bundle: {name} has {size} bytes instead of {expected.size}; train again"
                )
            if _digest(path) != expected:
                raise DataError(f"model bundle: {name} was changed after training; train again")


def _digest(path: Path) -> FileDigest:
    with path.open("rb") as file:
        return FileDigest(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
