"""What people write down of a factory's steam traps: repairs, planned stops, and their word on an event."""

import json
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from fems.errors import DataError
from fems.registry.steam_traps import Repair, Stop

FORMAT = 1
Word = Literal["confirmed", "false_alarm", "repaired"]


class Verdict(BaseModel):
    """A person's word on an event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: str
    word: Word
    day: date
    note: str = ""


class TrapRecords(BaseModel):
    """All of a factory, in the order in which it was written down."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    repairs: tuple[Repair, ...] = ()
    stops: tuple[Stop, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def newest_words(self) -> dict[str, Verdict]:
        """Return the newest word on each event."""
        return {verdict.event_id: verdict for verdict in self.verdicts}


def read_records(content: bytes | None, key: str) -> TrapRecords:
    """Return what was written down; nothing where there is no object.

    Raises:
        DataError: what lies there is something else.
    """
    if content is None:
        return TrapRecords()
    try:
        return TrapRecords.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{key}: {where}: {first['msg']}; mend it or remove it") from error


def write_records(records: TrapRecords) -> bytes:
    """Return what is stored: the same records are the same bytes."""
    content = json.loads(records.model_dump_json())
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1).encode()
