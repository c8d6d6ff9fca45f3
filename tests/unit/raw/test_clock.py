"""Written times: read where they can mean one time only, refused where they cannot."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fems.raw.clock import NO_TIME, interval_starts, label_times, local_days, on_grid
from fems.registry.mapping import FileMapping

SEOUL_MIDNIGHT = int(datetime(2025, 3, 3, 15, tzinfo=UTC).timestamp())


def minutes(
    labels: list[str], *formats: str, zone: str = "Asia/Seoul", **mapping: object
) -> list[int | None]:
    """Read labels as minutes after midnight of 4 March 2025 in Seoul."""
    found = label_times(labels, FileMapping(time_format=formats or None, **mapping), 1, zone).utc
    return [None if utc == NO_TIME else (int(utc) - SEOUL_MIDNIGHT) // 60 for utc in found]


@pytest.mark.parametrize(
    ("written", "minute"),
    [
        ("2025-03-04 13:05:00", 785),
        ("2025-03-04T13:05", 785),
        (" 2025-03-04 13:05:00 ", 785),
        ("2025-03-04 13:05:00.250", 785),
        ("2025-03-04T13:05:00,5", 785),
        ("2025/03/04 1:05", 65),
        ("2025.03.04 13:05:00", 785),
        ("2025. 3. 4. 오후 1:05:00", 785),
        ("20250304130500", 785),
        ("202503041305", 785),
        ("20250304T130500Z", 785 + 540),
        ("2025-03-04 오후 1:05:00", 785),
        ("2025-03-04 오전 12:05", 5),
        ("2025-03-04 오후 12:05", 725),
        ("2025-03-04 01:05 PM", 785),
        ("2025-03-04 1:05:00 am", 65),
        ("2025년 3월 4일 13시 5분", 785),
        ("2025년 03월 04일 오후 1시 5분 2초", 785),
        ("2025-03-04 24:00", 1440),
        ("2025-3-4 24:00:00", 1440),
        ("202503042400", 1440),
        ("2025-03-04", 0),
        ("2025-03-04 13:05:00+09:00", 785),
        ("2025-03-04T04:05:00Z", 785),
        ("2025-03-04 04:05:00 UTC", 785),
        ("2025-03-03T23:05:00-05:00", 785),
        ("2025-03-04 13:05+0900", 785),
        ("1741061100", 785),
        ("1741061100000", 785),
        ("1741061100000000", 785),
        ("1741061100.0", 785),
        ("2025-02-30 00:00:00", None),
        ("2025-02-29", None),
        ("2025-03-04 25:61", None),
        ("2025-03-04 24:01", None),
        ("2025-13-04 00:00:00", None),
        ("2025-00-04 00:00:00", None),
        ("2025-03-00 00:00:00", None),
        ("2025-03-04 오전 13:05", None),
        ("2025-03-04 오전 1:05 PM", None),
        ("2025-03/04 13:05", None),
        ("2025-03-04 13:05:00+99:00", None),
        ("04/03/2025 13:05", None),
        ("03-04-25 13:05", None),
        ("13:05", None),
        ("soon", None),
        ("", None),
        ("0001-01-01 00:00:00", None),
        ("9999-12-31 23:59:59", None),
        ("9999999999", None),
    ],
)
def test_without_a_format_what_can_mean_one_time_is_read(written: str, minute: int | None) -> None:
    assert minutes([written]) == [minute]
    assert minutes([written, "2025-03-04 00:01:00", written]) == [minute, 1, minute]


def test_formats_are_tried_in_order_and_only_they_settle_day_and_month() -> None:
    assert minutes(["04/03/2025 13:05"], "%d/%m/%Y %H:%M") == [785]
    assert minutes(["03/04/2025 13:05"], "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M") == [785]
    assert minutes(["13/03/2025 00:00"], "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M") == [9 * 1440]
    assert minutes(["4/3/2025 1:05"], "%d/%m/%Y %H:%M") == [65], "strptime does not ask for leading zeros"
    assert minutes(["30/02/2025 00:00", "04/03/2025 24:00"], "%d/%m/%Y %H:%M") == [None, 1440]
    assert minutes(["4/3/2025 오후 1:05", "4/3/2025 AM 1:05"], "%d/%m/%Y %p %I:%M") == [785, 65]
    assert minutes(["04-Mar-25 13:05"], "%d-%b-%y %H:%M") == [785]
    assert minutes(["2025-03-04 04:05:00+0000"], "%Y-%m-%d %H:%M:%S%z") == [785]
    assert minutes(["2025년 03월 04일 13:05"], "%Y년 %m월 %d일 %H:%M") == [785]


def test_a_collector_that_changes_its_format_is_still_read_where_that_is_no_guess() -> None:
    written = ["04/03/2025 00:00", "2025-03-04 00:01:00", "2025-03-04T00:02:00+09:00", "04.03.2025 00:03"]
    assert minutes(written, "%d/%m/%Y %H:%M") == [0, 1, 2, None]


@pytest.mark.parametrize("form", ["%Q", "%Y-%m-%d %Y", "%"])
def test_a_format_that_cannot_be_read_is_refused_in_the_registry(form: str) -> None:
    with pytest.raises(ValidationError, match="no strptime format"):
        FileMapping(time_format=("%Y-%m-%d %H:%M", form))


moments = st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2199-12-31")).map(
    lambda m: m.replace(microsecond=0)
)


@given(
    st.lists(moments, min_size=1, max_size=20),
    st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", None]),
)
def test_all_at_once_is_one_by_one(written: list[datetime], form: str | None) -> None:
    labels = [m.strftime(form) if form else m.isoformat() for m in written]
    mapping = FileMapping(time_format=form)
    expected = [int(m.replace(tzinfo=UTC).timestamp()) for m in written]
    assert label_times(labels, mapping, 1, "UTC").local.tolist() == expected
    assert [label_times([label], mapping, 1, "UTC").local[0] for label in labels] == expected


@given(
    st.lists(
        st.text(max_size=30)
        | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", fullmatch=True)
    )
)
def test_no_text_makes_it_raise_and_no_label_minds_its_neighbours(labels: list[str]) -> None:
    mapping = FileMapping(time_format="%Y-%m-%d %H:%M:%S")
    together = label_times(labels, mapping, 15, "Europe/Berlin")
    alone = [label_times([label], mapping, 15, "Europe/Berlin") for label in labels]
    assert together.utc.tolist() == [one.utc[0] for one in alone]
    assert ((together.utc == NO_TIME) == (together.day == NO_TIME)).all()


@given(
    st.datetimes(datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2026-12-31")),
    st.integers(-15 * 4, 15 * 4),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Seoul", "Australia/Lord_Howe"]),
)
def test_a_label_with_an_offset_is_exact_whatever_the_clocks_do(
    moment: datetime, quarters: int, zone: str
) -> None:
    there = moment.replace(second=0, microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarters)))
    found = label_times([there.isoformat()], FileMapping(), 1, zone)
    assert found.utc[0] == int(there.timestamp())


def test_skipped_and_repeated_times_are_refused_unless_the_label_says_which() -> None:
    labels = ["2025-03-30 02:30", "2025-10-26 02:30", "2025-10-26 03:30", "2025-06-01 02:30"]
    assert minutes(labels, zone="Europe/Berlin")[:2] == [None, None]
    assert None not in minutes(labels[2:], zone="Europe/Berlin")
    first, second = minutes(["2025-10-26T02:30+02:00", "2025-10-26T02:30+01:00"], zone="Europe/Berlin")
    assert first is not None and second == first + 60


def test_the_wall_clock_of_the_file_and_the_day_of_the_factory() -> None:
    times = label_times(
        ["2025-03-03 15:00", "2025-03-03 14:59"], FileMapping(timezone="UTC"), 1, "Asia/Seoul"
    )
    assert (times.day[0] - times.day[1], times.utc[0]) == (1, SEOUL_MIDNIGHT)


def test_end_marks_the_midnight_quirk_and_a_clock_that_is_a_little_off() -> None:
    mapping = {"time_marks": "end", "midnight": "same_day"}
    assert minutes(["2025-03-04 00:15:03", "2025-03-04 00:00", "2025-03-04 24:00"], **mapping) == [
        14,
        1439,
        2879,
    ]
    assert minutes(["2025-03-04T00:15:03+09:00", "2025-03-04T00:00Z"], **mapping) == [14, 539]
    assert minutes(["2025-03-04 00:15:07"], **mapping) == [None], "7 s of a minute is more than a tenth"


def test_wall_clock_seconds_become_interval_starts() -> None:
    local = np.array([15 * 60, 0], dtype=np.int64) + 86_400
    mapping = FileMapping(time_marks="end", midnight="same_day")
    starts = interval_starts(on_grid(local + 3, mapping, 15), mapping, 15, "UTC")
    assert ((starts - 86_400) // 60).tolist() == [0, 23 * 60 + 45]
    assert local_days(np.array([NO_TIME, 86_399, 86_400]), "UTC").tolist() == [NO_TIME, 0, 1]
