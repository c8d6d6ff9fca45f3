"""Raw objects: every row is read, typed or quarantined with a reason."""

import numpy as np
import pyarrow as pa
import pytest
from builders import DAY, HEADER, plant, row
from hypothesis import given
from hypothesis import strategies as st

from fems.contracts.raw_object import RawObject
from fems.errors import ConfigError
from fems.raw import clock, numbers
from fems.raw.decode import decode
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.mapping import FileMapping
from fems.settings import settings


def decoded(text: str | bytes, **mapping: object):
    data = text.encode() if isinstance(text, str) else text
    source = FactoryFeed.of(plant(**mapping), load_book(settings().definitions_dir, "meter"), "F")
    return decode(
        RawObject("raw/meter/factory=F/date=2025-03-04/a.csv", "etag", len(data), DAY), data, source
    )


@pytest.mark.parametrize(
    ("written", "value", "state"),
    [
        ("1,234.5", 1234.5, numbers.RETYPED),
        ("12,5", 12.5, numbers.RETYPED),
        ("12.3 kWh", 12.3, numbers.RETYPED),
        ("１２．５", 12.5, numbers.RETYPED),
        (" 7 ", 7.0, numbers.RETYPED),
        ("96 %", 96.0, numbers.RETYPED),
        ("0,123", 0.123, numbers.RETYPED),
        ("5 MWh", np.nan, numbers.WRONG),
        ("21.5 °C", 21.5, numbers.RETYPED),
        ("ERR", np.nan, numbers.WRONG),
        ("1.2.3", np.nan, numbers.WRONG),
        ("-", np.nan, numbers.EMPTY),
        ("NaN", np.nan, numbers.EMPTY),
        ("", np.nan, numbers.EMPTY),
        ("inf", np.nan, numbers.EMPTY),
    ],
)
def test_odd_numbers_are_read_or_named(written: str, value: float, state: int) -> None:
    values, states, _ = numbers.to_numbers(pa.chunked_array([["1", written, "2.5e1"]]))
    np.testing.assert_array_equal(values, [1.0, value, 25.0])
    assert states.tolist() == [numbers.MEASURED, state, numbers.MEASURED]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=30))
def test_what_a_meter_writes_plainly_is_read_to_the_last_digit(values: list[float]) -> None:
    read, states, _ = numbers.to_numbers(pa.chunked_array([[repr(v) for v in values]]))
    assert read.tolist() == values
    assert not states.any()


def test_every_bad_row_has_a_reason_and_the_counts_add_up() -> None:
    lines = [
        HEADER,
        row(),
        row(time="2025-03-04 00:15:00", factory="2100"),
        row(time="2025-03-04 00:30:00", sensor="F-M99"),
        row(time="soon"),
        row(time="2025-03-05 00:00:00"),
        row(time="2025-03-04 00:07:00"),
        "2025-03-04 01:00:00,F,F-M01,1.5",
        row(time="2025-03-04 01:15:00", used="ERR"),
    ]
    found = decoded("\n".join(lines) + "\n")
    assert found.read == 8
    assert len(found.starts) + len(found.quarantined) == found.read
    reasons = {b.line: b.reason for b in found.quarantined}
    assert "factory '2100'" in reasons[3]
    assert "'F-M99' is not registered" in reasons[4] and "factories.yaml" in reasons[4]
    assert "'soon' cannot be read" in reasons[5]
    assert "outside the object's day 2025-03-04" in reasons[6]
    assert "not on the 15-minute grid" in reasons[7]
    assert "4 fields where the header has 8" in reasons[8]
    assert found.states[0, found.lines == 9] == numbers.WRONG


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n....", "PNG picture"),
        (b"PK\x03\x04....", "ZIP archive"),
        (b"a,b\x00c\n1,2\n", "binary"),
        (HEADER.encode() + b"\n", "no row"),
        (b"time,F-M01\n1,2\n", "no column for used_kwh"),
        (b"timestamp,used_kwh,used_kwh\n1,2,3\n", "twice"),
        (b"\xfa\xfb\xfc\n\xff\n1", "not text"),
    ],
)
def test_an_object_that_nothing_reads_is_quarantined_whole(data: bytes, reason: str) -> None:
    found = decoded(data)
    assert found.undecodable
    assert [b.line for b in found.quarantined] == [0]
    assert reason in found.quarantined[0].reason


def test_a_file_cut_in_the_middle_loses_only_its_last_line() -> None:
    whole = "\n".join([HEADER, *(row(time=f"2025-03-04 00:{m:02d}:00") for m in (0, 15, 30, 45))])
    found = decoded(whole[: whole.rindex(",1.5")])
    assert (found.read, len(found.starts), len(found.quarantined)) == (4, 3, 1)


