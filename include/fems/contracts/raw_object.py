"""A raw object as a listing of the lake tells it."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, order=True)
class RawObject:
    """A raw object: what it is called, what is in it (its ETag), and the factory's day it stands for."""

    key: str
    etag: str
    size: int
    day: date

    @property
    def name(self) -> str:
        """What the collector called the file."""
        return self.key.rsplit("/", 1)[1]
