"""What every stored record shares: it is frozen, bears a format number, and has one reader and one writer."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError

from fems.canonical import to_json
from fems.errors import DataError, UnknownFormat

R = TypeVar("R", bound="Record")

Instant = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str, when_used="json")]
"""An instant with its offset, as ISO 8601 (`+00:00`, never `Z`)."""


class Part(BaseModel):
    """A part of a record, or a result that is passed on: frozen, and nothing in it that it does not name."""

    # a command builds only the records that it uses
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Record(Part):
    """A record that is stored as JSON.

    Attributes:
        REMEDY: what a person runs where the stored record is of another format, or broken.
        INDENT: of its JSON; None for one line, which is ten times as fast to write.
        format: the number of its format; its default is what this version writes, and all that it reads.
    """

    REMEDY: ClassVar[str]
    INDENT: ClassVar[int | None] = 1

    format: int = 1


class Outcome(Part):
    """What a flow returns, and a task passes on: keys and small figures, never tables.

    Attributes:
        seconds: how long the flow itself took, so that a scheduler's own share can be told.
    """

    seconds: float = 0.0


def write(record: Record, leave_out: Iterable[str] = ()) -> bytes:
    """Return a record as it is stored: the same record is the same bytes.

    Args:
        record: what to store.
        leave_out: fields that are not written, for a copy that nobody reads back.
    """
    return to_json(record.model_dump(mode="json", exclude=set(leave_out)), record.INDENT)


def read(kind: type[R], data: bytes, key: str) -> R:
    """Return a stored record.

    Args:
        kind: the record's class.
        data: what `write` wrote.
        key: where it lies, for the error.

    Raises:
        UnknownFormat: another version wrote it; says what makes it anew.
        DataError: it is no such record.
    """
    try:
        content = json.loads(data)
    except ValueError as error:
        raise DataError(f"{key}: is not JSON; {kind.REMEDY}") from error
    found = content.get("format") if isinstance(content, dict) else None
    known = kind.model_fields["format"].default
    if found != known:
        was = "has no format number" if found is None else f"is of format {found}"
        raise UnknownFormat(f"{key}: {was}, and this version reads format {known}; {kind.REMEDY}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{key}: {where}: {first['msg']}; {kind.REMEDY}") from error


class Counts(Part):
    """Numbers that add up, field by field."""

    def __add__(self, other: Self) -> Self:
        return type(self)(
            **{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields}
        )

    @classmethod
    def total(cls, counts: Iterable["Counts"]) -> Self:
        """Return some counts, added up; what this class does not name is left out."""
        names = tuple(cls.model_fields)
        rows = [[getattr(each, name) for name in names] for each in counts]
        return cls(**{name: sum(row[i] for row in rows) for i, name in enumerate(names)})