def test_cp949_and_korean_headers() -> None:
    text = "수집일시,공장,센서ID,사용량\n2025-03-04 00:00:00,F,F-M01,1.5\n"
    found = decoded(text.encode("cp949"))
    assert found.values[0, 0] == 1.5
    assert found.supplied.tolist() == [True, False, False, False, False]


def test_end_marks_and_the_midnight_quirk() -> None:
    local = np.array([15 * 60, 0], dtype=np.int64) + 86_400  # 00:15 and 00:00 of the same day
    mapping = FileMapping(time_marks="end", midnight="same_day")
    starts = clock.interval_starts(clock.on_grid(local + 3, mapping, 15), mapping, 15, "UTC")  # 3 s off
    assert ((starts - 86_400) // 60).tolist() == [0, 23 * 60 + 45]


def test_a_clock_change_is_no_guess() -> None:
    wall = np.array(
        ["2025-03-30T02:30", "2025-10-26T02:30", "2025-06-01T02:30"], dtype="datetime64[s]"
    ).astype(np.int64)
    utc = clock.interval_starts(wall, FileMapping(), 15, "Europe/Berlin")
    assert (utc == clock.NO_TIME).tolist() == [True, True, False]


def test_wide_files_become_rows() -> None:
    text = "timestamp,pump,press\n2025-03-04 00:00:00,1,2\n2025-03-04 00:15:00,3,4\n"
    found = decoded(text, layout="wide", wide={"pump": "F-M01/used_kwh", "press": "F-M02/used_kwh"})
    assert found.read == 4
    assert sorted(zip(found.sensors.tolist(), found.values[0].tolist(), strict=True)) == [
        (0, 1.0),
        (0, 3.0),
        (1, 2.0),
        (1, 4.0),
    ]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    found = decoded(data)
    assert found.undecodable or len(found.starts) + len(found.quarantined) == found.read


@given(st.text(alphabet="0123456789,.\n\"F-M:ab \t'", max_size=200))
def test_no_text_under_a_good_header_loses_a_row(body: str) -> None:
    found = decoded(HEADER + "\n" + row() + "\n" + body)
    assert found.undecodable or len(found.starts) + len(found.quarantined) == found.read


def test_a_file_in_another_zone_lies_in_the_factory_s_days() -> None:
    lines = [row(time=f"2025-03-03 {h}:00:00") for h in (14, 15)] + [row(time="2025-03-04 15:00:00")]
    found = decoded("\n".join([HEADER, *lines]) + "\n", timezone="UTC")
    assert (found.days - found.days[1]).tolist() == [-1, 0], "14:00 UTC is 23:00 of the day before in Seoul"
    assert [b.line for b in found.quarantined] == [4], "15:00 UTC is midnight of the day after"
    assert (found.starts[1] + 9 * 3600) % 86_400 == 0


@pytest.mark.parametrize(
    "written", ["2025-03-03T15:00:00Z", "2025-03-04T00:00:00+09:00", "2025-03-04 00:00:00"]
)
def test_iso_times_with_and_without_an_offset(written: str) -> None:
    found = decoded("\n".join([HEADER, row(time=written)]) + "\n", time_format=None)
    assert found.quarantined == []
    assert (found.starts[0] + 9 * 3600) % 86_400 == 0


def test_a_day_that_does_not_exist_is_not_the_day_after() -> None:
    found = decoded(
        "\n".join([HEADER, row(time="2025-02-32 00:00:00"), row(time="2025-02-30 00:00:00")]) + "\n"
    )
    assert ["cannot be read" in b.reason for b in found.quarantined] == [True, True]


@pytest.mark.parametrize("data", ["\ufeff\n", "\u3000\n\u00a0"])
def test_what_only_looks_blank_is_empty(data: str) -> None:
    assert "empty" in decoded(data).quarantined[0].reason


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"columns": {"usage": "x"}}, "'usage' is no column of feed meter"),
        ({"cumulative": {"usd_kwh": 10}}, "'usd_kwh' is no column"),
        ({"layout": "wide", "wide": {"A": "F-M01/usd_kwh"}}, "'usd_kwh' is no column"),
        ({"layout": "wide", "wide": {"A": "F-M77/used_kwh"}}, "factory F has no sensor 'F-M77'"),
        ({"constants": {"sensor_id": "F-M77"}}, "factory F has no sensor 'F-M77'"),
    ],
)
def test_a_mapping_that_names_nothing_is_refused(mapping: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        decoded(HEADER + "\n" + row() + "\n", **mapping)
