"""Files that are read together come out as each would by itself."""

from datetime import date

import pytest
from builders import HEADER, SOURCE, raw, row, same
from hypothesis import given
from hypothesis import strategies as st

from fems.raw.decode import decode, decode_all
from fems.raw.fast import plain

LINES = st.sampled_from(
    [
        row(),
        row(time="2025-03-04 00:15:00", used="ERR"),
        row(time="2025-03-05 00:30:00", sensor="F-M02", used="1,5"),
        row(time="2025-03-05 00:45:00", used="12 kWh"),
        row(time="soon"),
        row(sensor="F-M99"),
        row(factory="2100"),
        "2025-03-04 01:00:00,F,F-M01,1.5",
        row(used="１２"),
        row(used="'"),
        '2025-03-04 01:00:00,F,"F-M01",1.5,90,10,1.5,0.7',
        '2025-03-04 01:00:00,F,"F-M01,1.5,90,10,1.5,0.7',
        "",
        "  ",
    ]
)
FILES = st.lists(
    st.tuples(
        st.sampled_from([HEADER, HEADER, HEADER, HEADER.replace("used_kwh", "사용량"), "nothing"]),
        st.lists(LINES, max_size=6),
        st.sampled_from(["\n", "\n", "\r\n"]),
        st.booleans(),
        st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "cp949", "utf-16"]),
    ),
    min_size=1,
    max_size=6,
)


@given(FILES)
def test_together_is_as_one_by_one(files: list[tuple[str, list[str], str, bool, str]]) -> None:
    objects = []
    for i, (header, lines, end, ended, encoding) in enumerate(files):
        text = end.join([header, *lines]) + (end if ended else "")
        data = text.encode(encoding, errors="replace")
        objects.append((raw(i, data), data))
    for one, other in zip(
        decode_all(objects, SOURCE), (decode(r, d, SOURCE) for r, d in objects), strict=True
    ):
        assert same(one, other), (one, other)


def test_a_month_of_plain_files_is_read_as_one() -> None:
    data = (HEADER + "\n" + row() + "\n").encode()
    objects = [(raw(i, data), data) for i in range(30)]
    [batch] = list(plain.batches(objects, SOURCE))
    assert len(batch.raws) == 30
    found = decode_all(objects, SOURCE)
    assert [d.raw for d in found] == [r for r, _ in objects] and all(d.lines.tolist() == [2] for d in found)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", (HEADER + "\n").encode()])
def test_a_file_with_nothing_in_it_does_not_hide_among_others(data: bytes) -> None:
    good = (HEADER + "\n" + row() + "\n").encode()
    found = decode_all([(raw(0, good), good), (raw(1, data), data), (raw(2, good), good)], SOURCE)
    assert [d.undecodable for d in found] == [False, True, False]
    assert date(2025, 3, 4) == found[0].raw.day
