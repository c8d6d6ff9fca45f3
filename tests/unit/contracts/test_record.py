"""Stored records: what is written is read as it was; what another version wrote is one error that says what to run."""

import json
from typing import ClassVar

import pytest

from fems.contracts import record
from fems.contracts.evaluation import EvaluationRecord, PastEvaluation
from fems.contracts.forecast import ForecastSummary, LatestForecast
from fems.contracts.manifest import CellCounts, DayCounts, Manifest, RowCounts
from fems.contracts.monitoring import PeakNotice, TrainingRequests
from fems.contracts.record import Record
from fems.contracts.status import ProcessSummary
from fems.errors import DataError, UnknownFormat

STORED = [
    EvaluationRecord, ForecastSummary, LatestForecast, Manifest, PastEvaluation, PeakNotice, ProcessSummary,
    TrainingRequests,
]  # fmt: skip


class Pair(Record):
    REMEDY: ClassVar[str] = "run `fems pair`"

    format: int = 3
    left: int
    right: tuple[str, ...] = ()


def test_a_record_survives_being_stored_and_bears_its_format() -> None:
    pair = Pair(left=1, right=("a", "b"))
    data = record.write(pair)
    assert json.loads(data) == {"format": 3, "left": 1, "right": ["a", "b"]}
    assert record.read(Pair, data, "x.json") == pair
    assert record.write(Pair(right=("a", "b"), left=1)) == data, "the same record is the same bytes"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"left": 1}', "x.json: has no format number, and this version reads format 3; run `fems pair`"),
        (b'{"left": 1, "format": 2}', "x.json: is of format 2, and this version reads format 3"),
        (b"[1]", "has no format number"),
    ],
)
def test_another_format_is_one_typed_error_that_says_what_to_run(data: bytes, says: str) -> None:
    with pytest.raises(UnknownFormat) as error:
        record.read(Pair, data, "x.json")
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{", "x.json: is not JSON; run `fems pair`"),
        (b'{"format": 3}', "x.json: left: Field required; run `fems pair`"),
        (b'{"format": 3, "left": 1, "middle": 2}', "x.json: middle: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_such_record_is_one_error(data: bytes, says: str) -> None:
    with pytest.raises(DataError) as error:
        record.read(Pair, data, "x.json")
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", STORED)
def test_every_stored_record_is_frozen_has_a_format_and_says_what_to_do(kind: type[Record]) -> None:
    assert kind.model_config["frozen"] and kind.model_config["extra"] == "forbid"
    assert kind.model_fields["format"].default >= 1
    assert len(kind.REMEDY) > 10


def test_counts_add_up_field_by_field() -> None:
    day = DayCounts(read=3, published=2, duplicate=1, cells_measured=5)
    assert day + day == DayCounts(read=6, published=4, duplicate=2, cells_measured=10)
    assert RowCounts.total([day, day]) == RowCounts(read=6, published=4, duplicate=2)
    assert CellCounts.total([]) == CellCounts() and CellCounts().shares().coverage_pct is None
    assert CellCounts(cells_measured=3, cells_missing=1).shares().coverage_pct == 75.0
